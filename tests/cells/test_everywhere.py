"""A traced cell wherever a layer's cell goes: files, pickles, models, estimators, searches."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import Recurrent, cells
from elman.models import Forecaster, Seq2Seq, SequenceClassifier
from elman.optim import Adam
from elman.train import Sequences, fit

X = np.random.default_rng(0).standard_normal((6, 4, 3)).astype(np.float32)


def made(**options):
    return Recurrent(cells.peephole_lstm, 3, 5, num_layers=2, bidirectional=True, seed=0, **options)


def test_a_file_holds_the_trace(tmp_path):
    layer = made()
    layer.save(tmp_path / "layer")
    again = elman.load(tmp_path / "layer", Recurrent)
    assert again.cell == layer.cell and again.cell.function is None
    np.testing.assert_array_equal(again(X)[0], layer(X)[0])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies(copied):
    layer = made()
    np.testing.assert_array_equal(copied(layer)(X)[0], layer(X)[0])


def test_another_process_knows_the_cell(tmp_path):
    layer = made()
    layer.save(tmp_path / "layer")
    (tmp_path / "pickle").write_bytes(pickle.dumps(layer))
    code = f"""
import pickle, numpy as np, elman
one = pickle.load(open({str(tmp_path / "pickle")!r}, "rb"))
other = elman.load({str(tmp_path / "layer")!r})
x = np.ones((2, 1, 3), np.float32)
assert (one(x)[0] == other(x)[0]).all()
print(float(one(x)[0].sum()))
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert float(out) == float(layer(np.ones((2, 1, 3), np.float32))[0].sum())


def test_it_shows_its_cell():
    assert repr(Recurrent(cells.cifg, 3, 5, bias=False)) == "Recurrent(cifg, 3, 5, bias=False)"
    assert repr(Recurrent("gru", 3, 5)) == "Recurrent(gru, 3, 5)"
    assert repr(cells.cifg) == "<cell cifg: slots i g o; states h c>"


@pytest.mark.parametrize("cell", [cells.slstm(), cells.min_gru(), cells.zoneout_lstm()], ids=lambda c: c.name)
def test_a_model(tmp_path, cell):
    x = X.swapaxes(0, 1)
    y = np.array([0, 1, 1, 0])
    model = SequenceClassifier(2, input_size=3, hidden_size=4, cell=cell, seed=0)
    fit(model, Sequences(x, y), epochs=2, seed=0)
    model.save(tmp_path / "model")
    again = elman.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    assert f"cell=<cell {cell.name}" in repr(model) and repr(again) == repr(model)
    step = model.stepper(4)
    for t in range(6):
        last = step(x[:, t])
    assert np.isfinite(last).all()


def test_an_estimator(tmp_path):
    sklearn = pytest.importorskip("sklearn.model_selection")
    from sklearn.base import clone

    from elman.sklearn import RecurrentClassifier

    x, y = np.repeat(X.swapaxes(0, 1), 4, 0), np.arange(16) % 2
    estimator = RecurrentClassifier(cell=cells.min_gru(), hidden_size=4, epochs=1)
    estimator.fit(x, y)
    assert clone(estimator).cell == cells.min_gru()
    estimator.save(tmp_path / "estimator")
    again = elman.load(tmp_path / "estimator")
    np.testing.assert_array_equal(again.predict_proba(x), estimator.predict_proba(x))
    assert again.cell == cells.min_gru()
    search = sklearn.GridSearchCV(estimator, {"cell": ["gru", cells.cifg]}, cv=2).fit(x, y)
    assert search.best_params_["cell"] in ("gru", cells.cifg)


def test_a_forecaster(tmp_path):
    pytest.importorskip("sklearn")
    from elman.sklearn import RecurrentForecaster

    series = np.random.default_rng(0).standard_normal((80, 2))
    one = RecurrentForecaster(horizon=2, context=6, cell=cells.cifg, hidden_size=4, epochs=1, random_state=0)
    one.fit(series)
    one.save(tmp_path / "forecaster")
    again = elman.load(tmp_path / "forecaster")
    np.testing.assert_array_equal(again.predict(series), one.predict(series))
    assert again.cell == cells.cifg


@pytest.mark.parametrize("kind", ["RecurrentClassifier", "RecurrentRegressor", "RecurrentForecaster"])
def test_estimators_pass_on_heads_and_checkpoints(tmp_path, kind):
    sklearn = pytest.importorskip("elman.sklearn")
    options = {"horizon": 2, "context": 6} if kind == "RecurrentForecaster" else {}
    one = getattr(sklearn, kind)(
        cell=cells.slstm(), hidden_size=4, heads=2, checkpoint_every=3, epochs=1, random_state=0, **options
    )
    x = np.random.default_rng(0).standard_normal((80, 2))
    one.fit(x) if options else one.fit(x[:16, None].repeat(5, 1), np.arange(16) % 2)
    one.save(tmp_path / "estimator")
    for found in (one, elman.load(tmp_path / "estimator")):
        model = found.model_
        layer = (model.encoder if options else model.network).parts["recurrent"]
        assert (layer.heads, layer.checkpoint_every) == (2, 3)
        assert layer.parameters["weight_hh_l0"].shape == (16, 2)


@pytest.mark.parametrize("cell", [None, 3, "qrnn", cells.lstm, "peephole_lstm"])
def test_what_is_no_cell(cell):
    with pytest.raises(ValueError, match=r"cell: expected a cell of elman\.cells or one made by elman\.cell"):
        Recurrent(cell, 3, 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"params": "weight_ih"}, "cell: expected params with other names than a layer's, got weight_ih"),
        ({"scalars": "mask"}, "cell: expected scalars with other names than those of a call, got mask"),
    ],
)
def test_names_that_layers_use(words, message):
    (name,) = words.values()
    function = eval(f"lambda a, {name}: a * {name}")  # the name is the test's own
    with pytest.raises(ValueError, match=message):
        Recurrent(elman.cell("a", "h", **words)(function), 3, 5)


@pytest.mark.parametrize("needs", [{}, {"need_dx": False}, {"need_dx": False, "need_dstate": False}])
def test_gradients_of_scalars_come_whatever_else_is_wanted(needs):
    def scalars(only):
        layer = Recurrent(cells.cfc(), 3, 5, num_layers=2, seed=0)
        optimizer = Adam(layer, frozen=["*_l0*"] if only else [])
        with optimizer.only():
            _, _, backward = layer.forward(X, dt=np.ones((6, 4), np.float32))
        backward(np.ones((6, 4, 5), np.float32), **(needs if only else {}))
        return backward.dscalars["dt"]

    np.testing.assert_array_equal(scalars(True), scalars(False))


@pytest.mark.parametrize("cell", [cells.slstm(), cells.atr, cells.zoneout_lstm()], ids=lambda cell: cell.name)
def test_decoders_have_the_cell(cell, tmp_path):
    """Models with a second stack of layers, which begins with the states of the first."""
    x = np.random.default_rng(0).integers(0, 6, (8, 5))
    written = Seq2Seq(6, vocabulary=6, hidden_size=4, cell=cell, num_layers=2, bidirectional=True, seed=0)
    fit(written, Sequences(list(x), list(x[:, ::-1])), epochs=1, seed=0, progress=False)
    ahead = Forecaster(3, input_size=2, hidden_size=4, cell=cell, future_size=1, seed=0)
    for model in (written, ahead):
        assert model.decoder.cell == cell
        model.save(tmp_path / "model.npz")
        again = elman.load(tmp_path / "model.npz")
        assert again.decoder.cell == cell
        for name, value in model.parameters.items():
            np.testing.assert_array_equal(again.parameters[name], value)


def test_every_cell_is_on_its_page():
    page = (Path(__file__).parents[2] / "docs" / "cells.md").read_text()
    rows = {line.split("`")[1].split("(")[0]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(cells.usual()) and f"has {len(rows)} cells" in page
    for name, cell in cells.usual().items():
        options = "" if name in vars(cells) and getattr(cells, name) is cell else "("
        *_, states, of_x, of_h, more, _ = (part.strip() for part in rows[name].split("|"))
        said = more.replace(" (scalar)", "").split()
        assert rows[name].startswith(f"| `{name}{options}")
        assert (states.split(), of_x.split(), of_h.split(), said) == (
            list(cell.states),
            cell.rows["x"],
            cell.rows["h"],
            [*cell.params, *cell.scalars],
        )


def test_what_nobody_would_give_is_refused_where_it_is_made():
    message = "^(cell|.*recurrent.*): expected a cell without scalars, which models do not give, got cfc"
    with pytest.raises(ValueError, match=message):
        SequenceClassifier(2, input_size=3, cell=cells.cfc())
    node = elman.models.Input("x").through(Recurrent(cells.cfc(), 3, 4))
    with pytest.raises(ValueError, match=message):
        elman.models.Graph({"y": node})


def test_gradients_of_scalars_are_there_once_it_has_run():
    layer = Recurrent(cells.cfc(), 3, 4)
    _, _, backward = layer.forward(X, dt=0.5)
    with pytest.raises(RuntimeError, match=r"^dscalars: expected backward to have run"):
        _ = backward.dscalars
    backward(None)
    assert backward.dscalars["dt"].shape == X.shape[:2]
    np.testing.assert_array_equal(layer(X, dt=0.5)[0], layer(X, dt=np.full(X.shape[:2], 0.5, np.float32))[0])


def test_a_resumed_run_names_another_cell_in_few_words(tmp_path):
    def run(cell):
        model = SequenceClassifier(2, input_size=3, hidden_size=4, cell=cell, seed=0)
        data = Sequences(X.swapaxes(0, 1), np.arange(4) % 2)
        fit(model, data, epochs=1, progress=False, checkpoint=tmp_path)

    run(cells.slstm())
    with pytest.raises(
        ValueError, match=r"cell slstm of \d+ operations, as in .*, got cell nas of \d+ operations"
    ):
        run(cells.nas)
