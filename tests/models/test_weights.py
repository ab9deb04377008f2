"""Weights of samples, steps and classes are numbers of repetitions, in training and in evaluation over batches."""

import numpy as np
import pytest

import elman
from elman.losses import custom
from elman.models import Forecaster, SequenceClassifier, SequenceRegressor, SequenceTagger
from elman.train import Sequences, evaluate, fit
from tests.models.test_every_model import MODELS

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4, 2)).astype(np.float32)
Y = np.arange(12) % 3
SMALL = {"input_size": 2, "hidden_size": 3, "seed": 0, "dtype": "float64"}
NAMES = [name for name in MODELS if name not in ("language",)]


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_is_a_number_of_repetitions(name):
    model, data = MODELS[name]
    times = np.arange(len(data)) % 3 + (np.arange(len(data)) == 0)
    rows = np.repeat(np.arange(len(data)), times)
    repeated = (
        data.subset(np.array([], int))
        if not len(rows)
        else Sequences(
            [data.x[i] for i in rows],
            [data.y[i] for i in rows] if isinstance(data.y, list) else data.y[rows],
            None if data.future is None else data.future[rows],
        )
    )
    weighted = Sequences(list(data.x), data.y, data.future, weights=times)
    index = np.arange(len(data))
    step, want = (
        model.loss(weighted.take(index), train=False),
        model.loss(repeated.take(np.arange(len(rows))), train=False),
    )
    assert step.value == pytest.approx(want.value, rel=1e-12) and step.count == pytest.approx(want.count)
    assert evaluate(model, weighted, batch_size=2) == pytest.approx(evaluate(model, repeated), rel=1e-12)
    grads = []
    for part, rows_of in ((weighted, index), (repeated, np.arange(len(rows)))):
        model.zero_grad()
        model.loss(part.take(rows_of)).backward()
        grads.append({key: grad.copy() for key, grad in model.grads.items()})
    for key in grads[0]:
        np.testing.assert_allclose(grads[0][key], grads[1][key], atol=1e-12, err_msg=key)


def test_weights_of_steps():
    tags, w = RNG.integers(0, 2, (12, 4)), RNG.integers(0, 3, (12, 4))
    model = SequenceTagger(2, **SMALL)
    alone = [
        model.loss(Sequences(X[i : i + 1], tags[i : i + 1], weights=np.eye(4)[[t]]).take(np.array([0])), train=False)
        for i in range(12) for t in range(4)
    ]  # fmt: skip
    want = np.average([step.value for step in alone], weights=w.ravel())
    assert evaluate(model, Sequences(X, tags, weights=w), batch_size=5) == pytest.approx(want)
    assert evaluate(model, Sequences(list(X), list(tags), weights=list(w)), batch_size=5) == pytest.approx(
        want
    )


def test_weights_of_classes(tmp_path):
    y = np.array([0] * 6 + [1] * 4 + [2] * 2)
    of_class = {0: 1.0, 1: 0.5, 2: 4}
    model = SequenceClassifier(3, class_weight=of_class, **SMALL)
    plain = SequenceClassifier(3, **SMALL)
    want = evaluate(plain, Sequences(X, y, weights=[of_class[label] for label in y]))
    assert evaluate(model, (X, y), batch_size=5) == pytest.approx(want)
    assert evaluate(SequenceClassifier(3, class_weight=[1, 0.5, 4], **SMALL), (X, y)) == pytest.approx(want)
    names = np.array(["a", "b", "c"])
    named = SequenceClassifier(list(names), class_weight={"c": 4, "a": 1, "b": 0.5}, **SMALL)
    assert evaluate(named, (X, names[y])) == pytest.approx(want)
    assert evaluate(model, (X, np.eye(3)[y] * 0.5 + 0.5 * np.eye(3)[y])) == pytest.approx(want)
    model.save(tmp_path / "m")
    assert evaluate(elman.load(tmp_path / "m"), (X, y)) == pytest.approx(want)
    both = Sequences(X, y, weights=np.arange(12.0))
    assert evaluate(model, both) == pytest.approx(
        evaluate(plain, Sequences(X, y, weights=np.arange(12) * [of_class[label] for label in y]))
    )


@pytest.mark.parametrize("steps", [False, True])
def test_balanced_classes(steps, tmp_path):
    y = np.array([0] * 6 + [1] * 4 + [2] * 2)
    targets = np.tile(y[:, None], (1, 4)).astype(float) if steps else y.astype(float)
    targets[0] = np.nan  # not known: not counted
    make = SequenceTagger if steps else SequenceClassifier
    model = make(4, class_weight="balanced", **SMALL)
    fit(model, (X, targets), epochs=1, seed=0, progress=False)
    n = 4 if steps else 1
    want = [11 * n / (4 * 5 * n), 11 / (4 * 4), 11 / (4 * 2), 0]
    np.testing.assert_allclose(model.notes["class_weight"], want)
    by_hand = make(4, class_weight=want, **SMALL)
    fit(by_hand, (X, targets), epochs=1, seed=0, progress=False)
    np.testing.assert_array_equal(
        model.parameters["network.head.weight"], by_hand.parameters["network.head.weight"]
    )
    model.save(tmp_path / "m")
    assert evaluate(elman.load(tmp_path / "m"), (X, targets)) == evaluate(model, (X, targets))


@pytest.mark.parametrize("even", [0.0, 0.3])
def test_masked_steps_are_no_class(even):
    """Tags that are given one-hot, or as shares, are counted where they count."""
    y, mask = RNG.integers(0, 3, (12, 4)), RNG.random((12, 4)) < 0.6
    shares = (1 - even) * np.eye(3)[y] + even / 3
    model = SequenceTagger(3, class_weight="balanced", **SMALL)
    fit(model, Sequences(X, shares, mask=mask), epochs=1, seed=0, progress=False)
    counts = shares[mask].sum(axis=0)
    np.testing.assert_allclose(model.notes["class_weight"], counts.sum() / 3 / counts)


def half_squares(p, t):
    return (p - t) ** 2 / 2, p - t


HALF = custom(half_squares)


def test_losses_of_ones_own(tmp_path):
    y = RNG.standard_normal((12, 1))
    for make, options, target in (
        (SequenceRegressor, {"outputs": 1}, y), (Forecaster, {"horizon": 3}, RNG.standard_normal((12, 3, 1)))
    ):  # fmt: skip
        model, squares = make(**options, loss=HALF, **SMALL), make(**options, **SMALL)
        assert evaluate(model, (X, target)) == pytest.approx(evaluate(squares, (X, target)) / 2)
        fit(model, (X, target), epochs=1, seed=0, progress=False)
        model.save(tmp_path / "m")
        again = elman.load(tmp_path / "m")
        assert again.targets.loss is HALF
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def pair(p, t):
        return (p[..., 0] - t) ** 2 + p[..., 1] ** 2, np.stack([2 * (p[..., 0] - t), 2 * p[..., 1]], axis=-1)

    wide = SequenceRegressor(2, loss=custom(pair, width=2), **SMALL)
    fit(wide, (X, RNG.standard_normal((12, 2))), epochs=1, seed=0, progress=False)
    assert wide.predict(X).shape == (12, 2)


REFUSALS = {
    "class_weight: expected a weight for each of .0, 1., got .0.": lambda: SequenceClassifier(
        2, class_weight={0: 1}, **SMALL
    ),
    r"class_weight: expected 'balanced', a dict or \[2\] finite numbers of at least 0, got \[3\] int64|float64": (
        lambda: SequenceClassifier(2, class_weight=[1, 2, 3], **SMALL)
    ),
    "class_weight: expected one of 'balanced', got 'equal'": lambda: SequenceTagger(
        2, class_weight="equal", **SMALL
    ),
    "class_weight: expected None with multi_label=True": lambda: SequenceClassifier(
        2, class_weight="balanced", multi_label=True, **SMALL
    ),
    "class_weight: expected fit, which counts the classes for 'balanced', before a loss": lambda: evaluate(
        SequenceClassifier(3, class_weight="balanced", **SMALL), (X, Y)
    ),
    r"weights: expected \[n\], one for each target as a whole, got \[2, 2\] float64": lambda: evaluate(
        MODELS["translator"][0],
        Sequences([[1], [2]], [[1, 1], [1, 2]], weights=np.ones((2, 2))),
    ),
    "loss: expected a name, or one that elman.losses.custom makes, got function": lambda: SequenceRegressor(
        1, loss=half_squares, **SMALL
    ),
    "loss: expected one that elman.losses.custom has made, got 'away:f'; import away first": lambda: (
        SequenceRegressor(1, loss="away:f", **SMALL)
    ),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
