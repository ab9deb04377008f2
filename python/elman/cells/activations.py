"""The activations of cells with a choice: those of ONNX's recurrent operators and of Keras, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._check import describe
from ..tracing import exp, hard_sigmoid, relu, sigmoid, softplus, tanh, where

Activation = str | tuple[Any, ...] | Callable[[Any], Any]
"""A name; a name with its numbers, as ("leaky_relu", 0.3); or a function of a symbol."""


def affine(x: Any, alpha: float = 1.0, beta: float = 0.0) -> Any:
    return alpha * x + beta


def elu(x: Any, alpha: float = 1.0) -> Any:
    # What is not chosen must not overflow: its slope would make the gradient NaN.
    return where(x > 0, x, alpha * (exp(where(x > 0, 0.0, x)) - 1.0))


def leaky_relu(x: Any, alpha: float = 0.01) -> Any:
    return where(x > 0, x, alpha * x)


def thresholded_relu(x: Any, alpha: float = 1.0) -> Any:
    return where(x > alpha, x, 0.0)


def scaled_tanh(x: Any, alpha: float = 1.7159, beta: float = 2 / 3) -> Any:
    return alpha * tanh(beta * x)


def softsign(x: Any) -> Any:
    return x / (1.0 + abs(x))


def silu(x: Any) -> Any:
    return x * sigmoid(x)


def linear(x: Any) -> Any:
    return x


# Each function, and how many numbers it takes.
ACTIVATIONS: dict[str, tuple[Callable[..., Any], int]] = {
    **{f.__name__: (f, 0) for f in (linear, relu, sigmoid, silu, softplus, softsign, tanh)},
    **{f.__name__: (f, 1) for f in (elu, leaky_relu, thresholded_relu)},
    **{f.__name__: (f, 2) for f in (affine, hard_sigmoid, scaled_tanh)},
}


def activation(name: str, given: Activation) -> Callable[[Any], Any]:
    """The function of an activation.

    Raises:
        ValueError: it is none.
    """
    word, *numbers = given if isinstance(given, tuple) and given else (given,)
    if callable(word) and not numbers:
        return word
    if not isinstance(word, str) or word not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise ValueError(f"{name}: expected one of {known}, or a function, got {describe(word)}")
    function, most = ACTIVATIONS[word]
    if len(numbers) > most:
        raise ValueError(f"{name}: expected at most {most} numbers for {word}, got {len(numbers)}")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ValueError(f"{name}: expected numbers behind {word}, got {describe(number)}")
    return lambda x: function(x, *numbers)
