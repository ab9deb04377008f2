"""The functions of a cell in torch's words, and a step of a cell by torch's autograd and by its programs."""

import types

import numpy as np
import torch

from tests.support.traced import Spike
from tests.tracing import steps


def number(x):
    return torch.as_tensor(x, dtype=torch.float64)


def where(condition, then, otherwise):
    return torch.where(condition, number(then), number(otherwise))


def maximum(a, b):  # torch.maximum shares the gradient of equal numbers
    return where(number(a) > number(b), a, b)


def minimum(a, b):
    return where(number(a) < number(b), a, b)


def clip(x, low, high):
    return minimum(maximum(x, low), high)


def together(values):
    return torch.stack(torch.broadcast_tensors(*map(number, values)))


def normed(values, gain=1.0, shift=0.0, epsilon=1e-5):
    if not isinstance(values, list):
        return normed([values], [gain], [shift], epsilon)[0]
    values = torch.broadcast_tensors(*values)
    k, H = len(values), values[0].shape[-1]
    out = torch.nn.functional.layer_norm(torch.cat(values, -1), [k * H], eps=epsilon).split(H, -1)
    gains, shifts = (one if isinstance(one, list) else [one] * k for one in (gain, shift))
    return [o * g + s for o, g, s in zip(out, gains, shifts, strict=True)]


FUNCTIONS = {
    "__builtins__": __builtins__,
    **{name: getattr(torch, name) for name in ("sigmoid", "tanh", "exp", "log", "sqrt")},
    "softplus": lambda x: torch.logaddexp(x, number(0.0)),
    "where": where,
    "maximum": maximum,
    "minimum": minimum,
    "clip": clip,
    "relu": lambda x: maximum(x, 0.0),
    "hard_sigmoid": lambda x, slope=1 / 6, offset=0.5: clip(slope * x + offset, 0.0, 1.0),
    "spike": lambda x, slope=25.0: Spike.apply(x, slope),
    "mean": lambda *values: together(values).mean((0, -1))[..., None],
    "variance": lambda *values: together(values).var((0, -1), correction=0)[..., None],
    "layer_norm": normed,
}


def in_torch(function):
    """The same function, whose names mean torch's."""
    return types.FunctionType(function.__code__, FUNCTIONS, None, function.__defaults__)


def inputs(cell, rng, B=3, H=7):
    """Random arrays for all that a cell is given, by name."""
    values = {name: rng.standard_normal((B, H)) for name in (*cell.slots, *cell.states)}
    values |= {name: rng.uniform(0.2, 1.5, H) for name in cell.params}
    values |= {name: rng.uniform(0.2, 1.5, (B, 1)) for name in cell.scalars}
    return values | {name: rng.standard_normal((H, H)) / H**0.5 for name in cell.matrices}


def callables(cell, values):
    """The same, with functions in the place of matrices."""
    product = lambda matrix: lambda row: (row + 0 * matrix[0]) @ matrix.T  # noqa: E731
    return {name: product(x) if name in cell.matrices else x for name, x in values.items()}


def by_autograd(cell, values, gradients):
    """The new states, and the gradient of each input by name."""
    leaves = {name: torch.tensor(x, requires_grad=True) for name, x in values.items()}
    function = in_torch(cell.function)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = callables(cell, leaves)
    new = function(*(given[name] for name in names if name in given))
    new = new if isinstance(new, tuple) else (new,)
    new = [number(x) for x in new]
    total = sum((x * torch.tensor(d)).sum() for x, d in zip(new, gradients, strict=True))
    if total.requires_grad:
        total.backward()
    got = {name: np.zeros(x.shape) if x.grad is None else x.grad.numpy() for name, x in leaves.items()}
    return [x.detach().numpy() for x in new], got


def by_programs(cell, values, gradients):
    """The same by the cell's programs, whose two ways there have to agree."""
    given = {kind: [values[name] for name in names] for kind, names in cell.inputs.items()}
    slots = given.pop("slot")
    matrices = [(weight, 0.0) for weight in given.pop("matrix")]
    plain, _ = steps.forward(cell, slots, matrices, given, keep=False)
    new, kept = steps.forward(cell, slots, matrices, given)
    tape, read, _ = kept
    for state, same in zip(plain, new, strict=True):
        np.testing.assert_array_equal(state, same)
    if len(cell.programs.forward) == 1:
        assert sorted(tape) == list(range(len(cell.programs.kept)))
    d_slots, back = steps.backward(cell, matrices, given, new, kept, gradients)
    got = dict(zip(cell.order, d_slots, strict=False))
    products = [m for stage in cell.programs.products for m in stage]
    read_by = {m: read[stage] for stage, fed in enumerate(cell.programs.products, 1) for m in fed}
    for m, d in zip(products, d_slots[len(cell.slots) :], strict=True):
        got[cell.matrices[m]] = d.T @ read_by[m]
    got |= {name: back["gradient"][i] for i, name in enumerate(cell.states)}
    got |= {name: back["vector"].get(i, 0 * new[0]).sum(0) for i, name in enumerate(cell.params)}
    got |= {name: back["scalar"][i].sum(-1, keepdims=True) for i, name in enumerate(cell.scalars)}
    return new, got


def assert_agrees(cell, rng, **sizes):
    """Forward within 1e-12, backward within 1e-10."""
    values = inputs(cell, rng, **sizes)
    shape = values[next(iter(cell.slots))].shape
    gradients = [rng.standard_normal(shape) for _ in cell.states]
    new, got = by_programs(cell, values, gradients)
    want_new, want = by_autograd(cell, values, gradients)
    for x, y, z in zip(new, want_new, cell.evaluate(callables(cell, values)), strict=True):
        np.testing.assert_allclose(x, np.broadcast_to(y, shape), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(x, z, rtol=1e-13, atol=1e-13)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-10, atol=1e-10, err_msg=name)
