"""The contenders. Each makes a shape ready and gives `run()`, the call that is timed, and `results()` of it.

Results to compare, by name: y [T, B, D*H]; for training also dx and the gradient of every weight.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from bench.shapes import Data, Shape

Results = dict[str, np.ndarray]
Contender = tuple[Callable[[], object], Callable[[], Results]]


def elman(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender:
    import elman

    elman.set_num_threads(threads)
    kind = {"rnn": elman.RNN, "lstm": elman.LSTM, "gru": elman.GRU}[shape.cell]
    layer = kind(
        shape.I, shape.H, shape.layers, bidirectional=shape.dirs == "b", reverse=shape.dirs == "r",
        dtype=shape.dtype, init="uniform",
    )  # fmt: skip
    layer.load_state_dict(weights)
    options = {"lengths": data.lengths, "reset": data.reset}
    if shape.mode == "step":
        step, x, out = layer.stepper(shape.B), data.x[0], np.empty((shape.B, shape.H), shape.dtype)

        def first() -> Results:
            step.reset()
            return {"y": step(x, out)[None].copy()}

        return lambda: step(x, out), first
    if shape.mode == "infer":
        layer.freeze()
        return lambda: layer(data.x, **options), lambda: {"y": layer(data.x, **options)[0]}

    def train() -> Results:
        layer.zero_grad()
        y, _, backward = layer.forward(data.x, **options)
        dx, _ = backward(data.dy)
        return {"y": y, "dx": dx, **layer.grads}

    return train, train


def torch(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender:
    import torch

    torch.set_num_threads(threads)
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[shape.cell]
    x, dy = torch.from_numpy(data.x), torch.from_numpy(data.dy)
    if shape.dirs == "r":  # torch has no reverse layer: its users turn the sequence round
        x = x.flip(0)
    layer = kind(
        shape.I,
        shape.H,
        shape.layers,
        bidirectional=shape.dirs == "b",
        dtype=torch.from_numpy(weights["bias_ih_l0"]).dtype,
    )
    layer.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    layer.train(shape.mode == "train")
    lengths = None if data.lengths is None else torch.from_numpy(data.lengths)
    rnn = torch.nn.utils.rnn

    def over_sequence(x):
        if lengths is None:
            return layer(x)[0]
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        return rnn.pad_packed_sequence(layer(packed)[0], total_length=shape.T)[0]

    def with_resets(x):
        """What recurrent policies do: cut the batch at every step where some row is reset."""
        starts = [t for t in range(shape.T) if t == 0 or data.reset[t].any()] + [shape.T]
        keep = torch.from_numpy(~data.reset[:, :, None]).to(x.dtype)
        state, outputs = None, []
        for begin, end in itertools.pairwise(starts):
            if state is not None:
                state = (
                    tuple(s * keep[begin] for s in state) if isinstance(state, tuple) else state * keep[begin]
                )
            y, state = layer(x[begin:end], state)
            outputs.append(y)
        return torch.cat(outputs)

    forward = over_sequence if data.reset is None else with_resets
    if shape.mode == "train":

        def train() -> Results:
            layer.zero_grad()
            leaf = x.clone().requires_grad_()
            y = forward(leaf)
            y.backward(dy)
            grads = {name: p.grad.numpy() for name, p in layer.named_parameters()}
            return {"y": y.detach().numpy(), "dx": leaf.grad.numpy(), **grads}

        return train, train
    state = None

    def step():
        nonlocal state
        with torch.inference_mode():
            y, state = layer(x, state)
        return y

    def infer():
        with torch.inference_mode():
            return forward(x)

    def first() -> Results:
        with torch.inference_mode():
            y = forward(x)
        return {"y": (y.flip(0) if shape.dirs == "r" else y).numpy()}

    return (step if shape.mode == "step" else infer), first


CONTENDERS = {"elman": elman, "torch": torch}
