"""What a user can do to layers and optimisers that would go wrong without a word."""

import copy
import os
import pickle
import stat

import numpy as np
import pytest

from elman import GRU, RNN, load
from elman.layers import Embedding, Linear, Sequential
from elman.models import SequenceClassifier, SequenceRegressor
from elman.sequence import Standardizer, pad
from elman.train import SGD, Adam, Cosine, Optimizer, binary_cross_entropy, evaluate, fit

X = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)


def alike(layer, other):
    return all(np.array_equal(value, other.parameters[name]) for name, value in layer.parameters.items())


def test_a_layer_called_while_it_is_being_changed_is_current_afterwards():
    layer = GRU(3, 4, seed=0)

    class Looking(SGD):
        def _update(self, *arguments):
            layer(X)
            super()._update(*arguments)

    y, _, backward = layer.forward(X)
    backward(np.ones_like(y))
    Looking(layer, 0.1).step()
    other = GRU(3, 4, seed=1)
    other.load_state_dict(layer.state_dict())
    assert np.array_equal(layer(X)[0], other(X)[0])


def test_parameters_can_be_exchanged_for_each_other():
    layer = GRU(4, 4, seed=0)
    before, own = layer.state_dict(), layer.parameters
    swapped = {
        name: own[name.replace("_ih", "_?").replace("_hh", "_ih").replace("_?", "_hh")] for name in own
    }
    layer.load_state_dict(swapped)
    for name, value in own.items():
        other = name.replace("_ih", "_?").replace("_hh", "_ih").replace("_?", "_hh")
        assert np.array_equal(value, before[other])


def test_an_infinite_gradient_stays_infinite():
    layer = GRU(3, 4, seed=0)
    layer.grads["weight_ih_l0"][0] = np.inf
    layer.grads["weight_ih_l0"][1] = -np.inf
    y, _, backward = layer.forward(X)
    backward(np.ones_like(y))
    assert (layer.grads["weight_ih_l0"][0] == np.inf).all()
    assert (layer.grads["weight_ih_l0"][1] == -np.inf).all()
    assert np.isfinite(layer.grads["weight_hh_l0"]).all()


def test_gradients_of_two_calls_are_summed_exactly():
    once, twice = GRU(3, 4, seed=0), GRU(3, 4, seed=0)
    for layer, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            y, _, backward = layer.forward(X)
            backward(np.ones_like(y))
    for name, value in once.grads.items():
        assert np.array_equal(2 * value, twice.grads[name])


@pytest.mark.parametrize("name, value", [("shape", (48,)), ("dtype", np.int32), ("strides", (4, 4))])
def test_shape_and_type_of_a_parameter_stay(name, value):
    layer = GRU(3, 4, seed=0)
    weight = layer.parameters["weight_hh_l0"]
    with pytest.raises(ValueError, match="read-only"):
        setattr(weight, name, value)
    with pytest.raises(ValueError, match="read-only"):
        weight.__setstate__((1, (12, 4), np.dtype(np.float32), False, bytes(192)))
    copied = pickle.loads(pickle.dumps(weight.copy()))
    copied.shape = (48,)
    assert alike(layer, GRU(3, 4, seed=0))


def test_what_a_layer_was_made_as_stays():
    layer = RNN(3, 4, seed=0)
    with pytest.raises(AttributeError, match="nonlinearity: expected 'tanh'"):
        layer.nonlinearity = "relu"
    with pytest.raises(AttributeError, match="num_layers: expected 2"):
        GRU(3, 4, 2).num_layers = 1
    layer.dropout, layer.batch_first = 0.5, True
    assert copy.deepcopy(layer).nonlinearity == "tanh"


@pytest.mark.parametrize("named", [{"0": Linear(3, 5)}, {"a.b": Linear(3, 5)}])
def test_names_of_a_sequential_are_no_others(named):
    with pytest.raises(ValueError, match="named: expected names of their own, without dots"):
        Sequential(Linear(3, 3), **named)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_that_holds_its_optimiser_can_be_copied(make):
    model = Sequential(GRU(3, 4, seed=0), Linear(4, 2, seed=0))
    model.optimizer = Adam(model)
    other = make(model)
    assert isinstance(other.optimizer, Optimizer) and other.optimizer._model is other
    y, _, backward = other.forward(X)
    backward(np.ones_like(y))
    other.optimizer.step()
    assert not alike(model, other)
    assert alike(model, Sequential(GRU(3, 4, seed=0), Linear(4, 2, seed=0)))


def test_fit_refuses_an_optimizer_of_another_model():
    data = np.ones((8, 5, 3), np.float32), np.arange(8) % 2
    model, other = (SequenceClassifier(2, input_size=3, hidden_size=4, seed=0) for _ in range(2))
    with pytest.raises(ValueError, match="optimizer: expected one of this model"):
        fit(model, data, optimizer=Adam(other), progress=False)
    optimizer = Adam(model)
    model.network.parts["head"] = Linear(4, 2)
    with pytest.raises(ValueError, match=r"other arrays: network\.head\.weight, network\.head\.bias"):
        fit(model, data, optimizer=optimizer, progress=False)
    head = model.network.parts["head"]
    before = model.state_dict()
    fit(model, data, optimizer=Adam(head, 0.1), epochs=1, progress=False)  # a part of it is enough
    changed = [name for name, value in model.parameters.items() if not np.array_equal(value, before[name])]
    assert changed == ["network.head.weight", "network.head.bias"]


def test_no_target_at_all_is_refused():
    x, y = np.ones((8, 5, 3), np.float32), np.ones((8, 1))
    model = SequenceRegressor(1, input_size=3, hidden_size=4, seed=0)
    none = np.full((8, 1), np.nan)
    for train, validation in (((x, none), None), ((x, y), (x, none))):
        with pytest.raises(ValueError, match="y: expected at least one target that counts"):
            fit(model, train, validation, epochs=1, progress=False)
    with pytest.raises(ValueError, match="y: expected at least one target that counts"):
        evaluate(model, (x, none))


@pytest.mark.parametrize(
    "value, dtype", [(-100, np.uint8), (np.nan, np.int64), (0.5, np.int32), (2, np.bool_)]
)
def test_padding_that_the_type_cannot_hold_is_refused(value, dtype):
    with pytest.raises(ValueError, match=f"value: expected one that {np.dtype(dtype)} can hold"):
        pad([np.ones(3, dtype), np.ones(2, dtype)], value)
    assert pad([np.ones(3, np.float32), np.ones(2, np.float32)], 0.1)[0][2, 1] == np.float32(0.1)


def test_no_dtype_is_not_float64():
    with pytest.raises(ValueError, match="dtype: expected float32 or float64, got None"):
        GRU(3, 4, dtype=None)


@pytest.mark.skipif(os.name != "posix", reason="of POSIX")
def test_saving_over_what_is_there(tmp_path):
    pytest.importorskip("safetensors")
    layer = GRU(3, 4, seed=0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # so that neither end waits
    layer.save(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    written = os.read(reader, 2**16)
    os.close(reader)
    path = tmp_path / ("x" * 255)
    path.touch(0o600)
    layer.save(path)
    (tmp_path / "written").write_bytes(written)
    assert alike(load(tmp_path / "written"), layer)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert alike(load(path), layer)


@pytest.mark.parametrize("tokens", [1, np.array(1), [1], np.array([[0, 1]])])
def test_vectors_of_tokens_are_plain_arrays_of_their_own(tokens):
    layer = Embedding(3, 4, seed=0)
    y = layer(tokens)
    before = y.copy()
    y[...] = 0
    assert type(y) is np.ndarray and np.array_equal(layer(tokens), before)
    layer.parameters["weight"] = np.ones((3, 4), np.float32)
    assert not y.any()


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 0.1},
        {"batch_size": 8},
        {"clip_norm": None},
        {"weight_decay": 0.1},
        {"schedule": Cosine(2, floor=0.1)},
    ],
)
def test_a_run_with_no_epochs_left_is_not_taken_for_one_of_other_settings(tmp_path, changed):
    pytest.importorskip("safetensors")
    data = np.ones((8, 5, 3), np.float32), np.arange(8) % 2

    def run(**options):
        model = SequenceClassifier(2, input_size=3, hidden_size=4, seed=0)
        options = {"seed": 0, "batch_size": 4, "learning_rate": 0.01, "epochs": 2} | options
        return fit(model, data, checkpoint=tmp_path, progress=False, **options)

    first = run()
    assert run() == first
    (name,) = changed
    with pytest.raises(ValueError, match=f"{name}: expected .*, which has no epochs left"):
        run(**changed)
    assert run(**changed, epochs=3).train_loss[:2] == first.train_loss


def test_a_finished_run_knows_the_settings_of_its_own_optimizer(tmp_path):
    pytest.importorskip("safetensors")
    data = np.ones((8, 5, 3), np.float32), np.arange(8) % 2

    def run(betas):
        model = SequenceClassifier(2, input_size=3, hidden_size=4, seed=0)
        return fit(
            model, data, epochs=1, optimizer=Adam(model, betas=betas), checkpoint=tmp_path, progress=False
        )

    assert run((0.9, 0.99)) == run([0.9, 0.99])
    with pytest.raises(ValueError, match=r"betas: expected \[0.9, 0.99\]"):
        run((0.5, 0.99))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_logits_of_a_certain_answer_cost_nothing(dtype):
    logits, target = np.array([np.inf, -np.inf, np.inf, -np.inf], dtype), np.array([1, 0, 0, 1])
    for i, right in enumerate([0, 0, np.inf, np.inf]):
        loss = binary_cross_entropy(logits[i], target[i])
        assert loss.value == right
        assert loss.gradient.shape == () and loss.gradient == [0, 0, 1, -1][i]


def test_only_numbers_are_scaled():
    scaler = Standardizer().fit(np.arange(6.0).reshape(3, 2))
    with pytest.raises(ValueError, match=r"numbers, got \[3, 2\] complex128"):
        scaler.transform(np.ones((3, 2), complex))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [False, True])
def test_fitted_estimators_predict_the_same_whatever_is_set_afterwards(scale):
    estimators = pytest.importorskip("elman.sklearn")
    x = np.random.default_rng(0).normal(5, 3, (20, 6, 2))
    y = x[:, -1, 0]
    options = {"hidden_size": 4, "epochs": 2, "random_state": 0, "scale": scale}
    for kind, target in ((estimators.RecurrentRegressor, y), (estimators.RecurrentClassifier, y > 5)):
        estimator = kind(**options).fit(x, target)
        before = estimator.predict(x)
        assert np.array_equal(estimator.set_params(scale=not scale).predict(x), before)
    forecaster = estimators.RecurrentForecaster(context=3, **options).fit(x[0])
    before = forecaster.predict(x[0])
    assert np.array_equal(forecaster.set_params(scale=not scale).predict(x[0]), before)
