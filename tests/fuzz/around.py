"""Linear layers, embeddings, losses and attention: right arguments, and what comes of them by other means."""

import numpy as np

from elman import _core
from tests.fuzz.arguments import case, equal


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
        if args["d_weight"] is not None:
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
        w = np.ones(len(x)) if given["weights"] is None else given["weights"].ravel()
        if given["target"].ndim == 2:
            q = given["target"]
        else:
            classes = given["target"].ravel()
            w = np.where(classes == given["ignore"], 0, w)
            q = np.zeros_like(p)
            q[w > 0, classes[w > 0]] = 1
        q = (1 - smoothing) * q + smoothing / C
        equal(value[0], -(w[:, None] * q * np.log(p)).sum())
        equal(value[1], w.sum())
        if args["d_logits"] is not None:
            equal(args["d_logits"], w[:, None] / (w.sum() or 1) * (p - q))

    args = {
        "logits": f.normal(6, 5),
        "target": f.below(5, 6) if f.rng.random() < 0.5 else f.guard(f.rng.dirichlet(np.ones(5), 6)),
        "weights": f.guard(f.rng.random(6) * f.flags(6)),
        "ignore": 3,
        "smoothing": 0.1,
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
