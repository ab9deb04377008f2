"""The engine. The public surface is the package elman; arguments here are checked only as far as safety needs."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

Array = np.ndarray[Any, Any]
States = Sequence[Array | None]  # one for each state, each [L * D, B, H]
Nested = list[
    list[list[Any]]
]  # [layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh; biases may be None

class Plan:
    """Which row takes which step: lengths, mask, reset and direction in one."""

    def __init__(
        self,
        T: int,
        B: int,
        batch_first: bool,
        reverse: bool,
        lengths: Array | None,
        mask: Array | None,
        reset: Array | None,
    ) -> None: ...
    @staticmethod
    def packed(batch_sizes: Array, reverse: bool) -> Plan:
        """Of sequences laid end to end by steps (torch's PackedSequence): batch_sizes [T] int64."""
    @property
    def rows(self) -> int: ...
    @property
    def T(self) -> int: ...
    @property
    def B(self) -> int: ...
    @property
    def total(self) -> int: ...
    def arrays(self) -> dict[str, Array]:
        """What it consists of (csrc/recurrent/plan.h), as copies."""

class _PackedStack:
    @property
    def isa(self) -> str: ...

class PackedStackFloat32(_PackedStack): ...
class PackedStackFloat64(_PackedStack): ...

def fingerprint(arrays: list[Array]) -> int:
    """64 bits that tell whether C-contiguous arrays hold the bytes that they held before."""

class PackedBackStackFloat32: ...
class PackedBackStackFloat64: ...

class _Stepper:
    def step(self, x: Array, out: Array | None = None, mask: Array | None = None) -> Array: ...
    def get_state(self, k: int, out: Array | None = None) -> Array: ...
    def set_state(self, k: int, value: Array) -> None: ...
    def reset_rows(self, rows: list[int]) -> None: ...

class StepperFloat32(_Stepper): ...
class StepperFloat64(_Stepper): ...

PackedStack = PackedStackFloat32 | PackedStackFloat64
PackedBackStack = PackedBackStackFloat32 | PackedBackStackFloat64

def pack(cell: str, weights: Nested) -> PackedStack: ...
def pack_back(cell: str, weights: Nested) -> PackedBackStack: ...

class Tape:
    """What a forward pass keeps for a backward pass, which uses it up; a plan for each direction.

    `memory`: an array of at least as many numbers as it takes (tape_room); the engine's own if None. `factors`:
    recurrent dropout [L * D, B, H].
    """

    def __init__(
        self, cell: str, I: int, H: int, bidirectional: bool, bias: bool, batch_first: bool, one_step: bool
    ) -> None: ...

class Tensors:
    """A library's tensors, of exactly these types. `give` and `take`: DLPack, where types have no table."""

    def __init__(
        self,
        types: tuple[type, ...],
        negated: Callable[[Any], bool],
        wants_gradient: Callable[[Any], bool],
        give: Callable[[Any], Any],
        take: Callable[[Any], Any],
    ) -> None: ...
    def new(self, shape: Sequence[int], itemsize: int) -> Any:
        """A tensor of float32 or float64, not initialised, that any thread may free."""

    def fingerprint(self, weights: Sequence[Any]) -> int | None:
        """Of all bytes and shapes; None if a weight cannot be read as it lies."""

    def run(
        self,
        module: Module,
        kept: KeptFloat32 | KeptFloat64 | None,
        weights: Sequence[Any],
        x: Any,
        hx: Any,
        gradients: bool,
    ) -> Any:
        """What the module gives; None, and nothing done, where that takes more than one look at plain tensors."""

def measure_peak(threads: int, dtype: str) -> float: ...
def measure_bandwidth(threads: int, bytes: int) -> float: ...

class PackedLinearFloat32: ...
class PackedLinearFloat64: ...

PackedLinear = PackedLinearFloat32 | PackedLinearFloat64

def pack_linear(weight: Array, bias: Array | None) -> PackedLinear: ...
def linear(packed: PackedLinear, x: Array, y: Array) -> None:
    """y [..., O] = x [..., I] times the weights, plus the bias."""

def linear_backward(
    weight: Array, x: Array, dy: Array, dx: Array | None, d_weight: Array | None, d_bias: Array | None
) -> None:
    """Writes dx; adds to d_weight and d_bias."""

def add_rows(table: Array, index: Array, rows: Array) -> None:
    """table [V, E] += rows [N, E] at index [N] int64."""

def cross_entropy(
    logits: Array,
    target: Array,
    weights: Array | None,
    ignore: int | None,
    smoothing: float,
    d_logits: Array | None,
) -> tuple[float, float]:
    """Sums over the rows of logits [N, C]: of the losses times `weights` [N] float64 (1 if None), and of these. Targets
    are classes [N] int64, of which those of the number `ignore` do not count, or shares [N, C] float64. d_logits is the
    gradient of the first over the second."""

def softmax(x: Array, p: Array) -> None:
    """Of each row of x [N, C]; p may be x."""
