"""Every cell of elman.cells against a plain loop of PyTorch's over the equations of its paper."""

import functools
import re

import numpy as np
import pytest
from torch import tanh
from torch.nn.functional import hardtanh

import elman
from elman import cells
from elman.cells.activations import ACTIVATIONS as KNOWN
from tests.cells import norm_equations  # noqa: F401  # adds its steps
from tests.cells.activations import ACTIVATIONS, within
from tests.cells.equations import STEPS, cfc_pure
from tests.cells.held import assert_like_loop, random_layer
from tests.tracing.zoo import ZOO

part = functools.partial
USUAL = {name: cell for name, cell in cells.usual().items() if not cell.draws}
linear = ACTIVATIONS["linear"]
hard = ACTIVATIONS["hard_sigmoid", 0.2, 0.5]

# A cell with options, and its step.
OPTIONS = {
    "slstm, exp": (cells.slstm("exp"), part(STEPS["slstm"], forget="exp")),
    "min_gru, linear": (cells.min_gru("linear"), part(STEPS["min_gru"], g=linear)),
    "min_lstm, linear": (cells.min_lstm("linear"), part(STEPS["min_lstm"], g=linear)),
    "lstm, peepholes": (cells.lstm(peepholes=True), STEPS["lstm"]),
    "lstm, coupled": (cells.lstm(coupled=True), STEPS["cifg"]),
    "lstm, coupled peepholes": (cells.lstm(True, True), STEPS["cifg"]),
    "lstm, projection": (cells.lstm(projection=True), STEPS["lstm"]),
    "lstm, all": (cells.lstm(True, True, projection=True), STEPS["cifg"]),
    "lstm, cell_clip": (cells.lstm(cell_clip=0.3), part(STEPS["lstm"], cell_clip=0.3)),
    "lstm, gate_clip": (
        cells.lstm(True, gate_clip=0.5),
        part(STEPS["lstm"], s=within(0.5, ACTIVATIONS["sigmoid"]), t=within(0.5, tanh), u=tanh),
    ),
    "lstm, activations": (
        cells.lstm(
            activation="softsign", gate_activation=("hard_sigmoid", 0.2), output_activation=("elu", 0.7)
        ),
        part(STEPS["lstm"], s=hard, t=ACTIVATIONS["softsign"], u=ACTIVATIONS["elu", 0.7]),
    ),
    "gru, activations": (
        cells.gru(activation="softsign", gate_activation=("hard_sigmoid", 0.2)),
        part(STEPS["gru"], s=hard, t=ACTIVATIONS["softsign"]),
    ),
    "gru, gate_clip": (
        cells.gru(gate_clip=0.5),
        part(STEPS["gru"], s=within(0.5, ACTIVATIONS["sigmoid"]), t=within(0.5, tanh)),
    ),
    "gru, reset before": (cells.gru(False), STEPS["gru_before"]),
    "gru, reset before, options": (
        cells.gru(False, "softsign", ("hard_sigmoid", 0.2), 0.5),
        part(STEPS["gru_before"], s=within(0.5, hard), t=within(0.5, ACTIVATIONS["softsign"])),
    ),
    **{
        f"layer_norm_lstm, {norm}": (
            cells.layer_norm_lstm(norm),
            part(STEPS["layer_norm_lstm"], norm_of=norm),
        )
        for norm in ("sum", "gates")
    },
    "dreamer_gru, epsilon": (cells.dreamer_gru(0.1), part(STEPS["dreamer_gru"], epsilon=0.1)),
    "rnn, function": (cells.rnn(lambda a: a * 0.5), part(STEPS["rnn"], f=lambda a: a * 0.5)),
    "rnn, gate_clip": (cells.rnn("linear", 0.5), part(STEPS["rnn"], f=lambda a: hardtanh(a, -0.5, 0.5))),
    "janet, beta": (cells.janet(0.3), part(STEPS["janet"], beta=0.3)),
    "brc, dense": (cells.brc("dense"), STEPS["brc"]),
    "leaky_rnn": (
        cells.leaky_rnn(0.7, "softsign"),
        part(STEPS["leaky_rnn"], alpha=0.7, f=ACTIVATIONS["softsign"]),
    ),
    "echo_state": (cells.echo_state(0.3), part(STEPS["echo_state"], leak=0.3)),
    "ctrnn": (cells.ctrnn(2.0, "tanh"), part(STEPS["ctrnn"], tau=2.0, f=tanh)),
    "ind_rnn": (cells.ind_rnn("tanh"), part(STEPS["ind_rnn"], f=tanh)),
    "cfc, no_gate": (cells.cfc("no_gate"), part(STEPS["cfc"], mode="no_gate")),
    "cfc, pure": (cells.cfc("pure"), cfc_pure),
    "unicornn": (cells.unicornn(0.5, 0.4), part(STEPS["unicornn"], dt=0.5, alpha=0.4)),
    "sru": (cells.sru("tanh", 1.7), part(STEPS["sru"], g=tanh, scale=1.7)),
    **{
        f"{name}, {reset}": (
            getattr(cells, name)(0.7, 0.4, reset, 10.0),
            part(STEPS[name], beta=0.7, threshold=0.4, reset=reset, slope=10.0),
        )
        for name in ("lif", "rlif")
        for reset in ("subtract", "zero", "none")
    },
}


@pytest.mark.parametrize("state", [True, False], ids=["state", "zeros"])
@pytest.mark.parametrize("name", USUAL)
def test_usual_forms(name, state):
    assert_like_loop(USUAL[name], STEPS[name], state)


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    assert_like_loop(*OPTIONS[name])


@pytest.mark.parametrize("given", ACTIVATIONS, ids=str)
def test_activations(given):
    assert_like_loop(cells.rnn(given), part(STEPS["rnn"], f=ACTIVATIONS[given]), scale=3.0)


def test_every_activation_has_been_tried():
    assert {name for name in ACTIVATIONS if isinstance(name, str)} == set(KNOWN)
    assert {name for name, (_, most) in KNOWN.items() if most} == {
        name[0] for name in ACTIVATIONS if isinstance(name, tuple)
    }


@pytest.mark.parametrize("name", USUAL)
def test_docstrings_name_paper_and_equations(name):
    doc = USUAL[name].doc
    assert re.search(r"[A-Z][\w &.,]+ (19|20)\d\d", doc), "a paper: authors and year"
    assert re.search(r"^ *.*\w' = .+", doc, re.MULTILINE), "equations"
    for param in USUAL[name].params:
        assert re.search(rf"Params[^.]*\b{param}\b", doc), f"what {param} is"
    for scalar in USUAL[name].scalars:
        assert re.search(rf"Scalar: {scalar}\b", doc), f"what {scalar} is"
    fed = list(USUAL[name].slots)
    if len(fed) > 1 and name not in ("atr", "sgrn"):
        assert "Rows of" in doc, "the order of rows"


def test_every_cell_is_public_and_small():
    assert len(USUAL) > 30 and set(USUAL) <= set(cells.__all__)
    assert all(cell.name == name for name, cell in USUAL.items())


def test_the_same_arguments_give_the_same_cell():
    assert cells.lstm() is cells.lstm(False) is cells.lstm(peepholes=False)
    assert cells.lstm(True).nodes == cells.peephole_lstm.nodes
    assert cells.lstm(coupled=True).nodes == cells.cifg.nodes
    for name in ("lstm", "gru", "rnn"):  # as written for the tests of tracing
        assert USUAL[name] == ZOO[name]
    assert cells.rnn(("elu", 1)) == cells.rnn(("elu", 1.0)) == cells.rnn("elu")


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_slstm_starts_from_zeros_however_large_its_gates_are(forget, dtype):
    """What multiplies the zeros of the start must not become infinite, neither there nor on the way back."""
    layer = random_layer(cells.slstm(forget), 2, 3, np.random.default_rng(0), dtype)
    x = np.full((4, 2, 2), 2000.0, dtype)
    x[:, 1] *= -1
    y, _, backward = layer.forward(x)
    dx, _ = backward(np.ones_like(y))
    assert np.isfinite(y).all() and np.isfinite(dx).all() and np.abs(y).max() <= 1


def test_gates_of_a_min_lstm_do_not_divide_nothing_by_nothing():
    layer = random_layer(cells.min_lstm(), 2, 3, np.random.default_rng(0), "float32")
    y, _, backward = layer.forward(np.full((4, 2, 2), 1000.0, np.float32))
    dx, _ = backward(np.ones_like(y))
    assert np.isfinite(y).all() and np.isfinite(dx).all()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: cells.slstm("x"), "forget: expected "),
        (lambda: cells.lstm(activation="tan"), "activation: expected one of affine, .*, got 'tan'"),
        (lambda: cells.lstm(activation=["elu", 1]), "activation: expected a .*, got list"),
        (
            lambda: cells.lstm(activation=("elu", 1, 2)),
            "activation: expected at most 1 numbers for elu, got 2",
        ),
        (lambda: cells.lstm(activation=("elu", "1")), "activation: expected numbers behind elu, got '1'"),
        (lambda: cells.lstm(peepholes=1), "peepholes: expected "),
        (lambda: cells.lstm(cell_clip=0), "cell_clip: expected a number above 0 or None, got 0"),
        (lambda: cells.gru(reset_after="no"), "reset_after: expected True or False, got 'no'"),
        (lambda: cells.layer_norm_lstm("both"), "norm: expected "),
        (lambda: cells.layer_norm_lstm(epsilon=0), "epsilon: expected a number above 0, got 0"),
        (lambda: cells.layer_norm_gru("1"), "epsilon: expected a number above 0, got '1'"),
        (lambda: cells.leaky_rnn(2), "alpha: expected a number above 0, up to 1, got 2"),
        (lambda: cells.ctrnn(0.5), "tau: expected a number of at least 1, got 0.5"),
        (lambda: cells.cfc("other"), "mode: expected "),
        (lambda: cells.lif(2), "beta: expected a number from 0 to 1, got 2"),
        (lambda: cells.lif(reset="soft"), "reset: expected "),
        (lambda: elman.Recurrent(cells.lstm, 2, 3), r"cell: expected a .*, got function; call it, lstm\(\)"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
