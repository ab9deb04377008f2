"""Arrays by name, as layers show them and as state dicts bring them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from .store import behind, change, stores_of


class Arrays(Mapping[str, np.ndarray]):
    """Arrays by name. `arrays[name] = values` copies values in, `arrays.update({name: values})` copies several. Names,
    shapes and types stay as they are.

    Parameters cannot be written in any other way; gradients may also be written in place.
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: dict[str, np.ndarray]):
        self._arrays = arrays

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Copy `value` in: an array of any library or a list of numbers.

        Raises:
            ValueError: there is no such name, or the shape or dtype differs.
            RuntimeError: the parameters are being edited.
        """
        self.update({name: value})

    def update(self, arrays: Mapping[str, Any]) -> None:
        """Copy several in. If one does not fit, none is copied."""
        for name in _by_name("arrays", arrays):
            if name not in self._arrays:
                raise ValueError(
                    f"name: expected one of {', '.join(self._arrays)}, got {_check.describe(name)}"
                )
        write(self._arrays, {name: fitted(name, value, self._arrays[name]) for name, value in arrays.items()})

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __delitem__(self, name: str) -> None:
        raise ValueError(f"name: expected the names to stay ({', '.join(self._arrays)}), got del of {name!r}")

    def __len__(self) -> int:
        return len(self._arrays)

    # Mapping has these too, but calls __getitem__ for each name.

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def get(self, name: str, default: Any = None) -> Any:
        return self._arrays.get(name, default)

    def keys(self) -> Any:
        return self._arrays.keys()

    def values(self) -> Any:
        return self._arrays.values()

    def items(self) -> Any:
        return self._arrays.items()

    def __repr__(self) -> str:
        shown = (f"{name}: {_check.describe(value)}" for name, value in self.items())
        return f"{{{', '.join(shown)}}}"

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({name: np.array(value) for name, value in self.items()},)  # a copy belongs to no layer


def fitted(name: str, value: Any, like: np.ndarray) -> np.ndarray:
    """`value` as an array that can be copied into `like`.

    Raises:
        ValueError: its shape or dtype is another. The numbers of a list have no dtype; they take that of `like`.
    """
    detach = getattr(value, "detach", None)
    array = to_numpy(name, detach() if detach else value, like.dtype)
    if array.shape != like.shape or array.dtype != like.dtype:
        hint = _check.cast(name, value, array, like.dtype) if array.shape == like.shape else ""
        raise ValueError(f"{name}: expected {_check.describe(like)}, got {_check.describe(array)}{hint}")
    return array


def _by_name(name: str, arrays: Any) -> Mapping[str, Any]:
    if not isinstance(arrays, Mapping):
        hint = (
            f"; .state_dict() of the {type(arrays).__name__} has them"
            if hasattr(arrays, "state_dict")
            else ""
        )
        raise ValueError(f"{name}: expected a dict of arrays, got {_check.describe(arrays)}{hint}")
    return arrays


def _prefixes(own: Mapping[str, np.ndarray], arrays: Mapping[str, Any]) -> list[str]:
    """What stands before all names of `own` in the state dict of a larger model, once for each layer that fits."""
    first = next(iter(own), "")
    ends = [
        name.removesuffix(first) for name in arrays if isinstance(name, str) and name.endswith(f".{first}")
    ]
    return [before for before in ends if all(before + name in arrays for name in own)]


def matching(own: Mapping[str, np.ndarray], arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """`arrays`, of any library, if there is one of its shape and dtype for each name of `own`.

    Raises:
        ValueError: a name is missing or unknown, or an array does not fit.
    """
    missing = sorted(own.keys() - _by_name("state_dict", arrays).keys())
    unknown = sorted(arrays.keys() - own.keys())
    if missing and (prefixes := _prefixes(own, arrays)):
        one = prefixes[0]
        raise ValueError(
            f"state_dict: expected the names {', '.join(own)}, got them after {' or '.join(map(repr, prefixes))}; "
            f"{{name[{len(one)}:]: value for name, value in state_dict.items() if name.startswith({one!r})}} has them"
        )
    if missing or unknown:
        hint = "" if unknown else "; parameters.update takes some of them"
        raise ValueError(
            f"state_dict: expected the names {', '.join(own)}, "
            f"got none for {missing} and no use for {unknown}{hint}"
        )
    return {name: fitted(name, arrays[name], like) for name, like in own.items()}


def write(own: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy `arrays`, which fit, into those of `own`, which may be a layer's parameters. Where the two share memory, the
    values from before the call count."""
    if len(arrays) > 1:
        arrays = {
            name: value.copy() if any(np.may_share_memory(value, own[other]) for other in arrays) else value
            for name, value in arrays.items()
        }

    def copy() -> None:
        for name, value in arrays.items():
            np.copyto(behind(own[name]), value)

    change(stores_of(own[name] for name in arrays), copy)
