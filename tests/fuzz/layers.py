"""Plans, recurrent layers and steppers: right arguments, and what the oracle makes of them."""

import numpy as np

from elman import _core
from tests.fuzz.arguments import case, equal
from tests.support import oracle


@case
def plan(f):
    def check(given, _, plan):
        T, B, lengths = given["T"], given["B"], given["lengths"]
        valid = np.arange(T)[:, None] < (np.full(B, T) if lengths is None else lengths.ravel())
        valid = valid.T if given["batch_first"] else valid
        if given["mask"] is not None:
            valid = valid & (given["mask"].view(np.uint8).reshape(valid.shape) != 0)
        arrays = plan.arrays()
        assert (plan.T, plan.B, plan.rows, plan.total) == (T, B, T * B, valid.sum())
        assert sorted(arrays["index"]) == np.flatnonzero(valid).tolist()
        assert arrays["holes"].tolist() == np.flatnonzero(~valid.ravel()).tolist()

    args = {"T": 4, "B": 3, "batch_first": False, "reverse": True, "lengths": f.below(5, 3)}
    return _core.Plan, check, args | {"mask": f.flags(4, 3), "reset": f.flags(4, 3)}


@case
def packed_plan(f):
    def check(given, _, plan):
        sizes = given["batch_sizes"].ravel()
        assert (plan.T, plan.B, plan.rows) == (sizes.size, sizes[0] if sizes.size else 0, sizes.sum())
        assert sorted(plan.arrays()["index"]) == list(range(sizes.sum()))

    return _core.Plan.packed, check, {"batch_sizes": f.guard(np.array([3, 3, 2, 1])), "reverse": False}


@case
def pack(f):
    gates = len(_core.cells()[f.cell]["gates"])
    args = {"cell": f.cell, "weight_ih": f.normal(gates * 5, 3), "weight_hh": f.normal(gates * 5, 5)}
    args |= {"bias_ih": f.normal(gates * 5), "bias_hh": f.normal(gates * 5)}

    def check(given, _, packed):
        weights = [given[k] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        cell = given["cell"] if isinstance(given["cell"], str) else given["cell"].decode()
        I, H = weights[0].shape[1], weights[1].shape[1]  # noqa: E741
        states = len(_core.cells()[cell]["states"])
        x, y = np.ones((2, 3, I), weights[0].dtype), np.empty((2, 3, H), weights[0].dtype)
        full = _core.Plan(2, 3, False, False, None, None, None)
        _core.forward([packed], [full], x, y, [[None] * states], [[None] * states], None)
        direction = oracle.Direction(cell, weights, False)
        none = np.zeros((2, 3), bool)
        equal(y, direction.forward(x, [np.zeros((3, H))] * states, ~none, none)[0])

    return _core.pack, check, args


def two_directions(f, back):
    states = oracle.CELLS[f.cell].states
    slots = _core.cells()[f.cell]["slots"]
    plans = [f.plan(), f.plan(reverse=True)]
    tapes = [[f.zeros(p.total * slots * 5), f.zeros(p.total * 5), None, None] for p in plans]
    args = {"packed": [f.pack(), f.pack()], "plans": plans, "x": f.normal(4, 3, 3), "y": f.zeros(4, 3, 10)}
    args["initial"] = [[f.normal(3, 5) for _ in range(states)] for _ in plans]
    args["final"] = [[f.zeros(3, 5) for _ in range(states)] for _ in plans]
    return args | {"tapes": tapes if back or f.rng.random() < 0.5 else None}, states


def reference(f, given, packed, states):
    """For each direction: the oracle, its y [T, B, H] and its final state."""
    for one, plan, initial in zip(packed, given["plans"], given["initial"], strict=True):
        (cell, weights), (valid, reset, reverse) = f.of(one), f.of(plan)
        direction = oracle.Direction(cell, weights, reverse)
        zero = np.zeros((3, 5))
        state = [zero if s is None else s.reshape(3, 5).astype(float) for s in initial]
        yield direction, *direction.forward(given["x"].reshape(4, 3, 3).astype(float), state, valid, reset)


@case
def forward(f):
    args, states = two_directions(f, False)

    def check(given, args, _):
        D = len(args["packed"])
        y = np.asarray(args["y"]).reshape(4, 3, D, 5)
        for d, (_direction, want, final) in enumerate(reference(f, given, args["packed"], states)):
            equal(y[:, :, d], want)
            for got, last in zip(args["final"][d], final, strict=True):
                if got is not None:
                    equal(got, last)

    return _core.forward, check, args


@case
def backward(f):
    args, states = two_directions(f, True)
    _core.forward(**args)
    packed = args["packed"]
    backs = [f.keep(_core.pack_back(f.cell, *f.of(p)[1][:2]), *f.of(p)) for p in packed]
    del args["final"]
    grads = [[f.guard(np.zeros_like(w)) for w in f.of(p)[1]] for p in packed]
    args |= {"packed": backs, "grads": grads, "dy": f.normal(4, 3, 10), "dx": f.zeros(4, 3, 3)}
    args["dfinal"] = [[f.normal(3, 5) for _ in range(states)] for _ in packed]
    args["dinitial"] = [[f.zeros(3, 5) for _ in range(states)] for _ in packed]
    same = {k: args[k] for k in ("packed", "plans", "initial")}

    def check(given, args, _):
        if any(args[k] is not same[k] for k in same):
            return  # not those of the forward call, which the tape is of: any numbers will do
        dx = 0
        dy = np.zeros((4, 3, 10)) if given["dy"] is None else given["dy"].reshape(4, 3, 10).astype(float)
        for d, (direction, _y, _final) in enumerate(reference(f, given, backs, states)):
            dfinal = [np.zeros((3, 5)) if s is None else s.reshape(3, 5) for s in given["dfinal"][d]]
            part, dinitial, grads = direction.backward(dy[..., d * 5 : d * 5 + 5], dfinal)
            dx = dx + part
            for got, want in zip(args["grads"][d], grads, strict=True):
                if got is not None:
                    equal(got, want, 1e-4)
            for got, want in zip(args["dinitial"][d], dinitial, strict=True):
                equal(got, want, 1e-4)
        if args["dx"] is not None:
            equal(args["dx"], dx, 1e-4)

    return _core.backward, check, args


@case
def make_stepper(f):
    def check(given, _, step):
        layers = given["layers"]
        dtype = np.float32 if isinstance(layers[0], _core.PackedFloat32) else np.float64
        x = np.ones((given["batch_size"], layers[0].I), dtype)
        y = step.step(x)
        assert step.get_state(0).shape == (len(layers), *y.shape) and y.shape == (len(x), layers[0].H)

    layers = [f.pack(), f.pack(I=5)]
    return _core.stepper, check, {"layers": layers, "batch_size": 2}


@case
def stepper(f):
    """A step, the states set before and read after it."""
    layer, states = f.pack(), oracle.CELLS[f.cell].states
    step = _core.stepper([layer], 3)
    y, known = f.zeros(3, 5), [np.zeros((3, 5)) for _ in range(states)]

    def call(k, value, rows, x, out, read):
        step.set_state(k, value)
        known[k] = np.array(value, float).reshape(3, 5)
        step.reset_rows(rows)
        for state in known:
            state[list(rows)] = 0
        return step.step(x, out), step.get_state(k, read)

    def check(given, args, results):
        cell, weights = f.of(layer)
        direction, none = oracle.Direction(cell, weights, False), np.zeros((1, 3), bool)
        y, final = direction.forward(given["x"][None].astype(float), known, ~none, none)
        equal(results[0], y[0])
        equal(results[1], final[given["k"]])

    args = {"k": f.pick(range(states)), "value": f.normal(1, 3, 5) / 4, "rows": [1], "x": f.normal(3, 3)}
    return call, check, args | {"out": y, "read": f.zeros(1, 3, 5)}
