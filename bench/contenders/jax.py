"""JAX: the usual lax.scan over a cell, compiled by XLA; the product with x for all steps outside the scan.

It runs on the processors that the worker's process may use.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bench.contenders import STEPS, Contender, Results
from bench.shapes import Data, Shape
from elman.stack.cells import CELLS

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def lstm(R, b_h, state, xs):
    i, f, g, o = jnp.split(xs + state[0] @ R.T + b_h, 4, axis=-1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(R, b_h, state, xs):
    r_x, z_x, n_x = jnp.split(xs, 3, axis=-1)
    r_h, z_h, n_h = jnp.split(state[0] @ R.T + b_h, 3, axis=-1)
    z = jax.nn.sigmoid(z_x + z_h)
    n = jnp.tanh(n_x + jax.nn.sigmoid(r_x + r_h) * n_h)
    return ((1 - z) * n + z * state[0],)


# state', from the state and the x-part of the pre-activations [B, G * H]
CELL_STEPS = {
    "rnn_tanh": lambda R, b_h, state, xs: (jnp.tanh(xs + state[0] @ R.T + b_h),),
    "lstm": lstm,
    "gru": gru,
}


def direction(cell, weights, end, x, state, alive, keep, reverse):
    """y [T, B, H] and the final state of one layer and direction."""
    W, R = weights[f"weight_ih{end}"], weights[f"weight_hh{end}"]
    xs = x @ W.T + weights[f"bias_ih{end}"]

    def body(state, at_t):
        xs, alive, keep = at_t
        if keep is not None:
            state = tuple(part * keep for part in state)
        after = CELL_STEPS[cell](R, weights[f"bias_hh{end}"], state, xs)
        if alive is None:
            return after, after[0]
        after = tuple(jnp.where(alive, new, old) for new, old in zip(after, state, strict=True))
        return after, jnp.where(alive, after[0], 0)

    state, y = jax.lax.scan(body, state, (xs, alive, keep), reverse=reverse)
    return y, state


def stack(shape, weights, x, states, alive, keep):
    finals = []
    for k in range(shape.layers):
        outputs = []
        for d, end in enumerate(("", "_reverse")[: shape.directions]):
            reverse = shape.dirs == "r" or d == 1
            y, final = direction(shape.cell, weights, f"_l{k}{end}", x, states[k], alive, keep, reverse)
            outputs.append(y)
            finals.append(final)
        x = jnp.concatenate(outputs, axis=-1)
    return x, finals


def prepare(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender | None:
    if shape.cell not in CELL_STEPS or (data.reset is not None and shape.dirs != "f"):
        return None  # a scan back is reset after the step that the scan there is reset before
    zeros = [
        tuple(jnp.zeros((shape.B, shape.H), shape.dtype) for _ in CELLS[shape.cell].states)
    ] * shape.layers
    alive = keep = None
    if data.lengths is not None:
        alive = jnp.asarray((np.arange(shape.T)[:, None] < data.lengths)[:, :, None])
    if data.reset is not None:
        keep = jnp.asarray(~data.reset[:, :, None], shape.dtype)
    x, dy = jnp.asarray(data.x), jnp.asarray(data.dy)
    weights = {name: jnp.asarray(value) for name, value in weights.items()}
    forward = jax.jit(partial(stack, shape))

    if shape.mode == "train":

        @jax.jit
        def gradients(weights, x, dy):
            y, back = jax.vjp(lambda w, x: stack(shape, w, x, zeros, alive, keep)[0], weights, x)
            return y, *back(dy)

        def train() -> Results:
            y, grads, dx = jax.block_until_ready(gradients(weights, x, dy))
            return {"y": np.asarray(y), "dx": np.asarray(dx), **{n: np.asarray(g) for n, g in grads.items()}}

        return train, train

    states = zeros

    def step() -> jax.Array:
        nonlocal states
        y, states = forward(weights, x, states, alive, keep)
        return y.block_until_ready()

    def infer() -> jax.Array:
        return forward(weights, x, zeros, alive, keep)[0].block_until_ready()

    def first_steps() -> Results:
        nonlocal states
        states = zeros
        return {"y": np.concatenate([np.asarray(step()) for _ in range(STEPS)])}

    return (step, first_steps) if shape.mode == "step" else (infer, lambda: {"y": np.asarray(infer())})
