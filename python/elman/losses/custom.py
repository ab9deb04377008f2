"""Losses of one's own, from a function of a prediction and a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from .loss import Costs, Loss, mean_of

# By name, for models that are made again from their files. The last one of a name counts.
_known: dict[str, CustomLoss] = {}


class CustomLoss:
    """The mean of a function of one's own over the targets that count; made by `custom`. Called as every loss is:
    `loss(prediction, target, lengths, mask, weights=, gradient=)`.

    Args:
        costs: a function of (prediction, target) that gives (cost, slope), arrays shaped like the target and like the
            prediction.
        name: by which files of models know it, a text.
        width: a whole number of values predicted for each target, 0 where the prediction is shaped like the target.
    """

    def __init__(self, costs: Costs, name: str, width: int):
        self.name, self.width, self._costs = name, width, costs

    def __repr__(self) -> str:
        return f"custom loss {self.name!r}"

    def as_plain(self) -> str:
        """What files keep of it."""
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return named, (self.name,)

    def __call__(
        self,
        prediction: Any,
        target: Any,
        lengths: Any = None,
        mask: Any = None,
        *,
        weights: Any = None,
        gradient: bool = True,
    ) -> Loss:
        """The mean over the targets that count, and its gradient.

        Args:
            prediction: [...], or [..., width], float32 or float64.
            target: [...] numbers; NaN is not known and does not count.
            lengths, mask: which targets [T, B, ...] count: lengths [B], mask [T, B] bool; all if None.
            weights: of each target, shaped like the targets or their first axes.
            gradient: whether it is wanted.

        Returns:
            A `Loss`.

        Raises:
            ValueError: a shape, type or value does not fit, or what the function gives has another shape.
        """
        return mean_of(self._costs, prediction, target, lengths, mask, gradient, self.width, weights)

    def __deepcopy__(self, memo: Any) -> CustomLoss:
        return self


def custom(
    function: Callable[..., Any],
    gradient: Callable[..., Any] | str | None = None,
    *,
    width: int = 0,
    name: str | None = None,
) -> CustomLoss:
    """A loss from a function of (prediction, target).

    Args:
        function: gives what each target costs, shaped like the target; without `gradient` a pair of that and of its
            slope in the prediction, shaped like the prediction. It gets read-only NumPy arrays of one type (of any
            shape), with zeros where targets do not count.
        gradient: a function of (prediction, target) that gives the slope; or "torch": `function` is one of torch
            tensors, and torch finds the slope (extra: torch).
        width: values predicted for each target, as the last axis of the prediction; 0: the two are shaped alike.
        name: by which files of models know it; None: the function's module and name. A model with this loss is loaded
            where `custom` has made one of that name, which a module at its top level does when it is imported.

    Returns:
        A loss like those of `elman.losses`, also as `loss=` of SequenceRegressor and Forecaster. `check_gradient`
        compares its slope with differences.

    Raises:
        ValueError: an argument does not fit; in a call: what the functions give has another shape.
    """
    if not callable(function):
        raise ValueError(
            f"function: expected a function of (prediction, target), got {_check.describe(function)}"
        )
    if gradient is not None and gradient != "torch" and not callable(gradient):
        raise ValueError(f"gradient: expected a function, 'torch' or None, got {_check.describe(gradient)}")
    width = _check.whole_number("width", width, 0)
    if name is None:
        name = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', type(function).__name__)}"
    elif not isinstance(name, str) or ":" not in name:
        raise ValueError(f"name: expected text as 'module:name', got {_check.describe(name)}")

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, t = p.view(), t.view()
        p.flags.writeable = t.flags.writeable = False  # others read them too
        if gradient == "torch":
            cost, slope = _by_torch(function, p, t)
        elif callable(gradient):
            cost, slope = function(p, t), gradient(p, t)
        else:
            both = function(p, t)
            if not isinstance(both, tuple) or len(both) != 2:
                raise ValueError(
                    f"function: expected a pair (cost, slope) where no gradient is given, got {_check.describe(both)}"
                )
            cost, slope = both
        return _shaped("cost", cost, t.shape), _shaped("slope", slope, p.shape)

    _known[name] = loss = CustomLoss(costs, name, width)
    return loss


def named(name: str) -> CustomLoss:
    """The loss that `custom` has made under this name.

    Raises:
        ValueError: there is none.
    """
    if name not in _known:
        module = name.partition(":")[0]
        raise ValueError(
            f"loss: expected one that elman.losses.custom has made, got {name!r}; import {module} first"
        )
    return _known[name]


def _shaped(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != shape:
        raise ValueError(
            f"function: expected a {what} {_check.shape_text(shape)}, got {_check.describe(values)}; "
            "the mean over the targets is taken afterwards"
        )
    return values


def _by_torch(function: Callable[..., Any], p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    torch = need("torch", "torch", "a loss with gradient='torch'")
    prediction = torch.tensor(p, requires_grad=True)
    with torch.enable_grad():
        cost = function(prediction, torch.tensor(t))
        if tuple(cost.shape) == t.shape:
            cost.sum().backward()
    slope = np.zeros_like(p) if prediction.grad is None else prediction.grad.numpy()
    return cost.detach().numpy(), slope


def check_gradient(
    loss: Callable[..., Any], prediction: Any, target: Any, *args: Any, step: float = 1e-5, **options: Any
) -> float:
    """Compare a loss's gradient with central differences, in float64.

    Args:
        loss: any loss that gives a `Loss`: one of `elman.losses`, or of `custom`.
        prediction, target: as it takes them; a few numbers are enough. They should not lie within `step` of a corner
            (|x| at 0).
        args, options: those of the loss that come after.
        step: of the differences.

    Returns:
        The largest difference between the two.

    Raises:
        ValueError: they differ by more than 1e-5 of the slope's size; the message names the place and both numbers.
    """
    p = np.array(_check.floats("prediction", np.asarray(prediction, np.float64)))
    given = np.asarray(loss(p.copy(), target, *args, **options).gradient)
    slope = np.empty_like(p)
    for place in np.ndindex(p.shape):
        sides = []
        for sign in (1, -1):
            moved = p.copy()
            moved[place] += sign * step
            sides.append(loss(moved, target, *args, **options | {"gradient": False}).value)
        slope[place] = (sides[0] - sides[1]) / (2 * step)
    error = np.abs(given - slope)
    if not p.size:
        return 0.0
    worst = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
    if not error[worst] <= 1e-5 * max(1.0, float(np.abs(slope).max())):
        where = ", ".join(map(str, worst))
        raise ValueError(
            f"gradient[{where}]: expected {slope[worst]:.6g}, by differences, got {given[worst]:.6g}"
        )
    return float(error.max())
