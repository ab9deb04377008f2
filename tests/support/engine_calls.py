"""Calls of the engine's module with small arrays, of which tests make one part wrong."""

import numpy as np

from elman import _core


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def weights(cell="gru", H=4, I=3, L=1, D=1, dtype=np.float32):  # noqa: E741
    rows = len(_core.cells()[cell]["gates"]) * H
    widths = [I, *[D * H] * (L - 1)]
    return [
        [[zeros(rows, width, dtype=dtype), zeros(rows, H, dtype=dtype), None, None] for _ in range(D)]
        for width in widths
    ]


def pack(cell="gru", **sizes):
    return _core.pack(cell, weights(cell, **sizes))


def full_plan(T=2, B=2, reverse=False):
    return _core.Plan(T, B, False, reverse, None, None, None)


def tape(cell="gru", H=4, L=1, plans=None, dtype=np.float32, memory=None, factors=None, checkpoint_every=0):
    return _core.Tape(cell, H, L, plans or [full_plan()], dtype, memory, factors, checkpoint_every)


def run(packed=None, plans=None, y="new", initial=(None,), final=(None,), dropout=(), tape=None):
    plans = [full_plan()] if plans is None else plans
    y = zeros(2, 2, 4) if isinstance(y, str) else y
    _core.forward(GRU if packed is None else packed, plans, zeros(2, 2, 3), y, initial, final, dropout, tape)


def back(grads=None, dinitial=True, of=None, packed="new"):
    own = weights()
    packed = _core.pack_back("gru", own) if packed == "new" else packed
    grads = [[[np.zeros_like(w) for w in own[0][0][:2]] + [None, None]]] if grads is None else grads
    given = [zeros(1, 2, 4) if dinitial else None]
    of = tape() if of is None else of
    _core.backward(packed, [full_plan()], of, grads, zeros(2, 2, 3), None, None, [None], [None], given, [], 0)


def step(cell="gru", of=None, x=None, y=None, initial=(None,), final=None):
    final = [zeros(1, 2, 4)] if final is None else final
    _core.step(cell, of or weights(cell), zeros(2, 3) if x is None else x, y, initial, final)


def unaligned():
    return np.empty(25, np.uint8)[1:].view(np.float32).reshape(2, 3)


def stepper(packed, batch_size=2):
    return _core.stepper(packed, batch_size)


GRU = pack()


def pieces(layer=0, name="forward", plans=None, dtype="float32"):
    return _core.pieces("gru", dtype, 3, 4, 2, layer, name, [full_plan()] if plans is None else plans, 2)
