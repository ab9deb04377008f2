"""ONNX's conformance cases of LSTM, GRU and RNN on our layers."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from tests.cells.onnx_cases import cases, run

CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    node, inputs, outputs = CASES[name]
    for got, want in zip(run(node, inputs), outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-7)  # ONNX's own tolerance


def test_there_are_cases_of_each():
    assert {node.op_type for node, _, _ in CASES.values()} == {"LSTM", "GRU", "RNN"}
    assert any("peepholes" in name for name in CASES) and len(CASES) >= 15
