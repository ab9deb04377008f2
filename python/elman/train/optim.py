"""Clipping, and optimisers: they change parameters in place from the gradients beside them, in one engine call."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .. import _check, _core
from ..layers.parameters import load_arrays


class Trainable(Protocol):
    """What has parameters and a gradient beside each, under the same names: a layer, or a model made of some."""

    @property
    def parameters(self) -> Mapping[str, np.ndarray]: ...
    @property
    def grads(self) -> Mapping[str, np.ndarray]: ...


Model = Trainable | Sequence[Trainable]


Arrays = dict[str, np.ndarray]


def gather(model: Model) -> tuple[Arrays, Arrays]:
    """The parameters and the gradients of a model; those of a list of models under "0.name", "1.name", ..."""
    parts = {f"{i}.": m for i, m in enumerate(model)} if isinstance(model, (list, tuple)) else {"": model}
    values, grads = _named(parts, "parameters"), _named(parts, "grads")
    if not values or values.keys() != grads.keys():
        raise ValueError(
            "model: expected parameters and a gradient for each, "
            f"got parameters {list(values)} and gradients {list(grads)}"
        )
    dtype = next(iter(values.values())).dtype
    last = {id(value): name for name, value in values.items()}
    for name, value in values.items():
        _check.float_type(f"dtype of {name}", value.dtype)
        _check.in_place(name, value, value.shape, dtype)
        _check.in_place(f"gradient of {name}", grads[name], value.shape, dtype)
        if last[id(value)] != name:
            raise ValueError(f"{last[id(value)]}: expected each parameter once, got the same array as {name}")
    return values, grads


def _named(parts: Mapping[str, Any], kind: str) -> Arrays:
    found: Arrays = {}
    for prefix, part in parts.items():
        own = getattr(part, kind, None)
        if not isinstance(own, Mapping) or not all(isinstance(array, np.ndarray) for array in own.values()):
            raise ValueError(
                f"model: expected {kind}, a dict of arrays, or a list of models that have them, "
                f"got {_check.describe(part)}"
            )
        found.update((prefix + name, array) for name, array in own.items())
    return found


def global_norm(model: Model) -> float:
    """The joint norm of all gradients of a model, or of a list of models, summed in double precision."""
    return _norm(gather(model)[1])


def clip_global_norm(model: Model, limit: float) -> float:
    """Scale all gradients together so that their joint norm is at most `limit` (Pascanu et al. 2013).

    Returns:
        The norm before.
    """
    limit = _check.positive("limit", limit)
    _, grads = gather(model)
    norm = _norm(grads)
    if norm > limit:
        for grad in grads.values():
            grad *= grad.dtype.type(limit / norm)
    return norm


def clip_value(model: Model, limit: float) -> float:
    """Clamp every element of the gradients to [-limit, limit].

    Returns:
        The joint norm before.
    """
    limit = _check.positive("limit", limit)
    _, grads = gather(model)
    norm = _norm(grads)
    for grad in grads.values():
        np.clip(grad, -limit, limit, out=grad)
    return norm


def _norm(grads: Arrays) -> float:
    return math.sqrt(_core.sum_of_squares(list(grads.values())))


class Optimizer(ABC):
    """What all optimisers share. For an element p with gradient g, in `step`:

    g = scale * gradient + weight_decay * p, and p moves against g by a length that learning_rate sets.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such. Its arrays are looked up once,
            here; values may change, the arrays may not be exchanged.
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
        self._parameters, grads = gather(model)
        self._states = {
            f"{state}.{name}": np.zeros_like(value)
            for state in states
            for name, value in self._parameters.items()
        }
        kept = [[self._states[f"{state}.{name}"] for name in self._parameters] for state in states]
        self._arrays = [list(self._parameters.values()), [grads[name] for name in self._parameters], *kept]

    def norm(self) -> float:
        """The joint norm of all gradients, as `global_norm` has it."""
        return math.sqrt(_core.sum_of_squares(self._arrays[1]))

    def step(self, scale: float = 1.0) -> None:
        """Change every parameter by its gradient times `scale`; the gradients stay as they are.

        Clipping by norm without a pass of its own: `step(min(1, limit / global_norm(model)))`.

        Raises:
            ValueError: a parameter is frozen, or scale or learning_rate is not a finite number of at least 0.
        """
        rate = _check.not_negative("learning_rate", self.learning_rate)
        scale = _check.not_negative("scale", scale)
        for name, value in self._parameters.items():
            if not value.flags.writeable:
                raise ValueError(
                    f"{name}: expected a parameter that may change, got a frozen one; call unfreeze() first"
                )
        self.steps += 1
        self._update(rate, scale)

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
        load_arrays(self._states, state_dict["arrays"])
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
