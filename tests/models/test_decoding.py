"""From logits to labels, against the sums over all paths."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.losses import ctc
from elman.models.decoding import ctc_beam, ctc_greedy
from tests.support.ctc_paths import all_sequences, collapse

X = np.zeros((5, 2, 4), np.float32)
REFUSALS = [
    (lambda: ctc_greedy(X[0]), "logits: expected [T, B, C] float32, got [2, 4] float32"),
    (lambda: ctc_greedy(X, [6, 1]), "lengths: expected 0 to 5, got 1 to 6"),
    (lambda: ctc_greedy(X, blank=7), "blank: expected a class, 0 to 3, got 7"),
    (lambda: ctc_beam(X, blank=7), "blank: expected a class, 0 to 3, got 7"),
    (lambda: ctc_beam(X, beam_size=0), "beam_size: expected a whole number of at least 1, got 0"),
    (lambda: ctc_beam(X, score=1.0), "score: expected a function of a prefix and a label, got 1.0"),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_refusals(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


def path_logits(path, C, dtype=np.float32):
    """Logits [T, 1, C] whose likeliest class at each step is the path's."""
    return (5 * np.eye(C)[list(path)][:, None]).astype(dtype)


@pytest.mark.parametrize("blank", [0, 2])
def test_greedy_follows_the_best_path(dtype, rng, blank):
    logits = rng.standard_normal((9, 6, 4)).astype(dtype)
    lengths = np.array([9, 0, 1, 5, 9, 3])
    found = ctc_greedy(logits, lengths, blank)
    for b, labels in enumerate(found):
        assert labels.dtype == np.int64
        assert tuple(labels) == collapse(logits[: lengths[b], b].argmax(axis=1), blank)


def test_greedy_by_hand():
    assert ctc_greedy(path_logits([0, 1, 1, 0, 1, 2, 2, 0, 0], 3))[0].tolist() == [1, 1, 2]
    assert ctc_greedy(path_logits([0, 1, 1, 0, 1, 2, 2, 0, 0], 3), blank=2)[0].tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("T", "C", "blank"), [(1, 3, 0), (4, 3, 1), (5, 3, 2), (6, 2, 0), (4, 4, 3), (3, 1, 0)]
)
def test_a_wide_beam_is_exact(dtype, rng, T, C, blank):
    logits = (2 * rng.standard_normal((T, 2, C))).astype(dtype)
    for b, found in enumerate(ctc_beam(logits, blank=blank, beam_size=10000)):
        want = all_sequences(logits[:, b], blank)
        assert {labels for labels, _ in found} == set(want)
        for labels, log_p in found:
            assert math.isclose(math.exp(log_p), want[labels], rel_tol=1e-9), labels
        assert [log_p for _, log_p in found] == sorted((log_p for _, log_p in found), reverse=True)


def test_a_language_model_weighs_each_label(rng):
    """What it adds for a label sequence is the sum over its prefixes."""
    T, C = 5, 3
    logits = rng.standard_normal((T, 1, C))
    weight, asked = rng.standard_normal((T + 1, C)), []

    def score(prefix, label):
        asked.append((prefix, label))
        return weight[len(prefix), label] + 0.1 * sum(prefix)

    found = dict(ctc_beam(logits, beam_size=10000, score=score)[0])
    want = all_sequences(logits[:, 0], 0)
    assert set(found) == set(want)
    for labels, p in want.items():
        bonus = sum(weight[i, label] + 0.1 * sum(labels[:i]) for i, label in enumerate(labels))
        assert math.isclose(found[labels], math.log(p) + bonus, rel_tol=1e-9, abs_tol=1e-12)
    assert len(asked) == len(set(asked))
    assert ((), 1) in asked and not any(label == 0 for _, label in asked)


def test_a_language_model_may_forbid(rng):
    found = ctc_beam(
        rng.standard_normal((5, 1, 3)), score=lambda prefix, label: -math.inf if label == 2 else 0.0
    )
    assert found[0] and not any(2 in labels for labels, _ in found[0])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), beam_size=st.integers(1, 6))
def test_a_narrow_beam_finds_less_than_there_is(seed, beam_size):
    logits = 2 * np.random.default_rng(seed).standard_normal((6, 1, 4))
    want = all_sequences(logits[:, 0], 0)
    found = ctc_beam(logits, beam_size=beam_size)[0]
    assert 1 <= len(found) <= beam_size
    assert len({labels for labels, _ in found}) == len(found)
    for labels, log_p in found:
        assert math.exp(log_p) <= want[labels] * (1 + 1e-9)


def test_the_beam_beats_the_best_path():
    """Graves et al. (2006): the best path is all blanks, and yet a label is likelier."""
    logits = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))[:, None]
    assert ctc_greedy(logits)[0].tolist() == []
    labels, log_p = ctc_beam(logits, beam_size=2)[0][0]
    assert labels == (1,)
    assert math.isclose(log_p, math.log(0.64))


def test_the_beam_ends_where_the_sequence_does(rng):
    logits = rng.standard_normal((6, 3, 4)).astype(np.float32)
    lengths = [6, 0, 2]
    logits[2:, 2] = np.nan
    found = ctc_beam(logits, lengths)
    assert found[1] == [((), 0.0)]
    assert found[2] == ctc_beam(logits[:2, 2:].copy())[0]
    assert found[0] == ctc_beam(logits[:, :1].copy())[0]


def test_the_beam_and_the_loss_agree(rng):
    logits = 3 * rng.standard_normal((12, 1, 5))
    labels, log_p = ctc_beam(logits, beam_size=500)[0][0]
    loss = ctc(logits, [np.array(labels)])
    assert math.isclose(-log_p, loss.value * len(labels), rel_tol=1e-4)
