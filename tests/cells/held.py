"""Layers of a cell beside a loop of PyTorch's: outputs, and gradients of all that a layer is given."""

import numpy as np
import torch

import elman


def random_layer(cell, I, H, rng, dtype="float64", **options):  # noqa: E741
    layer = elman.Recurrent(cell, I, H, dtype=dtype, seed=0, **options)
    for name in layer.parameters:
        low, high = (0.2, 1.2) if name.split("_l0")[0] in cell.params else (-0.9, 0.9)
        layer.parameters[name] = rng.uniform(low, high, layer.parameters[name].shape).astype(dtype)
    return layer


def tuple_of(state):
    return tuple(state) if isinstance(state, (tuple, list)) else (state,)


def packed(states):
    """States as a layer takes them: none, one, or a tuple."""
    return None if not states else states[0] if len(states) == 1 else tuple(states)


def run(layer, x, state, scalars, dy, dstate):
    """What the engine gives, by name."""
    layer.zero_grad()
    y, final, backward = layer.forward(x, packed(state), **scalars)
    dx, dinitial = backward(dy, packed(dstate))
    got = {"y": y, "x": dx} | dict(layer.grads) | (backward.dscalars or {} if scalars else {})
    got |= {f"final {k}": part for k, part in enumerate(tuple_of(final))}
    return {k: np.array(v) for k, v in got.items()} | {
        f"initial {k}": np.array(part) for k, part in enumerate(tuple_of(dinitial))
    }


def loop(layer, step, x, state, scalars, dy, dstate):
    """The same by a step of PyTorch's."""
    cell, H = layer.cell, layer.hidden_size
    B = x.shape[1]
    leaf = lambda array: torch.tensor(np.array(array), requires_grad=True)  # noqa: E731
    weights = {name: leaf(value) for name, value in layer.parameters.items()}
    x = leaf(x)
    initial = [leaf(part) for part in state or [np.zeros((1, B, H))] * len(cell.states)]
    numbers = {name: leaf(value) for name, value in scalars.items()}
    params = {name: weights[f"{name}_l0"] for name in cell.params}
    first = len(weights["weight_hh_l0"]) - len(cell.matrices) * H if cell.matrices else None
    for k, name in enumerate(cell.matrices):
        w, b = (weights[part][first + k * H : first + (k + 1) * H] for part in ("weight_hh_l0", "bias_hh_l0"))
        params[name] = lambda row, w=w, b=b: row @ w.T + b
    states, outputs = [part[0] for part in initial], []
    for t in range(len(x)):
        of_x = x[t] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
        of_h = ()
        if "weight_hh_l0" in weights:
            of_h = states[0] @ weights["weight_hh_l0"][:first].T + weights["bias_hh_l0"][:first]
            of_h = of_h.split(H, -1)
        given = {name: value[t][:, None] for name, value in numbers.items()}
        states = step(of_x.split(H, -1), of_h, states, **params, **given)
        outputs.append(states[0])
    y = torch.stack(outputs)
    total = (y * torch.tensor(dy)).sum()
    total = total + sum((s * torch.tensor(d[0])).sum() for s, d in zip(states, dstate, strict=True))
    total.backward()
    found = {"y": y, **{f"final {k}": part[None] for k, part in enumerate(states)}}
    found = {name: value.detach().numpy() for name, value in found.items()}
    wanted = {"x": x, **weights, **numbers, **{f"initial {k}": part for k, part in enumerate(initial)}}
    return found | {
        name: np.zeros(part.shape) if part.grad is None else part.grad.numpy()
        for name, part in wanted.items()
    }


def assert_like_loop(cell, step, state=True, scale=1.0, tolerance=1e-10, T=9, B=3, I=4, H=5):  # noqa: E741
    rng = np.random.default_rng(3)
    layer = random_layer(cell, I, H, rng)
    count = len(cell.states)
    # States beyond the first may be divisors.
    given = [rng.standard_normal((1, B, H)) for _ in range(count)] if state else None
    if given:
        given[1:] = [abs(part) + 0.3 for part in given[1:]]
    arrays = (
        scale * rng.standard_normal((T, B, I)),
        given,
        {name: rng.uniform(0.2, 1.5, (T, B)) for name in cell.scalars},
        rng.standard_normal((T, B, H)),
        [rng.standard_normal((1, B, H)) for _ in range(count)],
    )
    got, want = run(layer, *arrays), loop(layer, step, *arrays)
    assert sorted(got) == sorted(want)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=tolerance, atol=tolerance, err_msg=name)
