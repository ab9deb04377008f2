"""However an array is laid out, or made, the bits of what comes out are those of the C-contiguous array."""

import enum
import functools
import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import losses
from elman.layers import DotAttention, Dropout, Embedding, Linear, Pooling, Sequential
from elman.sequence import pad
from tests.support.entries import ENTRIES, H, I, normal


def strided(array):
    """Every second element along each axis of a larger array."""
    large = np.zeros([2 * n for n in array.shape], array.dtype)
    view = large[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array):
    """Negative strides along each axis."""
    return np.flip(np.flip(array).copy())


def broadcast(array):
    """Strides of 0 where the array is the same all along an axis; else as it is."""
    for axis in range(array.ndim):
        first = array.take([0], axis) if array.shape[axis] else array
        if (array == first).all():
            array = np.broadcast_to(first, array.shape)
    return array


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    view = memory.view(array.dtype).reshape(array.shape) if array.nbytes else array
    view[...] = array
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


class Own:
    """Another library's array, known by its method alone."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array

    def __len__(self):
        return len(self.array)


def frame(array):
    import pandas

    if array.ndim == 2:
        return pandas.DataFrame(array)
    return pandas.Series(array) if array.ndim == 1 else Own(array)


def in_lists(array):
    """Lists of arrays along the first axis."""
    return list(array) if array.ndim > 1 else array.tolist()


LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "broadcast": broadcast,
    "unaligned": unaligned,
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder()),
    "read-only": read_only,
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "list of arrays": in_lists,
    "tensor": torch.tensor,
    "turned tensor": lambda a: torch.tensor(a.T.copy()).permute(*range(a.ndim)[::-1]),
    "DataFrame": frame,
    "Own": Own,
    "subclass": lambda a: a.view(type("Sub", (np.ndarray,), {})),
    "buffer": lambda a: memoryview(a),
}
if importlib.util.find_spec("pandas") is None:
    del LAYOUTS["DataFrame"]


@functools.cache
def expected(name):
    return ENTRIES[name](lambda array: array)


def assert_same(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ENTRIES)
def test_every_layout_gives_the_same_bits(name, layout):
    assert_same(ENTRIES[name](LAYOUTS[layout]), expected(name))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*ENTRIES]), st.data())
def test_layouts_side_by_side(name, data):
    def put(array):
        return LAYOUTS[data.draw(st.sampled_from([*LAYOUTS]))](array)

    assert_same(ENTRIES[name](put), expected(name))


def masked(array):
    return np.ma.masked_array(array, np.zeros(array.shape, bool))


@pytest.mark.parametrize("wrap", [masked, lambda array: [masked(array)]], ids=["array", "list"])
@pytest.mark.parametrize("name", ENTRIES)
def test_masked_arrays_are_refused_wherever_they_come(name, wrap):
    """The mask was ignored: what it hides was computed with."""
    count = 0

    def counting(array):
        nonlocal count
        count += 1
        return array

    ENTRIES[name](counting)
    # In lists it may be that the list is refused before what is in it.
    message = r"got a masked array; .*mask= .*\.filled\(\)$" if wrap is masked else "^"
    for i in range(count):
        seen = iter(range(count))
        put = lambda array, seen=seen, i=i: wrap(array) if next(seen) == i else array  # noqa: E731
        with pytest.raises(ValueError, match=message):
            ENTRIES[name](put)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: elman.GRU(3, 4)(normal(5, 2, 3)),
            "x: expected .T, B, 3. float32, got .5, 2, 3. float64; x.astype",
        ),
        (
            lambda: elman.GRU(3, 4)(np.ones((5, 2, 3), int)),
            "x: expected .* got .5, 2, 3. int64; x.astype",
        ),
        (
            lambda: elman.GRU(3, 4)([[np.float64(1)] * 3]),
            "x: expected .T, 3. float32, got .1, 3. float64; np.array.x",
        ),
        (lambda: elman.GRU(3, 4)([[True] * 3]), "x: expected .T, 3. float32, got .1, 3. bool; np.array.x"),
        (
            lambda: Linear(3, 2)(np.ones(3)),
            r"x: expected \[\.\.\., 3\] float32, got .3. float64; x.astype",
        ),
        (
            lambda: Dropout(0.5).forward(np.ones(3, int)),
            "x: expected an array of float32 or float64, got .3. int64",
        ),
        (
            lambda: Pooling()(np.ones((3, 2, 1), int)),
            "x: expected .T, B, F. float32 or float64, got .3, 2, 1. int64",
        ),
        (
            lambda: losses.mean_squared_error(np.ones(3, int), np.ones(3)),
            "prediction: expected an array of float32 or float64, got .3. int64",
        ),
        (
            lambda: losses.mean_squared_error(np.ones(3), np.array(["a"] * 3)),
            "target: expected numbers, got .3. <U1",
        ),
        (lambda: Embedding(3, 2)([0.0]), "tokens: expected an array of whole numbers, got .1. float64"),
        (lambda: elman.GRU(3, 4)([[1.0, 2.0, 3.0], [1.0]]), "x: expected an array of numbers, got list: "),
        (lambda: elman.GRU(3, 4)([[1.0, None, 3.0]]), "x: expected an array, got NoneType"),
        (lambda: elman.GRU(3, 4)({"x": 1}), "x: expected an array, got dict"),
        (
            lambda: pad([[1.0], np.ones(2, np.int64)]),
            r"sequences\[1\]: expected \[t\] float64, got \[2\] int64",
        ),
    ],
)
def test_what_would_change_numbers_is_refused(call, message):
    with pytest.raises(ValueError, match="^" + message):
        call()


def test_python_numbers_take_the_type_of_what_computes_with_them():
    for dtype in (np.float32, np.float64):
        layer = elman.GRU(2, 3, dtype=dtype, seed=0)
        y, _ = layer([[1, 2], [0.1, 0.2]])
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, layer(np.array([[1, 2], [0.1, 0.2]], dtype))[0])
    tokens = enum.IntEnum("Token", "begin end")
    np.testing.assert_array_equal(Embedding(3, 2, seed=0)([*tokens]), Embedding(3, 2, seed=0)([1, 2]))
    assert pad([[1, 2], []])[0].dtype == np.int64 and pad([[1, 2], [0.5]])[0].dtype == np.float64


@pytest.mark.parametrize(("T", "B"), [(0, 0), (0, 2), (3, 0)])
def test_empty_batches(T, B):
    f32 = np.float32
    layer = elman.LSTM(I, H, seed=0, bidirectional=True)
    lengths = [0] * B
    x = np.zeros((T, B, I), f32)
    y, (h, c), backward = layer.forward(x, lengths=lengths, mask=np.ones((T, B), bool))
    dx, _ = backward(np.ones_like(y), (np.ones_like(h), np.ones_like(c)))
    assert y.shape == (T, B, 2 * H) and h.shape == c.shape == (2, B, H) and dx.shape == x.shape
    assert not any(grad.any() for grad in layer.grads.values())
    empty = elman.GRU(I, H)(np.zeros((T, 0, I), f32), lengths=[])[0]
    assert empty.shape == (T, 0, H)
    head = Linear(I, 2)
    y, backward = head.forward(x)
    assert y.shape == (T, B, 2) and backward(y).shape == x.shape
    y, backward = Embedding(5, 2).forward(np.zeros((T, B), int))
    backward(y)
    assert y.shape == (T, B, 2) and Embedding(5, 2)([]).shape == (0, 2)
    for kind in ("last", "mean", "max"):
        y, backward = Pooling(kind).forward(x, lengths)
        assert y.shape == (B, I) and not y.any() and backward(y).shape == x.shape
    assert Dropout(0.5).forward(x)[0].shape == x.shape
    model = Sequential(Linear(I, H), elman.GRU(H, H), Pooling("mean"), Linear(H, 2))
    y, _, backward = model.forward(x, lengths=lengths)
    assert y.shape == (B, 2) and backward(y)[0].shape == x.shape
    context, backward = DotAttention().forward(np.zeros((2, B, I), f32), x, lengths)
    assert not context.any() and backward(context)[1].shape == x.shape
    found = losses.cross_entropy(np.zeros((T, B, 3), f32), np.zeros((T, B), int), lengths)
    assert found.count == 0 and found.value == 0 and found.gradient.shape == (T, B, 3)
    assert losses.mean_squared_error(x, x).value == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: elman.GRU(1, 1)(x((2**31, 0, 1))),
            "x: expected fewer than 2.31 rows, got .2147483648",
        ),
        (
            lambda x: elman.GRU(1, 1)(x((0, 2**31, 1))),
            "x: expected fewer than 2.31 rows, got .0, 2147",
        ),
        (
            lambda x: elman.GRU(1, 1)(x((2**31, 1))),
            "x: expected fewer than 2.31 rows, got .2147483648, 1. float32",
        ),
        (
            lambda x: elman.GRU(1, 1, batch_first=True)(x((2**16, 2**15, 1))),
            "x: expected fewer than 2.31 rows, got .65536",
        ),
        (lambda x: DotAttention()(x((1, 1, 1)), x((2**31, 1, 1))), "memory: expected fewer than 2.31 rows"),
    ],
)
def test_sizes_beyond_the_engines_are_refused_before_anything_is_copied(call, message):
    with pytest.raises(ValueError, match="^" + message):
        call(lambda shape: np.broadcast_to(np.float32(0), shape))


def test_results_are_of_the_kind_of_x():
    x = torch.ones(4, 3)
    step = elman.GRU(3, 2, seed=0).stepper(4)
    assert isinstance(step(x), torch.Tensor) and isinstance(step(x.numpy()), np.ndarray)
    assert isinstance(step(x.tolist()), np.ndarray)
    model = Sequential(Linear(3, 2), elman.GRU(2, 2), Pooling("max"), Dropout(0.5), Linear(2, 1))
    y, state, backward = model.forward(torch.ones(5, 4, 3))
    assert all(isinstance(one, torch.Tensor) for one in (y, *state, backward(y)[0], model.stepper(4)(x)))
    found = losses.cross_entropy(x, torch.zeros(4, dtype=torch.int64))
    assert isinstance(found.gradient, torch.Tensor)
    assert isinstance(pad([x, x[:2]])[0], torch.Tensor)
    with pytest.raises(ValueError, match=r"x: expected an array without autograd, .* pass x.detach\(\)"):
        step(torch.ones(4, 3, requires_grad=True))


def test_what_is_taken_as_it_is_is_not_copied():
    """Contiguous arrays of the right type cost nothing: the very memory is read."""
    from elman import _check

    x = np.zeros((3, 2), np.float32)
    assert _check.array("x", x, ("n", 2), np.dtype(np.float32)) is x
    tensor = torch.zeros(3, 2)
    assert np.shares_memory(_check.array("x", tensor, ("n", 2), np.dtype(np.float32)), tensor.numpy())
