"""torch.nn.LSTMCell, GRUCell and RNNCell on the engine: a sequence of one step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import autograd, check, fallback
from .cache import Cache
from .engine import NO_STEPS, Spec
from .layers import _cast


class _Cell:
    """A subclass of its torch.nn namesake with the same arguments, call and parameters, on elman's engine."""

    _elman_cache: Cache | None = None

    def forward(self, input: Any, hx: Any = None) -> Any:
        weights = self._elman_weights()
        why = "ONNX export" if fallback.exporting() else fallback.reason(weights[0])
        if why is not None:
            if why != "ONNX export":
                fallback.warn_once(self, why)
            return super().forward(input, hx)  # type: ignore[misc]
        I, H = self.input_size, self.hidden_size  # type: ignore[attr-defined]  # noqa: E741
        x = _cast(input, weights[0])
        check.tensor("input", x, [("B", I), (I,)], weights[0].dtype)
        batched = x.dim() == 2
        cell = self._elman_cell()
        state: list[Tensor] = []
        if hx is not None:
            names = ["hx[0]", "hx[1]"] if cell == "lstm" else ["hx"]
            shape = [x.shape[0], H] if batched else [H]
            state = [part.reshape(1, -1, H) for part in check.state(names, hx, [shape] * len(names), x)]
        spec = Spec(cell, (False,), self.bias, False)  # type: ignore[attr-defined]
        _, *final = autograd.run(spec, x.reshape(1, -1, I), state, weights, (), NO_STEPS, self)
        parts = [part.reshape(-1, H) if batched else part.reshape(H) for part in final]
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _elman_weights(self) -> list[Tensor]:
        """All weights in torch's order, as they are now: parametrised, swapped or plain."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        held = self._parameters  # type: ignore[attr-defined]
        found = (held[name] if name in held else getattr(self, name) for name in names)
        return [weight for weight in found if weight is not None]

    def _elman_cell(self) -> str:
        raise NotImplementedError


class LSTMCell(_Cell, torch.nn.LSTMCell):
    __doc__ = _Cell.__doc__

    def _elman_cell(self) -> str:
        return "lstm"


class GRUCell(_Cell, torch.nn.GRUCell):
    __doc__ = _Cell.__doc__

    def _elman_cell(self) -> str:
        return "gru"


class RNNCell(_Cell, torch.nn.RNNCell):
    __doc__ = _Cell.__doc__

    def _elman_cell(self) -> str:
        return f"rnn_{self.nonlinearity}"
