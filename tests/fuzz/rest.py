"""Optimisers, memory, threads and names: right arguments, and what comes of them by other means."""

import numpy as np

from elman import _core
from tests.fuzz.arguments import case, equal
from tests.support.tensors import TENSORS


def optimiser(f, states):
    return [[f.normal(3), f.normal(2, 2)], [f.normal(3), f.normal(2, 2)]] + [
        [f.guard(abs(f.normal(3))), f.guard(abs(f.normal(2, 2)))] for _ in range(states)
    ]


def follow(step):
    """A check of all elements; step: from the value, gradient and states to the new value and states."""

    def check(given, args, _):
        wide = lambda a: np.asarray(a, np.float64).ravel()  # noqa: E731
        arrays = [array for some in args["arrays"] for array in some]
        if len(set(map(id, arrays))) < len(arrays):
            return  # written to while it is read: any numbers will do
        for i in range(len(args["arrays"][0])):
            value, grad, *states = (wide(some[i]) for some in given["arrays"])
            grad = given["scale"] * grad + given["decay"] * value
            results = [args["arrays"][0], *args["arrays"][2:]]
            for some, want in zip(results, step(given, value, grad, *states), strict=True):
                equal(wide(some[i]), want, 1e-4)

    return check


@case
def sgd(f):
    def step(k, p, g, *s):
        if not s:
            return [p - k["rate"] * g]
        m = k["momentum"] * s[0] + g
        return p - k["rate"] * (g + k["momentum"] * m if k["nesterov"] else m), m

    args = {"arrays": optimiser(f, f.pick([0, 1])), "rate": 0.1, "scale": 0.5, "decay": 0.01}
    return _core.sgd, follow(step), args | {"momentum": 0.9, "nesterov": f.pick([False, True])}


@case
def add(f):
    def check(given, args, _):
        arrays = [*args["to"], *args["added"]]
        if len(set(map(id, arrays))) < len(arrays):
            return  # written to while it is read: any numbers will do
        for own, before, added in zip(args["to"], given["to"], given["added"], strict=True):
            equal(np.asarray(own).ravel(), np.ravel(before) + np.ravel(added), 1e-6)

    return (
        _core.add,
        check,
        {
            "to": [f.normal(3), f.normal(2, 2)],
            "added": [f.normal(3), f.normal(2, 2)],
        },
    )


@case
def rmsprop(f):
    def step(k, p, g, *s):
        square = k["keep"] * s[0] + (1 - k["keep"]) * g * g
        d = g / (np.sqrt(square) + k["epsilon"])
        if len(s) == 1:
            return p - k["rate"] * d, square
        m = k["momentum"] * s[1] + d
        return p - k["rate"] * m, square, m

    args = {"arrays": optimiser(f, f.pick([1, 2])), "rate": 0.1, "scale": 0.5, "decay": 0.01}
    return _core.rmsprop, follow(step), args | {"keep": 0.9, "epsilon": 1e-3, "momentum": 0.9}


@case
def adam(f):
    def step(k, p, g, *s):
        m = k["keep_first"] * s[0] + (1 - k["keep_first"]) * g
        v = k["keep_second"] * s[1] + (1 - k["keep_second"]) * g * g
        return k["shrink"] * p - k["rate"] * m / (np.sqrt(v) + k["epsilon"]), m, v

    args = {"arrays": optimiser(f, 2), "rate": 0.1, "scale": 0.5, "decay": 0.01, "shrink": 0.99}
    return _core.adam, follow(step), args | {"keep_first": 0.9, "keep_second": 0.99, "epsilon": 1e-3}


@case
def sum_of_squares(f):
    def check(given, _, total):
        equal(total, sum(np.square(g, dtype=float).sum() for g in given["grads"]))

    return _core.sum_of_squares, check, {"grads": [f.normal(3), f.normal(2, 2)]}


@case
def empty(f):
    def check(given, _, array):
        assert array.shape == tuple(given["shape"]) and array.dtype == given["dtype"] and array.flags.carray
        array.ravel()[:100] = 1

    return _core.empty, check, {"shape": [3, 2], "dtype": f.pick([np.dtype(f.dtype), np.dtype(object)])}


@case
def zeros(f):
    def check(given, _, nest):
        def compare(made, shapes, level):
            for one, shape in zip(made, shapes, strict=True):
                if level > 1:
                    compare(one, shape, level - 1)
                elif shape is None:
                    assert one is None
                else:
                    equal(one, np.zeros(shape, given["dtype"]))

        compare(nest, given["shapes"], 3)

    return _core.zeros, check, {"shapes": [[[(3, 2), (4,)]]], "dtype": np.dtype(f.dtype)}


@case
def new_tensor(f):
    check = lambda given, _, capsule: None  # noqa: E731  (who takes it is tested in tests/bind/test_tensors.py)
    return TENSORS.new, check, {"shape": [3, 2], "itemsize": f.pick([4, 8])}


@case
def fingerprint_of_tensors(f):
    def check(given, _, found):
        assert found is None or found == TENSORS.fingerprint([np.copy(one) for one in given["weights"]])

    return TENSORS.fingerprint, check, {"weights": [f.normal(3, 2), f.normal(4)]}


@case
def call_of_tensors(f):
    """A whole call: what comes of right arguments is tested in tests/bind/test_tensors.py."""
    sides, T = f.pick([1, 2]), f.pick([1, 4])
    module = _core.Module("gru", 3, 5, sides == 2, True, f.pick([False, True]), False)
    nest = f.weights("gru", 3, 5, 2, sides)
    weights = [array for layer in nest for part in layer for array in part]
    kept = _core.keep(_core.pack("gru", nest), TENSORS.fingerprint(weights))
    arguments = {"weights": weights, "x": f.normal(T, T, 3), "hx": f.normal(2 * sides, T, 5)}
    check = lambda given, _, results: None  # noqa: E731
    return (
        TENSORS.run,
        check,
        {"module": module, "kept": kept, "trusted": f.pick([False, True]), **arguments, "node": None},
    )


@case
def schedule(f):
    def check(given, _, found):
        segments, units, _ahead, threads = found
        assert 1 <= units <= threads <= given["threads"] and threads % units == 0
        assert segments * units <= max(1, given["segments"]) * threads

    args = {"directions": 2, "segments": 8, "steps": 30, "I": 40, "H": 50, "gates": 4, "threads": 8}
    return _core.schedule, check, args


@case
def names(f):
    def call(isa, threads, library):
        _core.use_isa(isa)
        _core.set_num_threads(threads)
        return _core.borrow_threads(library)

    def check(given, _, borrowed):
        assert _core.isa() == given["isa"] and _core.num_threads() == given["threads"] and not borrowed

    return call, check, {"isa": f.pick(_core.isas()), "threads": 2, "library": b"no such library"}
