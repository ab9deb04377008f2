"""LSTM and GRU whose sums are normalised over all units of a layer."""

from __future__ import annotations

from typing import Any

from .. import _check
from ..tracing import CellDefinition, layer_norm, sigmoid, tanh, trace
from ._made import made

_LSTM, _GRU = "ifgo", "rzn"


def _vectors(side: str, gates: str, start: float, **other: float) -> dict[str, float]:
    """Where a vector for each gate starts: a gain at 1, a shift at 0."""
    return {f"{side}_{gate}": other.get(gate, start) for gate in gates}


@made
def layer_norm_lstm(norm: str = "separate", epsilon: float = 1e-5) -> CellDefinition:
    """LSTM with layer normalisation (Ba et al. 2016, equations 20 to 22, as haste and PyTorch's example have it);
    states h c:

    [i f g o] = N(W_ih x) gain_x + N(W_hh h) gain_h + b;  c' = sigmoid(f) c + sigmoid(i) tanh(g);
    h' = sigmoid(o) tanh(N(c') gain + shift).

    N(v) = (v - mean) / sqrt(variance + epsilon), over the 4 H numbers of all gates, or the H of c'. Rows of both
    weights: i f g o. Params: the gains x_i, x_f, x_g, x_o and h_i, h_f, h_g, h_o and the shifts b_i, b_f, b_g, b_o of
    the gates, and gain and shift of c'. A layer with bias=False is the paper's: biases would be added inside N.

    Args:
        norm: "separate"; or "sum", N(W_ih x + W_hh h) for both terms, over all gates; or "gates", the same over each
            gate alone, as TensorFlow's LayerNormBasicLSTMCell. Those have one gain for each gate, g_i, g_f, g_g, g_o.
        epsilon: a number above 0.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    _check.choice("norm", norm, ("separate", "sum", "gates"))
    epsilon = _check.positive("epsilon", epsilon)

    def states(gates: list[Any], c: Any, gain: Any, shift: Any) -> tuple[Any, Any]:
        i, f, g, o = gates
        c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(layer_norm(c1, gain, shift, epsilon)), c1

    def separate(
        i_x, f_x, g_x, o_x, i_h, f_h, g_h, o_h, c, x_i, x_f, x_g, x_o, h_i, h_f, h_g, h_o,
        b_i, b_f, b_g, b_o, gain, shift,
    ):  # fmt: skip
        of_x = layer_norm([i_x, f_x, g_x, o_x], [x_i, x_f, x_g, x_o], [b_i, b_f, b_g, b_o], epsilon)
        of_h = layer_norm([i_h, f_h, g_h, o_h], [h_i, h_f, h_g, h_o], 0.0, epsilon)
        return states([a + b for a, b in zip(of_x, of_h, strict=True)], c, gain, shift)

    def together(i, f, g, o, c, g_i, g_f, g_g, g_o, b_i, b_f, b_g, b_o, gain, shift):
        sums, gains, shifts = [i, f, g, o], [g_i, g_f, g_g, g_o], [b_i, b_f, b_g, b_o]
        if norm == "sum":
            gates = layer_norm(sums, gains, shifts, epsilon)
        else:
            each = zip(sums, gains, shifts, strict=True)
            gates = [layer_norm(a, gain_a, shift_a, epsilon) for a, gain_a, shift_a in each]
        return states(gates, c, gain, shift)

    of_c = {"gain": 1.0, "shift": 0.0}
    shifts = _vectors("b", _LSTM, 0.0, f=1.0)
    if norm == "separate":
        slots = {f"{gate}_{side}": side for side in "xh" for gate in _LSTM}
        gains = _vectors("x", _LSTM, 1.0) | _vectors("h", _LSTM, 1.0)
        return trace(separate, slots, "h c", gains | shifts | of_c)
    return trace(together, "i f g o", "h c", _vectors("g", _LSTM, 1.0) | shifts | of_c)


@made
def layer_norm_gru(epsilon: float = 1e-5) -> CellDefinition:
    """GRU with layer normalisation (Ba et al. 2016, as haste has it), the reset gate after the product; one state h:

    [x_r x_z x_n] = N(W_ih x) gain_x;  [h_r h_z h_n] = N(W_hh h) gain_h;  r = sigmoid(x_r + h_r + b_r);
    z = sigmoid(x_z + h_z + b_z);  n = tanh(x_n + b_n + r (h_n + b_hn));  h' = (1 - z) n + z h.

    N(v) = (v - mean) / sqrt(variance + epsilon), over the 3 H numbers of all gates. Rows of both weights: r z n.
    Params: the gains x_r, x_z, x_n and h_r, h_z, h_n, and the shifts b_r, b_z, b_n and b_hn. A layer with bias=False is
    the paper's: biases would be added inside N.

    Args:
        epsilon: a number above 0.

    Returns:
        The cell.

    Raises:
        ValueError: epsilon is not above 0.
    """
    epsilon = _check.positive("epsilon", epsilon)

    def step(r_x, z_x, n_x, r_h, z_h, n_h, h, x_r, x_z, x_n, h_r, h_z, h_n, b_r, b_z, b_n, b_hn):
        r, z, n = layer_norm([r_x, z_x, n_x], [x_r, x_z, x_n], [b_r, b_z, b_n], epsilon)
        of_r, of_z, of_n = layer_norm([r_h, z_h, n_h], [h_r, h_z, h_n], [0.0, 0.0, b_hn], epsilon)
        n = tanh(sigmoid(r + of_r) * of_n + n)
        return sigmoid(z + of_z) * (h - n) + n

    slots = {f"{gate}_{side}": side for side in "xh" for gate in _GRU}
    gains = _vectors("x", _GRU, 1.0) | _vectors("h", _GRU, 1.0)
    return trace(step, slots, "h", gains | _vectors("b", _GRU, 0.0) | {"b_hn": 0.0})


@made
def dreamer_gru(epsilon: float = 1e-3) -> CellDefinition:
    """The normalised GRU of Dreamer (Hafner et al. 2020), with one block unless a layer has `heads=`; one state h:

    [r n z] = N(W_ih x + W_hh h) gain + shift;  n = tanh(sigmoid(r) n);  z = sigmoid(z - 1);  h' = z n + (1 - z) h.

    N(v) = (v - mean) / sqrt(variance + epsilon), over the 3 H numbers of r, n and z. Rows of both weights: r n z.
    Params: the gains g_r, g_n, g_z and the shifts b_r, b_n, b_z.

    Args:
        epsilon: a number above 0.

    Returns:
        The cell.

    Raises:
        ValueError: epsilon is not above 0.
    """
    epsilon = _check.positive("epsilon", epsilon)

    def step(r, n, z, h, g_r, g_n, g_z, b_r, b_n, b_z):
        r, n, z = layer_norm([r, n, z], [g_r, g_n, g_z], [b_r, b_n, b_z], epsilon)
        n = tanh(sigmoid(r) * n)
        return sigmoid(z - 1.0) * (n - h) + h

    return trace(step, "r n z", "h", _vectors("g", "rnz", 1.0) | _vectors("b", "rnz", 0.0))
