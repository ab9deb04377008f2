"""Classes by name or number: labels as users have them to numbers, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check
from .._plain import plain
from .reading import as_whole

# The number of a label that is not known, or that is ignored: no label that anybody gives.
UNKNOWN = int(np.iinfo(np.int64).min)


class Labels:
    """What a model's classes are called.

    Args:
        name: of the model's argument.
        classes: how many, then they are called 0 to C - 1; or a list of the labels (texts, numbers or booleans).
        ignore: a label that does not count.

    Attributes:
        count: C. names: the labels, or None if they are numbers.
    """

    def __init__(self, name: str, classes: Any, ignore: Any = None):
        self.name, self.ignore = name, ignore
        self.names: list[Any] | None = None
        if (
            hasattr(classes, "__len__")
            and not isinstance(classes, (str, bytes))
            and getattr(classes, "ndim", True)
        ):
            self.names = plain(name, list(classes))
            self._numbers = {label: i for i, label in enumerate(self._hashed(self.names))}
            if len(self._numbers) < len(self.names) or len(self.names) < 2:
                raise ValueError(f"{name}: expected at least two labels, each once, got {self.names}")
            self.count = len(self.names)
        else:
            self.count = _check.whole_number(name, classes, 2)
        if ignore is not None and not isinstance(ignore, (str, int, float, np.generic)):
            raise ValueError(f"ignore: expected a label, got {_check.describe(ignore)}")

    def _hashed(self, names: Any) -> list[Any]:
        for i, label in enumerate(names):
            if not isinstance(label, (str, int, float, bool)) or label != label:
                raise ValueError(f"{self.name}[{i}]: expected a label, got {_check.describe(label)}")
        return list(names)

    def __call__(self, y: np.ndarray, known: np.ndarray | None, by_steps: bool, got: object) -> np.ndarray:
        """Numbers of classes, int64 [B] or [B, S]; UNKNOWN where there is no label, or an ignored one. Shares of
        classes that are not one-hot stay float64, [B, C] or [B, S, C], with zeros where there is none.

        Args:
            y: labels [B] or [B, S], those with a last axis of 1, or shares of each class (one-hot) with one of C.
            known: [B, S], what counts; the rest may be anything.
            by_steps: whether there is a label for each step.
            got: what was given, in words.

        Raises:
            ValueError: the shape is another, or a label is none of the model's.
        """
        base = 2 if by_steps else 1
        if y.ndim == base + 1 and y.shape[-1] == 1:
            y = y[..., 0]
        if y.ndim == base + 1 and y.shape[-1] == self.count and y.dtype.kind in "biuf":
            return self._shares(y, known)
        if y.ndim != base:
            axes = ("n", "T") if by_steps else ("n",)
            shares = _check.shape_text((*axes, self.count))
            raise ValueError(
                f"y: expected {_check.shape_text(axes)} labels, or {shares} shares of the classes, got {got}"
            )
        if self.names is None and self.ignore is None and y.dtype.kind in "biu":
            found = y.astype(np.int64, copy=False)
            # Below 0 they are large ones here. What fills the steps that do not count is mostly a class as well.
            if not found.size or found.view(np.uint64).max() < self.count:
                return found if known is None else np.where(known, found, UNKNOWN)
        counts = np.ones(y.shape, bool) if known is None else known
        found = np.full(y.shape, UNKNOWN)
        found[counts] = self._numbered(y[counts])
        return found

    def _shares(self, y: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        rows = y.astype(np.float64)
        if known is not None:
            rows[~known] = 0
        sums = rows.sum(axis=-1) + (0 if known is None else ~known)
        if not ((rows >= 0).all() and np.allclose(sums, 1, rtol=0, atol=1e-3)):
            wrong = np.ravel(sums)[np.argmax(~np.isclose(np.ravel(sums), 1, rtol=0, atol=1e-3))]
            raise ValueError(
                f"y: expected shares of at least 0 of {self.count} classes that together are 1, got {wrong:.6g} in "
                "all; multi_label=True is for several classes at once"
            )
        one_hot = ((rows == 0) | (rows == 1)).all()
        if not one_hot:
            return rows
        return rows.argmax(axis=-1) if known is None else np.where(known, rows.argmax(axis=-1), UNKNOWN)

    def _numbered(self, labels: np.ndarray) -> np.ndarray:
        """Numbers of these labels [m]."""
        if self.names is None and labels.dtype.kind in "biuf":
            return self._checked(labels)
        numbers = self._numbers if self.names is not None else {}
        flat = labels.tolist()
        found = np.array([numbers.get(label, -1) for label in flat], np.int64)
        for i in np.flatnonzero(found < 0):
            label = flat[i]
            if label is None or label != label or (self.ignore is not None and label == self.ignore):
                found[i] = UNKNOWN
            else:
                raise ValueError(f"y: expected {self._wanted()}, got {label!r}{self._hint(flat)}")
        return found

    def _checked(self, labels: np.ndarray) -> np.ndarray:
        """Numbers of these labels [...], which are numbers themselves."""
        missing = np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(labels.shape, bool)
        if self.ignore is not None:
            missing |= labels == self.ignore
        there = as_whole(labels[~missing])
        if there.size and (there.dtype.kind == "f" or there.min() < 0 or there.max() >= self.count):
            wrong = there[(there < 0) | (there >= self.count) | (there != np.rint(there.astype(float)))][0]
            hint = "" if self.ignore is not None or wrong >= 0 else f"; with ignore={wrong} it does not count"
            raise ValueError(f"y: expected {self._wanted()}, got {wrong}{hint}")
        found = np.full(labels.shape, UNKNOWN)
        found[~missing] = there
        return found

    def _wanted(self) -> str:
        if self.names is None:
            return f"whole numbers 0 to {self.count - 1}"
        shown = ", ".join(map(repr, self.names[:10])) + ", ..." * (self.count > 10)
        return f"labels among {shown}"

    def _hint(self, labels: Sequence[Any]) -> str:
        """How to name these labels in the model."""
        if self.names is not None:
            return ""
        names = sorted({label for label in labels if isinstance(label, str)})[:6]
        return f"; a model of them is made with {self.name}={names}"

    def back(self, numbers: np.ndarray) -> np.ndarray:
        """The labels of numbers of classes: numbers if the classes have no names. UNKNOWN becomes None, or -1."""
        gone = numbers == UNKNOWN
        if self.names is None:
            return np.where(gone, -1, numbers)
        names = np.array(self.names)
        if len({type(label) for label in self.names}) > 1 or gone.any():
            names = np.empty(self.count, object)
            names[:] = self.names
        found = names[np.where(gone, 0, numbers)]
        if gone.any():
            found[gone] = None
        return found

    def likeliest(self, logits: np.ndarray) -> np.ndarray:
        """Labels of the likeliest classes of logits [..., C]; none where they are NaN, as at masked steps."""
        known = ~np.isnan(logits[..., 0])
        return self.back(np.where(known, logits.argmax(axis=-1), UNKNOWN))

    def several(self, y: np.ndarray, dtype: np.dtype, got: object) -> np.ndarray:
        """[B, C] of 0 and 1 (or shares between), NaN where it is not known.

        Raises:
            ValueError: it is of another shape, or holds another number.
        """
        if y.ndim != 2 or y.shape[1] != self.count or y.dtype.kind not in "biuf":
            raise ValueError(f"y: expected [n, {self.count}] of 0 and 1, a flag for each class, got {got}")
        found = y.astype(dtype)
        outside = (found < 0) | (found > 1)
        if outside.any():
            raise ValueError(f"y: expected 0 to 1 for each class, got {found[outside][0]:.6g}")
        return found
