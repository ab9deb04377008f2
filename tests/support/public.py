"""The public classes of the cells. (Nothing else is asked of elman here: bench.compare runs other versions too.)"""

from functools import partial

import elman

PUBLIC = {
    "rnn_tanh": partial(elman.RNN, nonlinearity="tanh"),
    "rnn_relu": partial(elman.RNN, nonlinearity="relu"),
    "lstm": elman.LSTM,
    "gru": elman.GRU,
}
