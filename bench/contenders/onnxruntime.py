"""ONNX Runtime on its CPU provider, inputs and outputs bound to fixed memory."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime

from bench.contenders import STEPS, Contender, Results
from bench.contenders.onnx_model import NODES, build, states
from bench.shapes import Data, Shape


def prepare(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender | None:
    if shape.cell not in NODES or shape.mode == "train" or data.reset is not None:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    ragged = data.lengths is not None
    model = build(shape, weights, ragged)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    inputs = {"x": value(data.x)}
    if ragged:
        inputs["sequence_lens"] = value(data.lengths.astype(np.int32))
    y = value(np.zeros((shape.T, shape.B, shape.directions * shape.H), shape.dtype))
    zero = np.zeros((shape.layers, shape.B, shape.H), shape.dtype)
    carried = states(shape) if shape.mode == "step" else []
    # The state goes to and fro between two sets of arrays: two bindings in turn, no copies.
    sets = [{state: value(zero.copy()) for state in carried} for _ in range(2)]
    bindings = []
    for before, after in (sets, sets[::-1]) if carried else [({}, {})]:
        binding = session.io_binding()
        for name, bound in inputs.items():
            binding.bind_ortvalue_input(name, bound)
        binding.bind_ortvalue_output("y", y)
        for state in carried:
            binding.bind_ortvalue_input(f"{state}0", before[state])
            binding.bind_ortvalue_output(f"{state}1", after[state])
        bindings.append(binding)
    turns = itertools.cycle(bindings)

    def run() -> None:
        session.run_with_iobinding(next(turns))

    def results() -> Results:
        if not carried:
            run()
            return {"y": y.numpy()}
        outputs = []  # the first turn reads sets[0], which is still zero
        for _ in range(STEPS):
            run()
            outputs.append(y.numpy().copy())
        return {"y": np.concatenate(outputs)}

    return run, results
