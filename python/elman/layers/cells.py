"""A class for each kind of cell, and one for cells of your own."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import _check
from ..stack.cells import cell_name, check_heads
from .arguments import refuse_unknown, taken_by
from .recurrent import RecurrentLayer

_OPTIONS = [*taken_by(RecurrentLayer)][3:]  # those behind num_layers


class Recurrent(RecurrentLayer):
    """Layers of any cell: one of `elman.cells`, or your own (`elman.cell`).

    Parameters, for layer k and with `_reverse` appended for the second direction; Gx are the slots of the cell that x
    feeds, Gh those that h feeds and behind them the cell's matrices, in the order in which the cell names them
    (`cell.rows`): `weight_ih_l{k}` [Gx*H, I or D*H], `weight_hh_l{k}` [Gh*H, H / heads], `bias_ih_l{k}` [Gx*H],
    `bias_hh_l{k}` [Gh*H], and each of the cell's params, as `p_i_l{k}` [H]. Where Gh is 0 there is neither `weight_hh`
    nor `bias_hh`.

    Args:
        cell: what `elman.cell` made of a function, or the name of a cell that is compiled: "lstm", "gru", "rnn_tanh" or
            "rnn_relu".
        input_size: I, features of x at each step.
        hidden_size: H, units of each layer and direction.
        num_layers: L layers, each fed by the one below.
        heads: into how many equal parts the units of a layer are cut; recurrent products read those of their own part
            alone (block-diagonal W_hh, as sLSTM has it): unit u, of head k = u // K of K = H / heads
            units, reads h[k K : (k + 1) K], and so do the cell's matrices. Means and norms stay of all units.
        options: those of `LSTM` and `GRU`: bias, batch_first, dropout, bidirectional, reverse, recurrent_dropout,
            checkpoint_every, dtype, seed, init.

    Calls take the cell's scalars by name: `layer(x, dt=dt)`, [T, B] each. The `backward` of a `forward` with them has
    their gradients in `backward.dscalars`, by name, once it has been called.

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    _options: ClassVar[tuple[str, ...]] = ("cell", *RecurrentLayer._options, "heads")
    _fixed: ClassVar[tuple[str, ...]] = ("cell", *RecurrentLayer._fixed, "heads")

    def __init__(
        self,
        cell: Any,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        heads: int = 1,
        **options: Any,
    ):
        self.cell, self._cell = cell, cell_name(cell)
        self.heads = check_heads(self._cell, heads, _check.whole_number("hidden_size", hidden_size, 1))
        refuse_unknown(type(self).__name__, options, _OPTIONS)
        super().__init__(input_size, hidden_size, num_layers, **options)

    def __setstate__(self, state: dict[str, Any]) -> None:
        cell_name(state["cell"])  # another process has defined it
        super().__setstate__(state)

    def __repr__(self) -> str:
        cell = self.cell if isinstance(self.cell, str) else self.cell.name
        return super().__repr__().replace("(", f"({cell}, ", 1)


class RNN(RecurrentLayer):
    """Plain RNN (Elman 1990), one state h [L*D, B, H]:

    h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in the place of tanh.

    Args:
        input_size: I, features of x at each step.
        hidden_size: H, units of each layer and direction.
        num_layers: L layers, each fed by the one below.
        nonlinearity: "tanh" or "relu".
        options: those of `LSTM` and `GRU`: bias, batch_first, dropout, bidirectional, reverse, recurrent_dropout,
            checkpoint_every, dtype, seed, init.

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    _options = (*RecurrentLayer._options, "nonlinearity")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        **options: Any,
    ):
        self.nonlinearity = _check.choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        self._cell = "rnn_" + nonlinearity
        refuse_unknown(type(self).__name__, options, _OPTIONS)
        super().__init__(input_size, hidden_size, num_layers, **options)


class LSTM(RecurrentLayer):
    """LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000); the state is the pair (h, c),
    each [L*D, B, H]:

    i, f, o = sigmoid(...) and g = tanh(...) of W_ih x + b_ih + W_hh h + b_hh, rows of W in the order i f g o;
    c' = f c + i g;  h' = o tanh(c').
    """

    _cell = "lstm"


class GRU(RecurrentLayer):
    """GRU (Cho et al. 2014), one state h [L*D, B, H]; the reset gate after the product, as in torch and cuDNN:

    r, z = sigmoid(...) of W_ih x + b_ih + W_hh h + b_hh, rows of W in the order r z n;
    n = tanh(W_in x + b_in + r (W_hn h + b_hn));  h' = (1 - z) n + z h.
    """

    _cell = "gru"
