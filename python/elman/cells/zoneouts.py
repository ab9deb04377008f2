"""Cells some of whose units keep their state in training, by chance."""

from __future__ import annotations

from .. import _check
from ..tracing import CellDefinition, sigmoid, tanh, trace, zoneout
from ._made import made


def _chance(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {_check.describe(value)}")
    return float(value)


@made
def zoneout_lstm(h_chance: float = 0.05, c_chance: float = 0.5) -> CellDefinition:
    """LSTM with zoneout (Krueger et al. 2017); states h c:

    c1 = sigmoid(f) c + sigmoid(i) tanh(g);  h1 = sigmoid(o) tanh(c1);  c' = c where a unit of c is kept, else c1;
    h' = h where a unit of h is kept, else h1. What is kept is drawn for each step, sequence and unit in `forward`; a
    call takes the mean, c' = c_chance c + (1 - c_chance) c1, and likewise h'.

    Rows of the weights: i f g o.

    Args:
        h_chance: that a unit keeps h.
        c_chance: that it keeps c.

    Returns:
        The cell.

    Raises:
        ValueError: a chance is no number from 0 to 1.
    """
    of_h, of_c = _chance("h_chance", h_chance), _chance("c_chance", c_chance)

    def step(i, f, g, o, h, c):
        c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return zoneout(h, sigmoid(o) * tanh(c1), of_h), zoneout(c, c1, of_c)

    return trace(step, "i f g o", "h c", bias={"f": 1.0})


@made
def zoneout_gru(chance: float = 0.1) -> CellDefinition:
    """GRU, with the reset gate after the product, and zoneout (Krueger et al. 2017); one state h:

    n = tanh(n_x + sigmoid(r) n_h);  h1 = (1 - sigmoid(z)) n + sigmoid(z) h;  h' = h where a unit is kept, else h1.
    What is kept is drawn for each step, sequence and unit in `forward`; a call takes the mean of both.

    Rows of weight_ih: r z n_x; of weight_hh: r z n_h.

    Args:
        chance: that a unit keeps h.

    Returns:
        The cell.

    Raises:
        ValueError: chance is no number from 0 to 1.
    """
    kept = _chance("chance", chance)

    def step(r, z, n_x, n_h, h):
        n = tanh(sigmoid(r) * n_h + n_x)
        return zoneout(h, sigmoid(z) * (h - n) + n, kept)

    return trace(step, {"r": "xh", "z": "xh", "n_x": "x", "n_h": "h"}, "h")
