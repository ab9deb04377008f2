"""Arrays of any library in, arrays of the same library out, without a copy where memory can be shared (DLPack)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def to_numpy(name: str, value: Any, dtype: Any = None) -> np.ndarray:
    """`value` as a NumPy array, over the same memory where there is any.

    Takes NumPy arrays, what has `__dlpack__`, `__array__` or the buffer protocol, numbers, and lists of all these.
    Arrays keep their type. Python's own numbers have none: they take `dtype`, if it is of their kind.
    """
    if type(value) is np.ndarray and value.dtype.isnative:
        return value
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray):
            raise ValueError(
                f"{name}: expected an array without a mask of its own, got a masked array; give the steps that count "
                f"as mask= where there is such an argument, and the values as {name}.filled()"
            )
        value = np.asarray(value)
        # The other order of bytes holds the same numbers, and no engine reads it.
        return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
    if isinstance(value, (list, tuple, range, bool, int, float)) and not isinstance(value, np.generic):
        return _from_python(name, value, dtype)
    if getattr(value, "requires_grad", False):
        raise ValueError(
            f"{name}: expected an array without autograd, got a tensor that requires grad; pass {name}.detach()"
        )
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            kind = type(value).__name__
            hint = f"; {name}.float() is float32" if "bfloat16" in str(getattr(value, "dtype", "")) else ""
            raise ValueError(
                f"{name}: expected an array of numbers in main memory, got {kind}: {error}{hint}"
            ) from error
    if hasattr(value, "__array__"):
        return np.asarray(value)
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        raise ValueError(f"{name}: expected an array, got {type(value).__name__}") from None


def _from_python(name: str, value: Any, dtype: Any) -> np.ndarray:
    typed: list[np.dtype] = []  # of the arrays in it
    weak: dict[type, Any] = {}  # a number of each of Python's types in it

    def plain(part: Any) -> Any:
        if isinstance(part, (list, tuple, range)):
            return [plain(one) for one in part]
        kind = next((kind for kind in (bool, int, float) if isinstance(part, kind)), None)
        if kind and not isinstance(part, np.generic):
            weak[kind] = kind(1)
            return part
        array = to_numpy(name, part)
        typed.append(array.dtype)
        return array

    try:
        nested = plain(value)
        if typed:
            return np.array(nested, np.result_type(*typed, *weak.values()))
        array = np.array(nested)
    except (TypeError, ValueError, OverflowError) as error:
        if str(error).startswith(f"{name}: "):
            raise
        if "inhomogeneous" in str(error):
            error = ValueError("its parts differ in length; elman.sequence.pad makes one array of sequences")
        raise ValueError(
            f"{name}: expected an array of numbers, got {type(value).__name__}: {error}"
        ) from None
    number = array.dtype.kind in "iuf" and bool not in weak
    if dtype is not None and (not weak or (number and np.can_cast(array.dtype, dtype, "same_kind"))):
        return array.astype(dtype)
    return array


def has_axes(value: Any) -> bool:
    """Whether it is a list or an array of one axis or more, rather than a number."""
    return not isinstance(value, (bool, int, float)) and bool(getattr(value, "ndim", True))


def each_to_numpy(named: Iterable[tuple[str, Any]], floats: Any) -> list[np.ndarray]:
    """Values that belong together, by name, as arrays. What is made of Python's numbers has no type. It becomes whole
    numbers if all values are whole, else the float type of an array among them, or `floats` if there is no such
    array."""
    named = list(named)
    natural = [to_numpy(name, value) for name, value in named]
    dtype: Any = np.int64
    if any(array.size and array.dtype.kind == "f" for array in natural):
        typed = (
            a.dtype
            for a, (_, value) in zip(natural, named, strict=True)
            if not isinstance(value, (list, tuple))
        )
        dtype = next((one for one in typed if one.kind == "f"), floats)
    return [to_numpy(name, value, dtype) for name, value in named]


def columns(name: str, values: Iterable[Any], known: list[Any] | None = None) -> list[Any] | None:
    """The names of the columns of those `values` that are tables (DataFrames); `known` where none is.

    Raises:
        ValueError: the names of two tables, or of one and `known`, differ: by position, one feature would be taken for
        another.
    """
    for i, value in enumerate(values):
        if hasattr(value, "columns") and hasattr(value, "dtypes"):
            own = list(value.columns)
            if known is not None and own != known:
                hint = f"; {name}[{i}][{known}] has them so" if set(own) >= set(known) else ""
                raise ValueError(f"{name}[{i}]: expected the columns {known}, got {own}{hint}")
            known = own
    return known


def returner(value: Any) -> Callable[[np.ndarray], Any]:
    """What turns a result into the kind of array that `value` is: itself for NumPy, else its library's."""
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        library = sys.modules.get(type(value).__module__.partition(".")[0])
        from_dlpack = getattr(library, "from_dlpack", None)
        if from_dlpack is not None:
            return from_dlpack
    return lambda result: result
