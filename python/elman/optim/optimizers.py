"""Optimisers: they change parameters in place from the gradients beside them, in one engine call."""

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

_FOUND = ("_parameters", "_arrays", "_free", "_stores")  # what an optimiser looks up in its model


class Optimizer(ABC):
    """What all optimisers share. For an element p with gradient g, in `step`:

    g = scale * gradient + weight_decay * p, and p moves against g by a length that learning_rate sets.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such. Its arrays are looked up once,
            here; values may change, the arrays may not be exchanged. Those of a model of your own are arrays that
            may be written, or layers' own.
        learning_rate: size of a step. Set it between steps as you like, down to 0.
        weight_decay: pulls parameters towards 0.
        states: names of the arrays that the rule keeps for each parameter.

    Attributes:
        steps: how many there have been.

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
        """The model's arrays, and the states in lists beside them."""
        self._parameters, grads = gather(self._model)
        values = [behind(value) for value in self._parameters.values()]
        self._free = {name: v for name, v in self._parameters.items() if behind(v) is v}  # no layer's
        states = list(self._states.values())  # state by state, each in the order of the parameters
        kept = [states[i : i + len(values)] for i in range(0, len(states), len(values))]
        self._arrays = [values, [grads[name] for name in self._parameters], *kept]
        self._stores = stores_of(self._parameters.values())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _FOUND}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __getattr__(self, name: str) -> Any:
        # Of a copy the arrays are looked up when they are needed: a model that holds its optimiser is not whole before.
        if name in _FOUND and "_model" in self.__dict__:
            self._look_up()
            return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def expect_of(self, model: Model) -> None:
        """Refuse if it changes anything but parameters of `model`.

        Raises:
            ValueError: it does, as one of another model would, or one from before a layer was exchanged.
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
        """Step number `steps`, over `_arrays`: the values, the gradients and each state."""

    def state_dict(self) -> dict[str, Any]:
        """{"steps": int, "arrays": {"state.parameter": a copy}}.

        With it, the parameters and the constructor's arguments a run goes on bit for bit.
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


class SGD(Optimizer):
    """Gradient descent, with momentum u (Polyak 1964) or Nesterov's (Sutskever et al. 2013):

    u = momentum * u + g,  p -= learning_rate * u;  nesterov: p -= learning_rate * (g + momentum * u).

    Args as for every `Optimizer`, and
        momentum: 0 keeps no u.
        nesterov: whether to look ahead; needs momentum.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        self.momentum = _check.fraction("momentum", momentum)
        self.nesterov = _check.flag("nesterov", nesterov)
        if nesterov and not momentum:
            raise ValueError(f"momentum: expected a number above 0 with nesterov=True, got {momentum!r}")
        super().__init__(model, learning_rate, weight_decay, ["momentum"] if momentum else [])

    def _update(self, rate: float, scale: float) -> None:
        _core.sgd(self._arrays, rate, scale, self.weight_decay, self.momentum, self.nesterov)


class RMSProp(Optimizer):
    """RMSProp (Tieleman & Hinton 2012), steps in units of a running root mean square, with momentum u:

    v = decay * v + (1 - decay) * g^2,  u = momentum * u + g / (sqrt(v) + epsilon),  p -= learning_rate * u.

    Args as for every `Optimizer`, and
        decay: how much of v stays.
        epsilon: keeps the division from blowing up.
        momentum: 0 keeps no u.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float = 1e-3,
        decay: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ):
        self.decay = _check.fraction("decay", decay)
        self.epsilon = _check.positive("epsilon", epsilon)
        self.momentum = _check.fraction("momentum", momentum)
        super().__init__(
            model, learning_rate, weight_decay, ["square", "momentum"] if momentum else ["square"]
        )

    def _update(self, rate: float, scale: float) -> None:
        _core.rmsprop(self._arrays, rate, scale, self.weight_decay, self.decay, self.epsilon, self.momentum)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with both moments corrected for their start at 0, at step t:

    m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,
    p -= learning_rate * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Args as for every `Optimizer`, and
        betas: how much of m and of v stays.
        epsilon: keeps the division from blowing up.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas: expected a pair of numbers, got {_check.describe(betas)}")
        self.betas = (_check.fraction("betas[0]", betas[0]), _check.fraction("betas[1]", betas[1]))
        self.epsilon = _check.positive("epsilon", epsilon)
        super().__init__(model, learning_rate, weight_decay, ["first", "second"])

    def _update(self, rate: float, scale: float) -> None:
        self._corrected(rate, scale, decay=self.weight_decay, shrink=1.0)

    def _corrected(self, rate: float, scale: float, decay: float, shrink: float) -> None:
        first, second = self.betas
        # The corrections of all elements are one: taken out of the root, they belong to rate and epsilon.
        root = math.sqrt(1 - second**self.steps)
        rate = rate * root / (1 - first**self.steps)
        _core.adam(self._arrays, rate, scale, decay, shrink, first, second, self.epsilon * root)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): the decay is no part of g, instead

    p -= learning_rate * weight_decay * p, beside Adam's step.

    Args as for `Adam`.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(model, learning_rate, betas, epsilon, weight_decay)

    def _update(self, rate: float, scale: float) -> None:
        self._corrected(rate, scale, decay=0.0, shrink=1 - rate * self.weight_decay)


_DEFAULT_RATES = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "sgd": 0.1}


def make_optimizer(
    name: str, model: Model, learning_rate: float | None = None, weight_decay: float | None = None
) -> Optimizer:
    """The optimiser called "adam", "adamw", "rmsprop" or "sgd" (with momentum 0.9), with the usual settings.

    learning_rate is 1e-3 if None, for "sgd" 0.1; weight_decay 0, for "adamw" 0.01.
    """
    _check.choice("optimizer", name, tuple(_DEFAULT_RATES))
    rate = _DEFAULT_RATES[name] if learning_rate is None else learning_rate
    options: dict[str, Any] = {} if weight_decay is None else {"weight_decay": weight_decay}
    if name == "sgd":
        return SGD(model, rate, momentum=0.9, **options)
    return {"adam": Adam, "adamw": AdamW, "rmsprop": RMSProp}[name](model, rate, **options)
