"""Every public entry that takes arrays, as a function of `put`, which lays each argument out in some way, and returns
the results as a list of NumPy arrays."""

from collections.abc import Mapping

import numpy as np

import elman
from elman import losses
from elman.layers import DotAttention, Dropout, Embedding, Linear, Pooling, Sequential
from elman.models import (
    Forecaster,
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    ctc_beam,
    ctc_greedy,
)
from elman.sequence import Standardizer, bucket_batches, known_steps, pad, sliding_windows, unpad
from elman.train import Sequences, Stream, ctc, forecast_windows

T, B, I, H = 5, 4, 3, 6  # noqa: E741
LENGTHS = np.array([5, 0, 3, 1])
f32 = np.float32


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def marks(*shape, seed=0):
    return np.random.default_rng(seed).random(shape) < 0.7


def whole(high, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, high, shape)


def flat(*results):
    """Nested tuples and lists of arrays as one list of NumPy arrays."""
    found = []
    for result in results:
        if isinstance(result, (tuple, list)):
            found += flat(*result)
        elif isinstance(result, Mapping):
            found += flat(*result.values())
        elif result is not None:
            found.append(np.asarray(result).copy())
    return found


def recurrent(kind, dtype, **options):
    def entry(put):
        layer = kind(I, H, num_layers=2, dtype=dtype, seed=0, **options)
        D = layer.directions
        time_first = lambda *shape: shape if not layer.batch_first else (shape[1], shape[0], *shape[2:])  # noqa: E731
        x, dy = normal(*time_first(T, B, I), dtype=dtype), normal(*time_first(T, B, D * H), dtype=dtype)
        state = lambda seed: tuple(  # noqa: E731
            put(normal(2 * D, B, H, dtype=dtype, seed=seed + k)) for k in range(layer._spec.states)
        )
        pick = lambda parts: parts if layer._spec.states > 1 else parts[0]  # noqa: E731
        steps = {
            "lengths": put(LENGTHS),
            "mask": put(marks(*time_first(T, B))),
            "reset": put(marks(*time_first(T, B), seed=1)),
        }
        plain = layer(put(x), pick(state(0)), **steps)
        y, end, backward = layer.forward(put(x), pick(state(0)), **steps)
        return flat(plain, y, end, backward(put(dy), pick(state(5))), layer.grads)

    return entry


def one_sequence(put):
    layer = elman.GRU(I, H, seed=0)
    y, end, backward = layer.forward(
        put(normal(T, I, dtype=f32)), put(normal(1, H, dtype=f32)), lengths=3, mask=put(marks(T))
    )
    return flat(y, end, backward(put(normal(T, H, dtype=f32)), put(normal(1, H, dtype=f32))), layer.grads)


def stepper(put):
    step = elman.LSTM(I, H, num_layers=2, seed=0).stepper(B)
    step.state = put(normal(2, B, H, dtype=f32)), put(normal(2, B, H, dtype=f32, seed=1))
    out = np.empty((B, H), f32)
    first = step(put(normal(B, I, dtype=f32)))
    assert step(put(normal(B, I, dtype=f32, seed=2)), out) is out
    step.reset(put(np.array([2, 0])))
    middle = step.state
    step.reset(put(np.array([False, True, True, False])))
    return flat(first, out, middle, step.state)


def linear(put):
    layer = Linear(I, H, seed=0)
    y, backward = layer.forward(put(normal(T, B, I, dtype=f32)))
    dx = backward(put(normal(T, B, H, dtype=f32)))
    return flat(layer(put(normal(B, I, dtype=f32))), y, dx, layer.grads)


def embedding(put):
    layer = Embedding(7, H, seed=0)
    y, backward = layer.forward(put(whole(7, T, B)))
    backward(put(normal(T, B, H, dtype=f32)))
    return flat(layer(put(whole(2, B).astype(bool))), y, layer.grads)


def dropout(put):
    layer, whole_layer = Dropout(0.5, variational=True, seed=0), Dropout(0.0)
    y, backward = layer.forward(put(normal(T, B, H)))
    return flat(
        layer(put(normal(B, H))), y, backward(put(normal(T, B, H))), whole_layer.forward(put(normal(B)))[0]
    )


def pooling(kind):
    def entry(put):
        layer = Pooling(kind)
        y, backward = layer.forward(put(normal(T, B, H)), put(LENGTHS), put(marks(T, B)))
        step = layer.stepper(B)
        steps = [step(put(x)) for x in normal(3, B, H, seed=2)]
        state = step.state
        step.state = put(state[0]), None if state[1] is None else put(state[1])
        step.reset(put(np.array([1, 3])))
        return flat(y, backward(put(normal(B, H))), steps, state, step.state)

    return entry


def attention(put):
    layer = DotAttention(scaled=True)
    arguments = lambda: (put(normal(3, B, H)), put(normal(T, B, H, seed=1)), put(LENGTHS), put(LENGTHS // 2))  # noqa: E731
    context, backward = layer.forward(*arguments())
    return flat(layer(*arguments()), layer.weights(*arguments()), context, backward(put(normal(3, B, H))))


def sequential(put):
    layer = Sequential(Linear(I, H, seed=0), elman.LSTM(H, H, seed=1), Dropout(0.0), Linear(H, 2, seed=2))
    state = lambda: ((put(normal(1, B, H, dtype=f32)), put(normal(1, B, H, dtype=f32))),)  # noqa: E731
    x, dy = normal(T, B, I, dtype=f32), normal(T, B, 2, dtype=f32)
    plain = layer(put(x), state(), put(LENGTHS), put(marks(T, B)))
    y, end, backward = layer.forward(put(x), state(), put(LENGTHS), put(marks(T, B)))
    step = layer.stepper(B)
    step.state = state()
    step.reset(put(np.array([True, False, False, True])))
    return flat(plain, y, end, backward(put(dy), state()), layer.grads, step(put(x[0])), step.state)


def loss(function, **options):
    width = {"gaussian": (2,), "quantile": (3,)}.get(function.__name__, ())

    def entry(put):
        target = marks(T, B, H) if function is losses.binary_cross_entropy else normal(T, B, H, seed=1)
        found = function(put(normal(T, B, H, *width)), put(target), put(LENGTHS), put(marks(T, B)))
        return flat(found.value, found.gradient, found.count)

    return entry


def cross_entropy(put):
    found = losses.cross_entropy(put(normal(T, B, H)), put(whole(H, T, B)), put(LENGTHS), put(marks(T, B)))
    two = losses.cross_entropy(put(normal(B, 2)), put(marks(B)))
    return flat(found.value, found.gradient, found.count, two.value, two.gradient)


def labels(put):
    logits, target = normal(12, B, H), 1 + whole(H - 1, B, 3)
    lengths = np.array([12, 9, 8, 7])
    found = ctc(put(logits), put(target), put(lengths))
    fewer = ctc(put(logits), target, put(lengths), put(np.array([3, 1, 0, 2])))
    several = ctc(put(logits), [put(row) for row in target], put(lengths))
    greedy = ctc_greedy(put(logits), put(lengths))
    beams = [score for beam in ctc_beam(put(logits), put(lengths), beam_size=2) for _, score in beam]
    return flat(found.value, found.gradient, fewer.value, several.value, greedy, beams)


def sequence_tools(put):
    rows = [put(normal(n, 2)) for n in (3, 1, 4)]
    padded, lengths = pad(rows)
    scaler = Standardizer().fit(put(normal(T, B, I)), put(LENGTHS), put(marks(T, B)))
    return flat(
        padded, lengths, unpad(put(normal(T, B, 2)), put(LENGTHS)), bucket_batches(put(LENGTHS), 2),
        known_steps(T, B, put(LENGTHS), put(marks(T, B))), sliding_windows(put(normal(9, 2)), 3),
        scaler.mean_, scaler.scale_, scaler.transform(put(normal(B, I))), scaler.inverse_transform(put(normal(I))),
    )  # fmt: skip


def data(put):
    def batches(data):
        def ends(values, lengths):  # of lists there are lengths, of arrays none
            return np.full(values.shape[1], len(values)) if lengths is None else lengths

        return [(b.x, ends(b.x, b.lengths), b.y, b.y_lengths, b.future, b.index) for b in data.batches(2, 0)]

    x, ragged = normal(B, T, I, dtype=f32), [normal(n, I, dtype=f32, seed=n) for n in (3, 1, 4)]
    return flat(
        batches(Sequences(put(x), put(whole(2, B)), put(normal(B, 2, 1, dtype=f32)))),
        batches(Sequences([put(one) for one in ragged], [put(whole(3, len(one))) for one in ragged])),
        batches(Sequences(put(x), put(marks(B)))),
        batches(Stream(put(whole(9, 20)), steps=4)),
        batches(Stream(put(normal(20, 2, dtype=f32)), put(normal(20, 1)), steps=4)),
        batches(forecast_windows(put(normal(12, 2, dtype=f32)), 3, 2, future=[1])),
    )


def models(put):
    small = {"hidden_size": H, "seed": 0}
    x, ragged = normal(B, T, I, dtype=f32), [normal(n, I, dtype=f32, seed=n) for n in (3, 1, 4)]
    classifier = SequenceClassifier(2, input_size=I, **small)
    tagger = SequenceTagger(3, vocabulary=9, **small)
    regressor = SequenceRegressor(1, input_size=I, pooling="mean", **small)
    forecaster = Forecaster(2, input_size=I, future_size=1, **small)
    writer = LanguageModel(9, **small)
    step = forecaster.stepper(B)
    tokens = [put(whole(9, n, seed=n)) for n in (2, 5)]
    return flat(
        classifier.predict_proba(put(x)), classifier([put(one) for one in x.swapaxes(0, 1)]),
        tagger.predict(tokens), regressor.predict([put(one) for one in ragged]),
        forecaster.predict(put(x), put(normal(B, 2, 1, dtype=f32))),
        forecaster(put(x.swapaxes(0, 1).copy()), put(LENGTHS), put(normal(2, B, 1, dtype=f32))),
        step(put(x[:, 0].copy()), put(normal(2, B, 1, dtype=f32))), writer.generate(3, put(whole(9, 2)), seed=0),
    )  # fmt: skip


ENTRIES = {
    "lstm": recurrent(elman.LSTM, np.float32, bidirectional=True),
    "gru": recurrent(elman.GRU, np.float64, batch_first=True),
    "rnn": recurrent(elman.RNN, np.float32, reverse=True),
    "one sequence": one_sequence,
    "stepper": stepper,
    "linear": linear,
    "embedding": embedding,
    "dropout": dropout,
    "last": pooling("last"),
    "mean": pooling("mean"),
    "max": pooling("max"),
    "attention": attention,
    "sequential": sequential,
    "squared": loss(losses.mean_squared_error),
    "absolute": loss(losses.mean_absolute_error),
    "huber": loss(losses.huber),
    "binary": loss(losses.binary_cross_entropy),
    "gaussian": loss(losses.gaussian),
    "quantile": loss(losses.quantile),
    "cross entropy": cross_entropy,
    "ctc": labels,
    "sequence": sequence_tools,
    "data": data,
    "models": models,
}
