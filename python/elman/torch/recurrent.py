"""Layers of any cell under PyTorch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import _check
from ..stack.cells import CELLS, check_heads
from ..stack.spec import StackSpec
from . import call, fallback, gpu, reference, traced
from .sequences import Run, Sequences
from .spec import facts

_FIXED = ("cell", "input_size", "hidden_size", "num_layers", "bias", "bidirectional")


class Recurrent(Sequences, nn.Module):
    """Layers of any cell: your own (`elman.cell`), or one of those that are compiled. `elman.Recurrent` under PyTorch:
    the same parameters and numbers.

    Parameters, for layer k and with `_reverse` appended for the second direction; Gx are the slots of the cell that x
    feeds, Gh those that h feeds and behind them the cell's matrices (`cell.rows`): `weight_ih_l{k}` [Gx*H, I or D*H],
    `weight_hh_l{k}` [Gh*H, H / heads], `bias_ih_l{k}` [Gx*H], `bias_hh_l{k}` [Gh*H], and each of the cell's params, as
    `p_i_l{k}` [H]. They start within 1/sqrt(H), and params and biases where the cell says. Where Gh is 0 there is
    neither `weight_hh` nor `bias_hh`.

    Args:
        cell: what `elman.cell` made of a function, or "lstm", "gru", "rnn_tanh" or "rnn_relu".
        input_size: I, features of x at each step.
        hidden_size: H, units of each layer and direction.
        num_layers: L layers, each fed by the one below.
        bias: whether there are bias_ih and bias_hh.
        batch_first: x and y are [B, T, ...] instead of [T, B, ...] (states never are).
        dropout: share of a layer's outputs zeroed on their way to the next layer, in training.
        bidirectional: two directions, D = 2; y holds the forward half, then the reverse half.
        device: of the parameters: text such as "cpu", or a torch.device.
        dtype: of the parameters: a torch.dtype, or None for torch's default.
        heads: into how many equal parts the units of a layer are cut; recurrent products read those of their own part
            alone (block-diagonal W_hh, as sLSTM has it).
        checkpoint_every: for long sequences: the forward pass keeps its input alone. The backward pass computes it
            once more and keeps the results and about every so many steps the states, then computes the steps between
            two of them again. It changes no bit of a gradient. None: all that the gradients need is kept.

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    def __init__(
        self,
        cell: Any,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        heads: int = 1,
        checkpoint_every: int | None = None,
    ):
        super().__init__()
        self.cell, self._elman_cell = cell, traced.known(cell)
        self.input_size = _check.whole_number("input_size", input_size, 1)
        self.hidden_size = _check.whole_number("hidden_size", hidden_size, 1)
        self.num_layers = _check.whole_number("num_layers", num_layers, 1)
        self.bias = _check.flag("bias", bias)
        self.batch_first = _check.flag("batch_first", batch_first)
        self.dropout = _check.fraction("dropout", dropout)
        self.bidirectional = _check.flag("bidirectional", bidirectional)
        self.heads = check_heads(self._elman_cell, heads, self.hidden_size)
        self.checkpoint_every = _check.maybe_whole("checkpoint_every", checkpoint_every)
        if self.dropout and self.num_layers == 1:
            warnings.warn(
                f"dropout: expected 0 with num_layers=1, as it works between layers, got {dropout}",
                stacklevel=2,
            )
        spec = self._spec()
        self._elman_names = spec.names
        for name, shape in zip(spec.names, spec.shapes, strict=True):
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _spec(self) -> StackSpec:
        backwards = (False, True) if self.bidirectional else (False,)
        sizes = self.input_size, self.hidden_size, self.num_layers
        return StackSpec(self._elman_cell, *sizes, backwards, self.bias, heads=self.heads)

    def reset_parameters(self) -> None:
        """Draw the initial values again, from torch's generator."""
        definition, H = CELLS[self._elman_cell].definition, self.hidden_size
        starts, rows = (definition.params, definition.bias_rows) if definition else ({}, [])
        limit = 1 / math.sqrt(H)
        with torch.no_grad():
            for name in self._elman_names:
                parameter, kind = getattr(self, name), name.removesuffix("_reverse").rpartition("_l")[0]
                start = starts.get(kind)
                if isinstance(start, float):
                    parameter.fill_(start)
                else:
                    parameter.uniform_(*(start or (-limit, limit)))
                for _, row, number in (one for one in rows if one[0] == kind):
                    parameter[row * H : (row + 1) * H].fill_(number)

    def forward(
        self,
        input: Any,
        hx: Any = None,
        lengths: Any = None,
        mask: Any = None,
        reset: Any = None,
        **scalars: Any,
    ) -> tuple[Any, Any]:
        """Run the layers over a batch of sequences.

        Gradients flow to input, hx, all parameters and the scalars, and can be differentiated again. What a cell draws
        in training (zoneout) follows from a seed that each call takes from torch's generator.

        Args:
            input: [T, B, I] ([B, T, I] with batch_first), [T, I] of one sequence, or a PackedSequence.
            hx: the initial state, [L*D, B, H]; of a cell with several a tuple of all. Zeros if None.
            lengths: [B], steps of each sequence, 0 to T, in any order. y is 0 beyond.
            mask: [T, B] bool ([B, T] with batch_first). Steps where it is False are skipped: the state carries over
                them, and y is 0 there.
            reset: like mask, [T, B] bool. Where it is True an episode starts: the state is zero before that step, and
                no gradient crosses. In a reverse direction an episode ends there instead.
            scalars: those of the cell, by name: a tensor each, as the first two axes of input; [T] of one sequence.
                With a PackedSequence one each of the same lengths, or its data. Or a number for all steps.

        Returns:
            (y, state): y [T, B, D*H], and the state after each sequence's last step: a tensor, or a tuple of all.

        Raises:
            RuntimeError: a shape does not fit, as in torch.nn.
            ValueError: lengths, mask or reset does not fit, or is given with a PackedSequence, or a scalar is missing;
                or the module has checkpoint_every, gradients are enabled, and it runs in torch's operations.
            TypeError: an argument is no tensor, or the cell has no scalar of this name.
        """
        weights = self._elman_weights()
        drawing = self.training and (self.dropout or CELLS[self._elman_cell].draws)
        if lengths is None and mask is None and reset is None and not scalars and not drawing:
            done: Any = call.at_once(self, False, weights, input, hx)
            if done is not None:
                return done
        self._elman_expect_checkpoints(weights[0])
        run: Run = call.run
        if why := self._elman_reason(weights[0]):
            fallback.warn(self, why, "in torch's operations, step by step", stacklevel=5)
            run = _slowly
        return self._elman_sequences(run, input, hx, weights, lengths, mask, reset, scalars)

    def _elman_facts(self, weights: list[Tensor]) -> Any:
        sizes = self.input_size, self.hidden_size
        options = self.bidirectional, self.bias, self.batch_first
        return facts(self._elman_cell, *sizes, *options, heads=self.heads)

    @staticmethod
    def _elman_reason(weight: Tensor) -> str | None:
        """Why it does not run on the engine; None if it does."""
        if weight.device.type in gpu.KINDS:
            return f"its weights are on {weight.device}, where the engine has only torch.nn's layers"
        return fallback.reason(weight)

    def extra_repr(self) -> str:
        """What print shows of it."""
        name = self.cell if isinstance(self.cell, str) else self.cell.name
        shown = [str(name), str(self.input_size), str(self.hidden_size)]
        usual = {
            "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False, "heads": 1,
            "checkpoint_every": None,
        }  # fmt: skip
        shown += [
            f"{key}={getattr(self, key)}" for key, value in usual.items() if getattr(self, key) != value
        ]
        return ", ".join(shown)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_elman_names" in self.__dict__ and value != getattr(self, name):
            raise AttributeError(
                f"{name}: expected {getattr(self, name)!r}, as the layer was made, got {value!r}; make another layer"
            )
        super().__setattr__(name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._elman_cell = traced.known(self.cell)  # this process may not have seen it


def _slowly(*args: Any, cache: Any) -> Sequence[Tensor]:
    """As call.run, by the reference."""
    return reference.run(*args)
