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
    args = {"cell": f.cell, "weights": f.weights(f.cell, 3, 5)}

    def check(given, _, packed):
        weights = given["weights"]
        cell = given["cell"] if isinstance(given["cell"], str) else given["cell"].decode()
        x = np.ones((2, 3, 3), weights[0][0][0].dtype)
        y = np.empty((2, 3, 10), x.dtype)
        plans = [_core.Plan(2, 3, False, back, None, None, None) for back in (False, True)]
        states = [None] * len(_core.cells()[cell]["states"])
        _core.forward(packed, plans, x, y, states, states, [], None)
        equal(y, oracle.Stack(cell, weights, (False, True)).forward(x)[0])

    return _core.pack, check, args


@case
def tape(f):
    """Made of an array and of the engine's own memory: a pass writes to both what it gives without one."""
    packed, plans = f.pack(), [f.plan(), f.plan(reverse=True)]
    x, states = f.normal(4, 3, 3), [None] * oracle.CELLS[f.cell].states
    y = f.zeros(4, 3, 10)
    of_step, of_row, numbers, rest = _core.tape_room(f.cell, 2, 2, True)
    total = max(plan.total for plan in plans)
    size = 5 * (of_step * total + of_row * 12) + numbers * total + rest
    args = {"cell": f.cell, "H": 5, "L": 2, "plans": plans, "dtype": np.dtype(f.dtype).name}
    args |= {"memory": f.zeros(size) if f.rng.random() < 0.7 else None, "factors": None}
    if f.rng.random() < 0.5:
        args["factors"] = f.guard(np.ones((4, 3, 5), f.dtype))

    def check(given, args, tape):
        if args["memory"] is not None:
            assert tape.memory is args["memory"]
        if not (given["plans"] == plans and tape.y.shape == (12, 10) and tape.y.dtype == y.dtype):
            return
        try:
            _core.forward(packed, plans, x, None, states, states, [], tape)
        except ValueError as error:
            assert str(error).startswith("tape: expected one of this stack"), error
            return
        _core.forward(packed, plans, x, y, states, states, [], None)
        if given["factors"] is None or (given["factors"] == 1).all():
            np.testing.assert_array_equal(tape.y, y.reshape(12, 10))

    return _core.Tape, check, args


def two_layers(f):
    """Right arguments of both passes over a stack of two layers in two directions."""
    count = oracle.CELLS[f.cell].states
    packed, plans = f.pack(), [f.plan(), f.plan(reverse=True)]
    factors = f.guard(2.0 * f.flags(4, 3, 5).astype(f.dtype)) if f.rng.random() < 0.5 else None
    tape = _core.Tape(f.cell, 5, 2, plans, f.dtype, None, factors)
    args = {"packed": packed, "plans": plans, "x": f.normal(4, 3, 3)}
    args["initial"] = [f.normal(4, 3, 5) for _ in range(count)]
    args["dropout"] = [f.guard(2.0 * f.flags(4, 3, 10).astype(f.dtype))] if f.rng.random() < 0.5 else []
    return args | {"tape": f.keep(tape, factors)}


class Reference:
    """What the oracle makes of a call's arguments."""

    def __init__(self, f, given):
        cell, weights = f.of(given["packed"])
        plans = [f.of(plan) for plan in given["plans"]]
        self.layers = [
            [oracle.Direction(cell, w, reverse) for w, (*_, reverse) in zip(layer, plans, strict=True)]
            for layer in weights
        ]
        self.steps = [(valid, reset) for valid, reset, _ in plans]
        factors = None if given["tape"] is None else f.of(given["tape"])[0]
        self.factors = [None] * 4 if factors is None else list(factors.astype(float))
        self.dropout = [np.reshape(d, (4, 3, 10)).astype(float) for d in given["dropout"]] + [1]
        self.dropout = self.dropout if len(self.dropout) == len(self.layers) else [1] * len(self.layers)
        self.count = oracle.CELLS[cell].states

    def states(self, given):
        return [np.zeros((4, 3, 5)) if s is None else np.reshape(s, (4, 3, 5)).astype(float) for s in given]

    def forward(self, x, initial):
        x, initial = np.reshape(x, (4, 3, 3)).astype(float), self.states(initial)
        final = self.states([None] * self.count)
        for k, layer in enumerate(self.layers):
            results = []
            for d, direction in enumerate(layer):
                row = 2 * k + d
                state = [part[row] for part in initial]
                y, last = direction.forward(x, state, *self.steps[d], self.factors[row])
                results.append(y)
                for whole, part in zip(final, last, strict=True):
                    whole[row] = part
            y = np.concatenate(results, -1)
            x = y * self.dropout[k]
        return y, final

    def backward(self, dy, dfinal):
        dy = np.zeros((4, 3, 10)) if dy is None else np.reshape(dy, (4, 3, 10)).astype(float)
        dfinal, dinitial, grads = self.states(dfinal), self.states([None] * self.count), []
        for k in reversed(range(len(self.layers))):
            dx, of_layer = 0, []
            for d, direction in enumerate(self.layers[k]):
                row = 2 * k + d
                state = [part[row] for part in dfinal]
                part, first, own, _ = direction.backward(dy[..., d * 5 : d * 5 + 5], state)
                dx = dx + part
                of_layer.append(own)
                for whole, value in zip(dinitial, first, strict=True):
                    whole[row] = value
            grads.insert(0, of_layer)
            if k:
                dy = dx * self.dropout[k - 1]
        return dx, dinitial, grads


@case
def forward(f):
    args = two_layers(f)
    if f.rng.random() < 0.5:
        args["tape"] = None
    count = len(args["initial"])
    args |= {"y": f.zeros(4, 3, 10), "final": [f.zeros(4, 3, 5) for _ in range(count)]}

    def check(given, args, _):
        y, final = Reference(f, given | {k: args[k] for k in ("packed", "plans", "tape")}).forward(
            given["x"], given["initial"]
        )
        equal(args["tape"].y if args["y"] is None else args["y"], y)
        for got, want in zip(args["final"], final, strict=True):
            if got is not None:
                equal(got, want)

    return _core.forward, check, args


@case
def backward(f):
    args = two_layers(f)
    count = len(args["initial"])
    _core.forward(**args, y=None, final=[None] * count)
    cell, weights = f.of(args["packed"])
    args["packed"] = f.keep(_core.pack_back(cell, weights), cell, weights)
    args["grads"] = [[[f.guard(np.zeros_like(w)) for w in one] for one in layer] for layer in weights]
    args |= {"dy": f.normal(4, 3, 10), "dx": f.zeros(4, 3, 3)}
    args["dfinal"] = [f.normal(4, 3, 5) for _ in range(count)]
    args["dinitial"] = [f.zeros(4, 3, 5) for _ in range(count)]
    args["first"] = int(f.rng.integers(2))  # gradients need not reach the first layer
    if args["first"]:
        args["dx"] = None
    if f.rng.random() < 0.5:  # nobody wants those of one part
        args["grads"][f.rng.integers(2)][f.rng.integers(2)] = []
    same = {k: args[k] for k in ("packed", "plans", "initial", "tape", "dropout", "x")}

    def check(given, args, _):
        if any(args[k] is not same[k] for k in same):
            return  # not those of the forward call, which the tape is of: any numbers will do
        reference = Reference(f, given | {k: args[k] for k in ("packed", "plans", "tape")})
        reference.forward(given["x"], given["initial"])
        dx, dinitial, grads = reference.backward(given["dy"], given["dfinal"])
        reached = np.repeat(range(len(grads)), 2)[:, None, None] >= args["first"]
        for k, (layer, wanted) in enumerate(zip(args["grads"], grads, strict=True)):
            for one, wanted_one in zip(layer, wanted, strict=True):
                for got, want in zip(one, wanted_one, strict=len(one) > 0):
                    if got is not None:
                        equal(got, want * (k >= args["first"]), 1e-4)
        for got, want in zip(args["dinitial"], dinitial, strict=True):
            equal(got, want * reached, 1e-4)
        if args["dx"] is not None:
            equal(args["dx"], dx, 1e-4)

    return _core.backward, check, args


@case
def step(f):
    """Over plain weights of two layers, with states given or not."""
    states = oracle.CELLS[f.cell].states
    args = {"cell": f.cell, "weights": f.weights(f.cell, 3, 5, D=1), "x": f.normal(7, 3)}
    args |= {"y": f.zeros(7, 5), "final": [f.zeros(2, 7, 5) for _ in range(states)]}
    args["initial"] = [f.normal(2, 7, 5) if f.rng.random() < 0.5 else None for _ in range(states)]

    def check(given, args, _):
        cell = given["cell"] if isinstance(given["cell"], str) else given["cell"].decode()
        B, (*_, H) = len(given["x"]), given["weights"][0][0][1].shape
        shape = len(given["weights"]), B, H
        initial = [np.zeros(shape) if s is None else np.reshape(s, shape) for s in given["initial"]]
        y, final = oracle.Stack(cell, given["weights"], (False,)).forward(given["x"][None], initial)
        if args["y"] is not None:
            equal(args["y"], y[0])
        for got, want in zip(args["final"], final, strict=True):
            equal(got, want)

    return _core.step, check, args


@case
def make_stepper(f):
    packed = f.pack(D=1)

    def check(given, args, step):
        (_, weights), B = f.of(args["packed"]), given["batch_size"]
        ih, hh = weights[0][0][:2]
        y = step.step(np.ones((B, ih.shape[1]), ih.dtype))
        assert y.shape == (B, hh.shape[1]) and step.get_state(0).shape == (len(weights), *y.shape)

    return _core.stepper, check, {"packed": packed, "batch_size": 2}


@case
def stepper(f):
    """A step that streams may skip, the states set before and read after it."""
    packed, states = f.pack(L=1, D=1), oracle.CELLS[f.cell].states
    step = _core.stepper(packed, 3)
    y, known = f.zeros(3, 5), [np.zeros((3, 5)) for _ in range(states)]

    def call(k, value, rows, x, out, mask, read):
        step.set_state(k, value)
        known[k] = np.array(value, float).reshape(3, 5)
        step.reset_rows(rows)
        for state in known:
            state[list(rows)] = 0
        return step.step(x, out, mask), step.get_state(k, read)

    def check(given, args, results):
        cell, ((weights,),) = f.of(packed)
        direction, none = oracle.Direction(cell, weights, False), np.zeros((1, 3), bool)
        mask = given["mask"]
        takes = ~none if mask is None else (mask.view(np.uint8) > 0)[None]
        y, final = direction.forward(given["x"][None].astype(float), known, takes, none)
        equal(results[0], y[0])
        equal(results[1], final[given["k"]])

    args = {"k": f.pick(range(states)), "value": f.normal(1, 3, 5) / 4, "rows": [1], "x": f.normal(3, 3)}
    mask = f.pick([None, np.array([True, False, True])])
    return call, check, args | {"out": y, "mask": mask, "read": f.zeros(1, 3, 5)}
