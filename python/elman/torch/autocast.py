"""Autocast: one type for a whole call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def run(compute: Callable[..., Any], input: Any, hx: Any, weights: list[Tensor], *more: Any) -> Any:
    """`compute(input, hx, weights, *more)`, under autocast with all in one type and autocast off meanwhile.

    On the processor that is the weights' type, whatever types come in; on a GPU autocast's, as in torch.nn's layers.
    """
    kind = weights[0].device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return compute(input, hx, weights, *more)
    dtype = weights[0].dtype if kind == "cpu" else torch.get_autocast_dtype(kind)
    with torch.autocast(kind, enabled=False):
        return compute(*(_to(dtype, given) for given in (input, hx, weights, *more)))


def _to(dtype: torch.dtype, value: Any) -> Any:
    if isinstance(value, Tensor):  # float64 and whole numbers are let alone, as by autocast itself
        return value.to(dtype) if value.is_floating_point() and value.dtype != torch.float64 else value
    if isinstance(value, PackedSequence):
        return value._replace(data=_to(dtype, value.data))
    if isinstance(value, dict):
        return {name: _to(dtype, part) for name, part in value.items()}
    if isinstance(value, list):
        return [_to(dtype, part) for part in value]
    return tuple(_to(dtype, part) for part in value) if isinstance(value, tuple) else value
