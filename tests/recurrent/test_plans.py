"""lengths, mask and reset together, in every direction, against the oracle: hypothesis looks for the corners."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cases import CELLS, assert_agrees, assert_close, make_case, make_layer


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_sequences_agree_with_the_oracle(data):
    T, B = data.draw(st.integers(0, 8)), data.draw(st.integers(0, 6))
    layer = make_layer(
        data.draw(st.sampled_from(CELLS)),
        data.draw(st.integers(1, 4)),
        data.draw(st.integers(1, 5)),
        dtype=np.float64,
        num_layers=data.draw(st.integers(1, 3)),
        **data.draw(st.sampled_from([{}, {"reverse": True}, {"bidirectional": True}])),
    )
    seed, state, factors = data.draw(st.integers(0, 9)), data.draw(st.booleans()), data.draw(st.booleans())
    case = make_case(layer, T, B, seed=seed, state=state, factors=factors)
    booleans = st.lists(st.booleans(), min_size=T * B, max_size=T * B)
    if data.draw(st.booleans()):
        case.options["lengths"] = np.array(
            data.draw(st.lists(st.integers(0, T), min_size=B, max_size=B)), int
        )
    for name in ("mask", "reset"):
        if data.draw(st.booleans()):
            case.options[name] = np.array(data.draw(booleans), bool).reshape(T, B)
    assert_agrees(case, 1e-13, 1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_a_reset_equals_two_calls(cell):
    layer = make_layer(cell, 3, 5)
    x = make_case(layer, 9, 2).x
    reset = np.zeros((9, 2), bool)
    reset[4] = True
    y, state = layer(x, reset=reset)
    head, _ = layer(x[:4])
    tail, tail_state = layer(x[4:])
    np.testing.assert_array_equal(y, np.concatenate([head, tail]))
    np.testing.assert_array_equal(state, tail_state)


@pytest.mark.parametrize("cell", CELLS)
def test_a_mask_with_holes_equals_the_steps_that_are_left(cell):
    layer = make_layer(cell, 3, 5)
    x = make_case(layer, 9, 1).x
    mask = np.array([1, 0, 0, 1, 1, 0, 1, 1, 0], bool)[:, None]
    y, state = layer(x, mask=mask)
    short, short_state = layer(x[mask[:, 0]])
    np.testing.assert_array_equal(y[mask[:, 0]], short)
    np.testing.assert_array_equal(y[~mask[:, 0]], 0)
    np.testing.assert_array_equal(state, short_state)


@pytest.mark.parametrize("cell", CELLS)
def test_reverse_equals_turning_each_sequence_round(cell):
    lengths = np.array([4, 9, 0, 1])
    reverse, forward = make_layer(cell, 3, 5, reverse=True), make_layer(cell, 3, 5)
    x = make_case(forward, 9, 4).x
    y, state = reverse(x, lengths=lengths)
    for b, length in enumerate(lengths):
        turned, turned_state = forward(x[:length, b][::-1].copy())
        np.testing.assert_array_equal(y[:length, b], turned[::-1])
        assert_close(np.array(state)[..., b, :], np.array(turned_state), 0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_without_steps_keeps_its_state(cell):
    layer = make_layer(cell, 3, 5, num_layers=2, bidirectional=True)
    case = make_case(layer, 4, 3)
    case.options["lengths"] = np.array([4, 0, 2])
    y, state, dx, dstate, _ = case.run()
    assert not y[:, 1].any() and not dx[:, 1].any()
    for got, want in zip(state + dstate, case.state + case.dstate, strict=True):
        np.testing.assert_array_equal(got[:, 1], want[:, 1])


def test_batch_first_and_single_sequences_are_the_same_numbers():
    case = make_case(make_layer("lstm", 3, 5), 6, 4, lengths=True, mask=True, reset=True, state=False)
    y, (h, c) = case.layer(case.x, **case.options)
    other = make_layer("lstm", 3, 5, batch_first=True)
    turned = {k: v if k == "lengths" else np.ascontiguousarray(v.T) for k, v in case.options.items()}
    y_bf, (h_bf, c_bf) = other(np.ascontiguousarray(case.x.swapaxes(0, 1)), **turned)
    np.testing.assert_array_equal(y_bf.swapaxes(0, 1), y)
    np.testing.assert_array_equal(h_bf, h)
    np.testing.assert_array_equal(c_bf, c)
    for layer in (case.layer, other):
        one = {k: int(v[2]) if k == "lengths" else v[:, 2].copy() for k, v in case.options.items()}
        y_1, (h_1, _) = layer(case.x[:, 2].copy(), **one)
        np.testing.assert_array_equal(y_1, y[:, 2])
        np.testing.assert_array_equal(h_1, h[:, 2])


def test_single_sequences_and_batch_first_have_gradients_too():
    case = make_case(make_layer("gru", 3, 5), 6, 4, state=False)
    _, _, dx, _, grads = case.run()
    want = {name: grad.copy() for name, grad in grads.items()}
    other = make_layer("gru", 3, 5, batch_first=True)
    _, _, backward = other.forward(np.ascontiguousarray(case.x.swapaxes(0, 1)))
    dx_bf, _ = backward(np.ascontiguousarray(case.dy.swapaxes(0, 1)), case.dstate[0])
    assert_close(dx_bf.swapaxes(0, 1), dx, 1e-6)
    for name, grad in other.grads.items():
        assert_close(grad, want[name], 1e-5, name)
    one = make_layer("gru", 3, 5)
    for b in range(4):
        _, _, backward = one.forward(case.x[:, b].copy())
        dx_b, dh_b = backward(case.dy[:, b].copy(), case.dstate[0][:, b].copy())
        assert_close(dx_b, dx[:, b], 1e-6)
        assert dh_b.shape == (1, 5)
    for name, grad in one.grads.items():
        assert_close(grad, want[name], 1e-5, name)
