"""Files of layers and models: whether what was read is what was written, and files by other hands."""

import json

import numpy as np


def equal(a, b):
    """Two layers or models."""
    return (
        repr(a) == repr(b)
        and getattr(a, "notes", None) == getattr(b, "notes", None)
        and a.parameters.keys() == b.parameters.keys()
        and all(np.array_equal(value, b.parameters[name]) for name, value in a.parameters.items())
    )


def write_raw(path, content, arrays=None):
    """A file as an earlier version, or a stranger, wrote it."""
    from safetensors.numpy import save_file

    save_file(arrays or {}, path, {"elman": content if isinstance(content, str) else json.dumps(content)})
