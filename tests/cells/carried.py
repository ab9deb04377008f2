"""A layer's weights in a module of another package, and the differences of what both give."""

import numpy as np
import torch

from tests.cells.held import packed, random_layer, tuple_of

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
    package, cell, forward, pairs, zero=(), same=(), fixed=None, T=7, I=4, dtype="float64", tolerance=1e-10,  # noqa: E741
    states=False, H=5, **options,
):  # fmt: skip
    """Asserts that outputs and gradients are alike.

    `forward` is the other's function of x [T, B, I], and with `states` of initial states [B, H] behind it: it then
    gives the outputs and a list of the last states, which are compared too. `pairs` are its parameters, each with a
    function of our arrays by name to its value, which also turns our gradients into its gradient, or with another
    function that does that. `same` are params that are one number, `fixed` last rows of ours, by name. `options`: of
    our layer.
    """
    B = 3
    rng = np.random.default_rng(5)
    layer = edited(random_layer(cell, I, H, rng, dtype, **options), zero)
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
    count = len(cell.states) if states else 0
    # Some are divisors.
    initial = [rng.uniform(0.3, 1.3, (B, H)).astype(dtype) for _ in range(count)]
    dfinal = [rng.standard_normal((B, H)).astype(dtype) for _ in range(count)]
    leaf, *leaves = (torch.tensor(value, requires_grad=True) for value in (x, *initial))
    found = forward(leaf, *(torch.tensor(value) for value in scalars.values()), *leaves)
    theirs, finals = found if states else (found, [])
    weighed = zip((theirs, *finals), (dy, *dfinal), strict=True)
    sum((value * torch.tensor(d)).sum() for value, d in weighed).backward()

    start, dend = (packed([part[None] for part in parts]) for parts in (initial, dfinal))
    y, end, backward = layer.forward(x, start, **scalars)
    dx, dstart = backward(dy, dend)
    compared = [("y", y, theirs), ("x", dx, leaf.grad)]
    for k, final in enumerate(finals):
        compared += [(f"final {k}", tuple_of(end)[k][0], final)]
        compared += [(f"initial {k}", tuple_of(dstart)[k][0], leaves[k].grad)]
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


def held(name, runtime, ours, x):
    """Asserts that two functions of x are alike: in float64 equal to the last digits, in float32 as near to that as
    the runtime itself is."""
    x = x.astype(np.float32)
    exact = runtime(x.astype(np.float64))
    np.testing.assert_allclose(ours(x.astype(np.float64)), exact, rtol=1e-10, atol=1e-12)
    off, own = (float(np.sqrt(np.mean((f(x) - exact) ** 2))) for f in (ours, runtime))
    print(f"{name}: {off:.1e} from float64 in the mean, its own runtime {own:.1e}")
    assert off <= 5 * own  # one number of a network that amplifies roundings as chance will have it


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
