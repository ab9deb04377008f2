"""Connectionist temporal classification: a loss for labels whose places in the sequence are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, _core
from .._arrays import returner, to_numpy
from ..sequence import pad
from ..sequence.marks import whole_lengths
from .loss import Loss, spread_weights


def ctc(
    logits: Any,
    target: Any,
    lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """-log P(target | logits). P sums over every way to spread the labels, in their order, over the steps: a label may
    last for several steps, blanks may stand anywhere between, and between two equal labels there is at least one
    (Graves et al. 2006). The softmax over the classes is part of it.

    Args:
        logits: [T, B, C], float32 or float64: an array of any library, or lists.
        target: whole numbers [B, S], padded with anything, or a list of B arrays [s_i]; labels are 0 to C - 1
            without the blank.
        lengths: [B], 0 to T, steps of each sequence; all T without it.
        target_lengths: [B], 0 to S, labels of each sequence; all S without it. Not with a list.
        blank: the class that stands for no label.
        zero_infinity: whether a target that is too long for its sequence counts as 0 (it needs a step for each label,
            and one more between two equal ones). Otherwise its loss is infinite, and its gradient NaN.
        weights: [B], of each sequence; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the batch of each sequence's loss divided by its number of labels (by 1 if it has
        none), as torch's CTCLoss has it; its gradient [T, B, C]; and the number of sequences.

    Raises:
        ValueError: a shape, type, length or label is not as above, or there is no sequence.
    """
    wrap = returner(logits)
    logits, steps, blank = check_logits(logits, lengths, blank)
    _, B, C = logits.shape
    if B == 0:
        raise ValueError(f"logits: expected at least one sequence, got {_check.describe(logits)}")
    labels, counts = _check_target(target, target_lengths, B)
    known = labels[np.arange(labels.shape[1]) < counts[:, None]]
    _check.tokens("target", known, C)
    if (known == blank).any():
        raise ValueError(f"target: expected labels other than the blank, got {blank}")
    zero_infinity = _check.flag("zero_infinity", zero_infinity)
    d = _core.empty(logits.shape, logits.dtype) if _check.flag("gradient", gradient) else None
    losses = np.empty(B)
    shares = np.ones(B) if weights is None else spread_weights(weights, (B,), None)
    count = float(shares.sum())
    scale = shares / ((count or 1.0) * np.maximum(counts, 1.0))
    _core.ctc(logits, steps, labels, counts, blank, zero_infinity, losses, scale, d)
    some = shares > 0  # an infinite loss of weight 0 does not count, nor does its gradient, which is NaN
    if d is not None and not some.all():
        d[:, ~some] = 0
    return Loss(
        float(np.sum(losses[some] * scale[some])),
        None if d is None else wrap(d),
        B if weights is None else count,
    )


def check_logits(logits: Any, lengths: Any, blank: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Logits [T, B, C], lengths [B] (T where None is given) and the blank's class."""
    logits = _check.floats("logits", logits, ("T", "B", "C"))
    T, B, C = logits.shape
    steps = whole_lengths("lengths", lengths, T, B)
    if _check.whole_number("blank", blank, 0) >= C:
        raise ValueError(f"blank: expected a class, 0 to {C - 1}, got {blank}")
    return logits, steps, int(blank)


def _check_target(target: Any, target_lengths: Any, B: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels [B, S] and how many of each row count [B], both int64."""
    if isinstance(target, (list, tuple)):
        if target_lengths is not None:
            raise ValueError("target_lengths: expected None with a list as target: its arrays have lengths")
        if len(target) != B:
            raise ValueError(f"target: expected {B} arrays, one for each sequence, got {len(target)}")
        return pad([_labels(f"target[{i}]", one, ("s",)) for i, one in enumerate(target)], batch_first=True)
    labels = _labels("target", to_numpy("target", target), (B, "S"))
    return labels, whole_lengths("target_lengths", target_lengths, labels.shape[1], B)


def _labels(name: str, value: Any, shape: Sequence[_check.Dim]) -> np.ndarray:
    values = to_numpy(name, value, np.int64)
    alike = values.ndim == len(shape) and shape[0] in ("s", len(values))
    if not alike or values.dtype.kind not in "biu":
        raise ValueError(
            f"{name}: expected {_check.shape_text(shape)} whole numbers, got {_check.describe(values)}"
        )
    return np.array(values, np.int64, order="C")  # its own: it says where to write
