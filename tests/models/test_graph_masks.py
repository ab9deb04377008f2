"""Masks of a graph's inputs: masked sequences are those without these steps."""

import numpy as np
import pytest

from elman.data import NamedSequences
from elman.layers import GRU, Embedding, Linear
from elman.models import Graph, Input, Output, concatenate
from elman.train import evaluate, fit
from tests.support.graphs import N, data, make

BY_STEPS = {"tags": "words", "levels": "words"}


def with_gaps():
    """(data whose masks leave steps out, where anything may stand, data without these steps)."""
    x, y = data()
    rng = np.random.default_rng(1)
    x["waves"] = list(x["waves"])
    long, targets, mask = dict(x), dict(y), {}
    for name, fill in (("words", -7), ("waves", np.nan)):
        mask[name], long[name] = [], []
        for one in x[name]:
            keep = np.insert(np.ones(len(one), bool), np.sort(rng.integers(0, len(one) + 1, 2)), False)
            steps = np.full((len(keep), *one.shape[1:]), fill, one.dtype)
            steps[keep] = one
            mask[name].append(keep)
            long[name].append(steps)
    for name, of in BY_STEPS.items():
        targets[name] = []
        for one, keep in zip(y[name], mask[of], strict=True):
            steps = np.full((len(keep), *one.shape[1:]), 99, one.dtype)
            steps[keep] = one
            targets[name].append(steps)
    return (long, targets, mask), (x, y)


def test_losses_and_gradients():
    (x, y, mask), short = with_gaps()
    model, found = make(), []
    for one in (NamedSequences(x, y, mask=mask), NamedSequences(*short)):
        model.zero_grad()
        step = model.loss(one.take(np.arange(N)))
        step.backward()
        found.append((step.value, {name: grad.copy() for name, grad in model.grads.items()}))
        assert step.count == N
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-13)
    for name, grad in found[1][1].items():
        np.testing.assert_allclose(found[0][1][name], grad, atol=1e-13, err_msg=name)
    of_all = {"words": None, "waves": None}
    for name in of_all:  # each mask alone
        values = dict(x) | {other: short[0][other] for other in of_all if other != name}
        targets = y if name == "words" else short[1]
        step = model.loss(NamedSequences(values, targets, mask={name: mask[name]}).take(np.arange(N)))
        assert step.value == pytest.approx(found[1][0], rel=1e-13)


def test_predictions_bit_for_bit():
    (x, y, mask), (short, _) = with_gaps()
    model = make()
    for method in (model.predict, model.predict_proba, model.predict_quantiles):
        want, got = method(short), method(x, mask=mask, batch_size=4)
        assert got.keys() == want.keys()
        for name, rows in want.items():
            if name not in BY_STEPS:
                np.testing.assert_array_equal(got[name], rows)
                continue
            for one, other, keep in zip(got[name], rows, mask["words"], strict=True):
                np.testing.assert_array_equal(one[keep], other)
                assert (np.isnan(one[~keep]) if one.dtype.kind == "f" else one[~keep] == -1).all()
    metrics = ["accuracy", "mae"]
    masked = evaluate(model, NamedSequences(x, y, mask=mask), 4, metrics=metrics)
    assert masked == pytest.approx(evaluate(model, with_gaps()[1], 4, metrics=metrics), rel=1e-13)


def test_one_mask_for_all_inputs_of_as_many_steps():
    """Arrays: two sequences, tokens, and a vector of another size."""
    rng = np.random.default_rng(0)
    a, b = Input("a"), Input("b").through(Embedding(4, 2, seed=0))
    model = Graph({"out": Output(concatenate(a, b).through(GRU(3, 2, seed=1), Linear(2, 1, seed=2)))})
    x = {"a": rng.standard_normal((5, 6)).tolist(), "b": rng.integers(0, 4, (5, 6)), "c": np.ones((5, 2))}
    mask = rng.random((5, 6)) < 0.6
    mask[0], mask[1] = True, False
    by_name = model.predict(x, mask={"a": mask, "b": mask})["out"]
    x["a"] = [np.array(one)[:, None] for one in x["a"]]
    for one, other in zip(model.predict(x, mask=mask)["out"], by_name, strict=True):
        np.testing.assert_array_equal(one, other)
    logits = model({"a": np.array(x["a"]), "b": x["b"]}, mask=mask)["out"]
    for i, keep in enumerate(mask):
        np.testing.assert_array_equal(logits[keep, i], by_name[i][keep])
    found = NamedSequences(x, mask=mask)
    assert found.mask.keys() == {"a", "b"}
    some = found.subset([3, 0]).take(np.array([0])).mask
    np.testing.assert_array_equal(some["b"], mask[3:4])
    part = found.take(np.arange(5)).part(slice(1, None, 2))
    np.testing.assert_array_equal(part.mask["a"], mask[1::2])


def test_training_with_masks_goes_on_bit_for_bit(tmp_path):
    (x, y, mask), _ = with_gaps()
    options = {"batch_size": 4, "seed": 0, "progress": False, "validation_split": 0.3}
    whole, again = make("float32"), make("float32")
    fit(whole, NamedSequences(x, y, mask=mask), epochs=3, **options)
    fit(make("float32"), NamedSequences(x, y, mask=mask), epochs=2, checkpoint=tmp_path, **options)
    fit(again, NamedSequences(x, y, mask=mask), epochs=3, checkpoint=tmp_path, **options)
    assert all(np.array_equal(value, again.parameters[name]) for name, value in whole.parameters.items())
    other = mask | {"words": [one & (np.arange(len(one)) > 0) for one in mask["words"]]}
    with pytest.raises(ValueError, match=r"^train: expected the data of"):
        fit(again, NamedSequences(x, y, mask=other), epochs=4, checkpoint=tmp_path, **options)


SEQUENCE = {"a": np.zeros((2, 3, 1))}
WRONG = {
    r"mask: expected names among a, got 'b'": ({"b": [[True]]}, SEQUENCE),
    r"mask: expected one of as many steps as an input has, got \[2, 4\] bool": (np.ones((2, 4), bool), SEQUENCE),
    r"mask: expected one of as many steps as an input has, got lists": ([[True], [False, True]], SEQUENCE),
    r"mask: expected one for each of 2 sequences, got 3": (np.ones((3, 3), bool), SEQUENCE),
    r"mask\['a'\]\[0\]: expected \[3\] bool, a flag for each step of x, got \[3\] int64": (
        {"a": np.ones((2, 3), int)}, SEQUENCE
    ),
    r"mask\['a'\]: expected an input that is a sequence, got \[2\] float64": (
        {"a": [[True], [True]]}, {"a": np.ones(2)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_masks_that_do_not_fit(message):
    mask, x = WRONG[message]
    with pytest.raises(ValueError, match=f"^{message}"):
        NamedSequences(x, mask=mask)


def test_what_stands_beside_each_other_has_one_mask():
    model = Graph({"out": Input("a") + Input("b")})
    x, mask = {"a": np.zeros((2, 3, 1)), "b": np.zeros((2, 3, 1))}, np.array([[True, False, True]] * 2)
    assert len(model.predict(x, mask=mask)["out"]) == 2
    with pytest.raises(
        ValueError, match=r"^Sum: expected sequences of the same lengths and masks, got others; one"
    ):
        model.predict(x, mask={"a": mask})
    model = Graph({"out": Input("a").through(Linear(3, 1))})
    with pytest.raises(
        ValueError, match=r"^x\['a'\]: expected a sequence for each sample with its mask, got"
    ):
        model.predict({"a": np.zeros((2, 3), int)}, mask=np.ones((2, 3), bool))


def test_a_class_that_is_not_known_is_none_whatever_stands_in_its_batch():
    model = Graph(
        {"out": Output(Input("a").through(Linear(1, 2, seed=0)), "cross_entropy", classes=["a", "b"])}
    )
    x = {"a": [0.0, 1.0, 2.0, np.nan, 3.0]}
    found = model.predict(x, batch_size=2)["out"].tolist()
    assert found[3] is None and found == model.predict(x)["out"].tolist()
