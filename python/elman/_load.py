"""Layers and models from their files."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, TypeVar, overload

from . import files, init
from .layers.kinds import find

Kind = TypeVar("Kind")


def _make_layer(content: dict[str, Any]) -> Any:
    content = dict(content)
    kind: Any = find(content.pop("layer"), "elman.layers")
    config = content.get("config", content)  # earlier files have the arguments beside the class
    return kind._from_config(config)


def _make_model(content: dict[str, Any]) -> Any:
    config, notes = content.get("config"), content.get("notes")
    if not isinstance(config, dict) or not isinstance(notes, dict):
        raise ValueError("it does not say with which arguments the model was made")
    kind: Any = find(content["model"], "elman.models")
    model = kind._from_config(config)
    model.notes = notes
    return model


def _make_estimator(content: dict[str, Any]) -> Any:
    # Imported when a file asks for it: it needs scikit-learn.
    return import_module("elman.sklearn.files").make(content)


# Who makes what a file describes, without its arrays; by the word in its description.
_MAKERS = {"layer": _make_layer, "model": _make_model, "estimator": _make_estimator}

# What a constructor may raise when the arguments in a file do not suit it.
_UNSUITABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@overload
def load(path: str | os.PathLike[str]) -> Any: ...
@overload
def load(path: str | os.PathLike[str], kind: type[Kind]) -> Kind: ...
def load(path: str | os.PathLike[str], kind: type | None = None) -> Any:
    """The layer, model or estimator that `save` wrote to `path` (extra: save).

    Import the module of its class first, if the class is your own: a file names its class and holds no code.

    Args:
        path: of the file.
        kind: the class that is expected, for type checkers too: `load(path, SequenceClassifier)`.

    Returns:
        The layer, model or estimator, with its parameters and notes.

    Raises:
        ValueError: `save` did not write the file, or it has changed since, or it is of a class that is not imported or
            that takes other arguments now, or of another class than `kind`.
        OSError: the file cannot be read.
    """
    where = repr(os.fspath(path))
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"path: expected a file written by save(), got the directory {where}; a run whose checkpoint it is goes on "
            "with the same call of fit"
        )
    try:
        content, arrays = files.read(path, "loading a layer or a model")
        held = [word for word in _MAKERS if word in content]
        if len(held) != 1:
            is_checkpoint = "; it is of a checkpoint, whose run goes on with the same call of fit"
            raise ValueError(
                "it does not say that it holds a layer or a model" + is_checkpoint * ("checkpoint" in content)
            )
        # Twice, as a constructor may draw numbers that it does not keep.
        with init.from_file(2 * sum(array.size for array in arrays.values())):
            made = _MAKERS[held[0]](content)
        made.load_state_dict(arrays)
    except files.NotImportedError as error:
        raise ValueError(f"path: {where} holds {error}") from None
    except _UNSUITABLE as error:
        raise ValueError(f"path: expected a file written by save(), got {where}: {error}") from error
    if kind is not None and not isinstance(made, kind):
        raise ValueError(
            f"path: expected a {kind.__name__}, got {where}, which holds a {type(made).__name__}"
        )
    return made
