"""ONNX's own conformance cases of its recurrent operators, as the package onnx makes them: node, inputs and outputs."""

import importlib
import warnings

import numpy as np

from elman import Recurrent, cells

# Where ONNX keeps our gates: i o f c, z r h.
ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def cases():
    """By name: (node, inputs, outputs)."""
    found = {}
    for kind in ORDER:
        module = importlib.import_module(f"onnx.backend.test.case.node.{kind.lower()}")
        previous = module.expect
        module.expect = lambda node, inputs, outputs, name: found.__setitem__(name, (node, inputs, outputs))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for method in [m for m in dir(getattr(module, kind)) if m.startswith("export")]:
                    getattr(getattr(module, kind), method)()
        finally:
            module.expect = previous
    return found


def attributes_of(node):
    from onnx.helper import get_attribute_value

    found = {a.name: get_attribute_value(a) for a in node.attribute}
    text = lambda value: value.decode() if isinstance(value, bytes) else value  # noqa: E731
    return {
        name: [text(one) for one in value] if isinstance(value, list) else text(value)
        for name, value in found.items()
    }


def activations_of(kind, attributes):
    """Ours by ONNX's names, each with the numbers that it takes, in the order in which ONNX lists them."""
    alphas, betas = (list(attributes.get(f"activation_{word}", [])) for word in ("alpha", "beta"))
    names = {"LeakyRelu": "leaky_relu", "ThresholdedRelu": "thresholded_relu", "ScaledTanh": "scaled_tanh"}
    names |= {"HardSigmoid": "hard_sigmoid"}
    takes = {"Affine": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "ScaledTanh": 2, "HardSigmoid": 2, "Elu": 1}
    found = []
    for name in attributes.get("activations", ACTIVATIONS[kind]):
        numbers = [given.pop(0) for given in (alphas, betas)[: takes.get(name, 0)] if given]
        ours = names.get(name, name.lower())
        found.append((ours, *numbers) if numbers else ours)
    return found


def cell_of(kind, attributes, peepholes):
    clip = attributes.get("clip")
    given = activations_of(kind, attributes)
    if kind == "RNN":
        return cells.rnn(given[0], clip)
    if kind == "GRU":
        after = bool(attributes.get("linear_before_reset"))
        return cells.gru(after, activation=given[1], gate_activation=given[0], gate_clip=clip)
    return cells.lstm(
        peepholes,
        bool(attributes.get("input_forget")),
        gate_clip=clip,
        gate_activation=given[0],
        activation=given[1],
        output_activation=given[2],
    )


def run(node, inputs):
    """What the outputs of a case should be, by one of our layers."""
    kind, attributes = node.op_type, attributes_of(node)
    given = dict(zip([name for name in node.input if name], inputs, strict=True))
    X, W, R, H = given["X"], given["W"], given["R"], attributes["hidden_size"]
    order, D, dtype = ORDER[kind], len(W), X.dtype
    direction, batch_first = attributes.get("direction", "forward"), bool(attributes.get("layout"))
    layer = Recurrent(
        cell_of(kind, attributes, "P" in given), X.shape[2], H, batch_first=batch_first,
        bidirectional=direction == "bidirectional", reverse=direction == "reverse", dtype=dtype,
    )  # fmt: skip
    rows = lambda matrix: np.concatenate([matrix[g * H : (g + 1) * H] for g in order])  # noqa: E731
    state = {}
    for d in range(D):
        end = "_l0" + "_reverse" * d
        biases = given.get("B", np.zeros((D, 2 * len(order) * H), dtype))[d]
        state |= {f"weight_ih{end}": rows(W[d]), f"weight_hh{end}": rows(R[d])}
        state |= {
            f"bias_ih{end}": rows(biases[: len(order) * H]),
            f"bias_hh{end}": rows(biases[len(order) * H :]),
        }
        if "P" in given:
            i, o, f = np.split(given["P"][d], 3)
            state |= {f"p_i{end}": i, f"p_o{end}": o, f"p_f{end}": f}
    layer.load_state_dict(state)
    names = [f"initial_{name}" for name in layer._spec.facts.states]
    initial = [given[name] for name in names if name in given]
    if batch_first:
        initial = [one.swapaxes(0, 1) for one in initial]
    lengths = given.get("sequence_lens")
    y, final = layer(
        X, None if not initial else initial[0] if len(initial) == 1 else tuple(initial),
        None if lengths is None else lengths.astype(np.int64),
    )  # fmt: skip
    y = y.reshape(*y.shape[:2], D, H)
    y = y if batch_first else y.swapaxes(1, 2)
    parts = [
        part.swapaxes(0, 1) if batch_first else part
        for part in (final if isinstance(final, tuple) else [final])
    ]
    return [value for name, value in zip(node.output, [y, *parts], strict=False) if name]
