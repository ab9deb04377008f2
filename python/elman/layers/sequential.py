"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from .. import _check
from ..sequence.marks import only_known, step_axes
from . import arguments
from .parameters import Composite, Parameters
from .pooling import pools
from .steppers import SequentialStepper
from .wanted import go_back, is_wanted, told

if TYPE_CHECKING:
    from typing_extensions import Self


class Sequential(Composite):
    """Runs layers in turn; those that work over time get `lengths` and `mask`, recurrent ones a state.

    Args:
        layers: named "0", "1", ..., one by one as for torch.nn.Sequential.
        named: further layers, under these names.

    It takes what its first layer takes, and its state is a tuple with one entry for each recurrent layer (or
    Sequential) in it.

    Raises:
        ValueError: there is no layer, a name is taken or has a dot, or some layers are batch_first and others not.
    """

    over_time = True
    carries_state = True

    def __init__(self, *layers: Parameters, **named: Parameters):
        self.parts = {str(i): layer for i, layer in enumerate(layers)} | named
        for name in named:  # otherwise two layers, or two parameters, could have one name
            if name in map(str, range(len(layers))) or "." in name:
                raise ValueError(f"named: expected names of their own, without dots, got {name!r}")
        if not self.parts:
            raise ValueError("layers: expected at least one, got none")
        for name, part in self.parts.items():
            if not isinstance(part, Parameters):
                hint = (
                    "; write Sequential(*layers) for a list of them"
                    if isinstance(part, (list, tuple))
                    else ""
                )
                raise ValueError(f"layers: expected a layer as {name!r}, got {_check.describe(part)}{hint}")

        orders = _orders(self)
        if len(orders) > 1:
            shown = ", ".join(f"{name}={part!r}" for name, part in self.parts.items())
            raise ValueError(
                f"layers: expected all to be batch_first or none (Pooling and variational Dropout are not), got {shown}"
            )

    def _config(self) -> dict[str, Any]:
        # Of its parts, which may have been changed, unless a derived class makes them of arguments of its own.
        by_parts = type(self).__init__ is Sequential.__init__
        return arguments.described(self.parts) if by_parts else super()._config()

    @classmethod
    def _from_config(cls, config: Mapping[str, Any]) -> Self:
        if cls.__init__ is not Sequential.__init__:
            return super()._from_config(config)
        return cls(**arguments.made_of(dict(config)))

    def __repr__(self) -> str:
        return f"Sequential({', '.join(f'{name}={part!r}' for name, part in self.parts.items())})"

    @overload
    def __call__(
        self, x: np.ndarray, state: Any = None, lengths: Any = None, mask: Any = None
    ) -> tuple[np.ndarray, Any]: ...
    @overload
    def __call__(
        self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None
    ) -> tuple[Any, Any]: ...
    def __call__(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None) -> tuple[Any, Any]:
        """Run all layers, keeping nothing.

        Args:
            x: what the first layer takes: [T, B, I], or tokens [T, B].
            state: a tuple of the recurrent layers' initial states; zeros if None.
            lengths: [B], the steps of each sequence; all if None.
            mask: [T, B] bool, the steps that count; all if None.

        Returns:
            (y, state): what the last layer gives, and the tuple of states at the end.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        return self._through(x, state, lengths, mask, keep=False)[:2]

    @overload
    def forward(
        self, x: np.ndarray, state: Any = None, lengths: Any = None, mask: Any = None
    ) -> tuple[np.ndarray, Any, Any]: ...
    @overload
    def forward(
        self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None
    ) -> tuple[Any, Any, Any]: ...
    def forward(
        self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None
    ) -> tuple[Any, Any, Any]:
        """Like a call, and keeps what the gradients need; dropout is at work.

        Args:
            x, state, lengths, mask: as for a call, in the same shapes: x [T, B, I], and so on.

        Returns:
            (y, state, backward). `backward(dy, dstate=None, need_dx=True, need_dstate=True)` adds to the gradients of
            every layer and returns (dx, dstate), None where they are not needed; dx is None also if x is tokens. It
            goes no further back than to the first layer with a gradient that is needed.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        return self._through(x, state, lengths, mask, keep=True)

    def _through(self, x: Any, state: Any, lengths: Any, mask: Any, keep: bool) -> tuple[Any, Any, Any]:
        """x through all layers; `backward` is None unless `keep`."""
        states, end = self._states(state), []
        x = self._only_known("x", x, self._layers[0], lengths, mask)
        backwards: list[tuple[Parameters, Callable[..., Any], bool]] = []
        marked = lengths is not None or mask is not None
        marks = {"lengths": lengths, "mask": mask}
        for part in self.parts.values():
            options = marks if part.over_time else {}
            if part.carries_state:
                x, after, back = part.apply(x, next(states), **options, keep=keep)
                end.append(after)
            else:
                x, back = part.apply(x, **options, keep=keep)
            backwards.append((part, back, is_wanted(part)))
            if marked and pools(part):
                marks = dict.fromkeys(marks)  # there are no steps any more
        if not keep:
            return x, tuple(end), None
        by_steps = marked and x.ndim == 1 + step_axes(lengths, mask)  # and not pooled

        @told
        def backward(
            dy: Any, dstate: Any = None, need_dx: bool = True, need_dstate: bool = True
        ) -> tuple[Any, Any]:
            dstates, dbegin = list(self._states(dstate)), []
            if by_steps:
                dy = self._only_known("dy", dy, self._layers[-1], lengths, mask)
            needs = [
                need_dx or wanted or (need_dstate and part.carries_state) for part, _, wanted in backwards
            ]
            first = needs.index(True) if True in needs else len(needs)
            for i, (part, back, _) in reversed(list(enumerate(backwards))[first:]):
                d = dstates.pop() if part.carries_state else None
                dy, dinitial = go_back(part, back, dy, d, need_dx or i > first, need_dstate)
                if part.carries_state:
                    dbegin.append(dinitial)
            return (dy if need_dx else None), (tuple(reversed(dbegin)) if need_dstate else None)

        return x, tuple(end), backward

    @property
    def _layers(self) -> list[Parameters]:
        return list(self.parts.values())

    def _only_known(self, name: str, values: Any, reader: Parameters, lengths: Any, mask: Any) -> Any:
        """`values`. If the layer that reads them cannot tell steps apart, with zeros at the steps that do not count."""
        if reader.over_time:
            return values
        batch_first = any(getattr(part, "batch_first", False) for part in self._layers)
        return only_known(name, values, lengths, mask, batch_first)

    def _states(self, state: Any) -> Any:
        count = sum(part.carries_state for part in self.parts.values())
        if state is None:
            return iter([None] * count)
        if not isinstance(state, (tuple, list)) or len(state) != count:
            raise ValueError(f"state: expected a tuple of {count}, got {_check.describe(state)}")
        return iter(state)

    def stepper(self, batch_size: int) -> SequentialStepper:
        """A stepper over `batch_size` streams, with the weights as they are now and a zero state.

        Raises:
            ValueError: a layer needs whole sequences.
        """
        batch_size = _check.whole_number("batch_size", batch_size, 1)
        return SequentialStepper([part.stepper(batch_size) for part in self.parts.values()])


def _orders(part: Parameters) -> set[bool]:
    """Whether sequences are batch_first, for each layer in `part` that tells steps from sequences."""
    if isinstance(part, Composite):
        return {order for inner in part.parts.values() for order in _orders(inner)}
    if part.over_time or getattr(part, "variational", False):
        return {bool(getattr(part, "batch_first", False))}
    return set()
