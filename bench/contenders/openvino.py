"""OpenVINO's CPU plugin, held to float32, inputs and outputs in fixed memory."""

from __future__ import annotations

import itertools

import numpy as np
import openvino

from bench.contenders import STEPS, Contender, Results
from bench.contenders.onnx_model import NODES, build, states
from bench.shapes import Data, Shape


def prepare(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender | None:
    if shape.cell not in NODES or shape.mode == "train" or data.reset is not None:
        return None
    ragged = data.lengths is not None
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(build(shape, weights, ragged)),
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": openvino.Type.dynamic if shape.dtype is np.float64 else "f32",
        },
    )
    requests = [compiled.create_infer_request() for _ in range(2 if shape.mode == "step" else 1)]
    inputs = {"x": data.x}
    if ragged:
        inputs["sequence_lens"] = data.lengths.astype(np.int32)
    for request in requests:
        for name, array in inputs.items():
            request.set_tensor(name, openvino.Tensor(array))
    carried = states(shape) if shape.mode == "step" else []
    # The state goes to and fro: each of two requests reads what the other wrote, with no copies. (The memory is
    # OpenVINO's own: with NumPy's, GRU stacks corrupted the heap.)
    for state in carried:
        for request, other in zip(requests, requests[::-1], strict=True):
            memory = openvino.Tensor(openvino.Type(shape.dtype), [shape.layers, shape.B, shape.H])
            request.set_tensor(f"{state}0", memory)
            other.set_tensor(f"{state}1", memory)
    turns = itertools.cycle(requests)
    request = requests[0]

    def run() -> None:
        nonlocal request
        request = next(turns)
        request.start_async()
        request.wait()

    def y() -> np.ndarray:
        return request.get_tensor("y").data

    def results() -> Results:
        if not carried:
            run()
            return {"y": y()}
        for state in carried:
            requests[0].get_tensor(f"{state}0").data[:] = 0
        outputs = []
        for _ in range(STEPS):
            run()
            outputs.append(y().copy())
        return {"y": np.concatenate(outputs)}

    return run, results
