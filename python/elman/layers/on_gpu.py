"""A layer's call with arrays on a GPU: CuPy's, or any other library's through DLPack and CuPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from .._extras import need
from ..stack.arguments import Call, prepare
from ..stack.gpu import find
from ..stack.gpu.library import Arrays
from ..stack.gpu.plan import Plan, whole
from ..stack.gpu.stack import Stack
from ..stack.gpu.tape import Tape
from .backward import Once
from .store import Made

if TYPE_CHECKING:
    from .recurrent import Recurrent

_CUDA = 2  # kDLCUDA, of dlpack.org


def wants(x: Any) -> bool:
    """Whether x lies on a GPU."""
    device = None if isinstance(x, np.ndarray) else getattr(x, "__dlpack_device__", None)
    return device is not None and device()[0] == _CUDA


def call(
    layer: Recurrent, x: Any, state: Any, lengths: Any, mask: Any, reset: Any, keep: bool
) -> tuple[Any, ...]:
    """What the layer's call gives, or with `keep` what its `forward` gives, in arrays of x's kind on its device."""
    scans, why = find()
    if scans is None:
        raise ValueError(f"x: expected an array in main memory ({why}), got one on a GPU")
    if layer.dtype != np.float32:
        raise ValueError(f"x: expected an array in main memory for a {layer.dtype} layer, got one on a GPU")
    if keep and layer.recurrent_dropout:
        raise ValueError(f"recurrent_dropout: expected 0 on a GPU, got {layer.recurrent_dropout}")
    library, take = _library(x)
    run = prepare(layer, x, state, _on_host(lengths), _on_host(mask), _on_host(reset), take)
    T, B = run.T, run.B
    if lengths is None and mask is None and reset is None:
        first = layer.batch_first and run.batched
        plans = whole(T, B, first, tuple(layer._backwards), library)
    else:
        plans = [Plan(plan, library) for plan in run.plans]
    dropout = layer._dropout_factors(run) if keep else []
    uploaded = _weights(layer, library)
    stack = Stack(
        library, layer._cell, uploaded.value, plans, [s for s in run.state if s is not None],
        [library.upload(f.reshape(T * B, -1)) for f in dropout],
    )  # fmt: skip
    x_rows = run.x.reshape(T * B, -1)
    tape = stack.new_tape(T * B) if keep else None
    y, final = stack.forward(x_rows, tape)
    if tape is None:
        return _sequence_out(run, y), run.state_out(final)
    back = Backward(run, stack, x_rows, tape, uploaded.version)
    return _sequence_out(run, y.copy()), run.state_out(final), back


class Backward:
    """The backward pass of one forward pass, as that of layers.Backward; it can run once."""

    def __init__(self, call: Call, stack: Stack, x: Any, tape: Tape, version: int):
        self._call, self._stack, self._x, self._version = call, stack, x, version
        self._tape = Once(tape)

    def __call__(self, dy: Any, dstate: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
        """Add the gradients of every parameter to `layer.grads`, which are in main memory; (dx, dstate)."""
        call, layer = self._call, self._call.layer
        if dy is not None:
            dy = call.check_sequence("dy", dy, layer.directions * layer.hidden_size)
            dy = dy.reshape(call.T * call.B, -1)
        dfinal = call.check_state("dstate", dstate)
        with layer._store.lock:
            self._tape.expect()
            layer._store.expect(self._version)
            tape = self._tape.take()
        dx, dinitial, grads = self._stack.backward(tape, self._x, dy, dfinal, need_dx)
        layer._store.add({
            name: np.ascontiguousarray(_on_host(grad))
            for k, of_layer in enumerate(_nested(layer, grads))
            for d, group in enumerate(of_layer)
            for name, grad in zip(layer._names(k, d), group, strict=False)
        })  # fmt: skip
        return (None if dx is None else _sequence_out(call, dx)), call.state_out(dinitial)


def _library(x: Any) -> tuple[Arrays, Any]:
    """Of x's device, and what turns an argument into an array there."""
    cupy = need("cupy", "cupy", "an array on a GPU")

    def take(name: str, value: Any, dtype: Any = None) -> Any:
        if not wants(value):
            raise ValueError(f"{name}: expected an array on the GPU, as x is, got {_check.describe(value)}")
        return value if isinstance(value, cupy.ndarray) else cupy.from_dlpack(value)

    return Arrays(cupy, x.__dlpack_device__()[1]), take


def _on_host(value: Any) -> Any:
    return to_numpy("array", value.get()) if hasattr(value, "get") and wants(value) else value


def _weights(layer: Recurrent, library: Arrays) -> Made:
    """[layer][direction]: the weights, uploaded."""

    def upload() -> list[list[list[Any]]]:
        return [
            [[library.upload(w) for w in group if w is not None] for group in of_layer]
            for of_layer in layer._weights(layer._store.values)
        ]

    return layer._store.made("uploaded", upload, library)


def _nested(layer: Recurrent, groups: list[Any]) -> list[list[Any]]:
    D = layer.directions
    return [groups[k * D : (k + 1) * D] for k in range(layer.num_layers)]


def _sequence_out(call: Call, rows: Any) -> Any:
    return call.sequence_out(rows.reshape(*call.x.shape[:2], -1))
