"""Fingerprints of data: other numbers have others, the same ones the same."""

import logging
import pathlib
from dataclasses import dataclass

import numpy as np

from elman.data.fingerprint import fingerprint
from elman.layers import Dropout
from elman.train import Plateau, Sequences, Stream
from tests.support.runs import data


@dataclass(slots=True)
class Slots:
    n: int


class Own:
    """Data of a class of one's own."""

    unit = "sequences"

    def __init__(self, x, y, **more):
        self._parts = {"all": [Sequences(x, y)]}
        self.rng, self.more, self.me = np.random.default_rng(), more, self

    def __len__(self):
        return len(self._parts["all"][0])

    def batches(self, batch_size, seed=None):
        return self._parts["all"][0].batches(batch_size, seed)


def test_fingerprints_tell_data_apart():
    x, y = data()
    tokens = np.arange(50) % 7
    changed = tokens.copy()
    changed[49] = 5
    wide = np.zeros((24, 5, 4), np.float32)
    wide[..., ::2] = x
    objects = np.empty(3, object)
    objects[:] = [np.zeros(2), "a", None]
    different = [
        Sequences(x, y), Sequences(x, y, truncate=None, future=x), Sequences(list(x), y), Sequences(x * 2, y),
        Sequences(x.astype(float), y), Sequences(x[:-1], y[:-1]), Sequences(x.reshape(24, 10, 1), y),
        Stream(tokens, steps=5), Stream(tokens, steps=6), Stream(changed, steps=5), Own(x, y), Own(x + 1, y),
        Own(x, y, a=1), Own(x, y, a=1.0), Own(x, y, a={"b": "c"}), Own(x, y, a=pathlib.Path("c")), Own(x, y, a={3, 4}),
        Own(x, y, a=objects), Own(x, y, a=print), Own(x, y, a=Plateau(patience=3)), Own(x, y, a=Plateau(patience=4)),
    ]  # fmt: skip
    assert len({fingerprint(Own(x, y, a=Slots(n))) for n in (1, 2)}) == 2
    found = [fingerprint(one) for one in different]
    assert len(set(found)) == len(found)
    assert (
        found[0]
        == fingerprint(Sequences(wide[..., ::2], y.copy()))
        == fingerprint(Sequences(np.asfortranarray(x), y))
    )
    assert found[10] == fingerprint(Own(x.copy(), y))  # its generator does not count, and it may hold itself
    told = logging.Logger("of data")
    before = fingerprint(Own(x, y, a=told))
    told.isEnabledFor(3)  # which it remembers
    assert before == fingerprint(Own(x, y, a=told))
    assert fingerprint(Own(x, y, a=Dropout(0.5, seed=0))) == fingerprint(Own(x, y, a=Dropout(0.5, seed=1)))


def test_data_may_say_itself_what_it_is():
    class Named(Own):
        def fingerprint(self):
            return "version 3"

    assert fingerprint(Named(*data())) == fingerprint(Named(*data(1))) == "version 3"
