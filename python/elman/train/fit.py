"""The training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .. import _check
from .._extras import need
from ..layers.parameters import Parameters
from .losses import mean_squared_error
from .optim import Adam, clip_global_norm

Loss = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]


class Model(Protocol):
    """What `fit` trains."""

    @property
    def layers(self) -> list[Any]: ...
    def __call__(self, x: np.ndarray) -> np.ndarray: ...
    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], None]]: ...


@dataclass
class History:
    """What `fit` did: a loss for each epoch, and which epoch's parameters were kept."""

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int = 0


def batch_of(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """x [n, T, I] at these windows, as the [T, B, I] that layers read."""
    return np.ascontiguousarray(x[index].swapaxes(0, 1))


def predict(model: Model, x: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """The model's predictions [n, outputs] for windows x [n, T, I]."""
    parts = [
        model(batch_of(x, np.arange(i, min(i + batch_size, len(x))))) for i in range(0, len(x), batch_size)
    ]
    return np.concatenate(parts)


def fit(
    model: Model,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    *,
    epochs: int = 50,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    clip_norm: float = 1.0,
    patience: int = 8,
    loss: Loss = mean_squared_error,
    seed: Any = None,
    progress: bool | str = True,
) -> History:
    """Train with Adam, and keep the parameters of the epoch with the lowest validation loss.

    Args:
        model: changed in place.
        train: (x [n, T, I], target [n, outputs]); a NaN in the target counts as unknown.
        validation: the same, for choosing the epoch.
        epochs: the most there are.
        batch_size: windows in a step.
        learning_rate: of Adam; it falls along half a cosine to a tenth over the epochs.
        clip_norm: the largest joint norm of the gradients in a step.
        patience: epochs without a lower validation loss after which it stops.
        loss: called with (prediction, target), returns (loss, gradient).
        seed: of the order of the windows.
        progress: show a bar, with this label if it is a string (extra: train).

    Returns:
        The history; the model holds the best epoch's parameters.

    Raises:
        ValueError: windows and targets do not match.
        FloatingPointError: the loss is no longer a finite number.
    """
    for name, (x, target) in {"train": train, "validation": validation}.items():
        if len(x) != len(target) or len(x) == 0:
            raise ValueError(
                f"{name}: expected as many targets as windows, at least one, got {len(x)} and {len(target)}"
            )
    epochs = _check.whole_number("epochs", epochs, 1)
    batch_size = _check.whole_number("batch_size", batch_size, 1)
    patience = _check.whole_number("patience", patience, 1)
    _check.positive("clip_norm", clip_norm)
    bar = None
    if progress:
        label = progress if isinstance(progress, str) else None
        bar = need("tqdm", "train", "a progress bar").tqdm(total=epochs, unit="epoch", desc=label)
    rng = np.random.default_rng(seed)
    layers: list[Parameters] = model.layers
    adam = Adam(layers, learning_rate)
    history, best = History(), [layer.state_dict() for layer in layers]
    x, target = train
    for epoch in range(epochs):
        adam.learning_rate = learning_rate * (0.55 + 0.45 * np.cos(np.pi * epoch / epochs))
        total, order = 0.0, rng.permutation(len(x))
        for begin in range(0, len(x), batch_size):
            index = order[begin : begin + batch_size]
            for layer in layers:
                layer.zero_grad()
            prediction, backward = model.forward(batch_of(x, index))
            value, d_prediction = loss(prediction, target[index])
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"loss: expected a finite number, got {value} in epoch {epoch + 1}; "
                    "try a lower learning_rate or clip_norm, and look for NaN in x"
                )
            backward(d_prediction)
            clip_global_norm(layers, clip_norm)
            adam.step()
            total += value * len(index)
        history.train_loss.append(total / len(x))
        history.validation_loss.append(loss(predict(model, validation[0]), validation[1])[0])
        if history.validation_loss[-1] <= min(history.validation_loss):
            history.best_epoch = epoch
            best = [layer.state_dict() for layer in layers]
        if bar is not None:
            bar.set_postfix(train=f"{history.train_loss[-1]:.4f}", validation=f"{history.validation_loss[-1]:.4f}",
                            best=history.best_epoch + 1)  # fmt: skip
            bar.update()
        if epoch - history.best_epoch >= patience:
            break
    if bar is not None:
        bar.close()
    for layer, parameters in zip(layers, best, strict=True):
        layer.load_state_dict(parameters)
    return history
