"""Random cells of up to 30 operations on every instruction set, there and back, against the same in float64 NumPy."""

import functools
import os

import numpy as np
import pytest

from elman import Recurrent
from tests.support.cases import assert_close
from tests.tracing import steps
from tests.tracing.random_cells import random_cell

COUNT = int(os.environ.get("ELMAN_TEST_RANDOM_CELLS", "400"))  # for each instruction set
ELEMENTWISE = 4  # the part whose cells have no recurrent product


def expected(cell, layer, x, states, scalars, dy, dstates):
    """One step by the cell's programs in NumPy: new states, and gradients by name."""
    H = layer.hidden_size
    rows = {side: [slot for slot in cell.rows[side] if slot in cell.slots] for side in ("x", "h")}
    weights = {name: np.asarray(value, np.float64) for name, value in layer.parameters.items()}
    none = np.zeros((0, H))
    all_hh, all_b = weights.get("weight_hh_l0", none), weights.get("bias_hh_l0", np.zeros(0))
    first = len(rows["h"]) * H
    w_hh, b_hh = all_hh[:first], all_b[:first]
    matrices = [(all_hh[row : row + H], all_b[row : row + H]) for row in range(first, len(all_hh), H)]
    sums = {slot: 0 for slot in cell.slots}
    for side, a in (
        ("x", x @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]),
        ("h", states[0] @ w_hh.T + b_hh),
    ):
        for i, slot in enumerate(rows[side]):
            sums[slot] = sums[slot] + a[:, i * H : (i + 1) * H]
    given = {
        "state": states,
        "vector": [weights[f"{name}_l0"] for name in cell.params],
        "scalar": [scalars[name][:, None] for name in cell.scalars],
    }
    slots = [sums[name] for name in cell.order]
    new, kept = steps.forward(cell, slots, matrices, given)
    read = kept[1]
    d = [dy + dstates[0], *dstates[1:]]
    of_slots, back = steps.backward(cell, matrices, given, new, kept, d)
    d_slots = dict(zip(cell.order, of_slots, strict=False))
    products = [(m, stage) for stage, fed in enumerate(cell.programs.products, 1) for m in fed]
    # By matrix: the gradient of its products, and what it has read.
    later = sorted(
        (
            (m, d_m, read[stage])
            for (m, stage), d_m in zip(products, of_slots[len(cell.slots) :], strict=True)
        ),
        key=lambda one: one[0],
    )
    side = {
        name: np.concatenate([d_slots[s] for s in rows[name]] or [none.T[:0]], -1)
        for name in rows
        if rows[name]
    }
    d_h = back["gradient"][0] + (side["h"] @ w_hh if "h" in side else 0)
    grads = {"weight_ih_l0": side["x"].T @ x, "bias_ih_l0": side["x"].sum(0)}
    if len(all_hh):
        d_h_rows = [side["h"].T @ states[0]] if "h" in side else []
        d_h_bias = [side["h"].sum(0)] if "h" in side else []
        grads["weight_hh_l0"] = np.concatenate([*d_h_rows, *(d.T @ row for _, d, row in later)])
        grads["bias_hh_l0"] = np.concatenate([*d_h_bias, *(d.sum(0) for _, d, _ in later)])
    d_params = {i: x.sum(0) for i, x in back["vector"].items()}  # what no state follows from has none
    grads |= {f"{name}_l0": d_params.get(i, np.zeros_like(new[0][0])) for i, name in enumerate(cell.params)}
    d_scalars = {name: back["scalar"][i].sum(-1) for i, name in enumerate(cell.scalars)}
    return (
        new,
        side["x"] @ weights["weight_ih_l0"],
        [d_h, *[back["gradient"][k] for k in range(1, len(new))]],
        grads,
        d_scalars,
    )


def tuple_of(parts):
    return parts[0][None] if len(parts) == 1 else tuple(part[None] for part in parts)


def as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


@functools.cache
def cases(part):
    """Layers of random cells, a step's arguments and what it must give: the same on every instruction set."""
    rng, found = np.random.default_rng(part), []
    # Of other seeds one may compare equal numbers, where rounding decides.
    first = part * max(175, COUNT // 4)
    for seed in range(first, first + COUNT // 4):
        try:
            if part == ELEMENTWISE:
                cell, _ = random_cell(seed, elementwise=True)
            else:
                cell, _ = random_cell(seed, matrices=seed % 8 if seed % 8 < 4 else 0, statistics=seed % 3)
        except ValueError as error:
            assert "expected at most 6 stages" in str(error)
            continue
        if not any("x" in fed for fed in cell.slots.values()):
            continue  # no layer reads it
        H, B, I = int(rng.choice([1, 3, 7, 9, 18, 33])), int(rng.choice([1, 2, 3, 5])), 4  # noqa: E741
        layer = Recurrent(cell, I, H, dtype=np.float64, seed=rng, init="uniform")
        x, dy = rng.standard_normal((B, I)), rng.standard_normal((B, H))
        states = [rng.uniform(0.3, 1.5, (B, H)) for _ in cell.states]
        dstates = [rng.standard_normal((B, H)) for _ in cell.states]
        scalars = {name: rng.uniform(0.2, 1.5, B) for name in cell.scalars}
        with np.errstate(all="ignore"):
            want = expected(cell, layer, x, states, scalars, dy, dstates)
        if all(np.isfinite(one).all() for one in (*want[0], want[1], *want[2], *want[3].values())):
            found.append((layer, x, states, scalars, dy, dstates, want))
        # Elsewhere the engine's functions and NumPy's part: numbers overflow.
    return found


@pytest.mark.parametrize("part", [*range(4), ELEMENTWISE])
def test_random_cells(isa, part):
    for layer, x, states, scalars, dy, dstates, want in cases(part):
        layer.zero_grad()
        y, state, backward = layer.forward(
            x[None], tuple_of(states), **{name: value[None] for name, value in scalars.items()}
        )
        dx, dstate = backward(dy[None], tuple_of(dstates))
        largest = max(1.0, *(float(np.abs(one).max()) for one in (*want[0], *want[2])))
        for got, right in zip([y, *as_list(state)], [want[0][0], *want[0]], strict=True):
            assert_close(got[0] / largest, right / largest, 1e-11, layer.cell.name)
        for got, right in zip([dx, *as_list(dstate)], [want[1], *want[2]], strict=True):
            assert_close(got[0] / largest, right / largest, 1e-9, layer.cell.name)
        for name, right in want[3].items():
            assert_close(layer.grads[name] / largest, right / largest, 1e-9, name)
        for name, right in want[4].items():
            assert_close(backward.dscalars[name][0] / largest, right / largest, 1e-9, name)
    assert len(cases(part)) > COUNT // 12
