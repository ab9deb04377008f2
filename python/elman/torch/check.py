"""Refusals, in elman's words and with the kind of error torch.nn raises for the same mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .._check import Dim, one_number, shape_text
from ..stack.arguments import named_scalars
from ..stack.cells import CELLS


def describe_type(value: Tensor) -> str:
    where = "" if value.device.type == "cpu" else f" on {value.device}"
    if not _strided(value):
        where += " nested" if value.is_nested else f" {value.layout}".replace("torch.", "")
    return f"{str(value.dtype).removeprefix('torch.')}{where}"


def _strided(value: Tensor) -> bool:
    """Whether it is an ordinary array: not sparse, nested or of another library's layout."""
    return value.layout is torch.strided and not value.is_nested


def describe(value: Any) -> str:
    if isinstance(value, Tensor):
        if value.is_nested:  # has no sizes that could be shown
            return describe_type(value)
        return f"{shape_text(value.shape)} {describe_type(value)}"
    return repr(value) if value is None else type(value).__name__


def features(name: str, value: Any, leads: Sequence[str], width: int, like: Tensor) -> None:
    """Refuses `value` unless it is [.., width] with as many axes in front as one of `leads` has letters."""
    if isinstance(value, Tensor):
        axes = value.dim() - 1
        known = any(len(lead) == axes for lead in leads)
        plain = _strided(value)
        fits = known and (not plain or value.shape[-1] == width)
        if fits and plain and value.dtype == like.dtype and value.device == like.device:
            return
        kind: type[Exception] = ValueError if fits or not known else RuntimeError
    else:
        kind = TypeError
    wanted = " or ".join(shape_text([*lead, width]) for lead in leads)
    raise kind(f"{name}: expected {wanted} {describe_type(like)}, got {describe(value)}")


def states(cell: str, hx: Any, leads: tuple[int, ...], widths: tuple[int, int], like: Tensor) -> list[Tensor]:
    """The states of a cell in hx, each [*leads, width]: hx itself where there is one. `widths`: of h, and of the
    others."""
    names = CELLS[cell].states
    count = len(names)
    if count == 1:
        parts = [hx]
    elif isinstance(hx, (tuple, list)) and len(hx) == count:
        parts = list(hx)
    else:
        kind = "pair" if count == 2 else "tuple"
        raise RuntimeError(f"hx: expected a {kind} ({', '.join(names)}), got {describe(hx)}")
    for n, part in enumerate(parts):
        shape = (*leads, widths[1] if n else widths[0])
        if not (
            isinstance(part, Tensor)
            and _strided(part)
            and part.shape == shape
            and part.dtype == like.dtype
            and part.device == like.device
        ):
            name = "hx" if count == 1 else f"hx[{n}]"
            wanted = f"{shape_text(shape)} {describe_type(like)}"
            raise RuntimeError(f"{name}: expected {wanted}, got {describe(part)}")
    return parts


def scalars(cell: str, given: Mapping[str, Any], x: Tensor) -> list[Tensor]:
    """The scalars of a cell as one tensor with one more axis than each, which has those of x but the last (or is one
    number); nothing where it has none."""
    wanted = lambda: f"{shape_text(x.shape[:-1])} {describe_type(x)}"  # noqa: E731
    parts = named_scalars(cell, given, wanted)
    for name, part in parts.items():
        if not isinstance(part, Tensor) and one_number(part):
            parts[name] = x.new_full(x.shape[:-1], part)
            continue
        if isinstance(part, Tensor):
            fits = _strided(part) and part.shape == x.shape[:-1]
            if fits and part.dtype == x.dtype and part.device == x.device:
                continue
            kind: type[Exception] = ValueError if fits else RuntimeError
        else:
            kind = TypeError
        raise kind(f"{name}: expected {wanted()}, got {describe(part)}")
    return [torch.stack(list(parts.values()), -1)] if parts else []


def packed_rows(scalars: Mapping[str, Any], like: PackedSequence) -> dict[str, Any]:
    """The rows of those that are a PackedSequence, which must lie as those of `like`."""
    rows = dict(scalars)
    for name, value in scalars.items():
        if isinstance(value, PackedSequence):
            if not torch.equal(value.batch_sizes, like.batch_sizes) or _order(value) != _order(like):
                raise ValueError(
                    f"{name}: expected a PackedSequence with the lengths of input's, got other ones"
                )
            rows[name] = value.data
    return rows


def _order(packed: PackedSequence) -> list[int]:
    """Which sequence each of its columns is."""
    order = packed.sorted_indices
    return list(range(int(packed.batch_sizes[0]))) if order is None else list(map(int, order))


def lengths(value: Any, B: int | None) -> Tensor | None:
    """int64 [B]; B None: one sequence, whose length is a single number. The engine checks the values."""
    if value is None:
        return None
    result = _given(value)
    shape: list[Dim] = [] if B is None else [B]
    if result.is_floating_point() or result.dtype == torch.bool or list(result.shape) != shape:
        raise ValueError(f"lengths: expected {shape_text(shape)} whole numbers, got {describe(result)}")
    return result.to(device="cpu", dtype=torch.int64).reshape(-1)


def marks(name: str, value: Any, shape: Sequence[int]) -> Tensor | None:
    """A mask or reset, bool, of this shape."""
    if value is None:
        return None
    result = _given(value)
    if result.dtype != torch.bool or list(result.shape) != list(shape):
        raise ValueError(f"{name}: expected {shape_text(shape)} bool, got {describe(result)}")
    return result.cpu()


def _given(value: Any) -> Tensor:
    """A tensor. Lists and arrays go to the processor: the user's default device need not be the layer's."""
    return value if isinstance(value, Tensor) else torch.as_tensor(value, device="cpu")
