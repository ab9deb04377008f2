"""From the logits of connectionist temporal classification to labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .. import _check
from ..losses.ctc import check_logits

Prefix = tuple[int, ...]
Score = Callable[[Prefix, int], float]


def ctc_greedy(logits: np.ndarray, lengths: Any = None, blank: int = 0) -> list[np.ndarray]:
    """Best path decoding (Graves et al. 2006): the likeliest class of each step, repeats merged, then blanks left out.

    Args:
        logits: [T, B, C], float32 or float64: an array of any library, or lists.
        lengths: [B], 0 to T, steps of each sequence; all T without it.
        blank: the class that stands for no label.

    Returns:
        Labels [s_i] int64 for each sequence.

    Raises:
        ValueError: a shape, type or length is not as above.
    """
    logits, steps, blank = check_logits(logits, lengths, blank)
    decoded = []
    for path, end in zip(logits.argmax(axis=2).T, steps, strict=True):
        path = path[:end]
        first = np.diff(path, prepend=-1) != 0
        decoded.append(path[first & (path != blank)].astype(np.int64))
    return decoded


def ctc_beam(
    logits: np.ndarray,
    lengths: Any = None,
    blank: int = 0,
    beam_size: int = 16,
    score: Score | None = None,
) -> list[list[tuple[Prefix, float]]]:
    """Prefix beam search (Graves & Jaitly 2014, Hannun et al. 2014): the likeliest label sequences, each with the sum
    over all its paths.

    After each step the `beam_size` likeliest prefixes stay, and at each step they are extended by the `beam_size`
    likeliest labels. With a beam that loses nothing the probabilities are exact, else they are lower bounds.

    Args:
        logits: [T, B, C], float32 or float64: an array of any library, or lists.
        lengths: [B], 0 to T, steps of each sequence; all T without it.
        blank: the class that stands for no label.
        beam_size: how many prefixes stay.
        score: of a language model: `score(prefix, label)` is added to the log probability where `label` extends the
            tuple `prefix`. It is called once for each pair.

    Returns:
        For each sequence up to `beam_size` pairs (labels, log probability), the likeliest first.

    Raises:
        ValueError: a shape, type or length is not as above.
    """
    logits, steps, blank = check_logits(logits, lengths, blank)
    beam_size = _check.whole_number("beam_size", beam_size, 1)
    if score is not None and not callable(score):
        raise ValueError(f"score: expected a function of a prefix and a label, got {_check.describe(score)}")
    return [_search(logits[:end, b], blank, beam_size, score) for b, end in enumerate(steps)]


def _search(
    logits: np.ndarray, blank: int, beam_size: int, score: Score | None
) -> list[tuple[Prefix, float]]:
    """The beam after the steps of one sequence [T, C]."""
    scored = None if score is None else cache(score)
    logp = logits - logits.max(axis=1, keepdims=True).astype(np.float64)
    logp -= np.log(np.exp(logp).sum(axis=1, keepdims=True))
    likeliest = np.argsort(-logp, axis=1, kind="stable")
    # For each prefix: the log probability of its paths that end in a blank, and of those that end in its last label.
    prefixes: list[Prefix] = [()]
    in_blank, in_label = np.zeros(1), np.full(1, -np.inf)
    for row, ranked in zip(logp, likeliest, strict=True):
        labels = ranked[ranked != blank][:beam_size]
        last = np.array([prefix[-1] if prefix else blank for prefix in prefixes], np.int64)
        total = np.logaddexp(in_blank, in_label)
        # The last label again is a new label only after a blank.
        extended = np.where(labels == last[:, None], in_blank[:, None], total[:, None]) + row[labels]
        if scored is not None:
            extended += np.array(
                [[scored(prefix, label) for label in labels.tolist()] for prefix in prefixes]
            ).reshape(extended.shape)
        stay_blank, stay_label = total + row[blank], in_label + row[last]
        # Where a prefix and a label make another prefix of the beam, the two are added.
        place = {prefix: i for i, prefix in enumerate(prefixes)}
        for j, prefix in enumerate(prefixes):
            if prefix and prefix[:-1] in place:
                grown = place[prefix[:-1]], labels == prefix[-1]
                stay_label[j] = np.logaddexp.reduce(extended[grown], initial=stay_label[j])
                extended[grown] = -np.inf
        # Candidates: the prefixes themselves, then each with each label.
        in_blank = np.append(stay_blank, np.full(extended.size, -np.inf))
        in_label = np.append(stay_label, extended)
        total = np.logaddexp(in_blank, in_label)
        best = np.argsort(-total, kind="stable")[:beam_size]
        best = best[total[best] > -np.inf]
        in_blank, in_label = in_blank[best], in_label[best]
        origin = np.append(np.arange(len(prefixes)), np.repeat(np.arange(len(prefixes)), len(labels)))[best]
        added = np.append(np.full(len(prefixes), blank), np.tile(labels, len(prefixes)))[best]
        prefixes = [
            prefixes[i] if label == blank else (*prefixes[i], label)
            for i, label in zip(origin.tolist(), added.tolist(), strict=True)
        ]
    return list(zip(prefixes, np.logaddexp(in_blank, in_label).tolist(), strict=True))
