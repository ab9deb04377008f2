"""Traced cells in torch's operations, and in words that a recorded program can hold."""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..stack.cells import CELLS, Cell, cell_name
from ..tracing.definition import CellDefinition
from . import draws

# From what a step reads (x, and the cell's scalars), the states, the weights and the keys of the rows' random numbers,
# in training, to the new states.
Step = Callable[[list[Tensor], list[Tensor], Sequence[Tensor | None], Tensor | None], list[Tensor]]


class _Spike(torch.autograd.Function):
    """1 where x > 0, else 0; its derivative is that of x / (1 + slope |x|), in every mode and of every order."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, slope: float) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, ctx.slope = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return d / (1 + ctx.slope * x.abs()) ** 2, None

    @staticmethod
    def jvp(ctx: Any, d: Tensor, _: Any) -> Tensor:
        (x,) = ctx.saved_tensors
        return d / (1 + ctx.slope * x.abs()) ** 2


# The gradient goes to a where a is chosen by the comparison, else to b, as in the engine; torch.maximum shares it where
# both are equal. NaN wins, as in torch.


def _larger(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a > b, a, torch.where(a.isnan(), a.detach() + b, b))


def _smaller(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a < b, a, torch.where(a.isnan(), a.detach() + b, b))


def _mean(*values: Tensor) -> Tensor:
    return functools.reduce(operator.add, values).mean(-1, keepdim=True) / len(values)


def _variance(mean: Tensor, *values: Tensor) -> Tensor:
    return _mean(*((value - mean) ** 2 for value in values))


def _broadcast(value: Any, like: Tensor) -> Tensor:
    value = value if isinstance(value, Tensor) else like.new_full((), value)
    return value.expand_as(like)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "fma": lambda a, b, c: a * b + c,
    "fnma": lambda a, b, c: c - a * b,
    "max": _larger,
    "min": _smaller,
    "add_number": operator.add,
    "mul_number": operator.mul,
    "from_number": lambda a, number: number - a,
    "max_number": lambda a, number: torch.where(a <= number, number, a),  # NaN is at no limit
    "min_number": lambda a, number: torch.where(a >= number, number, a),
    "where_greater": lambda a, b, c, d: torch.where(a > b, c, d),
    "where_at_least": lambda a, b, c, d: torch.where(a >= b, c, d),
    "where_equal": lambda a, b, c, d: torch.where(a == b, c, d),
    "spike": _Spike.apply,
    "chance": lambda drawn, p: (drawn < p).to(drawn.dtype),
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": lambda x: -functional.logsigmoid(-x),  # torch's softplus is x itself from 20 on
    "mean": _mean,
    "variance": _variance,
    "inverse_deviation": lambda mean, *given: (_variance(mean, *given[:-1]) + given[-1]) ** -0.5,
    "broadcast": _broadcast,
}
"""Those of torch, as `CellDefinition.evaluate` wants them. All can be differentiated in any mode as often as wanted."""


def _linear(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Rows [B, K], or of several heads [B, heads * K], times a weight [N, K]: of all rows, or of the H / heads of each
    head the ones that it has in each gate."""
    width, K = rows.shape[-1], weight.shape[1]
    if width == K:
        return functional.linear(rows, weight, bias)
    of_heads = weight.view(-1, width // K, K, K)  # [gates, heads, units, inputs]
    products = torch.einsum("bak,gauk->bgau", rows.view(-1, width // K, K), of_heads).flatten(1)
    return products if bias is None else products + bias


def _without_matrices(
    cell: CellDefinition, hh: Tensor | None, b_hh: Tensor | None
) -> tuple[Tensor | None, Tensor | None, dict[str, Any]]:
    """The recurrent weights that h meets, and by name what multiplies with each matrix behind them."""
    if hh is None or not cell.matrices:
        return hh, b_hh, {}
    first = len(cell.rows["h"]) - len(cell.matrices)
    H = hh.shape[0] // len(cell.rows["h"])
    products = {}
    for k, name in enumerate(cell.matrices, first):
        rows = slice(k * H, (k + 1) * H)
        products[name] = functools.partial(
            _linear, weight=hh[rows], bias=None if b_hh is None else b_hh[rows]
        )
    return hh[: first * H], None if b_hh is None else b_hh[: first * H], products


def step(cell: Cell) -> Step:
    """One step of a traced cell, whose weights are weight_ih, weight_hh, bias_ih, bias_hh and the cell's vectors."""
    definition = cell.definition
    assert definition is not None
    fed = {side: [slot for slot, by in definition.slots.items() if side in by] for side in ("x", "h")}

    def run(
        read: list[Tensor], state: list[Tensor], weights: Sequence[Tensor | None], keys: Tensor | None = None
    ) -> list[Tensor]:
        ih, hh, b_ih, b_hh, *vectors = weights
        hh, b_hh, values = _without_matrices(definition, hh, b_hh)
        for side, of_side, w, b in (("x", read[0], ih, b_ih), ("h", state[0], hh, b_hh)):
            if w is not None and fed[side]:
                sums = _linear(of_side, w, b).chunk(len(fed[side]), -1)
                for slot, part in zip(fed[side], sums, strict=True):
                    values[slot] = values[slot] + part if slot in values else part
        values |= zip(definition.states, state, strict=True)
        values |= zip(definition.params, vectors, strict=True)
        for numbers in read[1:]:
            values |= zip(definition.scalars, numbers.split(1, -1), strict=True)
        drawn = [] if keys is None else list(draws.numbers(keys, definition.draws, state[0]))
        return definition.evaluate(values, FUNCTIONS, drawn)

    return run


# Of each traced cell that a module has, by its name in CELLS: all of it as text. Recorded programs hold that, so they
# run in a process that has never seen the cell. (A table, because torch.compile reads it as it is.)
WORDS: dict[str, str] = {}


def known(cell: Any) -> str:
    """The name in CELLS of a cell that a user gave, which the operators know from then on."""
    name = cell_name(cell)
    definition = CELLS[name].definition
    if definition is not None and name not in WORDS:
        WORDS[name] = json.dumps({**definition.as_data(), "doc": ""})
    return name


@functools.lru_cache(256)
def from_words(words: str) -> str:
    """The name in CELLS of what stands in a recorded program."""
    return known(CellDefinition.from_data(json.loads(words))) if words.startswith("{") else words
