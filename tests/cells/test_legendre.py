"""The Legendre memory unit: what its memory holds, and beside the package of its authors."""

import numpy as np
import pytest

import elman
from elman import cells

H = 9


def with_memory(theta, rng=None):
    """A float64 layer with the paper's memory, one number of which enters. `rng`: for the rest, which is else 0."""
    layer = elman.Recurrent(cells.lmu, 2, H, dtype=np.float64, seed=0)
    draw = (lambda *shape: rng.uniform(-0.9, 0.9, shape)) if rng else lambda *shape: np.zeros(shape)
    state = {name: draw(*value.shape) for name, value in layer.state_dict().items()}
    state["weight_ih_l0"][:H] = draw(2) if rng else [1.0, 0.0]
    state["weight_hh_l0"][H : 2 * H], state["b_l0"] = cells.legendre(H, theta)
    state["bias_ih_l0"][:H] = state["bias_hh_l0"][H:] = 0
    layer.load_state_dict(state)
    return layer


def test_the_memory_is_the_last_steps_as_polynomials():
    theta, steps = 50, np.arange(400)
    v = np.sin(steps / 17) + 0.5 * np.cos(steps / 11)
    layer = with_memory(theta)
    _, (_, memory) = layer(np.stack([v, 0 * v], -1)[:, None])
    for ago in (0, 10, 25, 40, 50):
        polynomials = np.polynomial.legendre.legvander(np.array([2 * ago / theta - 1]), H - 1)[0]
        read = float(memory[0, 0] @ polynomials)
        assert abs(read - np.interp(399.5 - ago, steps, v)) < 0.03, ago


def test_one_step_is_the_exponential():
    a, b = cells.legendre(1, 4.0)  # m' = -m / 4 + v / 4
    np.testing.assert_allclose([a[0, 0], b[0]], [np.exp(-0.25), 1 - np.exp(-0.25)], rtol=1e-14)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 5.0), "order: expected a whole number of at least 1, got 0"),
        ((3, 0.0), "theta: expected a number above 0, got 0.0"),
        ((3, "long"), "theta: expected a number above 0, got"),
        ((3, 1e-300), "theta: expected a number of steps whose memory float64 can hold, got 1e-300"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError) as error:
        cells.legendre(*arguments)
    assert message in str(error.value)


def test_keras_lmu():
    keras_lmu = pytest.importorskip("keras_lmu")
    import keras
    import tensorflow as tf

    keras.backend.set_floatx("float64")
    rng = np.random.default_rng(0)
    layer = with_memory(20.0, rng)
    numbers = {name.removesuffix("_l0"): value for name, value in layer.state_dict().items()}
    x, dy = rng.standard_normal((15, 3, 2)), rng.standard_normal((15, 3, H))
    hidden = keras.layers.SimpleRNNCell(H)
    other = keras_lmu.LMUCell(
        1,
        H,
        20.0,
        hidden,
        hidden_to_memory=True,
        memory_to_memory=True,
        input_to_hidden=True,
        discretizer="zoh",
    )
    other.build((3, 2))
    ih, hh = numbers["weight_ih"], numbers["weight_hh"]
    other.kernel.assign(np.concatenate([ih[0], numbers["e_h"] / H])[:, None])
    other.recurrent_kernel.assign(numbers["e_m"][:, None] / H)
    hidden.kernel.assign(np.concatenate([hh[2 * H :].T, ih[H:].T]))
    hidden.recurrent_kernel.assign(hh[:H].T)
    hidden.bias.assign(numbers["bias_ih"][H:] + numbers["bias_hh"][:H])
    with tf.GradientTape() as tape:
        states, loss, outputs = [tf.zeros((3, H), "float64")] * 2, 0.0, []
        for t in range(15):
            out, states = other(tf.constant(x[t]), states)
            outputs.append(out.numpy())
            loss += tf.reduce_sum(out * dy[t])
    theirs = [g.numpy() for g in tape.gradient(loss, [other.kernel, other.recurrent_kernel, hidden.kernel])]
    y, _, backward = layer.forward(x)
    backward(dy)
    grads = {name.removesuffix("_l0"): np.array(value) for name, value in layer.grads.items()}
    np.testing.assert_allclose(y, outputs, rtol=1e-10, atol=1e-11)
    ours = [
        np.concatenate([grads["weight_ih"][:H].sum(0), grads["e_h"] * H])[:, None],
        grads["e_m"][:, None] * H,
        np.concatenate([grads["weight_hh"][2 * H :].T, grads["weight_ih"][H:].T]),
    ]
    for one, other_one in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other_one, rtol=1e-8, atol=1e-10)
