"""Blocks in which parameters are edited, and copies of layers."""

import contextlib
import copy
import pickle
import threading

import numpy as np
import pytest

import elman
from elman import _core
from elman.layers import Linear
from elman.layers.store import behind, change, stores_of
from elman.models import Forecaster
from elman.train import Adam
from tests.support.changes import MAKERS, arguments, f32, first


@pytest.fixture(params=MAKERS)
def layer(request):
    return MAKERS[request.param]()


def test_an_edit_counts_when_its_block_ends(layer):
    before, kept = layer.state_dict(), None
    with pytest.raises(KeyError), layer.editing() as parameters:
        for value in parameters.values():
            value[:] = 7
        kept = parameters
        raise KeyError
    for name, value in layer.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    with layer.editing() as parameters:
        assert list(parameters) == list(layer.grads)
        for value in parameters.values():
            value[:] = 7
    for value in (*kept.values(), *parameters.values()):
        value[:] = 8
    assert all((value == 7).all() for value in layer.parameters.values())


def test_a_layer_that_is_being_edited_refuses_to_be_used(layer, tmp_path):
    x, optimizer = arguments(layer), Adam(layer)
    is_model = isinstance(layer, Forecaster)
    whole = {"forward": lambda: layer.forward(x), "stepper": lambda: layer.stepper(2)}
    calls = {
        "call": lambda: layer(x),
        "step": optimizer.step,
        "assign": lambda: layer.parameters.__setitem__(*next(iter(before.items()))),
        "kept mapping": lambda: seen.__setitem__(*next(iter(before.items()))),
        "load": lambda: layer.load_state_dict(before),
        "state_dict": layer.state_dict,
        "edit": lambda: layer.editing().__enter__(),
        "pickle": lambda: pickle.dumps(layer),
        "copy": lambda: copy.deepcopy(layer),
        **({} if is_model or getattr(layer, "bidirectional", False) else whole),
    }
    if hasattr(layer, "save"):
        calls["save"] = lambda: layer.save(tmp_path / "file")
    before, seen = layer.state_dict(), layer.parameters
    with layer.editing():
        for name, call in calls.items():
            with pytest.raises(
                RuntimeError, match="editing: expected its block to end before the layer is used"
            ):
                call()
                raise AssertionError(name)
        found = []
        thread = threading.Thread(target=lambda: found.append(raised(lambda: layer(x))))
        thread.start()
        thread.join()
        assert found[0] is RuntimeError
    assert optimizer.steps == 0
    for name, value in layer.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    layer(x)


def raised(call):
    try:
        call()
    except Exception as error:
        return type(error)


def test_a_backward_pass_inside_an_edit_waits_for_its_end(rng):
    layer = elman.GRU(3, 4)
    y, _, backward = layer.forward(np.ones((2, 1, 3), f32))
    with contextlib.suppress(KeyError), layer.editing():
        with pytest.raises(RuntimeError, match="editing: expected its block to end"):
            backward(y)
        raise KeyError
    backward(y)  # nothing was changed


CLONES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda layer, n=n: pickle.loads(pickle.dumps(layer, n)) for n in range(6)},
}


@pytest.mark.parametrize("clone", CLONES)
@pytest.mark.parametrize("kind", ["lstm", "stack", "linear", "embedding"])
def test_a_copy_has_arrays_of_its_own(kind, clone):
    layer = MAKERS[kind]()
    layer.grads[next(iter(layer.grads))][0] = 3
    x = arguments(layer)
    want = first(layer(x)).copy()
    other = CLONES[clone](layer)
    assert (next(iter(other.grads.values()))[0] == 3).all()
    with other.editing() as parameters:
        for value in parameters.values():
            value[:] = 0
    other.zero_grad()
    assert not first(other(x)).any()
    np.testing.assert_array_equal(first(layer(x)), want)
    assert next(iter(layer.grads.values())).any()


def test_a_copied_optimiser_goes_with_its_copied_model():
    pair = Linear(3, 2, seed=0), None
    pair = pair[0], Adam(pair[0])
    for clone in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        model, optimizer = clone(pair)
        model.grads["bias"] = [1, -1]
        optimizer.step()
        np.testing.assert_allclose(model.parameters["bias"], [-1e-3, 1e-3], rtol=1e-5)
    assert not pair[0].parameters["bias"].any()


def test_a_copy_of_the_mapping_is_a_dict_of_its_own():
    layer = Linear(3, 2, seed=0)
    for clone in (copy.deepcopy, copy.copy, lambda mapping: pickle.loads(pickle.dumps(mapping))):
        got = clone(layer.parameters)
        assert type(got) is dict
        got["weight"][:] = 0
    assert layer.parameters["weight"].any()
    assert repr(layer.parameters) == "{weight: [2, 3] float32, bias: [2] float32}"


def test_a_signal_handler_that_edits_while_the_layer_packs(monkeypatch):
    """Handlers run on the thread that they interrupt, which holds the lock: what it packs is old by then."""
    layer, x = elman.GRU(3, 8, seed=0), np.ones((5, 2, 3), np.float32)
    pack, edits = _core.pack, []

    def interrupted(*args):
        packed = pack(*args)
        if not edits:
            edits.append(True)
            layer.parameters["bias_ih_l0"] = np.ones(24, np.float32)
        return packed

    monkeypatch.setattr(_core, "pack", interrupted)
    got = layer(x)[0]
    assert edits
    np.testing.assert_array_equal(got, copy.deepcopy(layer)(x)[0])
    np.testing.assert_array_equal(got, layer(x)[0])


@pytest.mark.parametrize("fails", [False, True])
def test_a_signal_handler_that_calls_the_layer_while_parameters_are_written(fails):
    layer, x = elman.GRU(3, 8, seed=0), np.ones((5, 2, 3), np.float32)
    own = list(layer.parameters.values())

    def write():
        behind(own[0])[:] = 1
        layer(x)
        if fails:
            raise KeyError
        behind(own[1])[:] = 2

    with pytest.raises(KeyError) if fails else contextlib.nullcontext():
        change(stores_of(own), write)
    np.testing.assert_array_equal(layer(x)[0], copy.deepcopy(layer)(x)[0])
