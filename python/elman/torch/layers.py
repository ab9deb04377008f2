"""torch.nn.LSTM, GRU and RNN on the engine."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from . import autocast, call, check, fallback, projection
from .cache import Cache, cache_of
from .spec import Layout, facts, spec_of
from .twins import Twinned


class _Layer(Twinned, torch.nn.RNNBase):
    """What the three share."""

    _elman_cache: Cache | None = None

    def forward(
        self, input: Any, hx: Any = None, lengths: Any = None, mask: Any = None, reset: Any = None
    ) -> tuple[Any, Any]:
        """As in torch.nn, with three arguments more.

        Gradients flow to input, hx and all parameters in training and in eval mode, and can be differentiated again.

        Args:
            input: [T, B, I] ([B, T, I] with batch_first), [T, I] of one sequence, or a PackedSequence.
            hx: the initial state: [L*D, B, H], for an LSTM the pair (h, c); zeros if None.
            lengths: [B], steps of each sequence, 0 to T, in any order. y is 0 beyond.
            mask: [T, B] bool ([B, T] with batch_first). Steps where it is False are skipped: the state carries over
                them, and y is 0 there.
            reset: like mask, [T, B] bool. Where it is True an episode starts: the state is zero before that step, and
                no gradient crosses. In a reverse direction an episode ends there instead.

        Returns:
            (y, state) as torch.nn has them: y [T, B, D*H], and the state after each sequence's last step.

        Raises:
            RuntimeError: a shape does not fit, as in torch.nn.
            ValueError: lengths, mask or reset does not fit, or is given with a PackedSequence.
            TypeError: an argument is no tensor.
        """
        weights = self._elman_weights()
        simple = lengths is None and mask is None and reset is None and not self.proj_size
        if simple and not (self.training and self.dropout):
            done = call.at_once(self, False, weights, input, hx)
            if done is not None:
                return done
        if why := fallback.reason(weights[0]):
            plain = super().forward
            return fallback.run(self, plain, why, input, hx, lengths=lengths, mask=mask, reset=reset)
        if isinstance(input, PackedSequence):
            for name, value in (("lengths", lengths), ("mask", mask), ("reset", reset)):
                if value is not None:
                    raise ValueError(
                        f"{name}: expected None with a PackedSequence, got {type(value).__name__}"
                    )
            return autocast.run(self._packed, input, hx, weights)
        compute = functools.partial(self._padded, lengths=lengths, mask=mask, reset=reset)
        return autocast.run(compute, input, hx, weights)

    def flatten_parameters(self) -> None:
        """Nothing to flatten here: what is packed is checked at every call."""

    def _elman_weights(self) -> list[Tensor]:
        """All weights in torch's flat order, as they are now: parametrised, swapped or plain."""
        held = self._parameters
        return [held[name] if name in held else getattr(self, name) for name in self._flat_weights_names]

    def _elman_facts(self, weights: list[Tensor]) -> Any:
        return facts(
            self.mode, self.input_size, self.hidden_size, self.bidirectional, self.bias, self.batch_first
        )

    def _padded(self, x: Any, hx: Any, weights: list[Tensor], lengths: Any, mask: Any, reset: Any) -> Any:
        I = self.input_size  # noqa: E741
        batch_first: bool = self.batch_first
        check.features("input", x, ("BT" if batch_first else "TB", "T"), I, weights[0])
        batched = x.dim() == 3
        B = x.shape[0 if batch_first else 1] if batched else 1
        state = [] if hx is None else self._state(hx, x, B, batched)
        layout = Layout(batch_first and batched)
        if lengths is not None or mask is not None or reset is not None:
            lead = x.shape[:-1]
            marks = [check.marks(n, m, lead) for n, m in (("mask", mask), ("reset", reset))]
            if not batched:
                marks = [None if m is None else m.unsqueeze(1) for m in marks]
            layout = Layout(layout.batch_first, None, check.lengths(lengths, B if batched else None), *marks)
        if not batched:
            x = x.unsqueeze(1)
        y, *final = self._run(layout, x, state, weights)
        if not batched:
            y, final = y.squeeze(1), [part.squeeze(1) for part in final]
        return y, final[0] if len(final) == 1 else tuple(final)

    def _packed(self, sequence: PackedSequence, hx: Any, weights: list[Tensor]) -> Any:
        x, sizes, order, back = sequence
        check.features("input", x, ("N",), self.input_size, weights[0])
        state = [] if hx is None else self._state(hx, x, int(sizes[0]), True)
        if order is not None:
            state = [part.index_select(1, order) for part in state]
        y, *final = self._run(Layout(False, sizes), x, state, weights)
        if back is not None:
            final = [part.index_select(1, back) for part in final]
        return PackedSequence(y, sizes, order, back), final[0] if len(final) == 1 else tuple(final)

    def _state(self, hx: Any, x: Tensor, B: int, batched: bool) -> list[Tensor]:
        layers = self.num_layers * (2 if self.bidirectional else 1)
        leads = (layers, B) if batched else (layers,)
        widths = (self.proj_size or self.hidden_size, self.hidden_size)
        parts = check.states(self.mode.lower(), hx, leads, widths, x)
        return parts if batched else [part.unsqueeze(1) for part in parts]

    def _run(self, layout: Layout, x: Tensor, state: list[Tensor], weights: list[Tensor]) -> Sequence[Tensor]:
        backwards = (False, True) if self.bidirectional else (False,)
        spec = spec_of(self.mode.lower(), backwards, self.bias, weights, self.proj_size > 0)
        dropping = self.training and self.dropout and self.num_layers > 1
        dropout = self._dropout_factors(x, layout.batch_first) if dropping else []
        run = projection.run if self.proj_size else call.run
        return run(spec, layout, x, state, weights, dropout, cache_of(self))

    def _dropout_factors(self, x: Tensor, batch_first: bool) -> list[Tensor]:
        """For the results between layers, drawn from torch's generator in the order in which torch.nn draws them."""
        H = self.proj_size or self.hidden_size
        width = H * (2 if self.bidirectional else 1)
        lead = (x.shape[1], x.shape[0]) if batch_first else x.shape[:-1]
        ones = x.new_ones((*lead, width))
        factors = [torch.nn.functional.dropout(ones, self.dropout) for _ in range(self.num_layers - 1)]
        return [f.transpose(0, 1) for f in factors] if batch_first else factors


class LSTM(_Layer, torch.nn.LSTM):
    """torch.nn.LSTM on elman's engine: a subclass of it with the same arguments, parameters and equations.

    Calls also take `lengths`, `mask` and `reset`; see `forward`.

    Args:
        args, kwargs: those of torch.nn.LSTM, in its order or by name:
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype.
    """

    _elman_original = torch.nn.LSTM


class GRU(_Layer, torch.nn.GRU):
    """torch.nn.GRU on elman's engine: a subclass of it with the same arguments, parameters and equations.

    Calls also take `lengths`, `mask` and `reset`; see `forward`.

    Args:
        args, kwargs: those of torch.nn.GRU, in its order or by name:
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype.
    """

    _elman_original = torch.nn.GRU


class RNN(_Layer, torch.nn.RNN):
    """torch.nn.RNN on elman's engine: a subclass of it with the same arguments, parameters and equations.

    Calls also take `lengths`, `mask` and `reset`; see `forward`.

    Args:
        args, kwargs: those of torch.nn.RNN, in its order or by name:
            input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, device, dtype.
    """

    _elman_original = torch.nn.RNN
