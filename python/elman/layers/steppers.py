"""Steppers beside the engine's: of layers whose steps do not matter to each other, and of layers in turn."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, overload

import numpy as np

from .. import _check
from .._arrays import to_numpy
from ..sequence.marks import only_known


class AnyStepper(Protocol):
    """What `stepper(batch_size)` of any layer or model gives: one step per call over B streams."""

    def __call__(self, x: Any, *, out: np.ndarray | None = None, mask: Any = None) -> Any:
        """y for one step x [B, I], or tokens [B]: `out` if given, else a new array of x's kind. Streams where the mask
        [B] bool is False skip it: their state stays, x may be anything there, and y says nothing, but of a recurrent
        layer, where it is 0, and of a pooling, where it is what is pooled so far."""

    @property
    def state(self) -> Any:
        """A copy of the state. Assign to set it."""

    @state.setter
    def state(self, value: Any) -> None: ...
    def reset(self, rows: Any = None) -> None:
        """Start the streams in `rows` (indices from 0 to B - 1, each once, or flags [B] bool) anew, or all."""


def expect_out(out: Any, shape: tuple[int, ...], dtype: np.dtype, name: str = "out") -> None:
    """Refuse an `out` that does not fit, before any work."""
    if not isinstance(out, np.ndarray):
        raise ValueError(f"{name}: expected an array of NumPy's, got {_check.describe(out)}")
    _check.in_place(name, out, shape, dtype)
    if not out.flags.writeable:
        raise ValueError(f"{name}: expected a writeable array, got a read-only one")


class Stateless:
    """The stepper of a layer whose steps do not matter to each other."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def __call__(self, x: Any, out: np.ndarray | None = None, mask: Any = None) -> Any:
        """What the layer gives for x: `out` if given, else a new array of x's kind. Where the mask [B] bool is False x
        may be anything, also what is no token, and y says nothing."""
        if mask is not None:
            values = to_numpy("x", x)
            _check.marks("mask", mask, values.shape[:1] or ("B",))
            x = only_known("x", x, None, mask) if values.dtype.kind in "iu" else x
        y = self._function(x)
        if out is not None:
            values = to_numpy("y", y)
            expect_out(out, values.shape, values.dtype)
            np.copyto(out, values)
            return out
        return y.copy() if y is x and isinstance(y, np.ndarray) else y

    @property
    def state(self) -> tuple[()]:
        """There is none."""
        return ()

    @state.setter
    def state(self, value: Any) -> None:
        if not isinstance(value, (tuple, list)) or len(value):
            raise ValueError(f"state: expected (), got {_check.describe(value)}")

    def reset(self, rows: Any = None) -> None:
        """Nothing: it keeps nothing."""


# To take a lock without waiting: `taken.extend(map(lock.acquire, AT_ONCE))` says in one call, which no exception of a
# signal handler divides, whether it has been taken. After `if lock.acquire(False):` one could leave it locked.
AT_ONCE = (False,)


class Several:
    """Steppers that take each step together, one call at a time: their state as one, and a lock.

    Args:
        steppers: those that keep a state.
    """

    def __init__(self, steppers: list[Any]):
        self._keeping = steppers
        self._idle = threading.Lock()

    def _expect_alone(self, taken: list[bool]) -> None:
        """Refuse a step while another thread is inside one: the lock was not taken."""
        if not taken[0]:
            raise RuntimeError(
                "stepper: expected one call at a time, got a second one from another thread; make a stepper for each "
                "thread"
            )

    @contextlib.contextmanager
    def _or_as_before(self) -> Iterator[None]:
        """A block after which, if an exception ends it, the state is as before."""
        before = self.state
        try:
            yield
        except BaseException:
            self._put(before)
            raise

    def _put(self, state: Any) -> None:
        for stepper, part in zip(self._keeping, state, strict=True):
            stepper.state = part

    @property
    def state(self) -> tuple[Any, ...]:
        """A copy of the state of each layer that has one. Assign to set it."""
        return tuple(stepper.state for stepper in self._keeping)

    @state.setter
    def state(self, value: tuple[Any, ...]) -> None:
        if not isinstance(value, (tuple, list)) or len(value) != len(self._keeping):
            raise ValueError(f"state: expected a tuple of {len(self._keeping)}, got {_check.describe(value)}")
        with self._or_as_before():  # all of it or nothing
            self._put(value)

    def reset(self, rows: Any = None) -> None:
        """Start the streams in `rows` (indices from 0 to B - 1, each once, or flags [B] bool) anew, or all."""
        for stepper in self._keeping:
            stepper.reset(rows)


class SequentialStepper(Several):
    """Runs the steppers of several layers in turn; made by `Sequential.stepper(B)`.

    With `out`, and arrays of NumPy as x, what lies between the layers is written to the same arrays at each step. One
    call at a time, as with `Stepper`: a step while another thread is inside one raises RuntimeError.
    """

    def __init__(self, steppers: list[Any]):
        self._steppers = [one if hasattr(one, "reset") else Stateless(one) for one in steppers]
        super().__init__([one for one in self._steppers if not isinstance(one, Stateless)])
        self._read: tuple[tuple[int, ...], np.dtype] | None = None  # what x was, when these were made:
        self._between: list[np.ndarray] = []
        self._given: tuple[tuple[int, ...], np.dtype] = (), np.dtype(np.float32)  # what the last one gave

    @overload
    def __call__(self, x: np.ndarray, out: np.ndarray | None = None, mask: Any = None) -> np.ndarray: ...
    @overload
    def __call__(self, x: Any, out: np.ndarray | None = None, mask: Any = None) -> Any: ...
    def __call__(self, x: Any, out: np.ndarray | None = None, mask: Any = None) -> Any:
        """Take one step.

        Args:
            x: [B, I], or tokens [B].
            out: [B, F], C-contiguous, written to if given.
            mask: [B] bool. Streams where it is False skip it: their states stay, x may be anything there, and y is
                what the layers make of what is pooled so far, if there is a pooling; else it says nothing.

        Returns:
            y [B, F] of the last layer: `out` if given, else a new array of x's kind.

        Raises:
            ValueError: x, out or mask has the wrong shape or type; the state is as before.
            RuntimeError: another thread is inside a step; the state is as that step leaves it.
        """
        taken: list[bool] = []
        try:
            taken.extend(map(self._idle.acquire, AT_ONCE))
            self._expect_alone(taken)
            if mask is None and type(x) is np.ndarray and self._read == (x.shape, x.dtype):
                if out is not None:
                    expect_out(out, *self._given)
                *before, last = self._steppers
                for stepper, between in zip(before, self._between, strict=True):
                    x = stepper(x, out=between)
                y = last(x, out=out)
            else:
                y = self._first(x, out, mask)
            return y
        finally:
            if taken and taken[0]:
                self._idle.release()

    def _first(self, x: Any, out: np.ndarray | None, mask: Any) -> Any:
        """A step that may not fit, that streams skip, or of which it is not known what each layer will give."""
        options = {} if mask is None else {"mask": mask}
        with self._or_as_before():
            found = [x]
            for stepper in self._steppers:
                found.append(stepper(found[-1], **options))
            y = to_numpy("y", found[-1])
            if out is not None:
                expect_out(out, y.shape, y.dtype)
                np.copyto(out, y)
        if type(x) is np.ndarray:
            self._between = [np.empty_like(one, order="C", subok=False) for one in found[1:-1]]
            self._read, self._given = (x.shape, x.dtype), (y.shape, y.dtype)
        return found[-1] if out is None else out
