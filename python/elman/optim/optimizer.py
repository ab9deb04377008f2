"""What optimisers share: they change parameters in place from the gradients beside them, in one engine call for each
group of parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .. import _check, _core
from ..layers import wanted
from ..layers.mapping import matching, write
from ..layers.store import behind, change, stores_of
from .gradients import Model, gather, place
from .groups import Groups, frozen_names, group_options

# Attributes that are looked up in the model.
_FOUND = ("_parameters", "_grads", "_groups", "_free", "_stores", "_wanted")

Lists = list[list[np.ndarray]]


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
        groups: for patterns of names another learning_rate or weight_decay:
            {"embedding": {"learning_rate": 1e-4}, "bias*": {"weight_decay": 0}}. A pattern is a shell's. It fits a name
            like "network.embedding.weight", or some of the words between its dots that follow each other. Where several
            fit, later ones count more. When `learning_rate` changes, that of a group changes with it, in proportion.
        frozen: patterns of names that stay as they are, and have no states.

    Attributes:
        steps: how many updates there have been.
        groups: as given.

    Raises:
        ValueError: an argument has the wrong type or value, or the model's arrays are not all of one dtype.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float,
        weight_decay: float,
        states: Sequence[str],
        groups: Groups | None = None,
        frozen: str | Sequence[str] = (),
    ):
        self.learning_rate = _check.positive("learning_rate", learning_rate)
        self.weight_decay = _check.not_negative("weight_decay", weight_decay)
        self.steps = 0
        self._model = model
        everything, _ = gather(model)
        self._frozen = frozen_names(frozen, everything)
        parameters = self._trained(everything)
        # By name: how many times the learning rate, and the weight decay (None: that of all).
        self._options = {
            name: (own.get("learning_rate", self.learning_rate) / self.learning_rate, own.get("weight_decay"))
            for name, own in group_options(groups, parameters).items()
        }
        self.groups = {} if groups is None else {pattern: dict(own) for pattern, own in groups.items()}
        self._states = {
            f"{state}.{name}": np.zeros_like(value) for state in states for name, value in parameters.items()
        }
        self._look_up()
        found = (self._parameters, self._grads)
        for kind, again, known in zip(("parameters", "grads"), gather(model), found, strict=True):
            new = [name for name, value in known.items() if place(value) != place(again[name])]
            if new:
                raise ValueError(
                    f"model: expected the same {kind} each time it is asked, got new arrays for {', '.join(new[:5])}"
                )

    def _trained(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The ones that are not frozen."""
        return {name: array for name, array in arrays.items() if name not in self._frozen}

    def _look_up(self) -> None:
        """Find the model's arrays, and put those of each group in lists, with the states beside them."""
        self._parameters, self._grads = map(self._trained, gather(self._model))
        behind_them = {name: behind(value) for name, value in self._parameters.items()}
        self._free = {
            name: v for name, v in self._parameters.items() if behind_them[name] is v
        }  # not a layer's
        kinds = dict.fromkeys(name.partition(".")[0] for name in self._states)
        groups: dict[tuple[float, float | None], list[str]] = {}
        for name in self._parameters:
            groups.setdefault(self._options.get(name, (1.0, None)), []).append(name)
        self._groups = [
            (*options, [
                [behind_them[name] for name in names],
                [self._grads[name] for name in names],
                *([self._states[f"{kind}.{name}"] for name in names] for kind in kinds),
            ])
            for options, names in groups.items()
        ]  # fmt: skip
        self._stores = stores_of(self._parameters.values())
        self._wanted = wanted.of_arrays(self._parameters.values())

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

    def frozen_of(self, model: Model) -> list[str]:
        """The names of the model's parameters that this optimiser does not change."""
        own = set(map(place, self._parameters.values()))
        return [name for name, value in gather(model)[0].items() if place(value) not in own]

    def only(self) -> AbstractContextManager[None]:
        """A block `with optimizer.only():` for a forward pass and its backward pass, as `fit` has it where something is
        frozen. In this thread layers then compute gradients of what this optimiser changes alone: those of all else
        stay as they are, and a pass goes back no further than to the first layer that is trained.

        Returns:
            The context manager.
        """
        return wanted.only(self._wanted)

    def norm(self) -> float:
        """The joint norm of all gradients (but of frozen parameters), as `global_norm` has it."""
        return math.sqrt(_core.sum_of_squares(list(self._grads.values())))

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
            for share, decay, arrays in self._groups:
                self._update(arrays, rate * share, scale, self.weight_decay if decay is None else decay)

        change(self._stores, update)

    @abstractmethod
    def _update(self, arrays: Lists, rate: float, scale: float, decay: float) -> None:
        """Make update number `steps` of a group's arrays: [values, gradients, one list for each of the states]. `rate`
        and `decay` are its learning rate and weight decay; gradients count `scale` times."""

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
