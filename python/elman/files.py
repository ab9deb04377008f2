"""Files of arrays with a description: safetensors whose metadata hold JSON, and checksums of all that is in them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._extras import need

Arrays = dict[str, np.ndarray]
Path = str | os.PathLike[str]


class DamagedError(ValueError):
    """A file that `write` did not write, or that has changed since."""


class NotImportedError(ValueError):
    """A file is of a class that is not known here; what it is of, and what to do first."""


def write(path: Path, content: dict[str, Any], arrays: Mapping[str, np.ndarray], purpose: str) -> None:
    """Write a file that is whole and on the disk before it takes the place of `path` (extra: save).

    Args:
        content: what JSON can hold.
        purpose: of the file, for the message where safetensors is missing.
    """
    numpy = need("safetensors.numpy", "save", purpose)
    arrays = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    text = json.dumps(content)
    data = numpy.save(arrays, {"elman": text, "checksum": _checksum(text), "arrays": _checksum_of(arrays)})
    path = pathlib.Path(path).resolve()  # a link stays; the file it names is replaced
    if path.exists() and not path.is_file():  # a device, such as os.devnull, or a pipe is written to
        path.write_bytes(data)
        return
    name = path.name if len(os.fsencode(path.name)) < 200 else "long"  # names have a largest length
    new = path.with_name(f".{name}.{os.urandom(4).hex()}.new")
    try:
        with open(new, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            new.chmod(stat.S_IMODE(path.stat().st_mode))  # the same people may read it as before
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    flush_directory(path.parent)


def read(path: Path, purpose: str) -> tuple[dict[str, Any], Arrays]:
    """The content and the arrays of a file that `write` wrote. Files from before there were checksums are not verified.

    Raises:
        DamagedError: `write` did not write it, or it has changed since.
        OSError: it cannot be read.
    """
    numpy = need("safetensors.numpy", "save", purpose)
    data = pathlib.Path(path).read_bytes()
    if not data:
        raise DamagedError("it is empty")
    if data[:2] == b"PK":
        raise DamagedError(
            "not a safetensors file; if torch.save wrote it, load_state_dict takes what torch.load gives"
        )
    try:
        arrays = numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except Exception as error:  # whatever a damaged header makes the reader raise
        raise DamagedError(f"not a safetensors file: {error}") from error
    metadata = header.get("__metadata__", {})
    text = metadata.get("elman")
    if text is None:
        raise DamagedError(
            "nothing in its metadata says what it is; if it has the parameters of a layer, "
            f"layer.load_state_dict(safetensors.numpy.load_file({os.fspath(path)!r})) takes them"
        )
    if "checksum" in metadata and metadata["checksum"] != _checksum(text):
        raise DamagedError("its description is damaged")
    if "arrays" in metadata and metadata["arrays"] != _checksum_of(arrays):
        raise DamagedError("its arrays are damaged")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"its description is damaged: {error}") from error
    if not isinstance(content, dict):
        raise DamagedError("its description is damaged")
    return content, arrays


def flush_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk, as far as the system lets one."""
    opened: list[int] = []
    try:
        # In one call, which no exception of a signal handler divides: what has been opened is in the list.
        opened.extend(map(os.open, (path,), (os.O_RDONLY,)))
        os.fsync(opened[0])
    except OSError as error:
        if opened and error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
        # It cannot be opened: any directory on Windows; elsewhere one that may be written to and not read.
        if not opened and not isinstance(error, PermissionError):
            raise
    finally:
        for directory in opened:
            os.close(directory)


def make_directory(path: pathlib.Path) -> None:
    """Make a directory, and those above it, that is there after a power cut too."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        flush_directory(path.parent)


def new_hasher() -> Any:
    """A hash to which arrays are added; `hexdigest()` is the checksum."""
    import hashlib  # not with `import elman`, which it would make slower

    return hashlib.blake2b(digest_size=16)


def _checksum(text: str) -> str:
    hasher = new_hasher()
    hasher.update(text.encode())
    return hasher.hexdigest()


def _checksum_of(arrays: Arrays) -> str:
    hasher = new_hasher()
    for name, value in sorted(arrays.items()):
        add_array(hasher, name, value)
    return hasher.hexdigest()


def add_array(hasher: Any, name: str, value: np.ndarray) -> None:
    """Add name, type, shape and every number of an array. One that is not contiguous is copied in parts."""
    hasher.update(f"{name}:{value.dtype.str}{value.shape};".encode())
    if value.flags.c_contiguous or not value.ndim:
        hasher.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
        return
    rows = max(1, len(value) * 2**24 // max(value.nbytes, 1))
    for begin in range(0, len(value), rows):
        hasher.update(np.ascontiguousarray(value[begin : begin + rows]).reshape(-1).view(np.uint8))
