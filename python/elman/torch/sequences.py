"""Calls of layers over sequences, for torch.nn's and for those of any cell: the arguments checked and brought into the
engine's form, the results into the caller's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import _check
from ..stack.cells import CELLS
from . import autocast, check, draws, fallback, gpu, projection
from .cache import Cache, cache_of
from .spec import Layout, spec_of

Run = Callable[..., Sequence[Tensor]]  # as call.run


class Sequences:
    """What such layers share. They have the attributes of torch.nn's, which a subclass or `restore` may read."""

    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    training: bool
    proj_size: int = 0
    heads: int = 1  # of modules that have no more, or were pickled before there were any
    checkpoint_every: int | None = None  # of modules that were accelerated, or pickled before there was one
    _parameters: dict[str, Any]
    _elman_cell: Any  # its name in CELLS
    _elman_cache: Cache | None = None
    _elman_names: Any  # of all weights, in torch's flat order
    _elman_reason: Callable[[Tensor], str | None]  # why a module with this weight does not run on the engine

    def _load_from_state_dict(self, state_dict: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        # That of elman's own layers, too, whose arrays cannot be written to.
        arrays = {k: torch.tensor(v) for k, v in state_dict.items() if isinstance(v, np.ndarray)}
        state_dict.update(arrays)
        super()._load_from_state_dict(state_dict, *args, **kwargs)  # type: ignore[misc]

    def _elman_weights(self) -> list[Tensor]:
        """All weights in that order, as they are now: parametrised, swapped or plain."""
        held = self._parameters
        return [held[name] if name in held else getattr(self, name) for name in self._elman_names]

    def _elman_expect_checkpoints(self, weight: Tensor) -> None:
        """Refuses checkpoint_every where what computes the call would keep all the same."""
        if self.checkpoint_every is None or not torch.is_grad_enabled():
            return
        why = self._elman_reason(weight)
        if weight.device.type in gpu.KINDS:
            where = "on a GPU"
        elif why and why != fallback.ONNX:  # which is not trained
            where = f"for torch's own code ({why})"
        else:
            return
        raise ValueError(f"checkpoint_every: expected None {where}, got {self.checkpoint_every}")

    def _elman_sequences(
        self,
        run: Run,
        input: Any,
        hx: Any,
        weights: list[Tensor],
        lengths: Any,
        mask: Any,
        reset: Any,
        scalars: Mapping[str, Any] | None = None,
    ) -> tuple[Any, Any]:
        """A call, computed by `run`."""
        if isinstance(input, PackedSequence):
            for name, value in (("lengths", lengths), ("mask", mask), ("reset", reset)):
                if value is not None:
                    raise ValueError(
                        f"{name}: expected None with a PackedSequence, got {type(value).__name__}"
                    )
            compute = functools.partial(self._packed, run)
        else:
            compute = functools.partial(self._padded, run, lengths=lengths, mask=mask, reset=reset)
        result: tuple[Any, Any] = autocast.run(compute, input, hx, weights, scalars or {})
        return result

    def _padded(
        self,
        run: Run,
        x: Any,
        hx: Any,
        weights: list[Tensor],
        scalars: Mapping[str, Any],
        lengths: Any,
        mask: Any,
        reset: Any,
    ) -> Any:
        I = self.input_size  # noqa: E741
        batch_first: bool = self.batch_first
        check.features("input", x, ("BT" if batch_first else "TB", "T"), I, weights[0])
        batched = x.dim() == 3
        B = x.shape[0 if batch_first else 1] if batched else 1
        state = [] if hx is None else self._state(hx, x, B, batched)
        beside = check.scalars(self._elman_cell, scalars, x)
        layout = Layout(batch_first and batched)
        if lengths is not None or mask is not None or reset is not None:
            lead = x.shape[:-1]
            mask, reset = (check.marks(n, m, lead) for n, m in (("mask", mask), ("reset", reset)))
            if not batched:
                mask, reset = (None if m is None else m.unsqueeze(1) for m in (mask, reset))
            lengths = check.lengths(lengths, B if batched else None)
            layout = layout._replace(lengths=lengths, mask=mask, reset=reset)
        if not batched:
            x, beside = x.unsqueeze(1), [part.unsqueeze(1) for part in beside]
        y, *final = self._run(run, layout, x, state, weights, beside)
        if not batched:
            y, final = y.squeeze(1), [part.squeeze(1) for part in final]
        return y, final[0] if len(final) == 1 else tuple(final)

    def _packed(
        self,
        run: Run,
        sequence: PackedSequence,
        hx: Any,
        weights: list[Tensor],
        scalars: Mapping[str, Any],
    ) -> Any:
        x, sizes, order, back = sequence
        check.features("input", x, ("N",), self.input_size, weights[0])
        state = [] if hx is None else self._state(hx, x, int(sizes[0]), True)
        if order is not None:
            state = [part.index_select(1, order) for part in state]
        beside = check.scalars(self._elman_cell, check.packed_rows(scalars, sequence), x)
        y, *final = self._run(run, Layout(False, sizes), x, state, weights, beside)
        if back is not None:
            final = [part.index_select(1, back) for part in final]
        return PackedSequence(y, sizes, order, back), final[0] if len(final) == 1 else tuple(final)

    def _state(self, hx: Any, x: Tensor, B: int, batched: bool) -> list[Tensor]:
        layers = self.num_layers * (2 if self.bidirectional else 1)
        leads = (layers, B) if batched else (layers,)
        widths = (self.proj_size or self.hidden_size, self.hidden_size)
        parts = check.states(self._elman_cell, hx, leads, widths, x)
        return parts if batched else [part.unsqueeze(1) for part in parts]

    def _run(
        self,
        run: Run,
        layout: Layout,
        x: Tensor,
        state: list[Tensor],
        weights: list[Tensor],
        scalars: list[Tensor],
    ) -> Sequence[Tensor]:
        backwards = (False, True) if self.bidirectional else (False,)
        spec = spec_of(self._elman_cell, backwards, self.bias, weights, self.proj_size > 0)
        if spec.heads != self.heads:  # which it has been told by the shape of the weights
            raise RuntimeError(
                f"heads: expected {spec.heads}, by the shape of weight_hh, got {_check.describe(self.heads)}"
            )
        every = _check.maybe_whole("checkpoint_every", self.checkpoint_every)  # it may have been set since
        if every is not None:
            layout = layout._replace(checkpoint_every=every)
        dropping = self.training and self.dropout and self.num_layers > 1
        dropout = self._dropout_factors(x, layout.batch_first) if dropping else []
        if self.training and CELLS[self._elman_cell].draws:
            layout = layout._replace(seed=draws.new_seed())
        if self.proj_size:
            return projection.run(spec, layout, x, state, weights, dropout, cache=cache_of(self))
        return run(spec, layout, x, state, weights, dropout, scalars, cache=cache_of(self))

    def _dropout_factors(self, x: Tensor, batch_first: bool) -> list[Tensor]:
        """For the results between layers, drawn from torch's generator in the order in which torch.nn draws them."""
        H = self.proj_size or self.hidden_size
        width = H * (2 if self.bidirectional else 1)
        lead = (x.shape[1], x.shape[0]) if batch_first else x.shape[:-1]
        ones = x.new_ones((*lead, width))
        factors = [torch.nn.functional.dropout(ones, self.dropout) for _ in range(self.num_layers - 1)]
        return [f.transpose(0, 1) for f in factors] if batch_first else factors
