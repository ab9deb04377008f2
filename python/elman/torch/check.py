"""Refusals, in elman's words and with the kind of error torch.nn raises for the same mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._check import Dim, shape_text


def describe(value: Any) -> str:
    if isinstance(value, Tensor):
        where = "" if value.device.type == "cpu" else f" on {value.device}"
        return f"{shape_text(value.shape)} {str(value.dtype).removeprefix('torch.')}{where}"
    return repr(value) if value is None else type(value).__name__


def tensor(name: str, value: Any, shapes: Sequence[Sequence[Dim]], dtype: torch.dtype) -> Tensor:
    """`value`, if it has one of these shapes; letters fit any size."""
    wanted = " or ".join(map(shape_text, shapes)) + " " + str(dtype).removeprefix("torch.")
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {wanted}, got {describe(value)}")
    for shape in shapes:
        if value.dim() == len(shape):
            fits = all(isinstance(want, str) or want == got for want, got in zip(shape, value.shape, strict=True))
            if fits and value.dtype == dtype:
                return value
            kind = RuntimeError if not fits else ValueError
            raise kind(f"{name}: expected {wanted}, got {describe(value)}")
    raise ValueError(f"{name}: expected {wanted}, got {describe(value)}")


def state(names: Sequence[str], hx: Any, shapes: Sequence[Sequence[int]], like: Tensor) -> list[Tensor]:
    """The parts of hx, one for each name; a single name's hx is the part itself."""
    if len(names) == 1:
        parts = [hx]
    elif isinstance(hx, (tuple, list)) and len(hx) == len(names):
        parts = list(hx)
    else:
        raise RuntimeError(f"hx: expected a pair (h, c), got {describe(hx)}")
    for name, part, shape in zip(names, parts, shapes, strict=True):
        fits = isinstance(part, Tensor) and part.dim() == len(shape) and all(map(int.__eq__, part.shape, shape))
        if not fits or part.dtype != like.dtype or part.device != like.device:
            dtype = str(like.dtype).removeprefix("torch.")
            raise RuntimeError(f"{name}: expected {shape_text(shape)} {dtype}, got {describe(part)}")
    return parts


def lengths(value: Any, B: int | None) -> Tensor | None:
    """int64 [B]; B None: one sequence, whose length is a single number. The engine checks the values."""
    if value is None:
        return None
    result = torch.as_tensor(value)
    shape: list[Dim] = [] if B is None else [B]
    if result.is_floating_point() or result.dtype == torch.bool or list(result.shape) != shape:
        raise ValueError(f"lengths: expected {shape_text(shape)} whole numbers, got {describe(result)}")
    return result.to(device="cpu", dtype=torch.int64).reshape(-1)


def marks(name: str, value: Any, shape: Sequence[int]) -> Tensor | None:
    """A mask or reset, bool, of this shape."""
    if value is None:
        return None
    result = torch.as_tensor(value)
    if result.dtype != torch.bool or list(result.shape) != list(shape):
        raise ValueError(f"{name}: expected {shape_text(shape)} bool, got {describe(result)}")
    return result.cpu()
