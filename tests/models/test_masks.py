"""A masked sequence is the one without these steps: loss, gradients and predictions, bit for bit where nothing is
summed in another order."""

import numpy as np
import pytest

from elman.models import Forecaster, Seq2Seq, SequenceRegressor
from elman.sequence.marks import closed_up
from elman.train import Sequences, evaluate, fit
from tests.models.test_every_model import MODELS

RNG = np.random.default_rng(0)
# Those that read [T, B, ...] as sequences of their own.
NAMES = [name for name in MODELS if name not in ("language", "tagger of equal lengths")]
BY_STEPS = ("tagger", "regressor of steps")


def with_gaps(name):
    """(model, data whose masks leave steps out, data without these steps)."""
    model, data = MODELS[name]
    x, y, future = list(data.x), list(data.y), data.future
    long, mask, targets = [], [], []
    for one, target in zip(x, y, strict=True):
        keep = np.insert(np.ones(len(one), bool), np.sort(RNG.integers(0, len(one) + 1, 2)), False)
        fill = np.nan if one.dtype.kind == "f" else -7  # what is skipped may be anything
        gaps = np.full((len(keep), *one.shape[1:]), fill, one.dtype)
        gaps[keep] = one
        if name in BY_STEPS:
            steps = np.zeros((len(keep), *target.shape[1:]), target.dtype)
            steps[~keep] = np.nan if target.dtype.kind == "f" else 99
            steps[keep] = target
            target = steps
        long.append(gaps)
        mask.append(keep)
        targets.append(target)
    targets = targets if isinstance(data.y, list) else data.y
    return model, Sequences(long, targets, future, mask=mask), Sequences(x, data.y, future)


@pytest.mark.parametrize("name", NAMES)
def test_a_masked_sequence_is_the_shorter_one(name):
    model, masked, short = with_gaps(name)
    index = np.arange(len(short))
    losses, grads = [], []
    for data in (masked, short):
        model.zero_grad()
        step = model.loss(data.take(index))
        step.backward()
        losses.append((step.value, step.count))
        grads.append({name: grad.copy() for name, grad in model.grads.items()})
    assert losses[0][1] == losses[1][1] and losses[0][0] == pytest.approx(losses[1][0], rel=1e-13)
    for parameter, grad in grads[1].items():
        np.testing.assert_allclose(grads[0][parameter], grad, atol=1e-13, err_msg=parameter)
    assert evaluate(model, masked) == pytest.approx(evaluate(model, short), rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_skip_what_is_masked(name):
    model, masked, short = with_gaps(name)
    ahead = {"future": short.future} if isinstance(model, Forecaster) and short.future is not None else {}
    options = {"beam_size": 2, "max_length": 4} if isinstance(model, Seq2Seq) else {}
    got = model.predict(masked.x, mask=masked.mask, **ahead, **options)
    want = model.predict(short.x, **ahead, **options)
    for one, other, keep in zip(got, want, masked.mask, strict=True):
        if name in BY_STEPS:
            gone = one[~keep]
            assert (np.isnan(gone) if gone.dtype.kind == "f" else gone == -1).all()
            one = one[keep]
        np.testing.assert_array_equal(one, other)
    if hasattr(model, "predict_proba"):
        found = model.predict_proba(masked.x, mask=masked.mask)
        for one, other, keep in zip(found, model.predict_proba(short.x), masked.mask, strict=True):
            if name in BY_STEPS:
                assert np.isnan(one[~keep]).all()
                one = one[keep]
            np.testing.assert_array_equal(one, other)


def test_a_mask_in_training_with_pieces():
    """Training with masks, and with state carried from piece to piece over them."""
    model, masked, _ = with_gaps("tagger")
    data = Sequences(masked.x, masked.y, mask=masked.mask, truncate=2)
    history = fit(model, data, epochs=2, batch_size=2, seed=0, progress=False)
    assert np.isfinite(history.train_loss).all()
    assert model.predict(masked.x, mask=masked.mask)[0].shape == (len(masked.x[0]),)


def test_closed_up():
    values = RNG.standard_normal((5, 3, 2))
    mask = RNG.random((5, 3)) < 0.5
    mask[:, 1] = False
    dense, counts, back = closed_up(values, [5, 5, 3], mask)
    known = mask & (np.arange(5)[:, None] < [5, 5, 3])
    assert counts.tolist() == known.sum(axis=0).tolist()
    for b in range(3):
        np.testing.assert_array_equal(dense[: counts[b], b], values[known[:, b], b])
        dense[counts[b] :, b] = 0
    np.testing.assert_array_equal(back(dense), np.where(known[..., None], values, 0))
    assert closed_up(values, None, None)[1].tolist() == [5, 5, 5]


def test_targets_of_sequences_are_not_taken_for_those_of_steps():
    """Where the first sequence has as many steps as there are numbers to predict."""
    x = [RNG.standard_normal((steps, 4)).astype(np.float32) for steps in (2, 5, 3)]
    mask = [np.arange(len(one)) > 0 for one in x]
    model = SequenceRegressor(2, input_size=4, hidden_size=3, seed=0)
    data = Sequences(x, RNG.standard_normal((3, 2)), mask=mask)
    assert fit(model, data, epochs=1, progress=False).epochs == 1
