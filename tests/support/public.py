"""The public classes of the cells. (Nothing else is asked of elman here: bench.compare runs other versions too.)"""

from functools import partial

import elman

# A class says its cell; one of more than one cell (RNN) says it when it is made.
PUBLIC = {kind._cell: kind for kind in vars(elman).values() if isinstance(getattr(kind, "_cell", None), str)}
PUBLIC |= {f"rnn_{name}": partial(elman.RNN, nonlinearity=name) for name in ("tanh", "relu")}
