"""Named parameters with a gradient beside each: the base of every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

    parameters: dict[str, np.ndarray]
    grads: dict[str, np.ndarray]

    def _hold(self, parameters: dict[str, np.ndarray]) -> None:
        self.parameters = parameters
        self.grads = {name: np.zeros_like(value) for name, value in parameters.items()}

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
