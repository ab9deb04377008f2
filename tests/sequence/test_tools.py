"""Padding, bucketing, windows and scaling."""

import itertools
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.sequence import Standardizer, bucket_batches, pad, scaling, sliding_windows, unpad


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from([np.float32, np.float64, np.int64]),
    st.sampled_from([(), (3,), (2, 2)]),
)
def test_unpad_undoes_pad(lengths, batch_first, dtype, features):
    rng = np.random.default_rng(0)
    sequences = [(10 * rng.standard_normal((n, *features))).astype(dtype) for n in lengths]
    padded, got = pad(sequences, value=7, batch_first=batch_first)
    shape = (len(lengths), max(lengths)) if batch_first else (max(lengths), len(lengths))
    assert padded.shape == (*shape, *features) and padded.dtype == dtype and padded.flags.c_contiguous
    assert got.tolist() == lengths
    rows = padded if batch_first else padded.swapaxes(0, 1)
    for row, length in zip(rows, lengths, strict=True):
        assert (row[length:] == 7).all()
    for back, sequence in zip(unpad(padded, got, batch_first), sequences, strict=True):
        np.testing.assert_array_equal(back, sequence)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 9), st.none() | st.integers(0, 5))
def test_buckets_hold_each_sequence_once_and_neighbours_in_length(lengths, batch_size, seed):
    batches = bucket_batches(lengths, batch_size, seed)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    spans = sorted((min(lengths[i] for i in b), max(lengths[i] for i in b)) for b in batches)
    assert all(high <= low for (_, high), (low, _) in itertools.pairwise(spans))
    again = bucket_batches(lengths, batch_size, seed)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_buckets_are_shuffled_by_the_seed():
    lengths = [3] * 40
    a, b = (np.concatenate(bucket_batches(lengths, 4, seed)) for seed in (0, 1))
    assert not np.array_equal(a, b)
    assert np.array_equal(np.concatenate(bucket_batches(lengths, 4)), range(40))


@pytest.mark.parametrize(("n", "length", "stride"), [(10, 3, 1), (10, 3, 4), (5, 5, 2)])
@pytest.mark.parametrize("features", [(), (2,), (2, 3)])
def test_windows(n, length, stride, features):
    series = np.random.default_rng(0).standard_normal((n, *features))
    windows = sliding_windows(series, length, stride)
    starts = range(0, n - length + 1, stride)
    assert windows.shape == (len(starts), length, *features)
    assert np.shares_memory(windows, series)
    for window, start in zip(windows, starts, strict=True):
        np.testing.assert_array_equal(window, series[start : start + length])


def test_standardizer_ignores_padding_and_nan(dtype):
    rng = np.random.default_rng(0)
    x = (3 + 2 * rng.standard_normal((6, 4, 3))).astype(dtype)
    lengths = np.array([6, 2, 0, 5])
    x[0, 0, 1] = np.nan
    x[:, :, 2] = 5
    counted = np.arange(6)[:, None] < lengths
    x[~counted] = 1e6
    scaler = Standardizer().fit(x, lengths=lengths)
    rows = x[counted].astype(np.float64)
    np.testing.assert_allclose(scaler.mean_, np.nanmean(rows, 0))
    np.testing.assert_allclose(scaler.scale_, [*np.nanstd(rows[:, :2], 0), 1])
    scaled = scaler.transform(x)
    assert scaled.dtype == dtype and np.isnan(scaled[0, 0, 1])
    np.testing.assert_allclose(scaler.inverse_transform(scaled), x, rtol=1e-5)
    by_mask = Standardizer().fit(x, mask=counted)
    np.testing.assert_array_equal(by_mask.mean_, scaler.mean_)
    both = Standardizer().fit(x, lengths=np.full(4, 6), mask=counted)
    np.testing.assert_array_equal(both.scale_, scaler.scale_)


@pytest.mark.parametrize("n", [1, 3, 1000, 100_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.float16])
@pytest.mark.parametrize("value", [0.1, -1 / 3, 7, 300.7, 1.7e9, 1e-30])
def test_constant_features_have_scale_1(value, dtype, n):
    """Their mean is rounded, so that they seem to deviate from it, the more the more there are."""
    if dtype == np.float16 and value > 60000:
        return
    x = np.full((n, 2), value).astype(dtype)
    x[:, 1] = np.arange(n) % 2
    scaler = Standardizer().fit(x)
    assert scaler.scale_[0] == 1 and scaler.mean_[0] == x[0, 0]
    assert not scaler.transform(x)[:, 0].any()
    if n % 2 == 0:
        assert scaler.scale_[1] == 0.5


def test_a_deviation_of_rounding_alone_is_none():
    x = np.stack([np.array([0.1 + 0.2, 0.3]), 0.1 * np.arange(2), 1e6 + np.arange(2.0)], axis=1)
    np.testing.assert_allclose(Standardizer().fit(x).scale_, [1, 0.05, 0.5])
    np.testing.assert_allclose(Standardizer().fit(x.astype(np.float32)).scale_, [1, 0.05, 0.5])


def test_small_deviations_from_large_numbers_are_seen():
    """Seconds since 1970, a minute apart: 1e-6 of their size."""
    x = 1.7e9 + 60 * np.arange(1000.0)[:, None]
    scaler = Standardizer().fit(x)
    np.testing.assert_allclose(scaler.scale_, 60 * np.sqrt((1000**2 - 1) / 12), rtol=1e-12)
    np.testing.assert_allclose(scaler.mean_, 1.7e9 + 30 * 999, rtol=1e-15)
    np.testing.assert_array_equal(Standardizer().fit(x.astype(np.int64)).scale_, scaler.scale_)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_numbers_without_a_square_are_refused(value):
    with pytest.raises(ValueError, match="x: expected numbers up to 1e150 in size, got "):
        Standardizer().fit(np.array([[1.0, np.nan], [value, 2.0]]))


def test_standardizer_takes_whole_numbers():
    scaled = Standardizer().fit(np.arange(10).reshape(5, 2)).transform(np.arange(10).reshape(5, 2))
    assert scaled.dtype == np.float64
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def test_a_memory_map_is_looked_at_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", 3000)
    rng = np.random.default_rng(0)
    x = 5 + 2 * rng.standard_normal((200, 50, 3))
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:120, :, 1] = np.nan  # not a number in the first blocks
    x[:, :, 2] = 0.1
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    Standardizer().fit(mapped)  # whatever the first call imports
    tracemalloc.start()
    scaler = Standardizer().fit(mapped)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 1.5
    np.testing.assert_allclose(scaler.mean_[:2], np.nanmean(x, axis=(0, 1))[:2], rtol=1e-13)
    np.testing.assert_allclose(scaler.scale_[:2], np.nanstd(x, axis=(0, 1))[:2], rtol=1e-13)
    assert scaler.mean_[2] == 0.1 and scaler.scale_[2] == 1
    with pytest.raises(
        ValueError, match=r"x: expected a value for every feature, got none for features \[1\]"
    ):
        Standardizer().fit(mapped[:120])


def test_a_scale_comes_back_from_what_json_holds():
    x = np.random.default_rng(3).normal(5, 2, (40, 3))
    scaler = Standardizer().fit(x)
    again = Standardizer.from_plain(json.loads(json.dumps(scaler.as_plain())))
    assert np.array_equal(again.transform(x), scaler.transform(x))
