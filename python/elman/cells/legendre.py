"""A linear memory of orthogonal polynomials, and a cell around it."""

from __future__ import annotations

import numpy as np

from .. import _check
from .._extras import need
from ..tracing import cell, mean, tanh


@cell(
    {"u": "x", "a": "xh"},
    "h m",
    params={"e_h": 0.0, "e_m": 0.0, "b": (-1.0, 1.0)},
    matrices="A w",
)
def lmu(u, a, h, m, e_h, e_m, b, A, w):
    """Legendre memory unit (Voelker, Kajić & Eliasmith 2019) with one memory of as many numbers as there are units;
    states h m:

    v = mean over the units of (u + e_h h + e_m m);  m' = A m + b v;  h' = tanh(a + W m').

    Rows of the weights: u a in weight_ih; a, A and W in weight_hh. Params: e_h, e_m, b, a number for each unit.
    `legendre` gives the A and the b of the paper, which are to be put in; here they are trained with the rest. As in
    the paper one number enters the memory: rows of u that are alike, each e_x, give e_x x. The paper's e_h and e_m are
    ours divided by H.
    """
    m1 = A(m) + b * mean(u + e_h * h + e_m * m)
    return tanh(a + w(m1)), m1


def legendre(order: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """The memory of a Legendre memory unit: m' = A m + b v holds the last `theta` steps of v, as the coefficients of
    so many Legendre polynomials (Voelker, Kajić & Eliasmith 2019, equations 1 and 2). Between steps v stays the same.

    Args:
        order: q, how many.
        theta: a number of steps above 0.

    Returns:
        A [q, q] and b [q], float64.

    Raises:
        ValueError: order is no whole number of at least 1, or theta is not above 0.
        ImportError: there is no SciPy, which the extra "sklearn" brings.
    """
    order, theta = _check.whole_number("order", order, 1), _check.positive("theta", theta)
    linalg = need("scipy.linalg", "sklearn", "cells.legendre")
    i = np.arange(order)
    size = (2.0 * i + 1)[:, None] / theta
    below = np.where((i[:, None] - i) % 2 == 1, 1.0, -1.0)  # (-1)^(i - j + 1)
    a = size * np.where(i[:, None] < i, -1.0, below)
    b = size * ((-1.0) ** i)[:, None]
    # Of one step: the exponential of both together (Van Loan 1978).
    both = linalg.expm(np.block([[a, b], [np.zeros((1, order + 1))]]))
    if not np.isfinite(both).all():
        raise ValueError(f"theta: expected a number of steps whose memory float64 can hold, got {theta}")
    return both[:order, :order], both[:order, order]
