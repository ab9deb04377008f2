"""PyTorch: torch.nn's layers; ragged batches packed, resets as cuts of the sequence."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.utils import rnn

from bench.contenders import STEPS, Contender, Results
from bench.shapes import Data, Shape

MODULES = {"rnn_tanh": "RNN", "lstm": "LSTM", "gru": "GRU"}


def prepare(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender | None:
    lengths = None if data.lengths is None else torch.from_numpy(data.lengths)

    def over_sequence(layer: Any, x: torch.Tensor) -> torch.Tensor:
        if lengths is None:
            return layer(x)[0]
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        return rnn.pad_packed_sequence(layer(packed)[0], total_length=shape.T)[0]

    def with_resets(layer: Any, x: torch.Tensor) -> torch.Tensor:
        """What recurrent policies do: cut the batch at every step where some row is reset."""
        starts = [t for t in range(shape.T) if t == 0 or data.reset[t].any()] + [shape.T]
        keep = torch.from_numpy(~data.reset[:, :, None]).to(x.dtype)
        state, outputs = None, []
        for begin, end in itertools.pairwise(starts):
            if isinstance(state, tuple):
                state = tuple(part * keep[begin] for part in state)
            elif state is not None:
                state = state * keep[begin]
            y, state = layer(x[begin:end], state)
            outputs.append(y)
        return torch.cat(outputs)

    if data.reset is not None and shape.dirs == "b":
        return None  # a cut sequence has no direction back
    forward = over_sequence if data.reset is None else with_resets
    return prepare_modules(torch.nn, forward, shape, data, weights, threads)


def prepare_modules(
    modules: Any,
    forward: Callable[[Any, torch.Tensor], torch.Tensor],
    shape: Shape,
    data: Data,
    weights: dict[str, np.ndarray],
    threads: int,
) -> Contender | None:
    """A contender of `modules`, which has torch.nn's LSTM, GRU and RNN; `forward(layer, x)` gives y."""
    if shape.cell not in MODULES or (
        shape.dirs == "r" and (data.lengths is not None or data.reset is not None)
    ):
        return None  # a sequence that is turned round as a whole begins with what its length leaves out
    torch.set_num_threads(threads)
    kind = getattr(modules, MODULES[shape.cell])
    x, dy = torch.from_numpy(data.x), torch.from_numpy(data.dy)

    def turned(sequence: torch.Tensor) -> torch.Tensor:
        """torch has no reverse layer: its users turn the sequence round."""
        return sequence.flip(0) if shape.dirs == "r" else sequence

    x, dy = turned(x), turned(dy)
    dtype = torch.from_numpy(weights["bias_ih_l0"]).dtype
    layer = kind(shape.I, shape.H, shape.layers, bidirectional=shape.dirs == "b", dtype=dtype)
    layer.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    layer.train(shape.mode == "train")
    if shape.mode == "train":

        def train() -> Results:
            layer.zero_grad()
            leaf = x.clone().requires_grad_()
            y = forward(layer, leaf)
            y.backward(dy)
            grads = {name: p.grad.numpy() for name, p in layer.named_parameters()}
            return {"y": turned(y.detach()).numpy(), "dx": turned(leaf.grad).numpy(), **grads}

        return train, train
    state = None

    def step() -> torch.Tensor:
        nonlocal state
        with torch.inference_mode():
            y, state = layer(x, state)
        return y

    def infer() -> torch.Tensor:
        with torch.inference_mode():
            return forward(layer, x)

    def first_steps() -> Results:
        nonlocal state
        state = None
        return {"y": np.concatenate([step().numpy() for _ in range(STEPS)])}

    def whole() -> Results:
        return {"y": turned(infer()).numpy()}

    return (step, first_steps) if shape.mode == "step" else (infer, whole)
