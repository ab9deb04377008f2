"""The training loop: it learns, repeats bit for bit, resumes bit for bit, and says what went wrong."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

import elman
from elman.models import LanguageModel, SequenceClassifier, SequenceRegressor, SequenceTagger
from elman.train import SGD, Cosine, History, Plateau, Sequences, Stream, evaluate, fit
from tests.support.fit_in_pieces import make, parameters_of
from tests.support.runs import forecaster, sines

ROOT = pathlib.Path(__file__).parents[2]


def test_fit_learns_and_keeps_the_best_epoch():
    x, y = sines()
    model = forecaster()
    history = fit(
        model, (x[:200], y[:200]), (x[200:], y[200:]), epochs=12, learning_rate=5e-3, seed=0, progress=False
    )
    assert min(history.validation_loss) < 0.01 < history.validation_loss[0]
    assert history.best_epoch == int(np.argmin(history.validation_loss))
    assert evaluate(model, (x[200:], y[200:]), 32) == history.validation_loss[history.best_epoch]
    assert history.epochs == 12 == len(history.gradient_norm) == len(history.seconds) and not history.stopped


def test_steps_equal_torch():
    """The same model, batches, clipping and schedule: the same losses and weights."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((24, 7, 3)), rng.standard_normal((24, 2))
    model = SequenceRegressor(2, input_size=3, hidden_size=5, num_layers=2, dtype="float64", seed=0)
    twin, head = torch.nn.LSTM(3, 5, 2, dtype=torch.float64), torch.nn.Linear(5, 2, dtype=torch.float64)
    parameters = model.parameters
    with torch.no_grad():
        for module, prefix in ((twin, "network.recurrent."), (head, "network.head.")):
            for name, value in module.named_parameters():
                value.copy_(torch.tensor(parameters[prefix + name]))
    both = [*twin.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(both, lr=0.01)
    data = Sequences(x, y)
    losses = []
    for epoch in range(4):
        total = 0.0
        for batch in data.batches(8, [3, epoch]):
            optimizer.param_groups[0]["lr"] = 0.01 * Cosine(4)(epoch + batch.done / len(data))
            optimizer.zero_grad()
            out = head(twin(torch.tensor(batch.x))[0][-1])
            loss = torch.nn.functional.mse_loss(out, torch.tensor(batch.y))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(both, 0.5)
            optimizer.step()
            total += loss.item() * batch.size
        losses.append(total / len(data))
    history = fit(
        model, data, epochs=4, batch_size=8, learning_rate=0.01, clip_norm=0.5, schedule=Cosine(4), seed=3,
        progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(history.train_loss, losses, rtol=1e-6)
    for module, prefix in ((twin, "network.recurrent."), (head, "network.head.")):
        for name, value in module.named_parameters():
            np.testing.assert_allclose(model.parameters[prefix + name], value.detach().numpy(), atol=1e-6)


def run_twice(make_model, data, **options):
    results = []
    for threads in (2, 1):  # the number of threads must not matter either
        elman.set_num_threads(threads)
        model = make_model()
        history = fit(model, data, seed=1, progress=False, **options)
        results.append((history, model.state_dict()))
    assert results[0][0] == results[1][0]
    for name, value in results[0][1].items():
        np.testing.assert_array_equal(value, results[1][1][name], err_msg=name)


def test_the_same_seed_gives_the_same_bits():
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((t, 3)).astype(np.float32) for t in rng.integers(1, 20, 50)]
    y = rng.integers(0, 3, 50)
    options = {"dropout": 0.3, "recurrent_dropout": 0.2, "num_layers": 2, "hidden_size": 20}
    run_twice(lambda: SequenceClassifier(3, input_size=3, seed=0, **options), (x, y), epochs=3)
    run_twice(
        lambda: LanguageModel(9, dropout=0.3, hidden_size=20, seed=0), Stream(rng.integers(0, 9, 500), steps=7),
        epochs=2, optimizer="sgd",
    )  # fmt: skip


def test_early_stopping():
    x, y = sines(100)
    noise = np.random.default_rng(0).standard_normal(y.shape).astype(np.float32)  # nothing to learn
    history = fit(forecaster(), (x, noise), (x, -noise), epochs=40, patience=3, seed=1, progress=False)
    assert history.epochs == history.best_epoch + 1 + 3 < 40
    assert history.stopped == "no lower validation loss in 3 epochs"


def test_state_is_carried_between_pieces():
    """A tag that repeats what came at the very first step can be learnt only with the state of the piece before."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 60)
    x = [np.where(np.arange(9) == 0, 2 * bit - 1, 0)[:, None].astype(np.float32) for bit in first]
    y = [np.full(9, bit) for bit in first]
    model = SequenceTagger(2, input_size=1, hidden_size=8, seed=0)
    fit(
        model,
        Sequences(x, y, truncate=3),
        epochs=12,
        batch_size=10,
        learning_rate=0.03,
        seed=0,
        progress=False,
    )
    assert evaluate(model, (x, y)) < 0.1
    assert evaluate(model, Sequences(x, y, truncate=3)) == pytest.approx(evaluate(model, (x, y)), rel=1e-5)
    cut = np.mean([evaluate(model, ([a[i : i + 3] for a in x], [b[:3] for b in y])) for i in (0, 3, 6)])
    assert cut > 0.3


def test_callbacks_and_plateau():
    x, y = sines(60)
    seen = []

    def callback(run):
        seen.append((run.epoch, run.history.train_loss[-1], run.optimizer.learning_rate))
        if run.epoch == 4:
            run.stop = "enough"

    noise = np.random.default_rng(0).standard_normal(y.shape).astype(np.float32)
    history = fit(
        forecaster(), (x, noise), (x, -noise), epochs=9, seed=0, schedule=Plateau(factor=0.5, patience=0),
        callbacks=[callback], progress=False,
    )  # fmt: skip
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3, 4] and history.stopped == "enough"
    assert [loss for _, loss, _ in seen] == history.train_loss
    assert history.learning_rate[-1] < history.learning_rate[0]


def test_an_optimizer_of_ones_own():
    x, y = sines(60)
    model = forecaster()
    optimizer = SGD(model, learning_rate=0.05, momentum=0.5)
    history = fit(model, (x, y), epochs=3, optimizer=optimizer, seed=0, progress=False)
    assert history.learning_rate == [0.05] * 3
    given = {"learning_rate": 0.1, "weight_decay": 0.1, "groups": {"bias*": {}}, "frozen": ["head"]}
    for name, value in given.items():
        with pytest.raises(ValueError, match=f"{name}: expected none beside an Optimizer"):
            fit(model, (x, y), optimizer=optimizer, progress=False, **{name: value})


def test_clipping():
    x, y = sines(60)
    norms = []
    for options in ({}, {"clip_norm": 1e-3}, {"clip_norm": None, "clip": 1e-4}):
        model = forecaster()
        start = model.state_dict()
        fit(model, (x, y), epochs=1, batch_size=60, optimizer=SGD(model, learning_rate=1.0), seed=0,
            progress=False, **options)  # fmt: skip
        moved = [model.parameters[name] - start[name] for name in start]
        norms.append((np.sqrt(sum(np.square(m).sum() for m in moved)), max(np.abs(m).max() for m in moved)))
    assert norms[0][0] > 0.01
    assert norms[1][0] == pytest.approx(1e-3, rel=1e-3)
    assert norms[2][1] == pytest.approx(1e-4, rel=1e-2)


@pytest.mark.slow
def test_history_plots_itself(tmp_path):
    history = History([1.0, 0.5], [1.1, 0.7], [3.0, 2.0], [0.1, 0.1], [1.0, 1.0], best_epoch=1)
    history.plot(tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    figure = History([1.0], [], [3.0], [0.1], [1.0]).plot()
    assert [line.get_label() for line in figure.axes[0].get_lines()] == ["training", "best: 1"]


@pytest.mark.kills
@pytest.mark.parametrize("name", ["classifier", "language"])
def test_killed_and_resumed_it_ends_with_the_same_bits(name, tmp_path):
    """Eight kills at random moments; each run goes on from the last one's checkpoint."""
    rng = np.random.default_rng(0)
    command = [sys.executable, "-m", "tests.support.fit_in_pieces", name, str(tmp_path)]
    kills = 0
    for _ in range(200):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"  # imports are not what is to be interrupted
        try:
            process.wait(rng.uniform(0.0, 0.06) if kills < 8 else None)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
        if process.returncode == 0:
            break
    assert process.returncode == 0 and kills == 8
    model, data, options = make(name)
    fit(model, data, progress=False, **options)
    resumed = parameters_of(tmp_path)
    for parameter, value in model.state_dict().items():
        np.testing.assert_array_equal(value, resumed[parameter], err_msg=parameter)


def test_a_finished_run_is_not_repeated(tmp_path):
    x, y = sines(60)
    model = forecaster()
    history = fit(model, (x, y), epochs=2, seed=0, progress=False, checkpoint=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-0.safetensors", "checkpoint.lock"]
    other = forecaster()
    assert fit(other, (x, y), epochs=2, progress=False, checkpoint=tmp_path) == history
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, other.parameters[name])
    longer = fit(other, (x, y), epochs=3, progress=False, checkpoint=tmp_path)  # more epochs go on from there
    whole = forecaster()
    assert fit(whole, (x, y), epochs=3, seed=0, progress=False) == longer
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(value, other.parameters[name])


REFUSALS = {
    "checkpoint_seconds: expected a finite number of at least 0, got -1": {"checkpoint_seconds": -1},
    "epochs: expected a whole number of at least 1, got 0": {"epochs": 0},
    "batch_size: expected a whole number of at least 1, got 0": {"batch_size": 0},
    "optimizer: expected one of": {"optimizer": "lion"},
    "optimizer: expected a name or an Optimizer, got 3": {"optimizer": 3},
    "schedule: expected a learning-rate schedule, got 0.1": {"schedule": 0.1},
    "clip_norm: expected a number above 0, got 0": {"clip_norm": 0},
    "clip: expected a number above 0, got -1": {"clip": -1},
    "patience: expected validation data with it, got None": {"patience": 2},
    "seed: expected a whole number of at least 0, got 'a'": {"seed": "a"},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    model = forecaster()
    before = model.state_dict()
    with pytest.raises(ValueError, match=message):
        fit(model, sines(10), progress=False, **REFUSALS[message])
    assert all(np.array_equal(before[name], value) for name, value in model.parameters.items())
