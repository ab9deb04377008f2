"""A graph that reads one step of its inputs per call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from ..layers.steppers import AT_ONCE, Several, expect_out
from ..sequence.marks import chosen
from .graph_files import Drawn
from .nodes import Input, StepOf
from .order import beside, pace_of
from .reading import as_whole, cast


class GraphStepper(Several):
    """Runs the nodes of a graph in turn; made by `Graph.stepper(B)`, with the weights of that moment.

    `step(x)` gives what the graph gives for the steps so far, the same bits as for the whole sequences: of an output
    with steps its last one, of a pooled one what is pooled until now. A layer that comes in several places keeps a
    state for each. One call at a time, as with `elman.layers`' steppers.
    """

    def __init__(self, graph: Drawn, batch_size: int):
        self._B = _check.whole_number("batch_size", batch_size, 1)
        self._dtype, self._tokens = graph._dtype(), graph.tokens
        place = {id(node): i for i, node in enumerate(graph.order)}
        self._ends = {name: place[id(output.node)] for name, output in graph.outputs.items()}
        self._inputs = {i: node.name for i, node in enumerate(graph.order) if isinstance(node, Input)}
        self._steps: list[tuple[int, StepOf, list[int]]] = []
        self._names: dict[int, str] = {}
        self._paces: dict[int, str] = {}  # the inputs whose steps nodes take
        self._beside = [names for node in graph.order if len(names := beside(node)) > 1]
        for i, node in enumerate(graph.order):
            if isinstance(node, Input):
                continue
            name = self._names[i] = graph.part_of.get(i, type(node).__name__)
            try:
                step = node.stepper(graph.parts.get(name), self._B)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            self._paces[i] = pace_of(node).name
            self._steps.append((i, step, [place[id(source)] for source in node.sources]))
        super().__init__([step.stepper for _, step, _ in self._steps if step.stepper is not None])
        self._known: list[tuple[int, ...]] | None = None  # the shapes of the inputs, when these were made:
        self._between: dict[int, np.ndarray] = {}
        self._given: dict[str, tuple[tuple[int, ...], np.dtype]] = {}  # what each output gives

    def __call__(
        self, x: Mapping[str, Any], out: Mapping[str, np.ndarray] | None = None, mask: Any = None
    ) -> dict[str, np.ndarray]:
        """Take one step.

        Args:
            x: a dict of inputs by name: of one that is a sequence its next step [B, I], [B] numbers or [B] tokens; of
                one that is a vector or a number for each sample that one, at each step.
            out: a dict of arrays [B, F] by the names of some outputs or of all, C-contiguous, which are written to.
            mask: [B] bool, or a dict of such by the names of inputs that are sequences. Where it is False a stream of
                an input skips the step: what reads it stays as it is, and x may be anything there. A pooled output is
                that of the steps so far, and one with steps says nothing there. Inputs whose steps stand side by side
                skip the same ones.

        Returns:
            A dict of what each output gives (logits for classes), [B, F]: those of `out`, else new arrays.

        Raises:
            ValueError: something does not fit; the state is as before.
            RuntimeError: another thread is inside a step; the state is as that step leaves it.
        """
        given = {} if out is None else out
        if not isinstance(given, Mapping) or not given.keys() <= self._ends.keys():
            got = ", ".join(map(str, given)) if isinstance(given, Mapping) else _check.describe(given)
            raise ValueError(f"out: expected arrays by the names {', '.join(self._ends)}, got {got}")
        taken: list[bool] = []
        try:
            taken.extend(map(self._idle.acquire, AT_ONCE))
            self._expect_alone(taken)
            marks = self._marks(mask)
            values = self._read(x, marks)
            shapes = [value.shape for value in values.values()]
            if shapes == self._known:
                self._expect(given)
                self._run(values, marks)
            else:
                self._first(values, given, marks)
                self._known = shapes
            found = {}
            for name, i in self._ends.items():
                found[name] = given[name] if name in given else np.empty_like(values[i])
                np.copyto(found[name], values[i])
            return found
        finally:
            if taken and taken[0]:
                self._idle.release()

    def _first(
        self, values: dict[int, np.ndarray], given: Mapping[str, np.ndarray], marks: Mapping[str, np.ndarray]
    ) -> None:
        """A step that may not fit, or of which it is not known what each node will give."""
        self._known, self._between = None, {}
        with self._or_as_before():
            self._run(values, marks)
            self._given = {name: (values[i].shape, values[i].dtype) for name, i in self._ends.items()}
            self._expect(given)
        self._between = {i: np.empty_like(values[i]) for i, _, _ in self._steps}

    def _run(self, values: dict[int, np.ndarray], marks: Mapping[str, np.ndarray]) -> None:
        """The values of all nodes, from those of the inputs."""
        i = 0
        try:
            for i, step, sources in self._steps:
                options: dict[str, Any] = {"out": self._between.get(i)}
                if marks and step.stepper is not None:
                    options["mask"] = marks.get(self._paces[i])
                values[i] = step.function([values[j] for j in sources], **options)
        except ValueError as error:
            raise ValueError(f"{self._names[i]}: {error}") from error

    def _expect(self, given: Mapping[str, np.ndarray]) -> None:
        for name, array in given.items():
            expect_out(array, *self._given[name], name=f"out[{name!r}]")

    def _marks(self, mask: Any) -> dict[str, np.ndarray]:
        """Masks by input."""
        if mask is None:
            return {}
        if not isinstance(mask, Mapping):
            return dict.fromkeys(self._tokens, _check.marks("mask", mask, (self._B,)))
        for name in mask:
            if name not in self._tokens:
                raise ValueError(f"mask: expected names among {', '.join(self._tokens)}, got {name!r}")
        marks = {name: _check.marks(f"mask[{name!r}]", one, (self._B,)) for name, one in mask.items()}
        whole = np.ones(self._B, bool)
        for first, *others in self._beside:
            for other in others:
                if not np.array_equal(marks.get(first, whole), marks.get(other, whole)):
                    raise ValueError(
                        f"mask: expected the same for {first} and {other}, whose steps stand side by side, got others"
                    )
        return marks

    def _read(self, x: Any, marks: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
        if not isinstance(x, Mapping) or not all(name in x for name in self._tokens):
            got = ", ".join(map(str, x)) if isinstance(x, Mapping) else _check.describe(x)
            raise ValueError(f"x: expected {', '.join(self._tokens)} by name, got {got}")
        rows = {
            name: self._row(name, x[name], count, marks.get(name)) for name, count in self._tokens.items()
        }
        return {i: rows[name] for i, name in self._inputs.items()}

    def _row(self, name: str, given: Any, tokens: int | None, marks: np.ndarray | None) -> np.ndarray:
        """One step of an input."""
        what, B = f"x[{name!r}]", self._B
        if tokens is not None:
            rows = to_numpy(what, given, np.int64)
            if rows.shape != (B,):
                raise ValueError(f"{what}: expected [{B}] tokens, got {_check.describe(rows)}")
            if marks is not None:  # what is no token may stand there
                rows = chosen(marks | ((rows >= 0) & (rows < tokens)), rows)
            return _check.tokens(what, as_whole(rows), tokens)
        rows = to_numpy(what, given, self._dtype)
        if rows.ndim not in (1, 2) or len(rows) != B or rows.dtype.kind not in "biuf":
            raise ValueError(f"{what}: expected [{B}, I] or [{B}] numbers, got {_check.describe(rows)}")
        if marks is not None:  # what is too large may stand there
            fits = (abs(rows) <= np.finfo(self._dtype).max).reshape(B, -1).all(axis=1) | marks
            rows = chosen(fits if rows.ndim == 1 else fits[:, None], rows)
        rows = cast(what, rows, self._dtype)
        return np.ascontiguousarray(rows if rows.ndim == 2 else rows[:, None])
