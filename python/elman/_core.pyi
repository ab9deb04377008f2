"""The engine. The public surface is the package elman; arguments here are checked only as far as safety needs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._core_cells import cells as cells
from ._core_cells import define_cell as define_cell
from ._core_cells import isa as isa
from ._core_cells import isas as isas
from ._core_cells import operations as operations
from ._core_cells import use_isa as use_isa
from ._core_stepper import stepper as stepper
from ._core_tensors import KeptFloat32 as KeptFloat32
from ._core_tensors import KeptFloat64 as KeptFloat64
from ._core_tensors import Module as Module
from ._core_tensors import Tensors as Tensors
from ._core_tensors import keep as keep
from ._core_tensors import step_backward as step_backward

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

PackedStack = PackedStackFloat32 | PackedStackFloat64
PackedBackStack = PackedBackStackFloat32 | PackedBackStackFloat64

def pack(cell: str, weights: Nested) -> PackedStack: ...
def pack_back(cell: str, weights: Nested) -> PackedBackStack: ...

class Tape:
    """What a forward pass keeps for a backward pass, which uses it up; a plan for each direction.

    `memory`: an array of at least as many numbers as it takes (tape_room); the engine's own if None. `factors`:
    recurrent dropout [L * D, B, H]. `checkpoint_every`: it keeps the results and about every so many steps the states,
    and backward computes the steps between them once more, on the forward pass's weights; 0: it keeps all.
    """

    def __init__(
        self,
        cell: str,
        H: int,
        L: int,
        plans: Sequence[Plan],
        dtype: Any,
        memory: Array | None = None,
        factors: Array | None = None,
        checkpoint_every: int = 0,
    ) -> None: ...
    @property
    def memory(self) -> Array: ...
    @property
    def y(self) -> Array:
        """[rows, D * H]: the last layer's results, in the tape's memory."""

def tape_room(cell: str, L: int, D: int, masked: bool) -> tuple[int, int, int, int]:
    """(step, row, number, rest): a tape has at most H (step * steps + row * rows) + number * steps + rest numbers."""

def forward(
    packed: PackedStack,
    plans: Sequence[Plan],
    x: Array,
    y: Array | None,
    initial: States,
    final: States,
    dropout: Sequence[Array],
    tape: Tape | None,
    scalars: Array | None = None,
    seed: int | None = None,
) -> None:
    """A whole stack. y may be None where there is a tape. `dropout`: [rows, D * H] for each layer but the last, or
    nothing. `scalars`: those of the cell, [rows, scalars]. `seed`: of the random numbers of a cell that draws, in
    training."""

def backward(
    packed: PackedBackStack,
    plans: Sequence[Plan],
    tape: Tape,
    grads: Nested,
    x: Array,
    dy: Array | None,
    dx: Array | None,
    initial: States,
    dfinal: States,
    dinitial: Sequence[Array],
    dropout: Sequence[Array],
    first: int,
    scalars: Array | None = None,
    dscalars: Array | None = None,
    seed: int | None = None,
) -> None:
    """Writes dx and dinitial, adds to grads, in which a part may be empty, and to dscalars, unless it is None. `first`:
    the first layer that gradients must reach; dx is None unless it is 0."""

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

def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def processors() -> int:
    """That this process may use at once: by its affinity and its quota of processor time."""

def cores() -> int:
    """The same, but processors that share a core count once."""

def distinct_cores(root: str, processors: list[int]) -> int:
    """How many cores these belong to; `root` comes before the paths of /sys."""

def cache_bytes(root: str, level: int) -> int:
    """Of the first processor's cache for data; 0 where the system does not tell."""

def quota_processors(root: str) -> int:
    """By Linux's control groups alone, 0 for no quota; `root` comes before the paths of /proc and /sys."""

def set_span(work: float) -> None:
    """For tests: how much of a call's work a thread does between two looks at signals; 0: the usual."""

def schedule(
    directions: int, segments: int, steps: int, I: int, H: int, gates: int, threads: int
) -> tuple[int, int, bool, int]:
    """What a layer in float32 would be parted into, by the cost model or as ELMAN_SCHEDULE says: segment_parts,
    unit_parts, ahead, threads."""

def pieces(
    cell: str,
    dtype: str,
    I: int,
    H: int,
    layers: int,
    layer: int,
    pass_: str,
    plans: Sequence[Plan],
    threads: int,
) -> dict[str, Any]:
    """How a layer of a call ("forward" or "backward"), or a "step" of all layers, is cut for so many threads that are
    awake: segment_parts, unit_parts, ahead (steps at once, 0: none), threads, meetings (barriers of a step), groups,
    tile_rows, lanes, chunks of steps on the way back, and for each thread its pieces, in its order: direction, first
    segment, stride, segments, first group of units, end of these, team."""

def product_threads(multiply_adds: float, lanes: int, threads: int) -> int:
    """On how many of these threads a product runs."""

def moving_threads(bytes: float, threads: int) -> int:
    """On how many of these threads so many bytes are copied or cleared."""

def gradient_parts(M: int, N: int, groups: int, threads: int) -> tuple[int, int]:
    """How threads share the gradients of weights of M slots and N inputs: parts of the slots, and of the inputs, of
    which the widest has so many groups."""

MOST_THREADS: int

def borrow_threads(library: bytes | None) -> bool:
    """Compute on the threads of this OpenMP library, or of the one that the process has (None); False, and nothing
    done, where there is none with GNU's entry points."""

def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array: ...
def zeros(shapes: list[list[list[tuple[int, ...] | None]]], dtype: np.dtype[Any]) -> Nested:
    """Zeros of each shape, None where there is None."""

def measure_peak(threads: int, dtype: str) -> float: ...
def measure_dispatch(threads: int) -> float: ...
def measure_barrier(threads: int) -> float: ...
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
