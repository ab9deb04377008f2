"""The fingerprint of weights sees every change: of each single bit for certain, of several at once too."""

import numpy as np
import pytest

import elman
from elman import _core


@pytest.mark.parametrize("size", [1, 3, 8, 33, 127, 129, 1000])
def test_every_bit(isa, dtype, rng, size):
    array = rng.standard_normal(size).astype(dtype)
    before, words = _core.fingerprint([array]), array.view(f"u{array.itemsize}")
    for i in range(size):
        for bit in range(0, 8 * array.itemsize, 7):
            words[i] ^= words.dtype.type(1) << words.dtype.type(bit)
            assert _core.fingerprint([array]) != before
            words[i] ^= words.dtype.type(1) << words.dtype.type(bit)
    assert _core.fingerprint([array.copy()]) == before


def test_changes_that_would_cancel_in_a_sum(isa, rng):
    """Signs turned, units swapped, rows rolled, a number moved from one element to another."""
    W = rng.standard_normal((64, 96)).astype(np.float32)
    changed = [
        -W,
        W[::-1],
        W[:, ::-1],
        np.roll(W, 16, axis=1),
        np.roll(W, 1, axis=0),
        W * 2,
        W + 0.5,
        np.abs(W),
    ]
    for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024):
        for row in range(2):
            one = W.copy().reshape(-1)
            one[row], one[row + step] = one[row + step], one[row]
            changed.append(one.reshape(W.shape))
            one = W.copy().reshape(-1)
            one[[row, row + step]] *= -1
            changed.append(one.reshape(W.shape))
    found = {_core.fingerprint([np.ascontiguousarray(one)]) for one in [W, *changed]}
    assert len(found) == 1 + len(changed)


def test_threads_pieces_and_order(isa, rng):
    """The same for any number of threads; one array's bytes are not another's."""
    a, b = rng.standard_normal(200_000), rng.standard_normal(7)
    elman.set_num_threads(1)
    whole = _core.fingerprint([a, b])
    elman.set_num_threads(3)
    assert _core.fingerprint([a, b]) == whole
    assert len({whole, _core.fingerprint([b, a]), _core.fingerprint([a]), _core.fingerprint([])}) == 4
    zeros = np.zeros(8)
    assert _core.fingerprint([zeros[:3], zeros[3:]]) != _core.fingerprint([zeros[:4], zeros[4:]])


def test_two_changed_signs(isa, dtype, rng):
    """Anywhere in the last block of a piece, where little is left to tell two chains apart; two whole rows too."""
    array = rng.standard_normal(512 // np.dtype(dtype).itemsize).astype(dtype)
    found = {_core.fingerprint([array])}
    for i in range(array.size):
        for j in range(i + 1, array.size):
            array[[i, j]] *= -1
            found.add(_core.fingerprint([array]))
            array[[i, j]] *= -1
    assert len(found) == 1 + array.size * (array.size - 1) // 2
    for width in (4, 8, 16):
        W = rng.standard_normal((8, width)).astype(dtype)
        before = _core.fingerprint([W])
        W[:2] *= -1
        assert _core.fingerprint([W]) != before


ODD = {
    "strided": np.zeros((4, 4), np.float32)[:, ::2],
    "strided float64": np.zeros((4, 4))[:, ::2],
    "unaligned": np.zeros(17, np.uint8)[1:].view(np.float64),
    "object": np.array([None]),
    "int64": np.arange(3),
    "complex": np.ones(2, complex),
    "big endian": np.ones(2, ">f4"),
}


@pytest.mark.parametrize("name", ODD)
def test_takes_what_kernels_can_read(name):
    with pytest.raises(ValueError, match=r"arrays: expected a C-contiguous float(32|64) array"):
        _core.fingerprint([np.zeros(3), ODD[name]])
