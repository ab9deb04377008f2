"""The public surface of a layer, beyond its numbers."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import elman
from tests.support.cases import CELLS, make_case, make_layer


def test_parameters_have_torch_names_and_shapes():
    layer = elman.LSTM(3, 4, num_layers=2, bidirectional=True)
    shapes = {name: value.shape for name, value in layer.parameters.items()}
    want = {}
    for k, inputs in enumerate((3, 8)):
        for end in ("", "_reverse"):
            want[f"weight_ih_l{k}{end}"] = (16, inputs)
            want[f"weight_hh_l{k}{end}"] = (16, 4)
            want[f"bias_ih_l{k}{end}"] = want[f"bias_hh_l{k}{end}"] = (16,)
    assert shapes == want
    assert {name: grad.shape for name, grad in layer.grads.items()} == want


def test_default_initial_weights():
    layer = elman.LSTM(5, 8, seed=0)
    for block in np.split(layer.parameters["weight_hh_l0"], 4):
        np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-6)
    np.testing.assert_array_equal(layer.parameters["bias_ih_l0"], np.repeat([0, 1, 0, 0], 8))
    assert not layer.parameters["bias_hh_l0"].any()
    assert np.abs(layer.parameters["weight_ih_l0"]).max() <= np.sqrt(6 / 13)
    assert not elman.GRU(5, 8).parameters["bias_ih_l0"].any()


def test_uniform_initial_weights():
    layer = elman.GRU(5, 16, init="uniform", seed=0)
    for value in layer.parameters.values():
        assert 0.2 < np.abs(value).max() <= 0.25


@pytest.mark.parametrize("init", ["orthogonal", "uniform"])
def test_a_seed_gives_the_same_weights(init):
    a, b, c = (elman.GRU(3, 4, seed=seed, init=init) for seed in (7, 7, 8))
    assert all(np.array_equal(a.parameters[n], b.parameters[n]) for n in a.parameters)
    assert not np.array_equal(a.parameters["weight_hh_l0"], c.parameters["weight_hh_l0"])


def test_repr():
    assert repr(elman.LSTM(3, 4)) == "LSTM(3, 4)"
    assert repr(elman.GRU(3, 4, num_layers=2, dropout=0.5, reverse=True, recurrent_dropout=0.25)) == (
        "GRU(3, 4, num_layers=2, dropout=0.5, reverse=True, recurrent_dropout=0.25)"
    )
    assert (
        repr(elman.RNN(3, 4, nonlinearity="relu", dtype="float64"))
        == "RNN(3, 4, nonlinearity=relu, dtype=float64)"
    )


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_are_independent(clone):
    layer = elman.LSTM(3, 4, seed=0)
    x = np.ones((5, 2, 3), np.float32)
    want, _ = layer(x)
    other = clone(layer)
    np.testing.assert_array_equal(other(x)[0], want)
    other.parameters["weight_hh_l0"] = np.zeros((16, 4), np.float32)
    assert not np.array_equal(other(x)[0], want)
    np.testing.assert_array_equal(layer(x)[0], want)


@pytest.mark.parametrize(
    "layer",
    [
        elman.LSTM(3, 4, num_layers=2, bidirectional=True, seed=0),
        elman.GRU(3, 4, reverse=True, bias=False, batch_first=True, dtype=np.float64),
        elman.RNN(3, 4, nonlinearity="relu", dropout=0.25, num_layers=2, recurrent_dropout=0.5),
    ],
    ids=repr,
)
def test_save_and_load(tmp_path, layer):
    layer.save(tmp_path / "layer.safetensors")
    loaded = elman.load(tmp_path / "layer.safetensors")
    assert repr(loaded) == repr(layer)
    assert loaded.parameters.keys() == layer.parameters.keys()
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(layer.dtype)
    np.testing.assert_array_equal(loaded(x)[0], layer(x)[0])


def test_a_refused_state_dict_changes_nothing():
    layer = elman.GRU(3, 4, seed=0)
    before = layer.state_dict()
    wrong = elman.GRU(3, 4, seed=1).state_dict()
    wrong["bias_hh_l0"] = wrong["bias_hh_l0"][:-1]
    with pytest.raises(ValueError, match=r"bias_hh_l0: expected \[12\] float32, got \[11\] float32"):
        layer.load_state_dict(wrong)
    for name, value in before.items():
        np.testing.assert_array_equal(layer.parameters[name], value)


def test_names_of_a_larger_model_are_refused_with_what_would_fit():
    own = elman.GRU(3, 4, seed=0).state_dict()
    state_dict = {f"{part}.gru.{name}": value for part in ("reader", "writer") for name, value in own.items()}
    state_dict["head.weight"] = np.zeros((2, 4), np.float32)
    layer = elman.GRU(3, 4, seed=1)
    with pytest.raises(
        ValueError, match=r"got them after 'reader\.gru\.' or 'writer\.gru\.'; \{name"
    ) as refusal:
        layer.load_state_dict(state_dict)
    layer.load_state_dict(eval(str(refusal.value).partition("; ")[2].removesuffix(" has them")))
    assert all(np.array_equal(layer.parameters[name], value) for name, value in own.items())
    del state_dict["reader.gru.weight_hh_l0"], state_dict["writer.gru.bias_hh_l0"]  # now neither has them all
    with pytest.raises(ValueError, match=r"got none for .* and no use for "):
        layer.load_state_dict(state_dict)


def test_state_dict_is_a_copy():
    layer = elman.GRU(3, 4)
    layer.state_dict()["weight_hh_l0"][:] = 5
    assert not (layer.parameters["weight_hh_l0"] == 5).any()


@pytest.mark.parametrize("cell", CELLS)
def test_results_may_be_written_to_before_backward(cell):
    case = make_case(make_layer(cell, 3, 5, num_layers=2, bidirectional=True), 6, 4)
    *_, dx, _, want = case.run()
    case.layer.zero_grad()
    y, _, backward = case.forward()
    y[:] = 7
    np.testing.assert_array_equal(backward(case.dy, case.packed_state(case.dstate))[0], dx)
    for name, grad in case.layer.grads.items():
        np.testing.assert_array_equal(grad, want[name])


def test_arguments_are_left_alone():
    case = make_case(
        make_layer("lstm", 3, 5, num_layers=2, bidirectional=True), 6, 4, lengths=True, mask=True
    )
    before = copy.deepcopy((case.x, case.state, case.options, case.dy, case.dstate))
    case.run()
    for got, want in zip(
        (case.x, *case.state, case.dy, *case.dstate),
        (before[0], *before[1], before[3], *before[4]),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", ["memoryview", "array interface"])
def test_takes_other_buffers(kind):
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)

    class Holder:
        def __array__(self, dtype=None, copy=None):
            return x

    layer = elman.GRU(3, 4, seed=0)
    y, _ = layer(memoryview(x) if kind == "memoryview" else Holder())
    np.testing.assert_array_equal(y, layer(x)[0])


def test_import_needs_only_numpy():
    """No optional package is loaded by `import elman`, and it is quick: some ten thousand calls of Python functions,
    where NumPy's own import makes some hundred thousand. (They are counted, for time depends on the machine.)"""
    code = (
        "import numpy, sys; before = set(sys.modules); count = [0]\n"
        "def look(frame, event, _): count[0] += event == 'call'\n"
        "sys.setprofile(look); import elman; sys.setprofile(None)\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "print(count[0]); print(sorted(m for m in new if not m.startswith('_')))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    calls, new = out.splitlines()
    assert new == "['elman']" and int(calls) < 30_000


def test_info():
    facts = elman.info()
    assert set(facts) == {"version", "isa", "isas", "threads", "processors", "cores", "caches", "cuda"}
    assert facts["isa"] in facts["isas"] == elman.isas()
    assert facts["isas"][-1] == "scalar"
    assert facts["threads"] == elman.num_threads()
    out = subprocess.run(
        [sys.executable, "-m", "elman", "info"], check=True, capture_output=True, text=True
    ).stdout
    assert facts["version"] in out and facts["isa"] in out


@pytest.mark.slow
def test_environment_chooses_instruction_set_and_threads():
    code = "import elman; print(elman.info()['isa'], elman.num_threads())"

    def ask(**settings):
        import os

        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | settings
        )

    assert ask(ELMAN_ISA="scalar", ELMAN_NUM_THREADS="3").stdout.split() == ["scalar", "3"]
    assert ask(ELMAN_ISA="scalar", OMP_NUM_THREADS="5,2").stdout.split() == ["scalar", "5"]
    assert ask(ELMAN_ISA="scalar", ELMAN_NUM_THREADS="3", OMP_NUM_THREADS="5").stdout.split() == [
        "scalar",
        "3",
    ]
    refused = ask(ELMAN_ISA="mmx")
    assert (
        refused.returncode != 0
        and "ELMAN_ISA: expected one of" in refused.stderr
        and "got 'mmx'" in refused.stderr
    )
    refused = ask(ELMAN_NUM_THREADS="many")
    assert refused.returncode != 0
    assert "ELMAN_NUM_THREADS: expected a whole number of at least 1, got 'many'" in refused.stderr


def test_forced_instruction_set_is_what_runs(isa):
    layer = elman.GRU(3, 4)
    assert elman.info()["isa"] == isa
    assert layer._made().value.isa == isa
    elman.use_isa("scalar")
    layer(np.zeros((2, 1, 3), np.float32))
    assert layer._made().value.isa == "scalar"
