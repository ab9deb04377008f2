"""Dot-product attention: its numbers against PyTorch, its gradients, its bits and its refusals."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import _core
from elman.layers import DotAttention
from tests.support.slopes import finite_differences

SIZES = [(1, 1, 1, 1), (3, 7, 9, 18), (9, 33, 3, 7), (1, 18, 5, 33), (130, 150, 2, 24), (20, 300, 3, 150)]
f32 = np.float32


def make(rng, Tq, Tk, B, H, dtype):
    return [rng.standard_normal((T, B, H)).astype(dtype) for T in (Tq, Tk, Tq)]


def ragged(rng, Tq, Tk, B):
    """Lengths with a whole, an empty and a short one among them, where there is room."""
    lengths, query_lengths = rng.integers(0, Tk + 1, B), rng.integers(0, Tq + 1, B)
    lengths[0], query_lengths[0] = Tk, Tq
    lengths[2:3] = 0
    query_lengths[1:2] = 0
    return lengths, query_lengths


def run(attention, query, memory, d_context, lengths=None, query_lengths=None):
    context, backward = attention.forward(query, memory, lengths, query_lengths)
    return [context, *backward(d_context)]


def reference(query, memory, d_context, lengths, query_lengths, scale):
    """PyTorch in float64: context, weights, d_query, d_memory; sequences that see nothing are left at 0."""
    Tq, Tk = len(query), len(memory)
    context, weights = np.zeros(query.shape), np.zeros((Tq, query.shape[1], Tk))
    q, m, dc = (torch.from_numpy(a.astype(np.float64)).transpose(0, 1) for a in (query, memory, d_context))
    q, m = q.clone().requires_grad_(), m.clone().requires_grad_()
    seen = torch.arange(Tk) < torch.from_numpy(lengths)[:, None]  # [B, Tk]
    asked = torch.arange(Tq) < torch.from_numpy(query_lengths)[:, None]  # [B, Tq]
    some = lengths > 0
    mask = seen[some, None, :]
    y = torch.nn.functional.scaled_dot_product_attention(q[some], m[some], m[some], mask, scale=scale)
    w = torch.nn.functional.scaled_dot_product_attention(
        q[some],
        m[some],
        torch.eye(Tk, dtype=torch.float64).expand(int(some.sum()), Tk, Tk),
        mask,
        scale=scale,
    )
    (y * asked[some, :, None] * dc[some]).sum().backward()
    context[:, some] = (y * asked[some, :, None]).detach().transpose(0, 1)
    weights[:, some] = (w * asked[some, :, None]).detach().transpose(0, 1)
    return context, weights, q.grad.transpose(0, 1).numpy(), m.grad.transpose(0, 1).numpy()


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_agrees_with_torch(isa, dtype, rng, sizes, scaled):
    query, memory, d_context = make(rng, *sizes, dtype)
    if not scaled:
        query /= np.sqrt(sizes[-1]).astype(dtype)  # else the softmax is a choice of one
    lengths, query_lengths = ragged(rng, *sizes[:3])
    attention = DotAttention(scaled=scaled)
    scale = float(1 / np.sqrt(sizes[-1])) if scaled else 1.0
    want = reference(query, memory, d_context, lengths, query_lengths, scale)
    context, d_query, d_memory = run(attention, query, memory, d_context, lengths, query_lengths)
    weights = attention.weights(query, memory, lengths, query_lengths)
    tolerance = 2e-6 if dtype == f32 else 1e-14
    for got, expected in zip((context, weights, d_query, d_memory), want, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))
        assert not got[expected == 0].any()


def test_agrees_with_torch_in_float32(rng):
    query, memory, _ = make(rng, 9, 33, 7, 18, f32)
    lengths = rng.integers(1, 34, 7)
    mask = torch.arange(33) < torch.from_numpy(lengths)[:, None, None]
    q, m = (torch.from_numpy(a).transpose(0, 1) for a in (query, memory))
    want = torch.nn.functional.scaled_dot_product_attention(q, m, m, mask).transpose(0, 1)
    got = DotAttention(scaled=True)(query, memory, lengths)
    np.testing.assert_allclose(got, want.numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("scaled", [False, True])
def test_gradcheck(isa, rng, scaled):
    query, memory, d_context = make(rng, 3, 5, 4, 3, np.float64)
    lengths, query_lengths = np.array([5, 3, 0, 1]), np.array([3, 0, 2, 2])
    attention = DotAttention(scaled)
    _, d_query, d_memory = run(attention, query, memory, d_context, lengths, query_lengths)
    loss = lambda: (attention(query, memory, lengths, query_lengths) * d_context).sum()  # noqa: E731
    np.testing.assert_allclose(d_query, finite_differences(query, loss), atol=1e-8)
    np.testing.assert_allclose(d_memory, finite_differences(memory, loss), atol=1e-8)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_sequence_alone_equals_itself_in_a_batch(isa, dtype, rng, sizes):
    arrays = make(rng, *sizes, dtype)
    lengths, query_lengths = ragged(rng, *sizes[:3])
    attention = DotAttention(scaled=True)
    context, d_query, d_memory = run(attention, *arrays, lengths, query_lengths)
    weights = attention.weights(*arrays[:2], lengths, query_lengths)
    for b, (n, q) in enumerate(zip(lengths, query_lengths, strict=True)):
        alone = [np.ascontiguousarray(a[:T, b : b + 1]) for a, T in zip(arrays, (q, n, q), strict=True)]
        context_b, d_query_b, d_memory_b = run(attention, *alone)
        np.testing.assert_array_equal(context_b[:, 0], context[:q, b])
        np.testing.assert_array_equal(d_query_b[:, 0], d_query[:q, b])
        np.testing.assert_array_equal(d_memory_b[:, 0], d_memory[:n, b])
        np.testing.assert_array_equal(attention.weights(*alone[:2])[:, 0], weights[:q, b, :n])


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_do_not_matter(dtype, rng, threads):
    arrays = make(rng, 64, 300, 13, 520, dtype)
    lengths, query_lengths = ragged(rng, 64, 300, 13)
    results = []
    for count in (1, threads):
        elman.set_num_threads(count)
        results.append(run(DotAttention(), *arrays, lengths, query_lengths))
    for one, many in zip(*results, strict=True):
        np.testing.assert_array_equal(one, many)


@pytest.mark.skipif(len(elman.isas()) < 3, reason="this processor has only one vector instruction set")
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_vector_instruction_sets_agree(dtype, rng, sizes):
    arrays = make(rng, *sizes, dtype)
    lengths = ragged(rng, *sizes[:3])
    results = []
    for name in elman.isas()[:-1]:
        elman.use_isa(name)
        results.append(run(DotAttention(scaled=True), *arrays, *lengths))
    for other in results[1:]:
        for got, want in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, want)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_padding_does_not_matter(data):
    """What lies beyond the lengths, NaN included, reaches neither results nor gradients; those are 0 there."""
    Tq, Tk, B, H = (data.draw(st.integers(least, most)) for least, most in ((0, 9), (0, 20), (0, 6), (1, 20)))
    lengths, query_lengths = (
        np.array(data.draw(st.lists(st.integers(0, T), min_size=B, max_size=B)), int) for T in (Tk, Tq)
    )
    dtype = data.draw(st.sampled_from([f32, np.float64]))
    attention = DotAttention(data.draw(st.booleans()))
    arrays = make(np.random.default_rng(data.draw(st.integers(0, 9))), Tq, Tk, B, H, dtype)
    want = [*run(attention, *arrays, lengths, query_lengths)]
    beyond = [
        np.arange(T)[:, None] >= n for T, n in ((Tq, query_lengths), (Tk, lengths), (Tq, query_lengths))
    ]
    for array, where in zip(arrays, beyond, strict=True):
        array[where] = np.nan
    got = run(attention, *arrays, lengths, query_lengths)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, where in zip(got, (beyond[0], beyond[0], beyond[1]), strict=True):
        assert not a[where].any() and np.isfinite(a).all()
    empty = lengths == 0
    assert not any(a[:, empty].any() for a in got)
    weights = attention.weights(*arrays[:2], lengths, query_lengths)
    asked = ~beyond[0] & ~empty
    np.testing.assert_allclose(weights.sum(-1), asked, atol=1e-5)
    assert not weights[:, beyond[1].T].any() and (weights >= 0).all()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_over_gives_the_bits_of_the_whole_call(isa, dtype, rng, sizes):
    """Also one step at a time, as a decoder goes, with the gradients of its steps."""
    query, memory, d_context = make(rng, *sizes, dtype)
    lengths, _ = ragged(rng, *sizes[:3])
    attention = DotAttention(scaled=True)
    want, d_query, d_memory = run(attention, query, memory, d_context, lengths)
    attend = attention.over(memory, lengths)
    kept = memory.copy()
    memory[:] = np.nan  # it has its own
    np.testing.assert_array_equal(attend(query), want)
    np.testing.assert_array_equal(attention(query, kept, lengths), want)
    np.testing.assert_array_equal(attend.weights(query), attention.weights(query, kept, lengths))
    sum_of_steps = np.zeros_like(memory)
    for t in range(sizes[0]):
        np.testing.assert_array_equal(attend(query[t : t + 1]), want[t : t + 1])
        context, backward = attend.forward(query[t : t + 1])
        np.testing.assert_array_equal(context, want[t : t + 1])
        d_query_t, d_memory_t = backward(d_context[t : t + 1])
        np.testing.assert_array_equal(d_query_t, d_query[t : t + 1])
        sum_of_steps += d_memory_t
    tolerance = 1e-5 if dtype == f32 else 1e-13
    np.testing.assert_allclose(sum_of_steps, d_memory, atol=tolerance, rtol=tolerance)


def test_backward_may_run_again(rng):
    query, memory, d_context = make(rng, 3, 7, 2, 9, f32)
    _, backward = DotAttention().forward(query, memory)
    first = backward(d_context)
    for again, once in zip(backward(d_context), first, strict=True):
        np.testing.assert_array_equal(again, once)


def test_large_scores_are_a_choice_of_one(isa, dtype):
    """No overflow: the largest score is taken off before the exponentials, and alone counts."""
    memory = np.array([[[1, 0]], [[0, 1]]], dtype)
    query = np.array([[[1e30, 0]], [[0, 1e30]]], dtype)
    np.testing.assert_allclose(DotAttention()(query, memory), memory, atol=1e-30)


def test_a_packed_memory_keeps_its_instruction_set(rng):
    """One made for another instruction set than the one in use now still computes."""
    query, memory, _ = make(rng, 3, 7, 2, 9, np.float64)
    attend = DotAttention().over(memory)
    want = attend(query)
    elman.use_isa("scalar")
    np.testing.assert_array_equal(attend(query), want)


def test_takes_and_gives_other_arrays(rng):
    arrays = make(rng, 3, 7, 2, 9, f32)
    want = run(DotAttention(), *arrays)
    for got, expected in zip(run(DotAttention(), *map(torch.from_numpy, arrays)), want, strict=True):
        assert isinstance(got, torch.Tensor)
        np.testing.assert_array_equal(got.numpy(), expected)


def test_it_is_a_layer_without_parameters():
    attention = DotAttention(scaled=True)
    assert attention.parameters == attention.grads == attention.state_dict() == {}
    attention.zero_grad()
    assert repr(attention) == "DotAttention(scaled=True)"


def zeros(*shape, dtype=f32):
    return np.zeros(shape, dtype)


Q, M = zeros(3, 2, 4), zeros(5, 2, 4)

REFUSALS = [
    (lambda a: DotAttention(scaled=2), "scaled: expected True or False, got 2"),
    (lambda a: a(Q, zeros(5, 4)), "memory: expected [Tk, B, H] float32, got [5, 4] float32"),
    (
        lambda a: a(Q, zeros(5, 2, 4, dtype=int)),
        "memory: expected [Tk, B, H] float32 or float64, got [5, 2, 4] int64",
    ),
    (lambda a: a(Q, [[1.0]]), "memory: expected [Tk, B, H] float64, got [1, 1] float64"),
    (lambda a: a(Q, zeros(5, 2, 0)), "memory.shape[2]: expected a whole number of at least 1, got 0"),
    (lambda a: a(zeros(3, 1, 4), M), "query: expected [Tq, 2, 4] float32, got [3, 1, 4] float32"),
    (lambda a: a(zeros(2, 4), M), "query: expected [Tq, 2, 4] float32, got [2, 4] float32"),
    (lambda a: a(Q.astype(float), M), "query: expected [Tq, 2, 4] float32, got [3, 2, 4] float64"),
    (lambda a: a(1.0, M), "query: expected [Tq, 2, 4] float32, got 1.0"),
    (lambda a: a(Q, M, [5]), "lengths: expected [2] whole numbers, got [1] int64"),
    (lambda a: a(Q, M, [5, 6]), "lengths: expected 0 to 5, got 5 to 6"),
    (lambda a: a(Q, M, None, [1.0, 2.0]), "query_lengths: expected [2] whole numbers, got [2] float64"),
    (lambda a: a(Q, M, None, [-1, 3]), "query_lengths: expected 0 to 3, got -1 to 3"),
    (lambda a: a.forward(Q, M)[1](M), "d_context: expected [3, 2, 4] float32, got [5, 2, 4] float32"),
    (lambda a: a.forward(Q, M)[1](None), "d_context: expected an array, got NoneType"),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(DotAttention())


def test_the_engine_touches_no_memory_outside_an_array():
    """Its own checks, which no call through the layer meets."""
    packed = _core.pack_memory(M, None, 1.0)
    lengths = np.array([3, 9])
    for call, message in [
        (lambda: _core.pack_memory(Q[0], None, 1.0), "memory: expected three axes"),
        (lambda: _core.pack_memory(M, lengths, 1.0), "lengths: expected 0 to 5, got 9"),
        (
            lambda: _core.attention(packed, Q, lengths, None, zeros(3, 2, 4)),
            "query_lengths: expected 0 to 3, got 9",
        ),
        (lambda: _core.attention(packed, M, None, None, zeros(3, 2, 4)), "context: expected a writeable"),
        (lambda: _core.attention(packed, zeros(3, 1, 4), None, None, Q), "query: expected a C-contiguous"),
        (lambda: _core.attention(packed, Q, None, Q, zeros(3, 2, 4)), "weights: expected a writeable"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
