"""torch.utils.flop_counter: what the operators' products take, as torch counts its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

from . import cell_ops  # noqa: F401  the operators' home


@register_flop_formula([torch.ops.elman.rnn, torch.ops.elman.cell])
def _forward(x: Sequence[int], state: Any, weights: Sequence[Sequence[int]], *_: Any, **__: Any) -> int:
    """From shapes: each row of x times each matrix, whether its step counts or not."""
    return 2 * prod(x[:-1]) * sum(prod(shape) for shape in weights if len(shape) == 2)


@register_flop_formula(torch.ops.elman.rnn_backward)
def _backward(dy: Any, dh: Any, dc: Any, tape: Any, x: Any, *rest: Any, **__: Any) -> int:
    return 2 * _forward(x, *rest)  # the gradients of what is multiplied, and those of the matrices


@register_flop_formula(torch.ops.elman.cell_backward)
def _cell_backward(given: Any, tape: Any, x: Any, *rest: Any, **__: Any) -> int:
    return 2 * _forward(x, *rest)
