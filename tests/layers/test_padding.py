"""What does not count, by lengths or mask, may be anything: NaN, infinities, numbers that are no token. Results and
gradients are those of zeros there."""

import numpy as np
import pytest

import elman
from elman import losses
from elman.layers import GRU, DotAttention, Dropout, Embedding, Linear, Pooling, Sequential
from elman.models import (
    CTCRecognizer,
    Seq2Seq,
    SequenceRegressor,
    SequenceTagger,
    ctc_beam,
    ctc_greedy,
)
from elman.sequence import Standardizer, known_steps
from elman.train import Batch, ctc
from tests.support.entries import B, H, I, T, flat, marks, normal, whole

LENGTHS = np.array([5, 0, 3, 1])
MASK = marks(T, B, seed=3)
MASK[:, 3] = False  # a sequence that the mask leaves nothing of
WITHIN = known_steps(T, B, LENGTHS)
KNOWN = {"lengths": WITHIN, "mask": MASK, "both": WITHIN & MASK}
OPTIONS = {
    "lengths": {"lengths": LENGTHS},
    "mask": {"mask": MASK},
    "both": {"lengths": LENGTHS, "mask": MASK},
}


def recurrent(options, fill):
    layer = elman.LSTM(I, H, num_layers=2, bidirectional=True, seed=0)
    y, state, backward = layer.forward(fill(normal(T, B, I, dtype=np.float32)), **options)
    return flat(y, state, backward(fill(normal(T, B, 2 * H, dtype=np.float32))), layer.grads)


def batch_first(options, fill):
    turned = {name: value.T if name == "mask" else value for name, value in options.items()}
    layer = Sequential(Linear(I, H, seed=0), elman.GRU(H, H, seed=1, batch_first=True), Linear(H, 2, seed=2))
    turn = lambda array: array.swapaxes(0, 1)  # noqa: E731
    y, state, backward = layer.forward(turn(fill(normal(T, B, I, dtype=np.float32))), **turned)
    return flat(y, state, backward(turn(fill(normal(T, B, 2, dtype=np.float32)))), layer.grads)


def pooled(kind, bidirectional=False):
    def case(options, fill):
        y, backward = Pooling(kind, bidirectional).forward(fill(normal(T, B, H)), **options)
        d = normal(B, H)
        nothing = ~known_steps(T, B, **options).any(axis=0)
        d[nothing] = fill(np.zeros((T, B, H)))[0, nothing]
        return flat(y, backward(d))

    return case


def sequential(*layers, x, dy):
    def case(options, fill):
        layer = Sequential(*layers())
        plain, _ = layer(fill(x.copy()), **options)
        y, _, backward = layer.forward(fill(x.copy()), **options)
        return flat(plain, y, backward(fill(dy.copy()) if dy.ndim == 3 else dy), layer.grads)

    (layers,) = layers
    return case


def loss(function, width=()):
    def case(options, fill):
        target = (
            whole(2, T, B, H).astype(float)
            if function is losses.binary_cross_entropy
            else normal(T, B, H, seed=1)
        )
        found = function(fill(normal(T, B, H, *width)), fill(target), **options)
        return flat(found.value, found.gradient)

    return case


def cross_entropy(options, fill):
    found = losses.cross_entropy(fill(normal(T, B, H)), fill(whole(H, T, B)), label_smoothing=0.1, **options)
    return flat(found.value, found.gradient)


def standardizer(options, fill):
    x = normal(T, B, I)
    scaler = Standardizer().fit(fill(x.copy()), **options)
    return flat(scaler.mean_, scaler.scale_, scaler.transform(x))


CASES = {
    "recurrent": recurrent,
    "batch_first": batch_first,
    "last": pooled("last"),
    "last of two": pooled("last", bidirectional=True),
    "mean": pooled("mean"),
    "max": pooled("max"),
    "linear first and last": sequential(
        lambda: (Linear(I, H, seed=0), elman.GRU(H, H, seed=1), Linear(H, 2, seed=2)),
        x=normal(T, B, I, dtype=np.float32), dy=normal(T, B, 2, dtype=np.float32),
    ),
    "tokens": sequential(
        lambda: (Embedding(4, H, seed=0), Dropout(0.5, seed=1), elman.RNN(H, H, seed=1), Pooling("max")),
        x=whole(4, T, B), dy=normal(B, H, dtype=np.float32),
    ),
    "squared": loss(losses.mean_squared_error),
    "absolute": loss(losses.mean_absolute_error),
    "huber": loss(losses.huber),
    "binary": loss(losses.binary_cross_entropy),
    "gaussian": loss(losses.gaussian, (2,)),
    "quantile": loss(losses.quantile, (3,)),
    "cross entropy": cross_entropy,
    "standardizer": standardizer,
}  # fmt: skip


def filled(known, value):
    """Puts `value` wherever `known` is False in the first two axes of an array; in whole numbers it is -7."""

    def fill(array):
        array[~known] = value if array.dtype.kind == "f" else -7 if value else 0
        return array

    return fill


def assert_finite_and_same(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("by", OPTIONS)
@pytest.mark.parametrize("case", CASES)
def test_what_does_not_count_may_be_anything(case, by, value):
    run, options, known = CASES[case], OPTIONS[by], KNOWN[by]
    assert_finite_and_same(run(options, filled(known, value)), run(options, filled(known, 0)))


@pytest.mark.parametrize("kind", ["last", "mean", "max"])
def test_pooling_of_nothing_is_zero_and_has_no_gradient(kind):
    """Whatever stands in the padding, and whatever gradient comes back for it."""
    x = np.full((3, 2, 2), np.nan)
    x[:2, 0] = [[1, 4], [3, 2]]
    y, backward = Pooling(kind).forward(x, lengths=[2, 0])
    np.testing.assert_array_equal(y, [{"last": [3, 2], "mean": [2, 3], "max": [3, 4]}[kind], [0, 0]])
    dx = backward(np.array([[1.0, 1.0], [np.nan, np.inf]]))
    assert not dx[:, 1].any() and not dx[2].any()
    want = {"last": [[0, 0], [1, 1]], "mean": [[0.5, 0.5]] * 2, "max": [[0, 1], [1, 0]]}[kind]
    np.testing.assert_array_equal(dx[:2, 0], want)


def test_max_pooling_gives_its_gradient_to_a_step_that_counts():
    """Also where all of those are minus infinity, as what is left out is taken for."""
    _, backward = Pooling("max").forward(
        np.full((3, 1, 1), -np.inf), mask=np.array([[False], [True], [True]])
    )
    np.testing.assert_array_equal(backward(np.ones((1, 1)))[:, 0, 0], [0, 1, 0])


def test_dropped_features_are_zero_whatever_they_were():
    y, backward = Dropout(0.5, seed=0).forward(np.full(1000, np.inf))
    assert set(y.tolist()) == {0, np.inf}
    dx = backward(np.full(1000, np.nan))
    np.testing.assert_array_equal(np.isnan(dx), y == np.inf)
    assert not dx[y == 0].any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_attention(value):
    def run(value):
        fill, fill_query = (
            filled(known_steps(n, B, lengths), value) for n, lengths in ((T, LENGTHS), (3, [3, 0, 2, 1]))
        )
        layer = DotAttention()
        query, memory = fill_query(normal(3, B, H)), fill(normal(T, B, H, seed=1))
        context, backward = layer.forward(query, memory, LENGTHS, [3, 0, 2, 1])
        return flat(
            context,
            layer.weights(query, memory, LENGTHS, [3, 0, 2, 1]),
            backward(fill_query(normal(3, B, H, seed=2))),
        )

    assert_finite_and_same(run(value), run(0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_ctc(value):
    lengths, counts = np.array([12, 5, 8, 3]), np.array([3, 1, 0, 2])

    def run(value):
        logits = filled(known_steps(12, B, lengths), value)(normal(12, B, H))
        target = filled(known_steps(3, B, counts).T, value)(1 + whole(H - 1, B, 3))
        beams = [score for beam in ctc_beam(logits, lengths, beam_size=2) for _, score in beam]
        loss = ctc(logits, target, lengths, counts)
        return flat(loss.value, loss.gradient, ctc_greedy(logits, lengths), beams)

    assert_finite_and_same(run(value), run(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: SequenceTagger(3, dropout=0.3, **o),
        lambda **o: SequenceRegressor(2, pooling=None, loss="gaussian", **o),
        lambda **o: SequenceRegressor(2, pooling="mean", bidirectional=True, **o),
        lambda **o: CTCRecognizer(3, **o),
        lambda **o: Seq2Seq(3, dropout=0.3, **o),
    ],
    ids=["tagger", "regressor by steps", "regressor", "ctc", "seq2seq"],
)
def test_models(make):
    lengths = np.array([5, 1, 3, 4])

    def run(value):
        model = make(input_size=I, hidden_size=H, seed=0)
        fill = filled(known_steps(T, B, lengths), value)
        y, ends = fill(whole(3, T, B)), lengths
        if isinstance(model, SequenceRegressor):
            y, ends = (normal(B, 2), None) if model.pooling else (fill(normal(T, B, 2)), lengths)
        elif isinstance(model, (CTCRecognizer, Seq2Seq)):
            ends = np.array([2, 1, 0, 1])
            y = filled(known_steps(2, B, ends), value)(whole(3, 2, B))
        y = y if getattr(model, "pooling", None) else y.swapaxes(0, 1)
        step = model.loss(Batch(fill(normal(T, B, I, dtype=np.float32)), lengths, y, ends, np.arange(B)))
        step.backward()
        return flat(step.value, model.grads)

    assert_finite_and_same(run(np.nan), run(0))


def test_layers_after_a_pooling_know_of_no_steps():
    """As many features as sequences, so that what is pooled could be taken for steps."""
    x = np.random.default_rng(0).standard_normal((5, 3, 2)).astype(np.float32)
    gru, linear = GRU(2, 3, seed=0), Linear(3, 3, seed=1)
    plain = Sequential(gru, Pooling("mean"), linear)
    for nested in (
        Sequential(gru, Pooling("mean"), Sequential(linear)),
        Sequential(Sequential(gru, Pooling("mean")), Sequential(linear)),
    ):
        for known in ({"lengths": [1, 2, 3]}, {"mask": np.eye(5, 3, dtype=bool)}):
            found = []
            for model in (plain, nested):
                model.zero_grad()
                y, _, backward = model.forward(x, **known)
                found.append(
                    [y, backward(np.ones_like(y))[0], *(np.array(grad) for grad in model.grads.values())]
                )
            for one, other in zip(*found, strict=True):
                np.testing.assert_array_equal(one, other)
