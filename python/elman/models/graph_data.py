"""Whether data suit a graph, what it counts before training, and what it predicts for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .. import _check
from ..data import Batch, Data, NamedSequences
from ..data.intake import steps_of
from ..sequence.marks import whole_lengths
from .class_weights import balanced, counts_of
from .graph_files import Drawn
from .nodes import Value
from .order import pace_of
from .reading import all_targets, expect_tokens


def expect_names(what: str, held: Any, names: Iterable[str]) -> None:
    """Refuse what is no dict with all of these names; others may be there too."""
    if not isinstance(held, Mapping) or not all(name in held for name in names):
        got = ", ".join(held) if isinstance(held, Mapping) else _check.describe(held)
        raise ValueError(f"{what}: expected {', '.join(names)} by name, got {got}")


@contextlib.contextmanager
def told_of(name: str) -> Iterator[None]:
    """A block about an output, which a refusal names."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"outputs[{name!r}]: {error}") from error


def expect_named(graph: Drawn, name: str, data: NamedSequences) -> None:
    """Refuse x and y that a graph cannot learn from; the message begins with `name`.

    Raises:
        ValueError: something is missing or does not fit. What is in files is looked at in one sample.
    """
    try:
        _expect(graph, data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _expect(graph: Drawn, data: NamedSequences) -> None:
    expect_names("x", data.x, graph.tokens)
    expect_names("y", data.y, graph.outputs)
    assert data.y is not None
    mask = data.mask or {}
    for name, count in graph.tokens.items():
        if count is not None and not expect_tokens(f"x[{name!r}]", data.x[name], mask.get(name), count):
            raise ValueError(f"x[{name!r}]: expected tokens, got {_check.describe(data.x[name][0])}")
    values = graph.flow(data.take(np.array([int(data.lengths.argmax())])))[0]
    for name, output in graph.outputs.items():
        y, pace = data.y[name], pace_of(output.node).name
        with told_of(name):
            if values[name].steps:
                wrong = np.flatnonzero(steps_of(y) != steps_of(data.x[pace]))
                if wrong.size:
                    i = wrong[0]
                    want = f"{steps_of(data.x[pace])[i]} steps, as many as x[{pace!r}][{i}] has"
                    raise ValueError(f"y[{i}]: expected {want}, got {steps_of(y)[i]}")
            rows, known, shown = all_targets(y, mask.get(pace) if values[name].steps else None)
            output.read(values[name], rows, shown, known)


def balanced_of(graph: Drawn, names: list[str], train: Data) -> dict[str, list[float]]:
    """By the names of outputs the weights of their classes that count alike together in the training data."""
    first: dict[str, Value] = {}
    counts: dict[str, Any] = dict.fromkeys(names, 0)
    for batch in train.batches(256):
        first = first or graph.flow(batch)[0]
        expect_names("y", batch.targets(), graph.outputs)
        for name in names:
            output, y_lengths = graph.outputs[name], (batch.y_lengths or {}).get(name)
            with told_of(name):
                value = _like(first[name], batch, pace_of(output.node).name)
                y = output.targets(value, batch.targets()[name], y_lengths)[0]
                counts[name] += counts_of(y, value.array.shape[-1])
    return {name: balanced(counts[name]) for name in names}


def _like(first: Value, batch: Batch, pace: str) -> Value:
    """What an output would give for a batch, but for its numbers, as it gave `first` for another one; `pace` is the
    input whose steps it has."""
    zero, size = first.array.dtype.type(0), first.array.shape[-1]
    if not first.steps:
        return Value(np.broadcast_to(zero, (batch.size, size)))
    lengths, mask = ((given or {}).get(pace) for given in (batch.lengths, batch.mask))
    array = np.broadcast_to(zero, (batch.x[pace].shape[1], batch.size, size))
    return Value(array, lengths, True, None if mask is None else mask.T)


def predictions(
    graph: Drawn, data: NamedSequences, batch_size: int, read: Mapping[str, Callable[..., np.ndarray]]
) -> dict[str, Any]:
    """What `read` makes of each output's [.., F], NaN at masked steps, in the order of the data: [n, ...], or for an
    output with steps a list of [t_i, ...]."""
    found: dict[str, Any] = {}
    whole: dict[
        str, np.ndarray
    ] = {}  # read at the end: labels of one batch may be of another type than of the next
    for batch in data.batches(batch_size):
        values = graph.flow(batch)[0]
        for name, how in read.items():
            array, lengths, steps, mask = values[name]
            if not steps:
                if name not in whole:
                    whole[name] = np.empty((len(data), *array.shape[1:]), array.dtype)
                whole[name][batch.index] = array
                continue
            rows = how(array if mask is None else np.where(mask[..., None], array, array.dtype.type(np.nan)))
            ends = whole_lengths("lengths", lengths, *array.shape[:2])
            if name not in found:
                found[name] = [None] * len(data)
            for b, i in enumerate(batch.index):
                found[name][i] = rows[: ends[b], b]
    return {name: how(whole[name]) if name in whole else found[name] for name, how in read.items()}
