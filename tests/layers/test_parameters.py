"""Parameters: nothing but what may write them does, and the next call knows when something has."""

import copy
import pickle
import pickletools
import re

import numpy as np
import pytest
import torch

import elman
from elman.layers import DotAttention, Dropout, Linear, Pooling, Sequential
from tests.support.changes import (
    MAKERS,
    arguments,
    assign,
    assign_list,
    assign_tensor,
    edit,
    f32,
    first,
    load,
    step,
)


@pytest.fixture(params=MAKERS)
def layer(request):
    return MAKERS[request.param]()


def test_every_layer_class_is_among_them():
    seen, open_ = {Dropout, DotAttention, Pooling, Sequential}, [MAKERS[name]() for name in MAKERS]
    while open_:
        layer = open_.pop()
        seen.add(type(layer))
        open_ += getattr(layer, "parts", {}).values()
    public = {getattr(elman.layers, name) for name in elman.layers.__all__}
    assert {thing for thing in public if isinstance(thing, type)} - seen == {
        elman.layers.Composite, elman.layers.Parameters, elman.layers.Stepper
    }  # fmt: skip


WRITES = {
    "index": lambda a: a.__setitem__((0,) * a.ndim, 1),
    "slice": lambda a: a[..., :2].__setitem__(..., 1),
    "view": lambda a: a.view(np.int32).fill(0),
    "reshape": lambda a: a.reshape(-1).__setitem__(0, 1),
    "ravel": lambda a: a.ravel().__setitem__(0, 1),
    "transpose": lambda a: a.T.fill(0),
    "flat": lambda a: a.flat.__setitem__(0, 1),
    "in place": lambda a: a.__iadd__(1),
    "out": lambda a: np.multiply(a, 2, out=a),
    "ufunc.at": lambda a: np.add.at(a, (0,) * a.ndim, 1),
    "ufunc.at of a view": lambda a: np.add.at(a.reshape(-1), [0], 1),
    "ufunc.at of one operand": lambda a: np.negative.at(a.ravel(), [0]),
    "ufunc.reduce": lambda a: np.add.reduce(np.ones((2, *a.shape), f32), out=a),
    "copyto": lambda a: np.copyto(a, 0),
    "put": lambda a: a.put(0, 1),
    "putmask": lambda a: np.putmask(a, np.ones(a.shape, bool), 0),
    "place": lambda a: np.place(a, np.ones(a.shape, bool), [0]),
    "fill": lambda a: a.fill(0),
    "sort": lambda a: a.sort(),
    "partition": lambda a: a.partition(0),
    "byteswap": lambda a: a.byteswap(inplace=True),
    "itemset": lambda a: np.nditer(a, op_flags=["readwrite"]),
    "shuffle": lambda a: np.random.default_rng(0).shuffle(a),
    "random out": lambda a: np.random.default_rng(0).random(out=a, dtype=f32),
    "memoryview": lambda a: memoryview(a).cast("B").__setitem__(0, 1),
    "data": lambda a: a.data.cast("B").__setitem__(0, 1),
    "frombuffer": lambda a: np.frombuffer(a, f32).__setitem__(0, 1),
    "base": lambda a: np.asarray(a.base).fill(0),
    "asarray": lambda a: np.asarray(a).fill(0),
    "strides": lambda a: np.lib.stride_tricks.as_strided(a, writeable=True).fill(0),
    "flag": lambda a: setattr(a.flags, "writeable", True),
    "setflags": lambda a: a.setflags(write=True),
    "flag of a view": lambda a: a[:].setflags(write=True),
    "flag of the base": lambda a: np.asarray(a.base).setflags(write=True),
    "setstate": lambda a: a.view().__setstate__(np.zeros_like(a).__reduce__()[2]) or a.fill(0),
    "ndarray": lambda a: np.ndarray(a.shape, a.dtype, a).fill(0),
    "dlpack": lambda a: np.from_dlpack(a).fill(0),
    "readinto": lambda a: __import__("io").BytesIO(bytes(a.nbytes)).readinto(a),
}


@pytest.mark.parametrize("way", WRITES)
def test_nothing_of_numpy_writes_a_parameter(layer, way):
    before = layer.state_dict()
    for name, value in layer.parameters.items():
        with pytest.raises((ValueError, TypeError, BufferError)):
            WRITES[way](value)
        np.testing.assert_array_equal(layer.parameters[name], before[name])
        assert not layer.parameters[name].flags.writeable


@pytest.mark.slow
@pytest.mark.parametrize("change", [assign, assign_list, assign_tensor, load, edit, step])
def test_the_next_call_sees_every_element_that_was_changed(layer, change):
    """One element at a time; a call gives the bits of a layer that has never had others."""
    x, rng = arguments(layer), np.random.default_rng(1)
    call = lambda m: first(m(x))  # noqa: E731
    before, seen = call(layer).copy(), 0
    for name, value in layer.parameters.items():
        for place in np.ndindex(value.shape):
            if rng.random() > 15 / value.size:  # of the larger ones some
                continue
            change(layer, name, place, f32(rng.standard_normal()))
            fresh = pickle.loads(pickle.dumps(layer))
            got = call(layer)
            np.testing.assert_array_equal(got, call(fresh))
            seen += not np.array_equal(got, before)
            before = got.copy()
    assert seen > 5


def test_a_call_packs_once():
    layer, x = elman.LSTM(3, 4, num_layers=2, seed=0), np.ones((3, 2, 3), f32)
    layer(x)
    packed = layer._made()
    layer(x)
    _, _, backward = layer.forward(x)
    backward(None)
    assert layer._made() is packed
    layer.parameters["bias_hh_l1"] = layer.parameters["bias_hh_l1"]
    assert layer._made() is not packed
    head = Linear(3, 4)
    head(x)
    assert head._made() is head._made()


@pytest.mark.parametrize("kind", ["stack", "linear"])
def test_a_call_runs_on_the_instruction_set_in_use(kind, isa):
    layer = MAKERS[kind]()
    first(layer(arguments(layer)))
    elman.use_isa("scalar")
    got, want = first(layer(arguments(layer))), first(copy.deepcopy(layer)(arguments(layer)))
    np.testing.assert_array_equal(got, want)
    assert layer._made().suits == "scalar"


def test_a_gradient_is_written_in_place_or_copied_in():
    layer = Linear(3, 2)
    layer.grads["weight"][0] = 5
    layer.grads["weight"] *= 2
    layer.grads["bias"] = [1, 2]
    weight = layer.grads["weight"]
    weight.shape, weight.flags.writeable = (6,), False  # the view's, not the gradient's
    y, backward = layer.forward(np.ones((1, 3), f32))
    backward(np.ones_like(y))
    np.testing.assert_array_equal(layer._store.grads["weight"], [[11] * 3, [1] * 3])
    np.testing.assert_array_equal(layer.grads["bias"], [2, 3])


def test_what_may_be_copied_in():
    layer = Linear(3, 2)
    want = np.arange(6, dtype=f32).reshape(2, 3)
    for given in (np.asfortranarray(want), np.repeat(want, 2, 1)[:, ::2], want.tolist(), torch.tensor(want)):
        layer.parameters["weight"] = np.zeros((2, 3), f32)
        layer.parameters["weight"] = given
        np.testing.assert_array_equal(layer.parameters["weight"], want)
    want[:] = 0
    assert layer.parameters["weight"].any()


def test_arithmetic_with_a_parameter_gives_plain_arrays(rng):
    layer = Linear(3, 2, seed=0)
    w = layer.parameters["weight"]
    x = rng.standard_normal((4, 3)).astype(f32)
    for got in (
        w * 2,
        w @ w.T,
        -w,
        w.sum(0),
        np.maximum(0, w),
        x @ w.T,
        np.asarray(w),
        layer.state_dict()["weight"],
    ):
        assert type(got) is np.ndarray and got.dtype == f32
    np.testing.assert_allclose(x @ w.T + layer.parameters["bias"], layer(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.multiply(w, 2, out=np.empty((2, 3), f32)), w + w)
    own = w.copy()
    own[0] = 1
    np.add.at(own, ([0, 0], [1, 1]), 2)
    assert own[0, 1] == 5


def edited(change):
    def call():
        with Linear(3, 2).editing() as parameters:
            change(parameters)

    return call


def delete(mapping):
    del mapping["bias"]


REFUSALS = [
    (lambda: assign(Linear(3, 2), "bias", 2, 1), IndexError, "index 2 is out of bounds"),
    (lambda: Linear(3, 2).parameters.__setitem__("w", 1), ValueError, "name: expected one of weight, bias, got 'w'"),
    (
        lambda: Linear(3, 2).parameters.__setitem__("weight", np.zeros((3, 2), f32)),
        ValueError, "weight: expected [2, 3] float32, got [3, 2] float32",
    ),
    (
        lambda: Linear(3, 2).parameters.__setitem__("weight", np.zeros((2, 3))),
        ValueError, "weight: expected [2, 3] float32, got [2, 3] float64",
    ),
    (
        lambda: Linear(3, 2).parameters.__setitem__("bias", [1, 2, 3]),
        ValueError, "bias: expected [2] float32, got [3] float32",
    ),
    (
        lambda: Linear(3, 2).parameters.__setitem__("weight", [[1], [2, 3]]),
        ValueError, "weight: expected an array of numbers, got list",
    ),
    (
        lambda: Linear(3, 2).parameters.__setitem__("bias", ["1", "2"]),
        ValueError, "bias: expected an array, got str",
    ),
    (lambda: Linear(3, 2).parameters.__setitem__("bias", 1.0), ValueError, "bias: expected [2] float32, got 1.0"),
    (
        lambda: Linear(3, 2).grads.__setitem__("bias", np.zeros(3, f32)),
        ValueError, "bias: expected [2] float32, got [3] float32",
    ),
    (
        lambda: delete(Linear(3, 2).parameters),
        ValueError, "name: expected the names to stay (weight, bias), got del of 'bias'",
    ),
    (
        edited(lambda p: p.__setitem__("bias", np.zeros(3, f32))),
        ValueError, "bias: expected [2] float32, got [3] float32",
    ),
    (edited(delete), ValueError, "state_dict: expected the names weight, bias, got none for ['bias']"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "message"), REFUSALS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_refusals(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        call()


@pytest.mark.parametrize("kind", [elman.RNN, elman.LSTM, elman.GRU])
def test_a_pickle_names_no_class_but_the_layers(kind):
    layer = kind(2, 3, seed=0)
    layer(np.zeros((1, 1, 2), np.float32))
    named = [str(a) for _, a, _ in pickletools.genops(pickle.dumps(layer)) if str(a).startswith("elman")]
    assert named == ["elman.layers.cells"]
