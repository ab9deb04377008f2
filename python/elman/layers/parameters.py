"""Named parameters with a gradient beside each: the base of every layer, and of what is made of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from .. import _check
from .._arrays import to_numpy


def load_arrays(own: Mapping[str, np.ndarray], state_dict: Mapping[str, Any]) -> None:
    """Copy arrays of any library into `own` by name; nothing is changed where one does not fit."""
    missing = sorted(own.keys() - state_dict.keys())
    unknown = sorted(state_dict.keys() - own.keys())
    if missing or unknown:
        raise ValueError(
            f"state_dict: expected the names {', '.join(own)}, "
            f"got none for {missing} and no use for {unknown}"
        )
    arrays = {}
    for name, to in own.items():
        value = state_dict[name]
        detach = getattr(value, "detach", None)
        value = to_numpy(name, detach() if detach else value)
        if value.shape != to.shape or value.dtype != to.dtype:
            raise ValueError(f"{name}: expected {_check.describe(to)}, got {_check.describe(value)}")
        if not to.flags.writeable:
            raise ValueError(f"{name}: expected a layer that is not frozen; call unfreeze() first")
        arrays[name] = value
    for name, value in arrays.items():
        np.copyto(own[name], value)


class Parameters:
    """Holds `parameters` and `grads`, dicts of arrays under the same names.

    `backward` adds to the gradients; an optimiser changes the parameters in place.
    """

    over_time: ClassVar[bool] = False  # whether calls take lengths= and mask=
    carries_state: ClassVar[bool] = False  # whether calls take and return a state as well
    _rng: np.random.Generator | None = None  # of what is drawn in a forward pass

    def _hold(self, parameters: dict[str, np.ndarray]) -> None:
        self._parameters = parameters
        self._grads = {name: np.zeros_like(value) for name, value in parameters.items()}

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The arrays that training changes, by name."""
        return self._parameters

    @property
    def grads(self) -> dict[str, np.ndarray]:
        """The gradient of each parameter, by the same name."""
        return self._grads

    def zero_grad(self) -> None:
        """Set every gradient to zero, in place."""
        for grad in self.grads.values():
            grad.fill(0)

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter, by name."""
        return {name: value.copy() for name, value in self.parameters.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy parameters in, by name (torch's names, so a torch state_dict serves).

        Raises:
            ValueError: a name is missing or unknown, or a shape or dtype differs; then nothing is changed.
        """
        load_arrays(self.parameters, state_dict)

    def __call__(self, x: Any, *args: Any, **options: Any) -> Any:
        raise NotImplementedError

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        raise NotImplementedError

    def stepper(self, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
        """What does this layer's work one step at a time: itself, where no step matters to another."""
        return self

    def freeze(self) -> None:
        """Make the parameters read-only, so that what calls prepare from them is prepared once."""
        for value in self.parameters.values():
            value.flags.writeable = False

    def unfreeze(self) -> None:
        """Undo `freeze`."""
        for value in self.parameters.values():
            value.flags.writeable = True

    def random_state(self) -> dict[str, Any]:
        """Where the random streams of dropout stand, as JSON can hold it."""
        return {} if self._rng is None else dict(self._rng.bit_generator.state)

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Go on drawing from where `random_state` was taken."""
        if self._rng is not None:
            self._rng.bit_generator.state = dict(state)


class Composite(Parameters):
    """A layer made of layers. Its parameters are theirs, named `part.parameter`."""

    parts: dict[str, Parameters]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {
            f"{k}.{name}": value for k, part in self.parts.items() for name, value in part.parameters.items()
        }

    @property
    def grads(self) -> dict[str, np.ndarray]:
        return {f"{k}.{name}": value for k, part in self.parts.items() for name, value in part.grads.items()}

    def freeze(self) -> None:
        for part in self.parts.values():
            part.freeze()

    def unfreeze(self) -> None:
        for part in self.parts.values():
            part.unfreeze()

    def random_state(self) -> dict[str, Any]:
        return {name: part.random_state() for name, part in self.parts.items()}

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        for name, part in self.parts.items():
            part.set_random_state(state[name])
