"""The engine. The public surface is the package elman; arguments here are checked only as far as safety needs."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

Array = np.ndarray[Any, Any]
States = list[list[Array | None]]  # [direction][state], each [B, H]

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
        """What it consists of (csrc/engine/plan.h), as copies."""

class _Packed:
    @property
    def I(self) -> int: ...  # noqa: E743
    @property
    def H(self) -> int: ...
    @property
    def isa(self) -> str: ...

class PackedFloat32(_Packed): ...
class PackedFloat64(_Packed): ...

def fingerprint(arrays: list[Array]) -> int:
    """64 bits that tell whether C-contiguous arrays hold the bytes that they held before."""

class PackedBackFloat32: ...
class PackedBackFloat64: ...

class _Stepper:
    def step(self, x: Array, out: Array | None = None) -> Array: ...
    def get_state(self, k: int, out: Array | None = None) -> Array: ...
    def set_state(self, k: int, value: Array) -> None: ...
    def reset_rows(self, rows: list[int]) -> None: ...

class StepperFloat32(_Stepper): ...
class StepperFloat64(_Stepper): ...

Packed = PackedFloat32 | PackedFloat64
PackedBack = PackedBackFloat32 | PackedBackFloat64
Tapes = list[list[Array | None]]  # [direction][slots, memory, factors, masked]

def pack(
    cell: str, weight_ih: Array, weight_hh: Array, bias_ih: Array | None, bias_hh: Array | None
) -> Packed: ...
def pack_back(cell: str, weight_ih: Array, weight_hh: Array) -> PackedBack: ...
def forward(
    packed: list[Packed],
    plans: list[Plan],
    x: Array,
    y: Array,
    initial: States,
    final: States,
    tapes: Tapes | None,
) -> None: ...
def backward(
    packed: list[PackedBack],
    plans: list[Plan],
    tapes: Tapes,
    grads: list[list[Array | None]],
    x: Array,
    y: Array,
    dy: Array | None,
    initial: States,
    dfinal: States,
    dinitial: States,
    dx: Array | None,
) -> None: ...

# One step of an optimiser over [values, grads, *states], lists of arrays of one type. What the coefficients do is
# in csrc/optim/update_kernel.h; each gradient counts as scale * gradient + decay * value.
def sgd(
    arrays: list[list[Array]], rate: float, scale: float, decay: float, momentum: float, nesterov: bool
) -> None: ...
def rmsprop(
    arrays: list[list[Array]],
    rate: float,
    scale: float,
    decay: float,
    keep: float,
    epsilon: float,
    momentum: float,
) -> None: ...
def adam(
    arrays: list[list[Array]],
    rate: float,
    scale: float,
    decay: float,
    shrink: float,
    keep_first: float,
    keep_second: float,
    epsilon: float,
) -> None: ...
# to[i] += added[i], for lists of arrays of one type.
def add(to: list[Array], added: list[Array]) -> None: ...
def sum_of_squares(grads: list[Array]) -> float: ...
@overload
def stepper(layers: list[PackedFloat32], batch_size: int) -> StepperFloat32: ...
@overload
def stepper(layers: list[PackedFloat64], batch_size: int) -> StepperFloat64: ...

class PackedMemoryFloat32: ...
class PackedMemoryFloat64: ...

PackedMemory = PackedMemoryFloat32 | PackedMemoryFloat64

def pack_memory(memory: Array, lengths: Array | None, scale: float) -> PackedMemory: ...
def attention(
    packed: PackedMemory, query: Array, query_lengths: Array | None, weights: Array | None, context: Array
) -> None: ...
def attention_backward(
    packed: PackedMemory,
    query: Array,
    query_lengths: Array | None,
    weights: Array,
    d_context: Array,
    d_query: Array,
    d_memory: Array,
) -> None: ...
def ctc(
    logits: Array,
    lengths: Array,
    target: Array,
    target_lengths: Array,
    blank: int,
    zero_infinity: bool,
    losses: Array,
    scale: Array | None,
    d_logits: Array | None,
) -> None:
    """Writes -log P(target | logits) to losses [B] float64, and its gradient times scale [B] float64 to d_logits."""

def cells() -> dict[str, dict[str, Any]]:
    """Of each cell what csrc/cells/cell.h calls its facts; elman.stack.cells reads them."""

def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> None: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def processors() -> int:
    """That this process may use at once: by its affinity and its quota of processor time."""

def quota_processors(root: str) -> int:
    """By Linux's control groups alone, 0 for no quota; `root` comes before the paths of /proc and /sys."""

def set_span(work: float) -> None:
    """For tests: how much of a call's work a thread does between two looks at signals; 0: the usual."""

def schedule(
    directions: int, rows: int, steps: int, I: int, H: int, gates: int, threads: int
) -> tuple[int, int, bool, int]:
    """What the cost model would choose in float32: row_parts, unit_parts, ahead, threads."""

MOST_THREADS: int

def borrow_threads(library: bytes | None) -> bool:
    """Compute on the threads of this OpenMP library, or of the one that the process has (None); False, and nothing
    done, where there is none with GNU's entry points."""

def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array: ...
def empty_dlpack(shape: Sequence[int], bytes: int) -> Any:
    """A DLPack capsule of float32 or float64 that any thread may free."""

def measure_peak(threads: int, dtype: str) -> float: ...
def measure_bandwidth(threads: int, bytes: int) -> float: ...

class PackedLinearFloat32: ...
class PackedLinearFloat64: ...

PackedLinear = PackedLinearFloat32 | PackedLinearFloat64

def pack_linear(weight: Array, bias: Array | None) -> PackedLinear: ...
def linear(packed: PackedLinear, x: Array, y: Array) -> None:
    """y [..., O] = x [..., I] times the weights, plus the bias."""

def linear_backward(
    weight: Array, x: Array, dy: Array, dx: Array | None, d_weight: Array, d_bias: Array | None
) -> None:
    """Writes dx; adds to d_weight and d_bias."""

def add_rows(table: Array, index: Array, rows: Array) -> None:
    """table [V, E] += rows [N, E] at index [N] int64."""

def cross_entropy(
    logits: Array, target: Array, mask: Array | None, smoothing: float, scale: float, d_logits: Array | None
) -> float:
    """The sum over the rows of logits [N, C] that count; d_logits is its gradient times scale."""

def softmax(x: Array, p: Array) -> None:
    """Of each row of x [N, C]; p may be x."""
