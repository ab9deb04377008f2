"""The oracle of a cell that is traced: its function on numbers in float64, and torch's autograd for the way back."""

import numpy as np
import torch

from elman.tracing import CellDefinition

_where = {
    "where_greater": torch.gt,
    "where_at_least": torch.ge,
    "where_equal": torch.eq,
}


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x > 0).to(x)

    @staticmethod
    def backward(ctx, d):
        (x,) = ctx.saved_tensors
        return d / (1 + ctx.slope * x.abs()) ** 2, None


def _choose(compare):
    return lambda a, b, c, d: torch.where(compare(a, b), c, d)


def _larger(a, b):  # torch.maximum shares the gradient of equal numbers
    return torch.where(torch.isnan(a) | (a > b), a, b)


def _smaller(a, b):
    return torch.where(torch.isnan(a) | (a < b), a, b)


def _variance(values):
    """Not torch's own, which warns where there are no rows."""
    rows = torch.stack(values)
    return ((rows - rows.mean((0, -1), keepdim=True)) ** 2).mean((0, -1))[..., None]


FUNCTIONS = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "fma": lambda a, b, c: a * b + c,
    "fnma": lambda a, b, c: c - a * b,
    "max": _larger,
    "min": _smaller,
    "add_number": torch.add,
    "mul_number": torch.mul,
    "from_number": lambda a, n: n - a,
    "max_number": lambda a, n: _larger(a, torch.full_like(a, n)),
    "min_number": lambda a, n: _smaller(a, torch.full_like(a, n)),
    **{name: _choose(compare) for name, compare in _where.items()},
    "spike": Spike.apply,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "mean": lambda *values: torch.stack(values).mean((0, -1))[..., None],
    "variance": lambda _, *values: _variance(values),
    "inverse_deviation": lambda _, *given: 1 / torch.sqrt(_variance(given[:-1]) + given[-1]),
    "broadcast": lambda value, like: torch.broadcast_to(torch.as_tensor(value, dtype=like.dtype), like.shape),
    **{name: getattr(torch, name) for name in ("abs", "sqrt", "exp", "log", "sigmoid", "tanh")},
}


class Traced:
    """What oracle.Direction asks of a cell."""

    def __init__(self, definition: CellDefinition):
        self.definition, self.states = definition, len(definition.states)

    @property
    def matrices(self):
        return len(self.definition.matrices)

    def step(self, a_x, a_h, *states, vectors=(), scalars=(), matrices=()):
        """matrices: a weight and a bias of each."""
        cell = self.definition
        slots = {}
        for sums, side in ((a_x, "x"), (a_h, "h")):
            fed = [name for name, feed in cell.slots.items() if side in feed]
            for name, part in zip(fed, np.split(sums, len(fed), axis=-1) if fed else (), strict=True):
                slots[name] = slots.get(name, 0) + part
        given = (
            slots | dict(zip(cell.states, states, strict=True)) | dict(zip(cell.params, vectors, strict=True))
        )
        given |= {name: scalars[:, k : k + 1] for k, name in enumerate(cell.scalars)}
        leaves = {
            name: torch.tensor(np.asarray(one, np.float64), requires_grad=True) for name, one in given.items()
        }
        pairs = [[torch.tensor(one, requires_grad=True) for one in pair] for pair in matrices]
        products = {
            name: lambda row, weight=weight, bias=bias: row @ weight.T + bias
            for name, (weight, bias) in zip(cell.matrices, pairs, strict=True)
        }
        new = cell.evaluate(leaves | products, FUNCTIONS)
        return [part.detach().numpy() for part in new], (leaves, pairs, new)

    def back(self, kept, before, d):
        """The gradients of a_x, a_h, the states, and of the vectors, scalars and matrices."""
        cell, (leaves, pairs, new) = self.definition, kept
        wanted = [*leaves.values(), *(one for pair in pairs for one in pair)]
        found = [None] * len(wanted)
        alive = [(n, torch.tensor(one)) for n, one in zip(new, d, strict=True) if n.requires_grad]
        if alive:
            outs, seeds = zip(*alive, strict=True)
            found = torch.autograd.grad(outs, wanted, seeds, allow_unused=True)
        found = [
            np.zeros(leaf.shape) if grad is None else grad.numpy()
            for leaf, grad in zip(wanted, found, strict=True)
        ]
        grads = dict(zip(leaves, found, strict=False))
        of_matrices = found[len(leaves) :]

        def of(side):
            parts = [grads[name] for name, feed in cell.slots.items() if side in feed]
            return np.concatenate(parts, -1) if parts else np.zeros((len(d[0]), 0))

        extra = [grads[name] for name in cell.params], [grads[name] for name in cell.scalars], of_matrices
        return of("x"), of("h"), [grads[name] for name in cell.states], *extra
