"""Cells of elman.cells against ONNX's recurrent operators, as ONNX Runtime has them: outputs, in float32."""

import itertools

import numpy as np
import pytest

from elman import cells
from tests.cells.carried import edited, note
from tests.cells.held import random_layer

T, B, I, H = 7, 3, 4, 5  # noqa: E741
# ONNX's activations, with its numbers, as ours.
NAMES = {
    ("Relu",): "relu",
    ("Tanh",): "tanh",
    ("Sigmoid",): "sigmoid",
    ("Affine", 0.5, 0.1): ("affine", 0.5, 0.1),
    ("LeakyRelu", 0.3): ("leaky_relu", 0.3),
    ("ThresholdedRelu", 0.2): ("thresholded_relu", 0.2),
    ("ScaledTanh", 0.9, 0.6): ("scaled_tanh", 0.9, 0.6),
    ("HardSigmoid", 0.2, 0.5): ("hard_sigmoid", 0.2, 0.5),
    ("Elu", 0.7): ("elu", 0.7),
    ("Softsign",): "softsign",
    ("Softplus",): "softplus",
}
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def by_onnx(kind, arrays, x, peepholes=None, activations=(), **attributes):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    order = ORDER[kind]
    rows = lambda name: np.concatenate([arrays[name][k * H : (k + 1) * H] for k in order])  # noqa: E731
    given = {
        "X": x,
        "W": rows("weight_ih_l0")[None],
        "R": rows("weight_hh_l0")[None],
        "B": np.concatenate([rows("bias_ih_l0"), rows("bias_hh_l0")])[None],
    }
    inputs = list(given)
    if peepholes is not None:
        given["P"] = peepholes[None]
        inputs += ["", "", "", "P"]
    if activations:
        attributes["activations"] = [name for name, *_ in activations]
        for k, word in enumerate(("activation_alpha", "activation_beta"), 1):
            numbers = [one[k] for one in activations if len(one) > k]
            attributes |= {word: numbers} if numbers else {}
    node = onnx.helper.make_node(kind, inputs, ["Y"], hidden_size=H, **attributes)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "cell",
        [value(name, onnx.TensorProto.FLOAT, array.shape) for name, array in given.items()],
        [value("Y", onnx.TensorProto.FLOAT, (T, 1, B, H))],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.ascontiguousarray(a, np.float32) for name, a in given.items()})[0][
        :, 0
    ]


def assert_alike(kind, cell, coupled=False, **options):
    rng = np.random.default_rng(6)
    layer = edited(random_layer(cell, I, H, rng, "float32"), [])
    arrays = dict(layer.parameters)
    if coupled:  # it has rows of f, which it does not use
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            arrays[name] = np.concatenate([arrays[name][:H], arrays[name]])
    if "p_i_l0" in arrays:
        f = arrays.get("p_f_l0", arrays["p_i_l0"])
        options["peepholes"] = np.concatenate([arrays["p_i_l0"], arrays["p_o_l0"], f])
    x = rng.standard_normal((T, B, I)).astype(np.float32)
    want = by_onnx(kind, arrays, x, **options)
    got, _ = layer(x)
    note("onnxruntime", cell.name, np.abs(got - want).max() / max(1.0, np.abs(want).max()))
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[0])
def test_rnn(name):
    assert_alike("RNN", cells.rnn(NAMES[name]), activations=[name])


@pytest.mark.parametrize("gates", [("Sigmoid",), ("HardSigmoid", 0.2, 0.5)], ids=lambda name: name[0])
@pytest.mark.parametrize("name", [("Tanh",), ("Softsign",), ("Elu", 0.7)], ids=lambda name: name[0])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_gru(name, gates, clip):
    options = {"clip": clip} if clip else {}
    cell = cells.gru(True, NAMES[name], NAMES[gates], clip)
    assert_alike("GRU", cell, activations=[gates, name], linear_before_reset=1, **options)


@pytest.mark.parametrize(
    "peepholes, coupled, clip", list(itertools.product([False, True], [False, True], [None, 0.5]))
)
def test_lstm(peepholes, coupled, clip):
    options = {"clip": clip} if clip else {}
    cell = cells.lstm(peepholes, coupled, gate_clip=clip)
    assert_alike("LSTM", cell, coupled, input_forget=int(coupled), **options)


def test_lstm_with_three_activations():
    names = ("HardSigmoid", 0.2, 0.5), ("Elu", 0.7), ("Softsign",)
    gates, inner, out = (NAMES[name] for name in names)
    assert_alike("LSTM", cells.lstm(True, False, None, None, inner, gates, out), activations=names)
