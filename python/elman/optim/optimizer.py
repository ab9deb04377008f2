"""What optimisers share: they change parameters in place from the gradients beside them, in one engine call."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _check, _core
from ..layers.mapping import matching, write
from ..layers.store import behind, change, stores_of
from .gradients import Model, gather, place

_FOUND = ("_parameters", "_arrays", "_free", "_stores")  # attributes that are looked up in the model


class Optimizer(ABC):
    """What all optimisers share. For an element p with gradient g, in `step`:

    g = scale * gradient + weight_decay * p, and p moves against g by a length that learning_rate sets.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such. Its arrays are looked up once,
            here: their values may change later, but they must stay the same arrays. A model of your own has the
            arrays of layers, or others that may be written.
        learning_rate: size of an update. Set it between updates as you like, down to 0.
        weight_decay: pulls parameters towards 0.
        states: names of the arrays that the rule keeps for each parameter.

    Attributes:
        steps: how many updates there have been.

    Raises:
        ValueError: an argument has the wrong type or value, or the model's arrays are not all of one dtype.
    """

    def __init__(self, model: Model, learning_rate: float, weight_decay: float, states: Sequence[str]):
        self.learning_rate = _check.positive("learning_rate", learning_rate)
        self.weight_decay = _check.not_negative("weight_decay", weight_decay)
        self.steps = 0
        self._model = model
        parameters, _ = gather(model)
        self._states = {
            f"{state}.{name}": np.zeros_like(value) for state in states for name, value in parameters.items()
        }
        self._look_up()
        for kind, again, known in zip(("parameters", "grads"), gather(model), self._found(), strict=True):
            new = [name for name, value in known.items() if place(value) != place(again[name])]
            if new:
                raise ValueError(
                    f"model: expected the same {kind} each time it is asked, got new arrays for {', '.join(new[:5])}"
                )

    def _found(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Parameters and gradients, by name."""
        return self._parameters, dict(zip(self._parameters, self._arrays[1], strict=True))

    def _look_up(self) -> None:
        """Find the model's arrays, and put the states in lists beside them."""
        self._parameters, grads = gather(self._model)
        values = [behind(value) for value in self._parameters.values()]
        self._free = {name: v for name, v in self._parameters.items() if behind(v) is v}  # not a layer's
        states = list(self._states.values())  # state by state, each in the order of the parameters
        kept = [states[i : i + len(values)] for i in range(0, len(states), len(values))]
        self._arrays = [values, [grads[name] for name in self._parameters], *kept]
        self._stores = stores_of(self._parameters.values())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _FOUND}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __getattr__(self, name: str) -> Any:
        # A copy looks its arrays up at first use: a model that holds its optimiser is copied after it.
        if name in _FOUND and "_model" in self.__dict__:
            self._look_up()
            return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def expect_of(self, model: Model) -> None:
        """Refuse if it changes anything but parameters of `model`.

        Raises:
            ValueError: it is of another model, or a layer of the model has been exchanged since.
        """
        places = set(map(place, gather(model)[0].values()))
        others = [name for name, value in self._parameters.items() if place(value) not in places]
        if others:
            raise ValueError(
                f"optimizer: expected one of this model, got one of other arrays: {', '.join(others[:5])}"
            )

    def norm(self) -> float:
        """The joint norm of all gradients, as `global_norm` has it."""
        return math.sqrt(_core.sum_of_squares(self._arrays[1]))

    def step(self, scale: float = 1.0) -> None:
        """Change every parameter by its gradient times `scale`; the gradients stay as they are.

        Clipping by norm without a pass of its own: `step(min(1, limit / global_norm(model)))`.

        Raises:
            ValueError: a parameter is read-only, or scale or learning_rate is not a finite number of at least 0.
            RuntimeError: a layer's parameters are being edited.
        """
        rate = _check.not_negative("learning_rate", self.learning_rate)
        scale = _check.not_negative("scale", scale)
        for name, value in self._free.items():
            if not value.flags.writeable:
                raise ValueError(f"{name}: expected a parameter that may change, got a read-only array")

        def update() -> None:
            self.steps += 1
            self._update(rate, scale)

        change(self._stores, update)

    @abstractmethod
    def _update(self, rate: float, scale: float) -> None:
        """Make update number `steps` of `_arrays`: the values, the gradients and each state."""

    def state_dict(self) -> dict[str, Any]:
        """{"steps": int, "arrays": {"state.parameter": a copy}}.

        With it, the parameters and the constructor's arguments, training goes on bit for bit.
        """
        return {"steps": self.steps, "arrays": {name: value.copy() for name, value in self._states.items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, of an optimiser of the same kind over the same model.

        Raises:
            ValueError: a name is missing or unknown, or an array does not fit; then nothing is changed.
        """
        if not isinstance(state_dict, Mapping) or state_dict.keys() != {"steps", "arrays"}:
            got = list(state_dict) if isinstance(state_dict, Mapping) else _check.describe(state_dict)
            raise ValueError(f"state_dict: expected steps and arrays, got {got}")
        steps = _check.whole_number("steps", state_dict["steps"], 0)
        write(self._states, matching(self._states, state_dict["arrays"]))
        self.steps = steps
