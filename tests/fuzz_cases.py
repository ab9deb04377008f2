"""The calls of tests/fuzz_binding.py: arguments that are right, and what comes of them by other means."""

import numpy as np
from tests import oracle
from tests.fuzz_binding import equal

from elman import _core

CASES = {}


def case(make):
    CASES[make.__name__] = make
    return make


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x, -1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@case
def linear(f):
    weight, bias = f.normal(4, 3), f.normal(4)

    def check(given, args, _):
        if args["packed"] is packed:
            equal(args["y"], given["x"] @ weight.T.astype(float) + bias)

    packed = f.keep(_core.pack_linear(weight, bias))
    return _core.linear, check, {"packed": packed, "x": f.normal(2, 5, 3), "y": f.zeros(2, 5, 4)}


@case
def pack_linear(f):
    def check(given, _, packed):
        w, b = np.asarray(given["weight"]), given["bias"]
        x = np.ones((2, w.shape[1]), w.dtype)
        y = np.empty((2, len(w)), w.dtype)
        _core.linear(packed, x, y)
        equal(y, x @ w.T.astype(float) + (0 if b is None else b))

    return _core.pack_linear, check, {"weight": f.normal(4, 3), "bias": f.normal(4)}


@case
def linear_backward(f):
    def check(given, args, _):
        x, dy = (np.reshape(given[k], (10, -1)).astype(float) for k in ("x", "dy"))
        equal(args["d_weight"], given["d_weight"] + dy.T @ x)
        if args["dx"] is not None:
            equal(args["dx"], dy @ given["weight"])
        if args["d_bias"] is not None:
            equal(args["d_bias"], given["d_bias"] + dy.sum(0))

    args = {"weight": f.normal(4, 3), "x": f.normal(2, 5, 3), "dy": f.normal(2, 5, 4), "dx": f.zeros(2, 5, 3)}
    return _core.linear_backward, check, args | {"d_weight": f.normal(4, 3), "d_bias": f.normal(4)}


@case
def add_rows(f):
    def check(given, args, _):
        want = given["table"].astype(float)
        np.add.at(want, given["index"].ravel(), given["rows"].reshape(given["index"].size, -1))
        equal(args["table"], want)

    return (
        _core.add_rows,
        check,
        {"table": f.normal(7, 3), "index": f.below(7, 2, 5), "rows": f.normal(2, 5, 3)},
    )


@case
def cross_entropy(f):
    def check(given, args, value):
        x, smoothing = given["logits"].astype(float), given["smoothing"]
        p, C = softmax(x), x.shape[1]
        counts = np.ones(len(x), bool) if given["mask"] is None else given["mask"].view(np.uint8).ravel() != 0
        q = np.full_like(p, smoothing / C)
        at = given["target"].ravel()[counts]
        q[counts, at] += 1 - smoothing
        equal(value, -(q * np.log(p))[counts].sum())
        if args["d_logits"] is not None:
            equal(args["d_logits"], np.where(counts[:, None], given["scale"] * (p - q), 0))

    args = {
        "logits": f.normal(6, 5),
        "target": f.below(5, 6),
        "mask": f.flags(6),
        "smoothing": 0.1,
        "scale": 0.3,
    }
    return _core.cross_entropy, check, args | {"d_logits": f.zeros(6, 5)}


@case
def softmax_rows(f):
    return (
        _core.softmax,
        lambda given, args, _: args["p"].size and equal(args["p"], softmax(given["x"])),
        {"x": f.normal(3, 5), "p": f.zeros(3, 5)},
    )


def attend(memory, keys, query, queries):
    """Contexts and weights of memory [T, B, H] for query [Q, B, H]."""
    context, weights = np.zeros(query.shape), np.zeros((*query.shape[:2], len(memory)))
    for b in range(query.shape[1]):
        k = keys[b]
        if k == 0:
            continue
        M, q = memory[:k, b].astype(float), query[: queries[b], b].astype(float)
        weights[: queries[b], b, :k] = softmax(0.5 * q @ M.T)
        context[: queries[b], b] = weights[: queries[b], b, :k] @ M
    return context, weights


@case
def pack_memory(f):
    def check(given, _, packed):
        memory = np.asarray(given["memory"])
        keys = np.full(memory.shape[1], len(memory)) if given["lengths"] is None else given["lengths"].ravel()
        query = np.ones((2, *memory.shape[1:]), memory.dtype)
        out = np.empty_like(query)
        _core.attention(packed, query, None, None, out)
        if given["scale"] == 0.5:
            equal(out, attend(memory, keys, query, np.full(len(keys), 2))[0])

    return _core.pack_memory, check, {"memory": f.normal(4, 3, 5), "lengths": f.below(5, 3), "scale": 0.5}


@case
def attention(f):
    memory, keys = f.normal(4, 3, 5), f.below(5, 3)

    def check(given, args, _):
        if args["packed"] is not packed:
            return
        queries = np.full(3, 2) if given["query_lengths"] is None else given["query_lengths"].ravel()
        context, weights = attend(memory, keys, given["query"], queries)
        equal(args["context"], context)
        if args["weights"] is not None:
            equal(args["weights"], weights)

    packed = f.keep(_core.pack_memory(memory, keys, 0.5))
    args = {"packed": packed, "query": f.normal(2, 3, 5), "query_lengths": f.below(3, 3)}
    return _core.attention, check, args | {"weights": f.zeros(2, 3, 4), "context": f.zeros(2, 3, 5)}


@case
def attention_backward(f):
    memory, query = f.normal(4, 3, 5), f.normal(2, 3, 5)
    everything = np.full(3, 4), np.full(3, 2)
    weights = attend(memory, everything[0], query, everything[1])[1]

    def check(given, args, _):
        if args["packed"] is not packed or given["query_lengths"] is not None:
            return
        w, d, M, q = (
            weights,
            given["d_context"].reshape(2, 3, 5).astype(float),
            memory.astype(float),
            given["query"].astype(float),
        )
        dw = np.einsum("qbh,kbh->qbk", d, M)
        ds = 0.5 * w * (dw - (w * dw).sum(-1, keepdims=True))
        equal(args["d_query"], np.einsum("qbk,kbh->qbh", ds, M))
        equal(args["d_memory"], np.einsum("qbk,qbh->kbh", w, d) + np.einsum("qbk,qbh->kbh", ds, q))

    packed = f.keep(_core.pack_memory(memory, None, 0.5))
    args = {
        "packed": packed,
        "query": query,
        "query_lengths": None,
        "weights": f.guard(weights.astype(f.dtype)),
    }
    args |= {"d_context": f.normal(2, 3, 5), "d_query": f.zeros(2, 3, 5), "d_memory": f.zeros(4, 3, 5)}
    return _core.attention_backward, check, args


def alignments(log_p, labels, blank):
    """-log of the sum over all paths, by the textbook's recursion over (label, step)."""
    states = [blank]
    for label in labels:
        states += [label, blank]
    alpha = np.full(len(states), -np.inf)
    alpha[0] = 0
    for t, row in enumerate(log_p):
        before = alpha.copy()
        for s, label in enumerate(states):
            entered = [before[s]]
            if t and s:
                entered.append(before[s - 1])
            if t and s > 1 and label != blank and label != states[s - 2]:
                entered.append(before[s - 2])
            if t == 0:
                entered = [0.0 if s < 2 else -np.inf]
            alpha[s] = np.logaddexp.reduce(entered) + row[label]
    return -np.logaddexp.reduce(alpha[-2:])


@case
def ctc(f):
    def check(given, args, _):
        for b in range(3):
            n, s = given["lengths"].ravel()[b], given["target_lengths"].ravel()[b]
            labels = given["target"][b, :s]
            if given["blank"] in labels:
                continue
            want = alignments(np.log(softmax(given["logits"][:n, b])), labels, int(given["blank"]))
            equal(args["losses"].ravel()[b], 0 if np.isinf(want) and given["zero_infinity"] else want)

    args = {
        "logits": f.normal(6, 3, 4),
        "lengths": f.guard(np.array([6, 5, 4])),
        "target": 1 + f.below(3, 3, 2),
    }
    args |= {"target_lengths": f.below(3, 3), "blank": 0, "zero_infinity": False}
    args |= {
        "losses": f.zeros(3, dtype=np.float64),
        "scale": f.guard(np.ones(3)),
        "d_logits": f.zeros(6, 3, 4),
    }
    return _core.ctc, check, args


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
    gates = _core.cells()[f.cell]["gates"]
    args = {"cell": f.cell, "weight_ih": f.normal(gates * 5, 3), "weight_hh": f.normal(gates * 5, 5)}
    args |= {"bias_ih": f.normal(gates * 5), "bias_hh": f.normal(gates * 5)}

    def check(given, _, packed):
        weights = [given[k] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        cell = given["cell"] if isinstance(given["cell"], str) else given["cell"].decode()
        I, H = weights[0].shape[1], weights[1].shape[1]  # noqa: E741
        states = _core.cells()[cell]["states"]
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
