"""What all recurrent layers share: stacks of a cell in one or two directions over the engine."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, overload

import numpy as np

from .. import _check
from .._cached import cached
from ..stack.arguments import prepare
from ..stack.gpu.device import device_of
from ..stack.passes import Device
from ..stack.processor import PROCESSOR
from ..stack.spec import StackSpec
from . import initial
from .backward import Backward
from .dropout import factors_between, factors_within
from .parameters import Parameters
from .stepper import Stepper
from .store import Made
from .wanted import wanted_of

_INITS = ("orthogonal", "uniform")


class RecurrentLayer(Parameters):
    """What all recurrent layers share. Constructor arguments and parameter names follow torch.nn.

    Parameters, for layer k and with `_reverse` appended for the second direction (G gates):
    `weight_ih_l{k}` [G*H, I or D*H], `weight_hh_l{k}` [G*H, H], `bias_ih_l{k}` [G*H], `bias_hh_l{k}` [G*H].
    """

    over_time = carries_state = True
    checkpoint_every: int | None = None  # of layers that were pickled before there was one
    heads: int = 1
    _cell: str
    _rng: np.random.Generator
    _options: ClassVar[tuple[str, ...]] = (
        "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "reverse",
        "recurrent_dropout", "checkpoint_every", "dtype",
    )  # fmt: skip
    _fixed: ClassVar[tuple[str, ...]] = (
        "input_size", "hidden_size", "num_layers", "bias", "bidirectional", "reverse", "dtype", "nonlinearity"
    )  # fmt: skip

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reverse: bool = False,
        recurrent_dropout: float = 0.0,
        checkpoint_every: int | None = None,
        dtype: Any = np.float32,
        seed: Any = None,
        init: str = "orthogonal",
    ):
        """Make a stack of layers with new weights.

        Args:
            input_size: I, features of x at each step.
            hidden_size: H, units of each layer and direction.
            num_layers: L layers, each fed by the one below.
            bias: whether there are bias_ih and bias_hh.
            batch_first: x and y are [B, T, ...] instead of [T, B, ...] (states never are).
            dropout: share of a layer's outputs zeroed on their way to the next layer, in `forward` only.
            bidirectional: two directions, D = 2; y holds the forward half, then the reverse half.
            reverse: one direction that runs from each sequence's last step to its first.
            recurrent_dropout: share of h zeroed on its way into W_hh, in `forward` only: W_hh (m * h), m being 0 or
                1/(1-p) for each unit, the same at all steps of a sequence (Gal & Ghahramani 2016). Each sequence, layer
                and direction has its own. What does not go through W_hh (z * h of a GRU, c of an LSTM) stays whole.
            checkpoint_every: for long sequences: `forward` keeps the results and about every so many steps the states,
                in the place of all that the gradients need, and `backward` computes the steps between two of them once
                more. It changes no bit of a gradient. More steps lie between two where the backward pass takes more at
                once: 1,000 rows of x, or as many as have 4 MB of what is kept. None: all is kept.
            dtype: float32 or float64, of parameters, inputs and results.
            seed: of the initial weights and of both dropouts: a whole number or a generator; None for new ones.
            init: "orthogonal": orthogonal recurrent weights, Glorot input weights, biases 0 (an LSTM's forget gate 1);
                "uniform": torch's, everything within 1/sqrt(H).

        Raises:
            ValueError: an argument has the wrong type or value.
        """
        self.input_size = _check.whole_number("input_size", input_size, 1)
        self.hidden_size = _check.whole_number("hidden_size", hidden_size, 1)
        self.num_layers = _check.whole_number("num_layers", num_layers, 1)
        self.bias = _check.flag("bias", bias)
        self.batch_first = _check.flag("batch_first", batch_first)
        self.dropout = _check.fraction("dropout", dropout)
        self.bidirectional = _check.flag("bidirectional", bidirectional)
        self.reverse = _check.flag("reverse", reverse)
        self.recurrent_dropout = _check.fraction("recurrent_dropout", recurrent_dropout)
        self.checkpoint_every = _check.maybe_whole("checkpoint_every", checkpoint_every)
        self.dtype = _check.float_type("dtype", dtype)
        if self.recurrent_dropout and not self._spec.facts.h_gates:
            raise ValueError(
                f"recurrent_dropout: expected 0 for a cell without recurrent weights, got {recurrent_dropout}"
            )
        if self.recurrent_dropout and self._spec.facts.matrices:
            raise ValueError(
                f"recurrent_dropout: expected 0 for a cell with matrices within the step, got {recurrent_dropout}"
            )
        _check.choice("init", init, _INITS)
        if self.bidirectional and self.reverse:
            raise ValueError(
                "reverse: expected False with bidirectional=True, which runs both ways, got True"
            )
        self._rng = np.random.default_rng(seed)
        self._hold(self._initial(init))

    @property
    def directions(self) -> int:
        """D: 2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @cached
    def _spec(self) -> StackSpec:
        backwards = (False, True) if self.bidirectional else (self.reverse,)
        sizes = self.input_size, self.hidden_size, self.num_layers
        return StackSpec(self._cell, *sizes, backwards, self.bias, self.dtype, heads=self.heads)

    def _initial(self, how: str) -> dict[str, np.ndarray]:
        spec, flat = self._spec, []
        draw = initial.uniform if how == "uniform" else initial.orthogonal
        for k in range(spec.L):
            for _ in spec.backwards:
                weights = draw(spec, spec.width if k else spec.I, self._rng)
                flat += [weights[place] for place in spec.own]
        return dict(zip(spec.names, flat, strict=True))

    def _hold(self, *arrays: Any) -> None:
        super()._hold(*arrays)
        self._nest = self._spec.nest_of(self._store.values)

    def _made(self, device: Device = PROCESSOR, back: bool = False) -> Made:
        """The weights as passes on that device read them."""
        spec, store = self._spec, self._store
        name, suits = device.weights_key(back)
        return store.made(name, lambda: device.weights(spec, self._nest, back), suits)

    @overload
    def __call__(
        self,
        x: np.ndarray,
        state: Any = ...,
        lengths: Any = ...,
        mask: Any = ...,
        reset: Any = ...,
        **scalars: Any,
    ) -> tuple[np.ndarray, Any]: ...
    @overload
    def __call__(
        self, x: Any, state: Any = ..., lengths: Any = ..., mask: Any = ..., reset: Any = ..., **scalars: Any
    ) -> tuple[Any, Any]: ...
    def __call__(
        self,
        x: Any,
        state: Any = None,
        lengths: Any = None,
        mask: Any = None,
        reset: Any = None,
        **scalars: Any,
    ) -> tuple[Any, Any]:
        """Run the stack over a batch of sequences, keeping nothing.

        Args:
            x: [T, B, I] (batch_first: [B, T, I]), or one sequence [T, I]. NumPy, or any array with DLPack,
                `__array__` or the buffer protocol, of the layer's dtype, or lists of numbers; any layout (what is not
                C-contiguous is copied). One on a GPU is computed there (docs/gpu.md; extra: cupy), with the state
                and gradients there too.
            state: the initial h [L*D, B, H], for an LSTM the pair (h, c); zeros if None. [L*D, H] for one sequence.
            lengths: [B], steps of each sequence, 0 to T. What lies beyond is not read, and y is 0 there.
            mask: [T, B] bool (batch_first: [B, T]). Steps where it is False are skipped: the state
                carries over them, and y is 0 there.
            reset: like mask. Where it is True an episode starts: the state is zero before that step, and no
                gradient crosses. In a reverse direction an episode ends there instead.
            scalars: those of a cell that has any, by name: [T, B] each (batch_first: [B, T]), or a number for all
                steps; read by all layers.

        Returns:
            (y, state): y [T, B, D*H], the last layer's h at each step, and the state after each sequence's
            last step, shaped like the initial one. They are of the same kind as x.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
            TypeError: the cell has no scalar of this name.
        """
        spec = self._spec
        device: Device = device_of(x, spec) or PROCESSOR
        call = prepare(spec, device, x, state, lengths, mask, reset, self.batch_first, scalars)
        run = device.new_pass(spec, call.steps, call.x, call.state, scalars=call.scalars)
        y, final = run.forward(self._made(device).value)
        return call.sequence_out(y), call.state_out(final)

    @overload
    def forward(
        self,
        x: np.ndarray,
        state: Any = ...,
        lengths: Any = ...,
        mask: Any = ...,
        reset: Any = ...,
        **scalars: Any,
    ) -> tuple[np.ndarray, Any, Backward]: ...
    @overload
    def forward(
        self, x: Any, state: Any = ..., lengths: Any = ..., mask: Any = ..., reset: Any = ..., **scalars: Any
    ) -> tuple[Any, Any, Backward]: ...
    def forward(
        self,
        x: Any,
        state: Any = None,
        lengths: Any = None,
        mask: Any = None,
        reset: Any = None,
        **scalars: Any,
    ) -> tuple[Any, Any, Backward]:
        """Like a call, and keeps what the gradients need; dropout and recurrent dropout are at work.

        Args:
            x, state, lengths, mask, reset, scalars: as for a call, in the same shapes: x [T, B, I], and so on.

        Returns:
            (y, state, backward). `backward(dy, dstate=None, need_dx=True, need_dstate=True)`, with dy [T, B, D*H] and
            dstate like state, adds to `grads` and returns (dx, dstate), None where they are not needed. Until it has
            been called do not change x and state; y may be changed. It refuses to run a second time, and when the
            parameters have been changed.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        spec = self._spec
        every = _check.maybe_whole("checkpoint_every", self.checkpoint_every)  # it may have been set since
        device: Device = device_of(x, spec, self.recurrent_dropout, every) or PROCESSOR
        call = prepare(spec, device, x, state, lengths, mask, reset, self.batch_first, scalars)
        dropout = factors_between(spec, self.dropout, call.x.shape[:-1], self._rng)
        factors = factors_within(spec, self.recurrent_dropout, call.steps.B, self._rng)
        seed = int(self._rng.integers(2**63)) if spec.facts.draws else None
        run = device.new_pass(
            spec, call.steps, call.x, call.state, [*map(device.put, dropout)], factors, call.scalars, seed
        )
        tape, weights = run.new_tape(checkpoint_every=every), self._made(device)
        y, final = run.forward(weights.value, tape)
        of_back = functools.partial(self._made, device, True)
        store = self._store
        backward = Backward(call, run, tape, store, weights.version, of_back, wanted_of(store))
        return call.sequence_out(y), call.state_out(final), backward

    def stepper(self, batch_size: int) -> Stepper:
        """A stepper over `batch_size` streams, with this layer's weights as they are now and a zero state.

        Args:
            batch_size: B, how many streams take a step at once.

        Returns:
            `step(x)`, which takes x [B, I] and gives y [B, H].

        Raises:
            ValueError: batch_size is not at least 1, or the layer runs backwards in time, so it needs whole sequences.
        """
        if self.bidirectional or self.reverse:
            which = "bidirectional" if self.bidirectional else "reverse"
            raise ValueError(f"stepper: expected a layer that runs forward in time, got {which}=True")
        batch_size = _check.whole_number("batch_size", batch_size, 1)
        return Stepper(self._spec, self._made().value, batch_size)

    def _shapes(self) -> str:
        steps = "B, T" if self.batch_first else "T, B"
        return f"[{steps}, {self.input_size}] -> [{steps}, {self.directions * self.hidden_size}]"

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in (
            "_spec",
            "_nest",
        ):  # they follow from the rest; pickles shall not depend on what is inside
            state.pop(name, None)
        return state

    def __repr__(self) -> str:
        defaults = dict(
            num_layers=1, heads=1, bias=True, dropout=0.0, recurrent_dropout=0.0, checkpoint_every=None
        )
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for name in self._options:
            value = getattr(self, name)
            if name not in ("cell", "input_size", "hidden_size", "dtype") and value != defaults.get(
                name, False
            ):
                shown.append(f"{name}={value}")
        if self.dtype != np.float32:
            shown.append(f"dtype={self.dtype}")
        return f"{type(self).__name__}({', '.join(shown)})"
