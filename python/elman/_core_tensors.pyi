"""The names of _core that take a library's tensors. There is no module of this name."""

from collections.abc import Callable, Sequence
from typing import Any, overload

from ._core import PackedStackFloat32, PackedStackFloat64

class KeptFloat32: ...
class KeptFloat64: ...

@overload
def keep(packed: PackedStackFloat32, fingerprint: int) -> KeptFloat32:
    """Packed weights with the fingerprint of what they were packed from (`Tensors.fingerprint`)."""

@overload
def keep(packed: PackedStackFloat64, fingerprint: int) -> KeptFloat64: ...

class Module:
    """What a module of a library is, in the words of its constructor; `one_step`: a cell."""

    large: bool  # so that to ask whether weights are the same tensors takes less time than to read them
    cell: str
    I: int
    H: int
    bias: bool
    batch_first: bool
    heads: int

    def __init__(
        self,
        cell: str,
        I: int,
        H: int,
        bidirectional: bool,
        bias: bool,
        batch_first: bool,
        one_step: bool,
        heads: int = 1,
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
        trusted: bool,
        weights: Sequence[Any],
        x: Any,
        hx: Any,
        node: Callable[[list[Any], list[Any], bool], Sequence[Any]] | None,
    ) -> Any:
        """What the module gives; None, and nothing done, where that takes more than one look at plain tensors.

        `trusted`: `kept` are those of these weights. `node`: None where no gradients are taken. It puts a single step
        into the library's graph: node(made, states, plain) gives y (not of a cell) and the final states, which `made`
        has without a graph, after their tape. `plain`: it was made without `kept`."""

def step_backward(
    tensors: Tensors,
    module: Module,
    tape: Any,
    x: Any,
    states: Sequence[Any],
    weights: Sequence[Any],
    dy: Any,
    dfinal: Sequence[Any],
    needs: Sequence[bool],
) -> list[Any] | None:
    """The gradients of x, each state and each weight, None where not needed; uses the tape up. dy and dfinal are None
    for zeros. None, and nothing done, if it cannot read one as it lies."""
