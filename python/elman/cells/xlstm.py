"""The LSTM with exponential gates."""

from __future__ import annotations

from .. import _check
from ..tracing import CellDefinition, exp, maximum, minimum, sigmoid, softplus, tanh, trace, where
from ._made import made


@made
def slstm(forget: str = "sigmoid") -> CellDefinition:
    """sLSTM of xLSTM (Beck et al. 2024, equations 8 to 18), whose heads are `heads=` of a layer; states h c n m:

    m' = max(i, log f + m), but i where n = 0;  i1 = exp(i - m');  f1 = exp(log f + m - m');
    c' = f1 c + i1 tanh(z);  n' = f1 n + i1;  h' = sigmoid(o) c' / n'.

    Rows of the weights: i f z o. Where n is 0, as in a state of zeros, a sequence starts, and the stabiliser m is
    that of the first i alone, as in the package xlstm; h does not depend on m otherwise.

    Args:
        forget: "sigmoid", log f = log(sigmoid(f)), or "exp", log f = f.

    Returns:
        The cell.

    Raises:
        ValueError: forget is another word.
    """
    _check.choice("forget", forget, ("sigmoid", "exp"))

    def slstm(i, f, z, o, c, n, m):
        kept = m + (f if forget == "exp" else -softplus(-f))
        m1 = where(n == 0, i, maximum(i, kept))
        # At the first step f1 multiplies zeros, and must not be infinite.
        i1, f1 = exp(minimum(i - m1, 0.0)), exp(minimum(kept - m1, 0.0))
        c1, n1 = f1 * c + i1 * tanh(z), f1 * n + i1
        return sigmoid(o) * c1 / n1, c1, n1, m1

    return trace(slstm, "i f z o", "h c n m", bias={"f": 1.0})
