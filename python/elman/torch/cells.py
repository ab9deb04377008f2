"""torch.nn.LSTMCell, GRUCell and RNNCell on the engine: a sequence of one step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import autocast, call, check, fallback
from .cache import Cache, cache_of
from .spec import TIME_FIRST, facts, spec_of
from .twins import Twinned

_FORWARD = (False,)


class _Cell(Twinned, torch.nn.RNNCellBase):
    """What the three share."""

    _elman_cache: Cache | None = None

    def forward(self, input: Any, hx: Any = None) -> Any:
        """One step, as in torch.nn.

        Args:
            input: [B, I], or [I] of one sequence.
            hx: the state before: [B, H], for an LSTMCell the pair (h, c); zeros if None.

        Returns:
            The state after, shaped like hx.

        Raises:
            RuntimeError: a shape does not fit, as in torch.nn.
            TypeError: an argument is no tensor.
        """
        weights = self._elman_weights()
        done = call.at_once(self, True, weights, input, hx)
        if done is not None:
            return done
        if why := fallback.reason(weights[0]):
            return fallback.run(self, super().forward, why, input, hx)
        return autocast.run(self._step, input, hx, weights)

    def _elman_facts(self, weights: list[Tensor]) -> Any:
        bias = len(weights) == 4
        return facts(self._elman_cell, self.input_size, self.hidden_size, False, bias, False, True)

    def _step(self, x: Any, hx: Any, weights: list[Tensor]) -> Any:
        I, H = self.input_size, self.hidden_size  # noqa: E741
        if len(weights) == 3:
            raise RuntimeError("bias_ih, bias_hh: expected both or none of them, got one")
        check.features("input", x, ("B", ""), I, weights[0])
        batched = x.dim() == 2
        cell = self._elman_cell
        state: list[Tensor] = []
        if hx is not None:
            leads = (x.shape[0],) if batched else ()
            state = check.states(cell, hx, leads, (H, H), x)
        if not batched:
            x, state = x.unsqueeze(0), [part.unsqueeze(0) for part in state]
        spec = spec_of(cell, _FORWARD, len(weights) == 4, weights)
        _, *final = call.run(spec, TIME_FIRST, x, state, weights, (), cache=cache_of(self))
        if not batched:
            final = [part.squeeze(0) for part in final]
        return final[0] if len(final) == 1 else tuple(final)

    def _elman_weights(self) -> list[Tensor]:
        """All weights in torch's order, as they are now: parametrised, swapped or plain."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        held = self._parameters
        found = [held[name] if name in held else getattr(self, name) for name in names]
        return [weight for weight in found if weight is not None]


class LSTMCell(_Cell, torch.nn.LSTMCell):
    """torch.nn.LSTMCell on elman's engine: a subclass of it with the same arguments, call, parameters and equations.

    Args:
        args, kwargs: those of torch.nn.LSTMCell, in its order or by name:
            input_size, hidden_size, bias, device, dtype.
    """

    _elman_original = torch.nn.LSTMCell
    _elman_cell = "lstm"


class GRUCell(_Cell, torch.nn.GRUCell):
    """torch.nn.GRUCell on elman's engine: a subclass of it with the same arguments, call, parameters and equations.

    Args:
        args, kwargs: those of torch.nn.GRUCell, in its order or by name:
            input_size, hidden_size, bias, device, dtype.
    """

    _elman_original = torch.nn.GRUCell
    _elman_cell = "gru"


class RNNCell(_Cell, torch.nn.RNNCell):
    """torch.nn.RNNCell on elman's engine: a subclass of it with the same arguments, call, parameters and equations.

    Args:
        args, kwargs: those of torch.nn.RNNCell, in its order or by name:
            input_size, hidden_size, bias, nonlinearity, device, dtype.
    """

    _elman_original = torch.nn.RNNCell

    @property
    def _elman_cell(self) -> str:
        return f"rnn_{self.nonlinearity}"
