"""torch.nn.LSTM, GRU and RNN on the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import _check
from . import call, cudnn, fallback
from .cache import Cache
from .sequences import Sequences
from .spec import facts
from .twins import Twinned


class _Layer(Twinned, Sequences, torch.nn.RNNBase):
    """What the three share."""

    _elman_cache: Cache | None = None

    def __init__(self, *args: Any, checkpoint_every: int | None = None, **kwargs: Any):
        checkpoint_every = _check.maybe_whole("checkpoint_every", checkpoint_every)
        super().__init__(*args, **kwargs)
        self.checkpoint_every = checkpoint_every

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
            ValueError: lengths, mask or reset does not fit, or is given with a PackedSequence; or the module has
                checkpoint_every, gradients are enabled, and it runs on a GPU or torch's own code.
            TypeError: an argument is no tensor.
        """
        weights = self._elman_weights()
        simple = lengths is None and mask is None and reset is None and not self.proj_size
        if simple and not (self.training and self.dropout):
            done = call.at_once(self, False, weights, input, hx)
            if done is not None:
                return done
        self._elman_expect_checkpoints(weights[0])
        more = lengths is not None or mask is not None or reset is not None
        if cudnn.faster(self, weights, input, more):
            given: tuple[Any, Any] = super().forward(input, hx)
            return given
        if why := fallback.reason(weights[0]):
            plain = super().forward
            return fallback.run(self, plain, why, input, hx, lengths=lengths, mask=mask, reset=reset)
        return self._elman_sequences(call.run, input, hx, weights, lengths, mask, reset)

    def extra_repr(self) -> str:
        """What print shows of it."""
        every = self.checkpoint_every
        return super().extra_repr() + ("" if every is None else f", checkpoint_every={every}")

    def flatten_parameters(self) -> None:
        """Nothing to flatten for the engine: what is packed is checked at every call. For cuDNN as in torch.nn."""
        if self._flat_weights and self._flat_weights[0].is_cuda:
            super().flatten_parameters()

    @property
    def _elman_names(self) -> Sequence[str]:
        return self._flat_weights_names

    @property
    def _elman_cell(self) -> str:
        return self.mode.lower()

    def _elman_facts(self, weights: list[Tensor]) -> Any:
        return facts(
            self._elman_cell,
            self.input_size,
            self.hidden_size,
            self.bidirectional,
            self.bias,
            self.batch_first,
        )


class LSTM(_Layer, torch.nn.LSTM):
    """torch.nn.LSTM on elman's engine: a subclass of it with the same arguments, parameters and equations.

    Calls also take `lengths`, `mask` and `reset`; see `forward`.

    Args:
        args, kwargs: those of torch.nn.LSTM, in its order or by name:
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype.
        checkpoint_every: for long sequences: the forward pass keeps its input alone. The backward pass computes it
            once more and keeps the results and about every so many steps the states, then computes the steps between
            two of them again. It changes no bit of a gradient. None: all that the gradients need is kept. By name.

    Raises:
        ValueError: checkpoint_every is no whole number of at least 1, or torch.nn refuses another argument.
    """

    _elman_original = torch.nn.LSTM


class GRU(_Layer, torch.nn.GRU):
    """torch.nn.GRU on elman's engine: a subclass of it with the same arguments, parameters and equations.

    Calls also take `lengths`, `mask` and `reset`; see `forward`.

    Args:
        args, kwargs: those of torch.nn.GRU, in its order or by name:
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype.
        checkpoint_every: for long sequences: the forward pass keeps its input alone. The backward pass computes it
            once more and keeps the results and about every so many steps the states, then computes the steps between
            two of them again. It changes no bit of a gradient. None: all that the gradients need is kept. By name.

    Raises:
        ValueError: checkpoint_every is no whole number of at least 1, or torch.nn refuses another argument.
    """

    _elman_original = torch.nn.GRU


class RNN(_Layer, torch.nn.RNN):
    """torch.nn.RNN on elman's engine: a subclass of it with the same arguments, parameters and equations.

    Calls also take `lengths`, `mask` and `reset`; see `forward`.

    Args:
        args, kwargs: those of torch.nn.RNN, in its order or by name:
            input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, device, dtype.
        checkpoint_every: for long sequences: the forward pass keeps its input alone. The backward pass computes it
            once more and keeps the results and about every so many steps the states, then computes the steps between
            two of them again. It changes no bit of a gradient. None: all that the gradients need is kept. By name.

    Raises:
        ValueError: checkpoint_every is no whole number of at least 1, or torch.nn refuses another argument.
    """

    _elman_original = torch.nn.RNN
