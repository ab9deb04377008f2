"""The cells of bench.traced: elman's definitions, and the same equations as a loop in PyTorch: either step by step, as
with torch.nn.LSTMCell, or with the part of x computed for all steps at once, which is the fastest way to write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import elman
from elman import cells
from elman.cells import exp, relu, sigmoid, softplus, tanh


@elman.cell("i f g o d", "h c m", params={"p": 0.1}, bias={"f": 1.0})
def own(i, f, g, o, d, c, m, p):
    """One that nobody has: five slots, a slow and a fast memory, a decay that is learnt."""
    c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    keep = exp(-softplus(d + p * m))
    m1 = keep * m + (1 - keep) * relu(c1)
    return sigmoid(o) * tanh(c1 + m1), c1, m1


# Twins of compiled cells.
OWN = {"lstm": cells.lstm(), "gru": cells.gru()}
CELLS = {
    "peephole_lstm": cells.peephole_lstm,
    "slstm": cells.slstm(),
    "min_gru": cells.min_gru(),
    "cfc": cells.cfc(),
    "own": own,
    "gru_before": cells.gru(reset_after=False),
    "layer_norm_lstm": cells.layer_norm_lstm(),
}


def _peephole(a: Tensor, states: list[Tensor], p: dict[str, Tensor], _: Any) -> list[Tensor]:
    i, f, g, o = a.chunk(4, -1)
    c = states[1]
    c1 = torch.sigmoid(f + p["p_f"] * c) * c + torch.sigmoid(i + p["p_i"] * c) * torch.tanh(g)
    return [torch.sigmoid(o + p["p_o"] * c1) * torch.tanh(c1), c1]


def _slstm(a: Tensor, states: list[Tensor], p: Any, _: Any) -> list[Tensor]:
    i, f, z, o = a.chunk(4, -1)
    _, c, n, m = states
    kept = m + functional.logsigmoid(f)
    m1 = torch.where(n == 0, i, torch.maximum(i, kept))
    i1, f1 = torch.exp((i - m1).clamp(max=0)), torch.exp((kept - m1).clamp(max=0))
    c1, n1 = f1 * c + i1 * torch.tanh(z), f1 * n + i1
    return [torch.sigmoid(o) * c1 / n1, c1, n1, m1]


def _min_gru(a: Tensor, states: list[Tensor], p: Any, _: Any) -> list[Tensor]:
    z, n = a.chunk(2, -1)
    return [torch.lerp(states[0], torch.where(n >= 0, n + 0.5, torch.sigmoid(n)), torch.sigmoid(z))]


def _cfc(a: Tensor, states: list[Tensor], p: Any, s: dict[str, Tensor]) -> list[Tensor]:
    one, other, t_a, t_b = a.chunk(4, -1)
    t = torch.sigmoid(t_a * s["dt"] + t_b)
    return [torch.lerp(torch.tanh(one), torch.tanh(other), t)]


def _own(a: Tensor, states: list[Tensor], p: dict[str, Tensor], _: Any) -> list[Tensor]:
    i, f, g, o, d = a.chunk(5, -1)
    c, m = states[1:]
    c1 = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    m1 = torch.lerp(torch.relu(c1), m, torch.exp(-functional.softplus(d + p["p"] * m)))
    return [torch.sigmoid(o) * torch.tanh(c1 + m1), c1, m1]


def _gru_before(a: Any, states: list[Tensor], p: dict[str, Any], _: Any) -> list[Tensor]:
    (x_r, x_z, x_n), (h_r, h_z) = (side.chunk(count, -1) for side, count in zip(a, (3, 2), strict=True))
    n = torch.tanh(x_n + p["u"](torch.sigmoid(x_r + h_r) * states[0]))
    return [torch.lerp(n, states[0], torch.sigmoid(x_z + h_z))]


def _layer_norm_lstm(a: Any, states: list[Tensor], p: dict[str, Tensor], _: Any) -> list[Tensor]:
    of_x, of_h = a
    of_x = functional.layer_norm(of_x, of_x.shape[-1:], p["x"], p["b"])
    i, f, g, o = (of_x + functional.layer_norm(of_h, of_h.shape[-1:], p["h"])).chunk(4, -1)
    c = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    normed = functional.layer_norm(c, c.shape[-1:], p["gain"], p["shift"])
    return [torch.sigmoid(o) * torch.tanh(normed), c]


STEPS: dict[str, Callable[..., list[Tensor]]] = {
    "peephole_lstm": _peephole,
    "slstm": _slstm,
    "min_gru": _min_gru,
    "cfc": _cfc,
    "own": _own,
    "gru_before": _gru_before,
    "layer_norm_lstm": _layer_norm_lstm,
}


class Loop(nn.Module):
    """One layer of the cell with the weights of elman's."""

    def __init__(self, cell: str, layer: Any, ahead: bool = True):
        super().__init__()
        self._ahead = ahead
        for name, value in layer.parameters.items():
            self.register_parameter(name.removesuffix("_l0"), nn.Parameter(torch.tensor(np.array(value))))
        definition = CELLS[cell]
        self._size, self._states, self._params = (
            layer.hidden_size,
            len(definition.states),
            list(definition.params),
        )
        self._fed, self._cell = hasattr(self, "weight_hh"), STEPS[cell]
        rows = definition.rows
        self._matrices, self._joined = definition.matrices, rows["x"] == rows["h"]
        self._h_rows = self._size * (len(rows["h"]) - len(self._matrices))

    def given(self) -> dict[str, Any]:
        """What the cell has beside its sums, made once for all steps: its params, those of the gates of a norm in one
        piece, and what multiplies with its matrices."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self._params}
        if "x_i" in given:
            given |= {side: torch.cat([given[f"{side}_{gate}"] for gate in "ifgo"]) for side in "xhb"}
        for k, name in enumerate(self._matrices):
            rows = slice(self._h_rows + k * self._size, self._h_rows + (k + 1) * self._size)
            weight, bias = self.weight_hh[rows], self.bias_hh[rows]
            given[name] = lambda row, weight=weight, bias=bias: functional.linear(row, weight, bias)
        return given

    def step(
        self, a: Tensor, states: list[Tensor], given: dict[str, Any], scalars: dict[str, Tensor]
    ) -> list[Tensor]:
        sums: Any = a
        if self._fed:
            of_h = functional.linear(states[0], self.weight_hh[: self._h_rows], self.bias_hh[: self._h_rows])
            sums = a + of_h if self._joined else (a, of_h)
        return self._cell(sums, states, given, scalars)

    def _project(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight_ih, self.bias_ih)

    def forward(self, x: Tensor, **scalars: Tensor) -> Tensor:
        parts = self._project(x).unbind(0) if self._ahead else map(self._project, x.unbind(0))
        states = [x.new_zeros(x.shape[1], self._size)] * self._states
        numbers = [{name: value[t][:, None] for name, value in scalars.items()} for t in range(len(x))]
        given = self.given()
        ys = []
        for a, one in zip(parts, numbers, strict=True):
            states = self.step(a, states, given, one)
            ys.append(states[0])
        return torch.stack(ys)


def _gates(layer: Any, name: str, order: list[int]) -> np.ndarray:
    parts = np.split(np.array(layer.parameters[name]), len(order))
    return np.concatenate([parts[gate] for gate in order])


def _peephole_node(layer: Any) -> tuple[str, list[int], dict[str, int], dict[str, np.ndarray]]:
    p = layer.parameters
    return "LSTM", [0, 3, 1, 2], {}, {"P": np.r_[p["p_i_l0"], p["p_o_l0"], p["p_f_l0"]][None]}


def _gru_before_node(layer: Any) -> tuple[str, list[int], dict[str, int], dict[str, np.ndarray]]:
    return "GRU", [1, 0, 2], {"linear_before_reset": 0}, {}


# ONNX's operator for a cell, the order of its gates, its attributes, and what it reads beside weights.
ONNX = {"peephole_lstm": _peephole_node, "gru_before": _gru_before_node}


def in_onnxruntime(cell: str, layer: Any) -> Callable[[np.ndarray], np.ndarray] | None:
    """The layer in ONNX Runtime, if that is installed and has the cell."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    if cell not in ONNX:
        return None
    operator, order, attributes, more = ONNX[cell](layer)
    H, I = layer.hidden_size, layer.input_size  # noqa: E741
    biases = [_gates(layer, name, order) for name in ("bias_ih_l0", "bias_hh_l0")]
    weights = {
        "W": _gates(layer, "weight_ih_l0", order)[None],
        "R": _gates(layer, "weight_hh_l0", order)[None],
        "B": np.concatenate(biases)[None],
        **more,
    }
    inputs = ["x", "W", "R", "B", *(["", "", "", "P"] if "P" in more else [])]
    node = helper.make_node(operator, inputs, ["y"], hidden_size=H, **attributes)
    graph = helper.make_graph(
        [node],
        cell,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", I])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 1, "B", H])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda x: session.run(None, {"x": x})[0][:, 0]
