"""A cell that was found by search."""

from ..tracing import cell, relu, sigmoid, tanh


@cell("a b c d e f p q", "h m")
def nas(a, b, c, d, e, f, p, q, m):
    """NASCell (Zoph & Le 2017, as TensorFlow has it), states h m:

    m' = tanh(tanh(sigmoid(a) relu(b)) + m) tanh(sigmoid(c) + relu(d));
    h' = tanh(m' tanh(tanh(tanh(e) sigmoid(f)) + sigmoid(tanh(p) + sigmoid(q)))).

    Rows of the weights: a b c d e f p q.
    """
    m1 = tanh(tanh(sigmoid(a) * relu(b)) + m) * tanh(sigmoid(c) + relu(d))
    inner = tanh(tanh(e) * sigmoid(f)) + sigmoid(tanh(p) + sigmoid(q))
    return tanh(m1 * tanh(inner)), m1
