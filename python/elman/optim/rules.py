"""The rules by which optimisers change parameters. The maths is in the engine, csrc/optim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _check, _core
from .gradients import Model
from .groups import Groups
from .optimizer import Lists, Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum u (Polyak 1964) or Nesterov's (Sutskever et al. 2013):

    u = momentum * u + g,  p -= learning_rate * u;  nesterov: p -= learning_rate * (g + momentum * u).

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.
        learning_rate: size of an update; 0 or more, and may be set between updates.
        momentum: from 0 up to, not including, 1; 0 keeps no u.
        nesterov: whether to look ahead; needs momentum.
        weight_decay: pulls parameters towards 0: g = gradient + weight_decay * p.
        groups: other rates and decays for some parameters, by patterns of their names; see `Optimizer`.
        frozen: patterns of names that stay as they are.

    Raises:
        ValueError: an argument has the wrong type or value, or the model's arrays are not all of one dtype.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        *,
        groups: Groups | None = None,
        frozen: str | Sequence[str] = (),
    ):
        self.momentum = _check.fraction("momentum", momentum)
        self.nesterov = _check.flag("nesterov", nesterov)
        if nesterov and not momentum:
            raise ValueError(f"momentum: expected a number above 0 with nesterov=True, got {momentum!r}")
        super().__init__(model, learning_rate, weight_decay, ["momentum"] if momentum else [], groups, frozen)

    def _update(self, arrays: Lists, rate: float, scale: float, decay: float) -> None:
        _core.sgd(arrays, rate, scale, decay, self.momentum, self.nesterov)


class RMSProp(Optimizer):
    """RMSProp (Tieleman & Hinton 2012), updates in units of a running root mean square, with momentum u:

    v = decay * v + (1 - decay) * g^2,  u = momentum * u + g / (sqrt(v) + epsilon),  p -= learning_rate * u.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.
        learning_rate: size of an update; 0 or more, and may be set between updates.
        decay: how much of v stays.
        epsilon: keeps the division from blowing up.
        momentum: 0 keeps no u.
        weight_decay: pulls parameters towards 0: g = gradient + weight_decay * p.
        groups: other rates and decays for some parameters, by patterns of their names; see `Optimizer`.
        frozen: patterns of names that stay as they are.

    Raises:
        ValueError: an argument has the wrong type or value, or the model's arrays are not all of one dtype.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float = 1e-3,
        decay: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        groups: Groups | None = None,
        frozen: str | Sequence[str] = (),
    ):
        self.decay = _check.fraction("decay", decay)
        self.epsilon = _check.positive("epsilon", epsilon)
        self.momentum = _check.fraction("momentum", momentum)
        states = ["square", "momentum"] if momentum else ["square"]
        super().__init__(model, learning_rate, weight_decay, states, groups, frozen)

    def _update(self, arrays: Lists, rate: float, scale: float, decay: float) -> None:
        _core.rmsprop(arrays, rate, scale, decay, self.decay, self.epsilon, self.momentum)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with both moments corrected for their start at 0, at update t:

    m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,
    p -= learning_rate * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.
        learning_rate: size of an update; 0 or more, and may be set between updates.
        betas: how much of m and of v stays.
        epsilon: keeps the division from blowing up.
        weight_decay: pulls parameters towards 0: g = gradient + weight_decay * p.
        groups: other rates and decays for some parameters, by patterns of their names; see `Optimizer`.
        frozen: patterns of names that stay as they are.

    Raises:
        ValueError: an argument has the wrong type or value, or the model's arrays are not all of one dtype.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        groups: Groups | None = None,
        frozen: str | Sequence[str] = (),
    ):
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas: expected a pair of numbers, got {_check.describe(betas)}")
        self.betas = (_check.fraction("betas[0]", betas[0]), _check.fraction("betas[1]", betas[1]))
        self.epsilon = _check.positive("epsilon", epsilon)
        super().__init__(model, learning_rate, weight_decay, ["first", "second"], groups, frozen)

    def _update(self, arrays: Lists, rate: float, scale: float, decay: float) -> None:
        self._corrected(arrays, rate, scale, decay, shrink=1.0)

    def _corrected(self, arrays: Lists, rate: float, scale: float, decay: float, shrink: float) -> None:
        first, second = self.betas
        # Both corrections are the same for all elements, so rate and epsilon can take them in.
        root = math.sqrt(1 - second**self.steps)
        rate = rate * root / (1 - first**self.steps)
        _core.adam(arrays, rate, scale, decay, shrink, first, second, self.epsilon * root)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): the decay is no part of g, instead

    p -= learning_rate * weight_decay * p, beside Adam's update.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.
        learning_rate: size of an update; 0 or more, and may be set between updates.
        betas: how much of m and of v stays.
        epsilon: keeps the division from blowing up.
        weight_decay: share of a parameter, times learning_rate, that each update takes away.
        groups: other rates and decays for some parameters, by patterns of their names; see `Optimizer`.
        frozen: patterns of names that stay as they are.

    Raises:
        ValueError: an argument has the wrong type or value, or the model's arrays are not all of one dtype.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        *,
        groups: Groups | None = None,
        frozen: str | Sequence[str] = (),
    ):
        super().__init__(model, learning_rate, betas, epsilon, weight_decay, groups=groups, frozen=frozen)

    def _update(self, arrays: Lists, rate: float, scale: float, decay: float) -> None:
        self._corrected(arrays, rate, scale, decay=0.0, shrink=1 - rate * decay)


_DEFAULT_RATES = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "sgd": 0.1}


def make_optimizer(
    name: str,
    model: Model,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    groups: Groups | None = None,
    frozen: str | Sequence[str] = (),
) -> Optimizer:
    """An optimiser by its name, with the usual settings.

    Args:
        name: "adam", "adamw", "rmsprop" or "sgd" (with momentum 0.9).
        model: a layer or model with `parameters` and `grads`, or a list of such.
        learning_rate: 1e-3 if None, for "sgd" 0.1.
        weight_decay: 0 if None, for "adamw" 0.01.
        groups, frozen: as for every `Optimizer`.

    Returns:
        An `Adam`, `AdamW`, `RMSProp` or `SGD`.

    Raises:
        ValueError: there is none of that name, or an argument does not suit it.
    """
    _check.choice("optimizer", name, tuple(_DEFAULT_RATES))
    rate = _DEFAULT_RATES[name] if learning_rate is None else learning_rate
    options: dict[str, Any] = {"groups": groups, "frozen": frozen}
    options |= {} if weight_decay is None else {"weight_decay": weight_decay}
    if name == "sgd":
        return SGD(model, rate, momentum=0.9, **options)
    return {"adam": Adam, "adamw": AdamW, "rmsprop": RMSProp}[name](model, rate, **options)
