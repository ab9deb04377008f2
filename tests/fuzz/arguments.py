"""Arguments made odd, between guards, and what a call of the engine's module may do with them."""

import ctypes
import mmap

import numpy as np

from elman import _core

ERRORS = TypeError, ValueError, OverflowError, MemoryError
UNMADE = RuntimeError  # what pybind11 raises for X.__new__(X) in place of an X
GUARD, FRONT = 0xA5, 64
NUMBERS = [None, -1, 0, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 1.5, "x", [], object()]


CASES = {}


def fenced(size):
    """So many bytes, and then a page that may not be touched."""
    room = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = np.frombuffer(mmap.mmap(-1, room + mmap.PAGESIZE), np.uint8)
    no_access = 0
    mprotect = ctypes.CDLL(None).mprotect
    assert mprotect(ctypes.c_void_p(memory.ctypes.data + room), mmap.PAGESIZE, no_access) == 0
    return memory[room - size : room]


def case(make):
    """Registers make(fuzz): a function, a check of what it gave, and right arguments."""
    CASES[make.__name__] = make
    return make


class Fuzz:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.guarded = []
        self.made = {}  # id: (object, what it was made of)
        self.cell, self.dtype = "lstm", np.float32

    # Arrays that end where no access is allowed: reading or writing past one ends the process. A write before
    # one is seen afterwards.
    def guard(self, array):
        memory = fenced(array.nbytes + FRONT)
        memory[:FRONT] = GUARD
        self.guarded.append(memory[:FRONT])
        inside = memory[FRONT:].view(array.dtype).reshape(array.shape)
        inside[...] = array
        return inside

    def check_guards(self):
        assert all((front == GUARD).all() for front in self.guarded), "written before an array"

    def normal(self, *shape):
        return self.guard(self.rng.normal(size=shape).astype(self.dtype))

    def zeros(self, *shape, dtype=None):
        return self.guard(np.zeros(shape, dtype or self.dtype))

    def below(self, end, *shape):
        return self.guard(self.rng.integers(0, end, shape))

    def flags(self, *shape):
        return self.guard(self.rng.random(shape) < 0.7)

    def keep(self, made, *of):
        self.made[id(made)] = made, of
        return made

    def of(self, made):
        return self.made[id(made)][1]

    def odd(self, value):
        """Something else in place of an argument, or in place of something in it."""
        if isinstance(value, list) and value and self.rng.random() < 0.7:
            value = list(value)
            at = self.rng.integers(len(value))
            value[at] = self.odd(value[at])
            return value
        if isinstance(value, list):
            return self.pick([[], value + value, value[:-1], None, [None], [[]], 3, "x", tuple(value)])
        if isinstance(value, np.ndarray):
            return self.odd_array(value)
        if isinstance(value, float):
            return self.pick([None, "x", [], object(), 2, 0, -0.5])
        if isinstance(value, int):
            return self.pick(NUMBERS)
        if isinstance(value, (str, type(None))):
            return self.pick(["no such", b"\xff", 3, [], np.zeros(3)])
        if self.rng.random() < 0.7:  # an object of the engine's: another one, of any kind
            return self.pick([made for made, _ in self.made.values()])
        return self.pick([None, 3, type(value).__new__(type(value)), object()])

    def pick(self, options):
        return options[self.rng.integers(len(options))]

    def odd_array(self, a):
        unaligned = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
        unaligned[...] = a
        read_only = a.copy()
        read_only.flags.writeable = False
        options = [
            None, 3, "x", a.tolist(), a[:0], a[..., :-1], np.concatenate([a, a]), a[None], np.array(7),
            np.repeat(a, 2, -1)[..., ::2], np.asfortranarray(a), unaligned, read_only,
            a.astype(">f4"), a.astype(object), a.astype(np.float16), a.astype(np.float64), a.astype(np.float32),
            np.broadcast_to(np.zeros((), a.dtype), a.shape), np.empty((2**31, 0, 3), a.dtype),
        ]  # fmt: skip
        if a.dtype == np.int64:
            wild = [np.full_like(a, n) for n in (-1, 10**6, 2**62, -(2**63))]
            options = wild * 3 + options
        if a.dtype == bool:
            options = [(a * np.uint8(254)).view(bool)] * 4 + options
        return self.pick(options)

    # The objects that calls are made of.
    def weights(self, cell, I, H, L=2, D=2):  # noqa: E741
        """[layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh."""
        rows = len(_core.cells()[cell]["gates"]) * H
        return [
            [
                [
                    self.guard(self.normal(*shape) / 4)
                    for shape in ((rows, width), (rows, H), (rows,), (rows,))
                ]
                for _ in range(D)
            ]
            for width in [I, *[D * H] * (L - 1)]
        ]

    def pack(self, back=False, cell=None, I=3, H=5, L=2, D=2):  # noqa: E741
        cell = cell or self.cell
        weights = self.weights(cell, I, H, L, D)
        return self.keep((_core.pack_back if back else _core.pack)(cell, weights), cell, weights)

    def plan(self, T=4, B=3, reverse=False, ragged=True):
        lengths = self.below(T + 1, B) if ragged else None
        mask, reset = (self.flags(T, B), self.flags(T, B)) if ragged else (None, None)
        plan = _core.Plan(T, B, False, reverse, lengths, mask, reset)
        valid = np.ones((T, B), bool)
        if ragged:
            valid = (np.arange(T)[:, None] < lengths) & mask
            reset = reset & (np.arange(T)[:, None] < lengths)
        else:
            reset = np.zeros((T, B), bool)
        return self.keep(plan, valid, reset, reverse)

    def furnish(self):
        """Objects of other types, cells, sizes and instruction sets, for odd()."""
        for dtype in (np.float64, np.float32):
            self.dtype = dtype
            for isa in (_core.isas()[-1], _core.isas()[0]):
                _core.use_isa(isa)
                for cell, H in (("gru", 5), ("lstm", 5), ("lstm", 4)):
                    self.pack(False, cell, 3, H)
                    self.pack(True, cell, 3, H)
            packed = self.pack(D=1)
            self.keep(_core.stepper(packed, 2))
            self.keep(_core.Tape("lstm", 5, 2, [self.plan(4, 3, False, False)] * 2, dtype), None)
            self.keep(_core.pack_linear(self.normal(4, 3), None))
            self.keep(_core.pack_memory(self.normal(4, 3, 2), None, 1.0))
        self.plan(5, 3), self.plan(4, 2), self.plan(4, 3, False, False), self.keep(object())
        self.made = {k: v for k, v in self.made.items() if not isinstance(v[0], _core.Plan) or v[1]}

    # One call with an odd argument (or none): the arguments, what it was given and what it gave.
    def attempt(self, function, check, args):
        if self.rng.random() < 0.9:
            name = self.pick(list(args))
            args = args | {name: self.odd(args[name])}
        given = {name: _copy(value) for name, value in args.items()}
        try:
            result = function(**args)
        except ERRORS:
            self.check_guards()
            return 0
        except UNMADE as error:
            assert "instance" in str(error), error
            return 0
        self.check_guards()
        with np.errstate(all="ignore"):
            check(given, args, result)
        return 1


def _copy(value):
    if isinstance(value, (list, tuple)):
        return [_copy(v) for v in value]
    return np.array(value) if isinstance(value, np.ndarray) else value


def equal(got, want, tolerance=2e-5):
    want = np.asarray(want, np.float64)
    np.testing.assert_allclose(np.reshape(got, want.shape), want, rtol=tolerance, atol=tolerance)
