"""The ONNX model of a shape, for the contenders that run ONNX.

Inputs x [T, B, I]; sequence_lens [B] where ragged; h0 and c0 [layers, B, H] for mode "step".
Outputs y [T, B, D * H]; h1 and c1 likewise.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from bench.shapes import Shape
from elman.stack.cells import CELLS

# ONNX orders the gates i o f c (LSTM) and z r h (GRU), torch i f g o and r z n.
ORDER = {"rnn_tanh": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}
NODES = {"rnn_tanh": "RNN", "lstm": "LSTM", "gru": "GRU"}
ATTRIBUTES = {"gru": {"linear_before_reset": 1}}


def states(shape: Shape) -> tuple[str, ...]:
    return CELLS[shape.cell].states


def build(shape: Shape, weights: dict[str, np.ndarray], ragged: bool) -> bytes:
    D, H, T, B = shape.directions, shape.H, shape.T, shape.B
    stepping = shape.mode == "step"
    nodes, constants = [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def gates(name: str) -> np.ndarray:
        parts = np.split(weights[name], shape.gates)
        return np.concatenate([parts[gate] for gate in ORDER[shape.cell]])

    def node(kind: str, inputs: list[str], outputs: list[str], **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    direction = {"f": "forward", "r": "reverse", "b": "bidirectional"}[shape.dirs]
    attributes = {"hidden_size": H, "direction": direction, **ATTRIBUTES.get(shape.cell, {})}
    below = "x"
    for k in range(shape.layers):
        ends = [f"_l{k}{end}" for end in ("", "_reverse")[:D]]
        inputs = [
            below,
            constant(f"W{k}", np.stack([gates("weight_ih" + end) for end in ends])),
            constant(f"R{k}", np.stack([gates("weight_hh" + end) for end in ends])),
            constant(f"B{k}", np.stack([np.r_[gates("bias_ih" + e), gates("bias_hh" + e)] for e in ends])),
            "sequence_lens" if ragged else "",
        ]
        outputs = [f"Y{k}"]
        for state in states(shape) if stepping else []:
            one = constant(f"row_{state}{k}", np.array([k]))
            inputs.append(node("Gather", [f"{state}0", one], [f"{state}0_{k}"], axis=0))
            outputs.append(f"{state}1_{k}")
        nodes.append(helper.make_node(NODES[shape.cell], inputs, outputs, **attributes))
        # Y is [T, D, B, H]; above it, and at the end, [T, B, D * H].
        below = "y" if k == shape.layers - 1 else f"below{k + 1}"
        if D == 1:
            node("Squeeze", [f"Y{k}", constant(f"axis{k}", np.array([1]))], [below])
        else:
            turned = node("Transpose", [f"Y{k}"], [f"turned{k}"], perm=[0, 2, 1, 3])
            node("Reshape", [turned, constant(f"size{k}", np.array([T, B, D * H]))], [below])
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(shape.dtype))
    graph_inputs = [helper.make_tensor_value_info("x", kind, [T, B, shape.I])]
    graph_outputs = [helper.make_tensor_value_info("y", kind, [T, B, D * H])]
    if ragged:
        graph_inputs.append(helper.make_tensor_value_info("sequence_lens", TensorProto.INT32, [B]))
    for state in states(shape) if stepping else []:
        rows = [shape.layers, B, H]
        graph_inputs.append(helper.make_tensor_value_info(f"{state}0", kind, rows))
        graph_outputs.append(helper.make_tensor_value_info(f"{state}1", kind, rows))
        node("Concat", [f"{state}1_{k}" for k in range(shape.layers)], [f"{state}1"], axis=0)
    graph = helper.make_graph(nodes, shape.id, graph_inputs, graph_outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    checker.check_model(model)
    return model.SerializeToString()
