"""What a front end calls, wherever its arrays lie: a device, which starts passes, and a pass.

`processor.PROCESSOR` is the device of arrays in main memory, `gpu.device.Gpu` that of a library's arrays on a GPU.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any, Protocol

from .spec import StackSpec, Weights
from .steps import Steps


class Pass(Protocol):
    """One run over a stack: its forward pass and, with a tape, its backward pass.

    `weights`: what the device made of the weights, for this direction. A tape is what forward keeps for backward,
    which uses it up. `dscalars`: the gradients of the cell's scalars, once backward has run.
    """

    dscalars: Any

    def new_tape(self, memory: Any = None, checkpoint_every: int | None = None) -> Any:
        """With `checkpoint_every` it keeps the states of about every so many steps alone, and the backward pass
        computes what lies between them once more; in main memory only."""

    def forward(self, weights: Any, tape: Any = None) -> tuple[Any, list[Any]]:
        """y [.., D*H], which the caller may write to, and each final state [L*D, B, H]."""

    def backward(
        self,
        weights: Any,
        tape: Any,
        dy: Any,
        dfinal: Sequence[Any],
        want_dx: bool = True,
        want_dinitial: bool = True,
        names: Collection[str] | None = None,
    ) -> tuple[Any, list[Any], Weights]:
        """The gradients of x (None unless wanted), of each initial state (undefined unless wanted) and of the weights:
        of the parts that have one of these `names`, empty for others; None: of all. dy and those of the final states
        may be None, for zeros."""


class Device(Protocol):
    """Where the arrays of a call lie."""

    def new_pass(
        self,
        spec: StackSpec,
        steps: Steps,
        x: Any,
        initial: Sequence[Any],
        dropout: Sequence[Any] = (),
        factors: Any = None,
        scalars: Any = None,
        seed: int | None = None,
    ) -> Pass:
        """A pass over x [.., I], whose first two axes are as `steps` says, from each initial state [L*D, B, H], None
        for zeros.

        `dropout`: factors of the results of each layer but the last; or none. `factors`: recurrent dropout [L*D, B, H].
        `scalars`: those of the cell, as the first two axes of x and one more. `seed`: of the random numbers that the
        cell draws in training; None outside it.
        """

    def weights(self, spec: StackSpec, nest: Weights, back: bool) -> Any:
        """What the passes of one direction read, made of weights in main memory."""

    def weights_key(self, back: bool) -> tuple[str, Hashable]:
        """A name for what `weights` gives. Where the name is another one, the weights must be made anew."""

    def take(self, name: str, value: Any, dtype: Any = None) -> Any:
        """An argument as an array here.

        Raises:
            ValueError: it lies elsewhere, or is no array.
        """

    def put(self, array: Any) -> Any:
        """An array in main memory as one here."""

    def host(self, value: Any) -> Any:
        """The reverse of `put`; what is not an array here stays what it is."""
