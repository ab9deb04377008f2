"""Several inputs and targets by name, for models that have several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from ..sequence import bucket_batches
from .ahead import prefetch
from .batch import Batch
from .intake import in_file, is_array, marks_of, padded, picked, series_of, steps_of, weights_of
from .vocabulary import Vocabulary, is_text


class NamedSequences:
    """Several inputs, and several targets, for each of n samples; `elman.models.Graph` learns from them.

    Args:
        x: a dict of inputs by name, each as for `Sequences`, or for each sample one value, [n], or one vector, an
            array [n, F]. (Lists of lists are sequences.) Inputs need not be equally long.
        y: a dict of targets by name, each as for `Sequences`; None for predicting.
        weights: [n], how much each sample counts in the losses; or a dict by target's name, each [n] or one for each
            step, as for `Sequences`.
        mask: which steps count, as for `Sequences`: a dict by input's name; or one, [n, T] or a list of [t_i] bool, for
            all inputs that have as many steps. An input without one counts whole. Targets of steps count where those
            of the input do.
        vocabulary: a dict by input's name of the Vocabulary that makes tokens of it, where that holds texts or lists of
            words.

    Raises:
        ValueError: x or y is not a dict, or something is not of as many samples or steps.
    """

    unit = "sequences"
    mask: dict[str, Any] | None = None  # set where it is given, as in `Sequences`

    def __init__(
        self,
        x: Mapping[str, Any],
        y: Mapping[str, Any] | None = None,
        *,
        weights: Any = None,
        mask: Any = None,
        vocabulary: Mapping[str, Vocabulary] | None = None,
    ):
        self.x = _by_name("x", x, np.float32, _vocabularies(vocabulary))
        n = len(next(iter(self.x.values())))
        self.y = None if y is None else _by_name("y", y, np.float64)
        for what, held in (("x", self.x), ("y", self.y or {})):
            for name, values in held.items():
                if len(values) != n:
                    raise ValueError(
                        f"{what}[{name!r}]: expected one for each of {n} samples, got {len(values)}"
                    )
        self.weights = None if weights is None else _weights(weights, n, self.y)
        if mask is not None:
            self.mask = _masks(mask, n, self.x)
        self.lengths = np.zeros(n, np.int64)  # of the longest list
        for values in self.x.values():
            if not is_array(values):
                self.lengths = np.maximum(self.lengths, [len(one) for one in values])

    def __len__(self) -> int:
        return len(self.lengths)

    def batches(self, batch_size: int, seed: Any = None, skip: int = 0) -> Iterator[Batch]:
        """Batches of up to `batch_size` samples of similar length. The seed shuffles the order within a length, and of
        the batches; with None it is fixed. The first `skip` are not read."""
        filed = any(map(in_file, [*self.x.values(), *(self.y or {}).values()]))
        return prefetch(self._batches(batch_size, seed, skip), 2 if filed else 0)

    def _batches(self, batch_size: int, seed: Any, skip: int) -> Iterator[Batch]:
        done = 0
        for number, index in enumerate(bucket_batches(self.lengths, batch_size, seed)):
            done += len(index)
            if number >= skip:
                yield replace(self.take(index), done=done)

    def take(self, index: np.ndarray) -> Batch:
        """The samples of these numbers, index [B], as one batch."""
        x, lengths = _rows(self.x, index)
        y, y_lengths = (None, None) if self.y is None else _rows(self.y, index)
        weights = self.weights
        if weights is not None:
            weights = _rows(weights, index)[0] if isinstance(weights, dict) else weights[index]
        mask = None if self.mask is None else _rows(self.mask, index)[0]
        return Batch(x, lengths, y, y_lengths, index, mask=mask, weights=weights)

    def subset(self, index: Any) -> NamedSequences:
        """Some of the samples.

        Args:
            index: [k], their numbers from 0 to n - 1, each once.

        Returns:
            NamedSequences of these.

        Raises:
            ValueError: a number is too large, or comes twice.
        """
        index = _check.rows("index", index, len(self))

        def taken(held: Any) -> Any:
            if isinstance(held, dict):
                return {name: picked(values, index) for name, values in held.items()}
            return picked(held, index)

        return NamedSequences(
            taken(self.x), taken(self.y), weights=taken(self.weights), mask=taken(self.mask)
        )


def _by_name(
    what: str, values: Any, floats: Any, vocabularies: Mapping[str, Vocabulary] | None = None
) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not values:
        got = "an empty one" if isinstance(values, Mapping) else _check.describe(values)
        raise ValueError(f"{what}: expected a dict of arrays or lists by name, got {got}")
    found = {}
    for name, one in values.items():
        whole = f"{what}[{name!r}]"
        if vocabularies is not None and is_text(one):
            if name not in vocabularies:
                raise ValueError(f"{whole}: expected numbers, or texts with a vocabulary, got texts")
            one = vocabularies[name](one)
        found[name] = series_of(whole, one, None, floats, labels=vocabularies is None)
    return found


def _vocabularies(given: Any) -> dict[str, Vocabulary]:
    given = {} if given is None else given
    if not isinstance(given, Mapping) or not all(isinstance(one, Vocabulary) for one in given.values()):
        raise ValueError(f"vocabulary: expected a dict of Vocabulary by name, got {_check.describe(given)}")
    return dict(given)


def expect_among(what: str, given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a dict with another name than these."""
    for name in given:
        if name not in names:
            raise ValueError(f"{what}: expected names among {', '.join(names)}, got {name!r}")


def _weights(values: Any, n: int, y: Mapping[str, Any] | None) -> Any:
    if isinstance(values, Mapping):
        if y is None:
            raise ValueError("weights: expected targets y with them, got None")
        expect_among("weights", values, y)
        return {name: weights_of(f"weights[{name!r}]", one, y[name]) for name, one in values.items()}
    found = weights_of("weights", values, np.zeros(n))
    if found.shape != (n,):
        raise ValueError(f"weights: expected [{n}], one for each sample, got {_check.describe(found)}")
    return found


def _masks(given: Any, n: int, x: Mapping[str, Any]) -> dict[str, Any]:
    """Masks by input's name."""
    if not isinstance(given, Mapping):
        steps = steps_of(series_of("mask", given, n))
        alike = [name for name, one in x.items() if _has_steps(one) and (steps_of(one) == steps).all()]
        if not alike:
            raise ValueError(f"mask: expected one of as many steps as an input has, got {_shown(given)}")
        given = dict.fromkeys(alike, given)
    expect_among("mask", given, x)
    for name in given:
        if is_array(x[name]) and x[name].ndim < 2:
            raise ValueError(f"mask[{name!r}]: expected an input that is a sequence, got {_shown(x[name])}")
    return {name: marks_of(f"mask[{name!r}]", one, steps_of(x[name])) for name, one in given.items()}


def _has_steps(values: Any) -> bool:
    """Whether it is likely a sequence for each sample. An array [n, F] of floats is a vector for each."""
    return not is_array(values) or values.ndim > 2 or (values.ndim == 2 and values.dtype.kind in "iu")


def _shown(values: Any) -> str:
    return "lists of other steps" if isinstance(values, (list, tuple)) else _check.describe(values)


def _rows(held: dict[str, Any], index: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Some samples: arrays [B, ...] by name, and the lengths [B] of those that are lists."""
    rows: dict[str, Any] = {}
    lengths: dict[str, Any] = {}
    for name, values in held.items():
        rows[name], own = padded(values, index)
        if own is not None:
            lengths[name] = own
    return rows, lengths
