"""Training of parts: groups with their own rates, and frozen ones."""

from contextlib import nullcontext

import numpy as np
import pytest

from elman import _core
from elman.stack import processor
from elman.train import Adam, Callback, fit
from tests.support.runs import data, noise, regressor, run, same

HEAD = ("network.head.weight", "network.head.bias")


def changed(model):
    before = regressor().state_dict()
    return {name for name, value in model.parameters.items() if not np.array_equal(value, before[name])}


def test_frozen_parts_stay():
    model = regressor()
    fit(model, data(), epochs=2, frozen=["recurrent"], progress=False)
    assert changed(model) == {*HEAD}
    with pytest.raises(
        ValueError, match=r"frozen: expected patterns that fit some of network\..*, got 'head2'"
    ):
        fit(model, data(), frozen=["head2"], progress=False)


@pytest.fixture
def backward_calls(monkeypatch):
    """How often the engine has gone back through recurrent layers."""
    calls, backward = [], _core.backward
    monkeypatch.setattr(processor._core, "backward", lambda *args: (calls.append(1), backward(*args)))
    return calls


def test_a_frozen_encoder_does_not_go_backward(backward_calls):
    model, other = regressor(), regressor()
    fit(model, data(), epochs=2, seed=0, frozen=["recurrent"], progress=False)
    assert backward_calls == [] and changed(model) == {*HEAD}
    head = other["network.head"]
    fit(other, data(), epochs=2, seed=0, optimizer=Adam(head, learning_rate=1e-3), progress=False)
    assert backward_calls == [] and changed(other) == {*HEAD}
    assert not any(grad.any() for name, grad in model.grads.items() if name not in HEAD)
    fit(model, data(), epochs=2, seed=0, batch_size=12, frozen=["head"], progress=False)
    assert len(backward_calls) == 4


def test_the_same_bits_as_where_all_gradients_are_computed(monkeypatch):
    options = {"epochs": 2, "seed": 0, "progress": False, "frozen": ["*_l0", "head.weight"]}
    model, other = regressor(num_layers=2), regressor(num_layers=2)
    history = fit(model, data(), **options)
    monkeypatch.setattr(Adam, "only", lambda self: nullcontext())
    assert fit(other, data(), **options) == history
    assert same(model.state_dict(), other.state_dict()) and any(other.grads["network.head.weight"].flat)


def test_it_is_the_run_of_an_optimizer_of_the_rest(tmp_path):
    """The same bits, and the checkpoint of one is the checkpoint of the other but for the names of the states."""
    model, other = regressor(), regressor()
    history = run(model, tmp_path / "a", frozen=["recurrent"], learning_rate=1e-3)
    head = other.parts["network"].parts["head"]
    assert run(other, tmp_path / "b", optimizer=Adam(head)) == history and same(
        model.state_dict(), other.state_dict()
    )


def test_groups_hold_and_follow_the_schedule(tmp_path):
    """A group at a tenth of the rate is what a run at a tenth of it makes of that part, alone."""
    model, slow = regressor(), regressor()
    groups = {"recurrent": {"learning_rate": 1e-3}}
    seen = []

    class Look(Callback):
        def on_batch(self, run):
            seen.append({name: value.copy() for name, value in run.model.parameters.items()})

    fit(model, data(), epochs=1, batch_size=24, seed=0, learning_rate=1e-2, groups=groups, progress=False,
        callbacks=[Look()])  # fmt: skip
    fit(slow, data(), epochs=1, batch_size=24, seed=0, learning_rate=1e-3, progress=False, callbacks=[Look()])
    for name in model.parameters:
        if name not in HEAD:
            np.testing.assert_allclose(seen[0][name], seen[1][name], rtol=1e-6)
    assert not np.allclose(seen[0][HEAD[0]], seen[1][HEAD[0]], rtol=1e-3)


def test_resume(tmp_path):
    options = {"groups": {"recurrent": {"learning_rate": 1e-4}}, "frozen": ["bias*"], "learning_rate": 1e-2}
    whole, model = regressor(), regressor()
    want = run(whole, tmp_path / "a", None, noise(1), epochs=4, **options)
    run(model, tmp_path / "b", None, noise(1), epochs=2, **options)
    model = regressor()
    assert run(model, tmp_path / "b", None, noise(1), epochs=4, **options) == want
    assert same(model.state_dict(), whole.state_dict())
    with pytest.raises(
        ValueError, match=r"frozen: expected .*head.bias, as in the run .*, got nothing; another run"
    ):
        run(regressor(), tmp_path / "b", None, noise(1), epochs=5, **options | {"frozen": ()})
    with pytest.raises(
        ValueError, match=r"groups: expected .*0.0001.*, as in .*, which has no epochs left, got {}"
    ):
        run(regressor(), tmp_path / "b", None, noise(1), epochs=4, **options | {"groups": None})


def test_other_groups_hold_from_there_on(tmp_path):
    whole, model = regressor(), regressor()

    def change(run):
        if run.epoch == 2:
            run.optimizer._options = dict.fromkeys(run.optimizer._parameters, (1.0, 0.25))
            run.optimizer._look_up()

    want = run(whole, tmp_path / "a", epochs=4, optimizer="adamw", callbacks=[change])
    run(model, tmp_path / "b", epochs=2, optimizer="adamw")
    model = regressor()
    got = run(model, tmp_path / "b", epochs=4, optimizer="adamw", groups={"*": {"weight_decay": 0.25}})
    assert got == want and same(model.state_dict(), whole.state_dict())
