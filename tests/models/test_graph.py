"""Models of several inputs and outputs: their gradients, their files, and what they refuse."""

import copy
import pickle

import numpy as np
import pytest
import torch

import elman
from elman.data import NamedSequences
from elman.layers import GRU, Linear, Pooling
from elman.losses import custom
from elman.models import Graph, Input, Output, concatenate
from elman.train import Adam, fit
from tests.support.graphs import N, data, make
from tests.support.saved import equal


def test_gradients_are_the_slopes_of_the_loss():
    model = make()
    batch = next(NamedSequences(*data()).batches(N))
    step = model.loss(batch)
    step.backward()
    rng, epsilon = np.random.default_rng(1), 1e-6
    for name, grad in model.grads.items():
        direction = rng.standard_normal(grad.shape)
        values = []
        for sign in (1, -1):
            with model.editing() as parameters:
                parameters[name] += sign * epsilon * direction
            values.append(model.loss(batch, train=False).value)
            with model.editing() as parameters:
                parameters[name] -= sign * epsilon * direction
        slope = (values[0] - values[1]) / (2 * epsilon)
        np.testing.assert_allclose(np.sum(grad * direction), slope, rtol=2e-5, atol=1e-8, err_msg=name)
    assert {
        "words.weight",
        "reader.weight_hh_l0",
        "lstm.weight_ih_l0",
        "linear_2.weight",
    } <= model.grads.keys()


def test_gradients_beside_frozen_parts():
    """Those of what is trained keep their bits; there are no others."""
    model = make()
    batch = next(NamedSequences(*data()).batches(N))
    model.loss(batch).backward()
    want = {name: grad.copy() for name, grad in model.grads.items()}
    parts = [name for name, part in model.parts.items() if part.parameters]
    for part in parts:
        for trained in [part], [name for name in parts if name != part]:
            model.zero_grad()
            with Adam([model[name] for name in trained]).only():
                model.loss(batch).backward()
            for name, grad in model.grads.items():
                np.testing.assert_array_equal(grad, want[name] * (name.partition(".")[0] in trained))


def test_beside_torch():
    """Two inputs, two outputs, the same numbers."""
    rng = np.random.default_rng(0)
    read, side, ill, days = (
        GRU(2, 4, seed=0),
        Linear(3, 4, seed=1),
        Linear(8, 2, seed=2),
        Linear(8, 1, seed=3),
    )
    both = concatenate(
        Input("waves").through(read, Pooling("last")), Input("facts").through(side).activate("tanh")
    )
    model = Graph({
        "ill": Output(both.through(ill), "cross_entropy"), "days": Output(both.through(days), weight=0.25)
    })  # fmt: skip
    x = {"waves": rng.standard_normal((N, 5, 2)), "facts": rng.standard_normal((N, 3))}
    y = {"ill": rng.integers(0, 2, N), "days": rng.standard_normal((N, 1))}
    step = model.loss(next(NamedSequences(x, y).batches(N)))
    step.backward()

    twins = (
        torch.nn.GRU(2, 4, batch_first=True),
        *(torch.nn.Linear(*size) for size in ((3, 4), (8, 2), (8, 1))),
    )
    for twin, layer in zip(twins, (read, side, ill, days), strict=True):
        twin.load_state_dict({name: torch.tensor(np.array(v)) for name, v in layer.parameters.items()})
    waves, facts = (torch.tensor(value, dtype=torch.float32) for value in x.values())
    h = torch.cat([twins[0](waves)[0][:, -1], torch.tanh(twins[1](facts))], dim=1)
    loss = torch.nn.functional.cross_entropy(twins[2](h), torch.tensor(y["ill"]))
    loss = loss + 0.25 * torch.nn.functional.mse_loss(
        twins[3](h), torch.tensor(y["days"], dtype=torch.float32)
    )
    loss.backward()
    assert step.value == pytest.approx(loss.item(), rel=1e-6)
    for twin, layer in zip(twins, (read, side, ill, days), strict=True):
        for name, parameter in twin.named_parameters():
            np.testing.assert_allclose(layer.grads[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_sample_alone_has_the_bits_of_its_batch():
    model, (x, _) = make(), data()
    whole = model.predict(x)
    for i in range(N):
        alone = model.predict({name: values[i : i + 1] for name, values in x.items()})
        for name, rows in alone.items():
            np.testing.assert_array_equal(rows[0], whole[name][i])


def test_it_trains_predicts_and_comes_back(tmp_path):
    model, (x, y) = make("float32"), data()
    history = fit(model, (x, y), (x, y), epochs=40, batch_size=4, learning_rate=0.02, seed=0, progress=False)
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]
    model.notes["names"] = ["a", "b", "c"]
    model.save(tmp_path / "file")
    found = elman.load(tmp_path / "file", Graph)
    assert equal(found, model) and found.config == model.config
    assert found.parts["linear_2"] is not found.parts["linear"]
    want = model.predict(x)
    for twin in (found, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        got = twin.predict(x, batch_size=2)
        assert got.keys() == want.keys()
        for name, rows in want.items():
            for a, b in zip(rows, got[name], strict=True):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(want["ill"], y["ill"])
    assert want["days"].shape == (N, 1) and [len(one) for one in want["tags"]] == [
        len(one) for one in x["words"]
    ]
    shares = model.predict_proba(x)
    assert shares.keys() == {"ill", "tags"}
    np.testing.assert_allclose(shares["ill"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(shares["ill"].argmax(axis=1), want["ill"])
    logits = model({**x, "words": np.zeros((N, 3), int)}, {"words": np.full(N, 2)})
    assert logits["tags"].shape == (3, N, 5) and logits["ill"].shape == (N, 3)


def test_a_run_goes_on_bit_for_bit(tmp_path):
    whole, pieces = make("float32"), make("float32")
    options = {"batch_size": 4, "seed": 0, "progress": False}
    fit(whole, data(), epochs=3, **options)
    fit(pieces, data(), epochs=2, checkpoint=tmp_path, **options)
    again = make("float32")
    fit(again, data(), epochs=3, checkpoint=tmp_path, **options)
    assert all(np.array_equal(a, again.parameters[name]) for name, a in whole.parameters.items())


def test_a_graph_of_ones_own_class(tmp_path):
    class Small(Graph):
        def __init__(self, size, loss="squared"):
            super().__init__(
                {"out": Output(Input("x").through(GRU(1, size), Pooling(), head=Linear(size, 1)), loss)}
            )

    made = Small(3, loss="huber")
    made.save(tmp_path / "file")
    found = elman.load(tmp_path / "file")
    assert type(found) is Small and found.config == {"size": 3, "loss": "huber"} and equal(found, made)
    assert repr(found) == "Small(x -> out)"


def test_a_part_may_be_another():
    model = Graph({"out": Input("x").through(Linear(2, 3), head=Linear(3, 1))})
    model.parts["head"] = Linear(3, 5)
    assert model({"x": np.zeros((4, 2))})["out"].shape == (4, 5)


def test_weights_of_samples():
    """A sample of weight 0 counts as if it were not there."""
    model, (x, y) = make(), data()
    kept = np.arange(N) % 3 > 0
    whole = NamedSequences(x, y, weights=kept * 2.0)
    some = NamedSequences(x, y).subset(np.flatnonzero(kept))
    for one in (whole, some):
        model.zero_grad()
        step = model.loss(next(one.batches(N)))
        step.backward()
        found = step.value, {name: grad.copy() for name, grad in model.grads.items()}
        if one is whole:
            want, count = found, step.count
    assert count == 2 * kept.sum() and step.count == kept.sum()
    assert found[0] == pytest.approx(want[0], rel=1e-12)
    for name, grad in found[1].items():
        np.testing.assert_allclose(grad, want[1][name], rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"^weights: expected finite numbers of at least 0"):
        NamedSequences(x, y, weights=np.full(N, -1.0))
    with pytest.raises(ValueError, match=r"^weights: expected one for each of 9 sequences, got 3"):
        NamedSequences(x, y, weights=np.ones(3))


def test_validation_split_and_what_fit_refuses():
    model, (x, y) = make("float32"), data()
    history = fit(model, (x, y), validation_split=0.3, epochs=2, seed=0, progress=False)
    assert len(history.validation_loss) == 2
    with pytest.raises(
        ValueError, match=r"^train: x: expected a dict of arrays or lists by name, got \[2, 3, 1\] float64"
    ):
        fit(model, (np.zeros((2, 3, 1)), np.zeros(2)), progress=False)
    with pytest.raises(ValueError, match=r"^train: x: expected words, waves, .* by name, got age$"):
        fit(model, ({"age": x["age"]}, y), progress=False)
    with pytest.raises(ValueError, match=r"^validation: y: expected ill, .* by name, got days$"):
        fit(model, (x, y), (x, {"days": y["days"]}), progress=False)


def test_a_loss_of_ones_own(tmp_path):
    def cubic(prediction, target):
        error = prediction - target
        return np.abs(error) ** 3, 3 * np.abs(error) * error

    loss = custom(cubic)
    made = Graph({"out": Output(Input("a").through(Linear(1, 1)), loss)})
    made.save(tmp_path / "file")
    found = elman.load(tmp_path / "file")
    batch = next(NamedSequences({"a": [1.0, 2.0]}, {"out": [0.5, 0.25]}).batches(2))
    assert found.loss(batch).value == made.loss(batch).value


def test_what_lies_beyond_the_lengths_may_be_anything():
    model = Graph({"out": Input("a").through(Linear(1, 2, seed=0), GRU(2, 1, seed=1))})
    x = np.ones((2, 3, 1))
    want = model({"a": x}, {"a": [3, 1]})
    x[1, 1:] = np.nan
    np.testing.assert_array_equal(model({"a": x}, {"a": [3, 1]})["out"], want["out"])


def test_names_that_are_given_come_first():
    first, second, third = (Linear(2, 2, seed=seed) for seed in range(3))
    model = Graph(
        {"out": Input("a").through(first).through(linear=second).through(linear_3=third).through(out=first)}
    )
    assert model.parts == {"out": first, "linear": second, "linear_3": third}
    model = Graph({"out": Input("a").through(first, linear_2=second).through(third)})
    assert model.parts == {"linear": first, "linear_2": second, "linear_3": third}
