"""Connectionist temporal classification: the loss against PyTorch, differences and all paths."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import _core
from elman.losses import Loss, ctc
from tests.support.ctc_paths import all_sequences
from tests.support.slopes import finite_differences


def draw_batch(rng, T, B, C, S, blank=0, dtype=np.float64):
    """Logits, target, lengths and target lengths that fit, padded with NaN and with -1."""
    labels = np.delete(np.arange(C), blank)
    lengths, counts = rng.integers(0, T + 1, B), rng.integers(0, S + 1, B)
    target = rng.choice(labels, (B, S))
    for b in range(B):
        while counts[b] + (np.diff(target[b, : counts[b]]) == 0).sum() > lengths[b]:
            counts[b] -= 1
    target[np.arange(S) >= counts[:, None]] = -1
    logits = (3 * rng.standard_normal((T, B, C))).astype(dtype)
    logits[np.arange(T)[:, None] >= lengths] = np.nan
    return logits, target, lengths, counts


def both_of(*args, **options):
    loss = ctc(*args, **options)
    return loss.value, loss.gradient


def of_torch(logits, target, lengths, counts, **options):
    """The loss and the gradient of the logits, in float64."""
    import torch

    x = torch.tensor(np.nan_to_num(logits).astype(np.float64), requires_grad=True)
    labels = torch.tensor(np.concatenate([row[:n] for row, n in zip(target, counts, strict=True)]))
    loss = torch.nn.functional.ctc_loss(
        x.log_softmax(-1), labels.long(), torch.tensor(lengths), torch.tensor(counts), **options
    )
    loss.backward()
    return loss.item(), x.grad.numpy()


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_agrees_with_torch(data):
    """Any lengths, repeated labels, targets that cannot fit, targets without labels, any blank."""
    T, B = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    C, S = data.draw(st.integers(2, 20)), data.draw(st.integers(0, 9))
    blank = data.draw(st.integers(0, C - 1))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    elman.use_isa(data.draw(st.sampled_from(elman.isas())))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    # Few different labels, so that many repeat.
    target = rng.choice(np.delete(np.arange(C), blank)[: data.draw(st.integers(1, 3))], (B, S))
    lengths, counts = rng.integers(0, T + 1, B), rng.integers(0, S + 1, B)
    logits = (data.draw(st.sampled_from([0.1, 3, 30])) * rng.standard_normal((T, B, C))).astype(dtype)
    zero_infinity = data.draw(st.booleans())
    loss, d = both_of(logits, target, lengths, counts, blank=blank, zero_infinity=zero_infinity)
    want, want_d = of_torch(logits, target, lengths, counts, blank=blank, zero_infinity=zero_infinity)
    tolerance = 1e-5 if dtype == np.float32 else 1e-11
    assert d.dtype == dtype
    np.testing.assert_allclose(loss, want, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(d, want_d, rtol=0, atol=tolerance)
    plain = ctc(logits, target, lengths, counts, blank=blank, zero_infinity=zero_infinity, gradient=False)
    assert plain == Loss(loss, None, B)


@pytest.mark.parametrize(("T", "C", "S"), [(1, 2, 1), (7, 3, 3), (18, 9, 7), (33, 18, 9), (150, 7, 40)])
def test_agrees_with_torch_at_size(isa, dtype, rng, T, C, S):
    batch = draw_batch(rng, T, 5, C, S, blank=1, dtype=dtype)
    loss, d = both_of(*batch, blank=1)
    want, want_d = of_torch(*batch, blank=1)
    tolerance = 2e-6 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(loss, want, rtol=tolerance)
    np.testing.assert_allclose(d, want_d, rtol=0, atol=tolerance)


def test_gradient_is_the_slope(isa, rng):
    logits, target, lengths, counts = draw_batch(rng, 7, 4, 3, 3, blank=2)
    logits = np.nan_to_num(logits)
    _, d = both_of(logits, target, lengths, counts, blank=2)
    slope = finite_differences(logits, lambda: ctc(logits, target, lengths, counts, blank=2).value)
    assert np.abs(slope).max() > 0.01
    np.testing.assert_allclose(d, slope, atol=1e-8)


@pytest.mark.parametrize("blank", [0, 2])
def test_sums_over_all_paths(isa, rng, blank):
    T, C = 5, 3
    logits = 2 * rng.standard_normal((T, C))
    found = all_sequences(logits, blank)
    assert math.isclose(sum(found.values()), 1)
    for labels, p in found.items():
        loss, _ = both_of(logits[:, None].copy(), [np.array(labels, np.int64)], blank=blank)
        assert math.isclose(loss * max(len(labels), 1), -math.log(p), rel_tol=1e-12), labels


def test_a_list_of_targets_equals_a_padded_array(dtype, rng):
    logits, target, lengths, counts = draw_batch(rng, 9, 4, 5, 4, dtype=dtype)
    want, want_d = both_of(logits, target, lengths, counts)
    sequences = [row[:n].astype(np.uint8) for row, n in zip(target, counts, strict=True)]
    loss, d = both_of(logits, sequences, lengths)
    assert loss == want
    np.testing.assert_array_equal(d, want_d)


def test_lengths_are_full_by_default(rng):
    logits, target = rng.standard_normal((7, 3, 4)), rng.integers(1, 4, (3, 3))
    loss, d = both_of(logits, target)
    want, want_d = both_of(logits, target, [7, 7, 7], [3, 3, 3])
    assert loss == want
    np.testing.assert_array_equal(d, want_d)


def test_targets_that_cannot_fit(dtype, rng):
    """The second one needs a blank between its labels; the third one fits."""
    logits = rng.standard_normal((2, 3, 4)).astype(dtype)
    target = [np.array([1, 2, 3]), np.array([1, 1]), np.array([1, 2])]
    loss, d = both_of(logits, target)
    assert loss == math.inf
    assert np.isnan(d[:, :2]).all() and np.isfinite(d[:, 2]).all()
    loss, d = both_of(logits, target, zero_infinity=True)
    alone, alone_d = both_of(logits[:, 2:].copy(), target[2:])
    assert math.isclose(loss, alone / 3)
    assert not d[:, :2].any()
    np.testing.assert_allclose(d[:, 2:], alone_d / 3, rtol=1e-6)


def test_no_steps(dtype):
    """Without steps nothing is read: certain, if nothing was to be."""
    nothing = np.zeros((0, 1, 3), dtype)
    assert ctc(nothing, [np.zeros(0, int)]).value == 0
    assert ctc(nothing, [np.array([1])]).value == math.inf
    assert ctc(nothing, [np.array([1])], zero_infinity=True).value == 0


def test_logits_far_apart(isa, dtype, rng):
    """Probabilities beyond the smallest number there is, and classes that are ruled out."""
    logits = (1000 * rng.standard_normal((30, 2, 5))).astype(dtype)
    target = rng.integers(1, 5, (2, 6))
    want, want_d = of_torch(logits, target, [30, 30], [6, 6])
    loss, d = both_of(logits, target)
    assert want > 1000
    np.testing.assert_allclose(loss, want, rtol=1e-6 if dtype == np.float32 else 1e-12)
    np.testing.assert_allclose(d, want_d, atol=1e-5 if dtype == np.float32 else 1e-10)
    ruled_out = np.zeros((3, 1, 3), dtype)
    ruled_out[0, 0, :2] = -np.inf  # the first step is label 2
    assert ctc(ruled_out, [np.array([1])]).value == math.inf
    loss, d = both_of(ruled_out, [np.array([2])])
    assert math.isclose(loss, math.log(3), rel_tol=1e-6)  # 2bb, 22b and 222 of nine
    np.testing.assert_allclose(d[0], 0, atol=1e-7)


def test_nan_reaches_the_loss_and_its_own_gradient_only(isa, dtype, rng):
    logits, target = rng.standard_normal((6, 2, 4)).astype(dtype), rng.integers(1, 4, (2, 2))
    logits[3, 0, 2] = np.nan
    loss, d = both_of(logits, target)
    assert math.isnan(loss)
    assert np.isnan(d[:, 0]).any() and np.isfinite(d[:, 1]).all()


def test_neighbours_and_padding_do_not_matter(isa, dtype, rng):
    """To a bit. (The engine itself is asked: a mean over the batch has another factor for each size.)"""

    def run(logits, target, lengths, counts):
        losses, d = np.empty(len(lengths)), np.empty_like(logits)
        _core.ctc(logits, lengths, target, counts, 0, False, losses, np.ones(len(lengths)), d)
        return losses, d

    batch = draw_batch(rng, 19, 7, 21, 6, dtype=dtype)
    losses, d = run(*batch)
    for b, (T, S) in enumerate(zip(*batch[2:], strict=True)):
        alone, alone_d = run(
            batch[0][:T, b : b + 1].copy(), batch[1][b : b + 1, :S].copy(), np.array([T]), np.array([S])
        )
        assert alone[0] == losses[b]
        np.testing.assert_array_equal(alone_d[:, 0], d[:T, b])
        assert not d[T:, b].any()


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_do_not_matter(dtype, rng, threads):
    batch = draw_batch(rng, 200, 40, 33, 30, dtype=dtype)
    elman.set_num_threads(1)
    want, want_d = both_of(*batch)
    elman.set_num_threads(threads)
    for _ in range(3):
        loss, d = both_of(*batch)
        assert loss == want
        np.testing.assert_array_equal(d, want_d)


@pytest.mark.skipif(len(elman.isas()) < 3, reason="this processor has only one vector instruction set")
def test_vector_instruction_sets_agree(dtype, rng):
    batch = draw_batch(rng, 40, 5, 18, 9, dtype=dtype)
    results = []
    for name in elman.isas()[:-1]:
        elman.use_isa(name)
        results.append(both_of(*batch))
    for loss, d in results[1:]:
        assert loss == results[0][0]
        np.testing.assert_array_equal(d, results[0][1])


X = np.zeros((5, 2, 4), np.float32)
Y = np.ones((2, 3), np.int64)

REFUSALS = [
    (lambda: ctc([1.0], Y), "logits: expected [T, B, C] float64, got [1] float64"),
    (lambda: ctc(X[0], Y), "logits: expected [T, B, C] float32, got [2, 4] float32"),
    (lambda: ctc(X.astype(int), Y), "logits: expected [T, B, C] float32 or float64, got [5, 2, 4] int64"),
    (lambda: ctc(X[:, :0].copy(), Y[:0]), "logits: expected at least one sequence, got [5, 0, 4] float32"),
    (lambda: ctc(X, Y, [5]), "lengths: expected [2] whole numbers, got [1] int64"),
    (lambda: ctc(X, Y, [5, 6]), "lengths: expected 0 to 5, got 5 to 6"),
    (lambda: ctc(X, Y, None, [3.0, 3.0]), "target_lengths: expected [2] whole numbers, got [2] float64"),
    (lambda: ctc(X, Y, None, [3, 4]), "target_lengths: expected 0 to 3, got 3 to 4"),
    (lambda: ctc(X, list(Y), None, [3, 3]), "target_lengths: expected None with a list as target"),
    (lambda: ctc(X, Y[:1]), "target: expected [2, S] whole numbers, got [1, 3] int64"),
    (lambda: ctc(X, Y[0]), "target: expected [2, S] whole numbers, got [3] int64"),
    (lambda: ctc(X, Y.astype(float)), "target: expected [2, S] whole numbers, got [2, 3] float64"),
    (lambda: ctc(X, None), "target: expected an array, got NoneType"),
    (lambda: ctc(X, [Y[0]]), "target: expected 2 arrays, one for each sequence, got 1"),
    (lambda: ctc(X, [Y[0], Y]), "target[1]: expected [s] whole numbers, got [2, 3] int64"),
    (lambda: ctc(X, [Y[0], [0.5]]), "target[1]: expected [s] whole numbers, got [1] float64"),
    (lambda: ctc(X, Y * 4), "target: expected 0 to 3, got 4 to 4"),
    (lambda: ctc(X, -Y), "target: expected 0 to 3, got -1 to -1"),
    (lambda: ctc(X, Y, blank=1), "target: expected labels other than the blank, got 1"),
    (lambda: ctc(X, Y, blank=4), "blank: expected a class, 0 to 3, got 4"),
    (lambda: ctc(X, Y, blank=-1), "blank: expected a whole number of at least 0, got -1"),
    (lambda: ctc(X, Y, zero_infinity=1), "zero_infinity: expected True or False, got 1"),
    (lambda: ctc(X, Y, gradient="no"), "gradient: expected True or False, got 'no'"),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_refusals(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


def test_the_engine_checks_what_safety_needs(dtype):
    """However it is called, it touches no memory outside the arrays."""

    def call(lengths=(5, 5), target=Y, counts=(3, 3), blank=0, losses=2, scale=None, d=None):
        _core.ctc(X, np.array(lengths), target, np.array(counts), blank, False, np.empty(losses), scale, d)

    call()
    for wrong, name in [
        ({"lengths": (5, 6)}, "lengths"),
        ({"lengths": (5,)}, "lengths"),
        ({"counts": (-1, 3)}, "target_lengths"),
        ({"counts": (4, 3)}, "target_lengths"),
        ({"target": Y + 3}, "target"),
        ({"target": Y[:1]}, "target"),
        ({"target": Y[0]}, "target"),
        ({"blank": 4}, "blank"),
        ({"losses": 1}, "losses"),
        ({"d": np.empty_like(X)}, "scale"),
        ({"d": np.empty_like(X[0]), "scale": np.ones(2)}, "d_logits"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}"):
            call(**wrong)


def test_what_weighs_nothing_gives_no_gradient(rng):
    """Also where its loss is infinite, or its logits are NaN."""
    x = rng.standard_normal((5, 3, 4))
    x[:, 2] = np.nan
    target = [[1, 2], [1, 1, 1, 1], [3]]
    loss, alone = ctc(x, target, weights=[2.0, 0.0, 0.0]), ctc(x[:, :1], target[:1])
    assert loss.value == pytest.approx(alone.value) and not loss.gradient[:, 1:].any()
    np.testing.assert_allclose(loss.gradient[:, :1], alone.gradient)
    loss = ctc(x, target, weights=np.zeros(3))
    assert (loss.value, loss.count) == (0, 0) and not loss.gradient.any()
