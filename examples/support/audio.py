"""Recordings to features, and utterances compared in time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly, spectrogram
from scipy.spatial.distance import cdist

HOP = 0.010  # seconds from one frame to the next


def read_wav(content: bytes, rate: int) -> np.ndarray:
    """Samples [n] from -1 to 1 of a WAV file of whole numbers, at `rate` a second; several channels are averaged."""
    its_rate, audio = wavfile.read(io.BytesIO(content))
    audio = audio.reshape(len(audio), -1).mean(axis=1) / -float(np.iinfo(audio.dtype).min)
    ratio = Fraction(rate, its_rate)
    return audio if ratio == 1 else resample_poly(audio, ratio.numerator, ratio.denominator)


def log_mel(audio: np.ndarray, rate: int, bands: int = 40) -> np.ndarray:
    """[frames, bands]: the logarithm of the power in bands spaced as people hear pitch (Davis & Mermelstein 1980), in
    windows of 25 ms, one every 10 ms."""
    window, hop = int(0.025 * rate), int(HOP * rate)
    size = 1 << (window - 1).bit_length()
    frequencies, _, power = spectrogram(
        audio, rate, "hann", window, window - hop, size, detrend=False, scaling="spectrum"
    )
    mel = 2595 * np.log10(1 + frequencies / 700)
    edges = np.linspace(2595 * np.log10(1 + 60 / 700), mel[-1], bands + 2)
    low, centre, high = (edges[i : i + bands, None] for i in range(3))
    triangles = np.clip(np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)), 0, None)
    return np.log(power.T @ triangles.T + 1e-9).astype(np.float32)


def distance_in_time(a: np.ndarray, b: np.ndarray) -> float:
    """How unlike two utterances [frames, bands] are: the mean distance of their frames along the best alignment
    (dynamic time warping, Sakoe & Chiba 1978)."""
    cost = cdist(a, b)
    best = np.full((len(a) + 1, len(b) + 1), np.inf)
    best[0, 0] = 0
    for total in range(2, len(a) + len(b) + 1):  # one diagonal after the other
        i = np.arange(max(1, total - len(b)), min(len(a), total - 1) + 1)
        j = total - i
        before = np.minimum(np.minimum(best[i - 1, j], best[i, j - 1]), best[i - 1, j - 1])
        best[i, j] = before + cost[i - 1, j - 1]
    return float(best[-1, -1] / (len(a) + len(b)))


def most_alike(one: np.ndarray, known: Sequence[np.ndarray]) -> int:
    """Which of the known utterances, up to half or double as long, is nearest to this one."""
    near = [i for i, other in enumerate(known) if 0.5 <= len(other) / len(one) <= 2] or range(len(known))
    return min(near, key=lambda i: distance_in_time(one, known[i]))
