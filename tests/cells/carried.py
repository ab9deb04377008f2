"""A layer's weights in a module of another package, and the differences of what both give."""

import numpy as np
import torch

from tests.cells.held import random_layer

LARGEST = {}  # by package and what was compared: what `pytest -s` shows


def edited(layer, zero):
    """The layer with zeros for what the other has not: names, or a name and a slice of its rows."""
    for name in zero:
        name, rows = name if isinstance(name, tuple) else (name, slice(None))
        value = np.array(layer.parameters[name])
        value[rows] = 0
        layer.parameters[name] = value
    return layer


def as_it_is(name):
    return lambda arrays: arrays[name]


def hold(
    package, cell, forward, pairs, zero=(), same=(), fixed=None, T=7, I=4, dtype="float64", tolerance=1e-10  # noqa: E741
):  # fmt: skip
    """Asserts that outputs and gradients are alike.

    `forward` is the other's function of x [T, B, I]. `pairs` are its parameters, each with a function of our arrays by
    name to its value, which also turns our gradients into its gradient, or with another function that does that. `same`
    are params that are one number, `fixed` last rows of ours, by name.
    """
    B, H = 3, 5
    rng = np.random.default_rng(5)
    layer = edited(random_layer(cell, I, H, rng, dtype), zero)
    for name, (rows, value) in (fixed or {}).items():
        layer.parameters[name] = np.concatenate([layer.parameters[name][: rows.start], value])
    for name in same:
        layer.parameters[name] = np.full_like(layer.parameters[name], layer.parameters[name][0])
    x, dy = (rng.standard_normal(shape).astype(dtype) for shape in ((T, B, I), (T, B, H)))
    scalars = {name: rng.uniform(0.2, 1.5, (T, B)).astype(dtype) for name in cell.scalars}
    for parameter, value, *_ in pairs:
        new = np.array(value(layer.parameters))
        assert tuple(parameter.shape) == new.shape
        with torch.no_grad():
            parameter.copy_(torch.tensor(new))
        parameter.grad = None
    leaf = torch.tensor(x, requires_grad=True)
    theirs = forward(leaf, *(torch.tensor(value) for value in scalars.values()))
    (theirs * torch.tensor(dy)).sum().backward()

    y, _, backward = layer.forward(x, **scalars)
    dx, _ = backward(dy)
    compared = [("y", y, theirs), ("x", dx, leaf.grad)]
    for k, (parameter, value, *of_gradient) in enumerate(pairs):
        compared.append((f"parameter {k}", (of_gradient or [value])[0](layer.grads), parameter.grad))
    worst = 0.0
    for what, ours, other in compared:
        other = other.detach().numpy()
        worst = max(worst, np.abs(ours - other).max() / max(1.0, np.abs(other).max()))
        np.testing.assert_allclose(ours, other, rtol=tolerance, atol=tolerance, err_msg=what)
    note(package, cell.name, worst)


def note(package, name, worst):
    LARGEST[package, name] = max(worst, LARGEST.get((package, name), 0.0))
    print(f"{package} {name}: {worst:.1e}")


def steps(cell, count=1, H=5):
    """The outputs of a cell of torch's kind, from zeros."""

    def forward(x):
        state = [torch.zeros(x.shape[1], H, dtype=x.dtype) for _ in range(count)]
        outputs = []
        for x_t in x:
            new = cell(x_t, state[0] if count == 1 else tuple(state))
            state = [new] if count == 1 else list(new)
            outputs.append(state[0])
        return torch.stack(outputs)

    return forward
