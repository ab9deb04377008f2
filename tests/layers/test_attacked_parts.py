"""Layers put together that do not fit, and numbers that are none, which would go wrong without a word."""

import numpy as np
import pytest

import elman
from elman import GRU, files
from elman.layers import Composite, Dropout, Linear, Parameters, Pooling, Sequential
from elman.models import LanguageModel, Model, SequenceClassifier
from elman.train import SGD, Adam, fit


def last():
    return GRU(3, 4, batch_first=True, seed=0)


@pytest.mark.parametrize(
    "parts",
    [
        lambda: (last(), Pooling("mean")),
        lambda: (last(), GRU(4, 2)),
        lambda: (last(), Dropout(0.1, variational=True)),
        lambda: (Sequential(last()), Linear(4, 4), Pooling("last")),
    ],
)
def test_orders_of_axes_are_not_mixed(parts):
    with pytest.raises(ValueError, match="layers: expected all to be batch_first or none"):
        Sequential(*parts())


def test_one_order_of_axes_is_taken():
    Sequential(last(), Dropout(0.1), GRU(4, 2, batch_first=True), Linear(2, 2))
    Sequential(GRU(3, 4), Dropout(0.1, variational=True), Pooling("max"))


def test_a_state_that_does_not_fit_changes_no_layer():
    stepper = Sequential(GRU(3, 4, seed=0), GRU(4, 2, seed=0)).stepper(2)
    stepper(np.ones((2, 3), np.float32))
    before = stepper.state
    with pytest.raises(ValueError, match="state: expected"):
        stepper.state = np.ones((1, 2, 4), np.float32), np.ones((1, 2, 3), np.float32)
    assert all(np.array_equal(now, then) for now, then in zip(stepper.state, before, strict=True))


@pytest.mark.parametrize("temperature", [0, 1])
@pytest.mark.parametrize("bias", [[0, np.nan, 0], [0, np.inf, 0], [-np.inf] * 3])
def test_no_text_is_drawn_from_logits_that_are_no_numbers(bias, temperature):
    model = LanguageModel(3, hidden_size=4, seed=0)
    model.network.parts["head"].parameters["bias"] = bias
    with pytest.raises(ValueError, match="logits: expected a finite number as the largest of a row"):
        model.generate(2, temperature=temperature, seed=0)
    model.network.parts["head"].parameters["bias"] = [-np.inf, 0, -np.inf]
    assert (model.generate(2, temperature=temperature, seed=0) == 1).all()


DATA = np.ones((8, 5, 3), np.float32), np.arange(8) % 2


def trained(directory, seed=0, **options):
    model = SequenceClassifier(2, input_size=3, hidden_size=4)
    before = model.state_dict()
    optimizer = Adam(options.pop("of", lambda model: model)(model), 0.01)
    moments = optimizer.state_dict()
    try:
        fit(
            model,
            DATA,
            epochs=1,
            optimizer=optimizer,
            checkpoint=directory,
            seed=seed,
            progress=False,
            **options,
        )
    except ValueError:
        now = optimizer.state_dict()
        assert now["steps"] == 0
        assert all(np.array_equal(now["arrays"][name], value) for name, value in moments["arrays"].items())
        assert all(np.array_equal(value, before[name]) for name, value in model.parameters.items())
        raise


def test_a_refused_run_leaves_model_and_optimizer_as_they_were(tmp_path):
    pytest.importorskip("safetensors")
    trained(tmp_path)
    with pytest.raises(ValueError, match=r"clip_norm: expected 1\.0, as in"):
        trained(tmp_path, clip_norm=0.1)
    with pytest.raises(ValueError, match="seed: expected 0"):
        trained(tmp_path, seed=1)
    with pytest.raises(ValueError, match=r"frozen: expected nothing, as in"):
        trained(tmp_path, of=lambda model: model.network.parts["head"])


@pytest.mark.parametrize("missing", ["identity", "call", "history", "random", "optimizer", "epoch"])
def test_a_checkpoint_of_another_form_is_refused(tmp_path, missing):
    pytest.importorskip("safetensors")
    trained(tmp_path)
    (path,) = tmp_path.glob("checkpoint-*.safetensors")
    content, arrays = files.read(path, "a test")
    del content["numbers"][missing]
    files.write(path, content, arrays, "a test")
    with pytest.raises(ValueError, match="which this version cannot read"):
        trained(tmp_path)


def test_callbacks_are_looked_at_before_training():
    model = SequenceClassifier(2, input_size=3, hidden_size=4)
    with pytest.raises(
        ValueError, match=r"callbacks\[1\]: expected a function of a Run or a Callback, got 3"
    ):
        fit(model, DATA, callbacks=[print, 3], progress=False)


class Own:
    """A model of one's own, of two arrays."""

    def __init__(self, parameters=lambda value: value, grads=lambda value: value):
        self._value, self._grad = np.ones(3, np.float32), np.ones(3, np.float32)
        self._makers = parameters, grads

    @property
    def parameters(self):
        return {"weight": self._makers[0](self._value)}

    @property
    def grads(self):
        return {"weight": self._makers[1](self._grad)}


def test_models_that_give_copies_are_not_trained_in_vain():
    with pytest.raises(ValueError, match="model: expected the same parameters each time"):
        Adam(Own(parameters=np.copy))
    with pytest.raises(ValueError, match="model: expected the same grads each time"):
        Adam(Own(grads=np.copy))
    model = Own(lambda value: value[:], lambda value: value[:])
    SGD(model, 0.5).step()
    assert (model.parameters["weight"] == 0.5).all()


def test_two_views_of_one_parameter_are_one_too_many():
    model = Own()
    again = Own()
    again._value = model._value[:]
    with pytest.raises(ValueError, match=r"1\.weight: expected each parameter once"):
        SGD([model, again], 0.5)


class Between(Parameters):
    """A layer that does something else in the middle of a step."""

    def __init__(self, other):
        self.other = other
        self._hold({})

    def __call__(self, x):
        self.other()
        return x


def test_a_step_within_a_step_changes_nothing():
    """As one of another thread, which would come between two layers: both would write to the same arrays."""
    found = []

    def again():
        if len(found) < 3:
            found.append(None)
            with pytest.raises(RuntimeError, match="stepper: expected one call at a time"):
                stepper(x)

    layers = GRU(3, 4, seed=0), GRU(4, 2, seed=0)
    x, plain = np.ones((2, 3), np.float32), Sequential(*layers).stepper(2)
    stepper = Sequential(layers[0], Between(again), layers[1]).stepper(2)
    for _ in range(3):
        np.testing.assert_array_equal(stepper(x), plain(x))
    assert all(np.array_equal(*both) for both in zip(stepper.state, plain.state, strict=True))
    assert len(found) == 3


class Several(Composite):
    """A composition of layers that it is given."""

    def __init__(self, layers, **more):
        self.parts = {str(i): layer for i, layer in enumerate(layers)} | more


class Bare(Model):
    """A model without a constructor."""


def test_a_layer_that_is_given_twice_is_one_in_its_file_too(tmp_path):
    pytest.importorskip("safetensors")
    layer, other = Linear(2, 2, seed=0), Linear(2, 2, seed=1)
    Several([other, layer, layer], again=layer, other=other).save(tmp_path / "layers")
    parts = elman.load(tmp_path / "layers").parts
    assert parts["1"] is parts["2"] is parts["again"] is not parts["0"] is parts["other"]


def test_a_model_without_a_constructor_comes_back(tmp_path):
    pytest.importorskip("safetensors")
    model = Bare()
    model.parts = {"head": Linear(2, 3, seed=0)}
    model.notes["name"] = "bare"
    model.save(tmp_path / "model")
    found = elman.load(tmp_path / "model", Bare)
    np.testing.assert_array_equal(found.parameters["head.weight"], model.parameters["head.weight"])
    assert found.notes == model.notes
