"""`fit` on several processes: the same as one on the whole batches. The processes here are threads."""

import numpy as np
import pytest

import elman
from elman.data import Sequences, Stream
from elman.models import LanguageModel, SequenceRegressor, SequenceTagger
from elman.train import SGD, Callback, fit
from elman.train.ranks import Ranks
from tests.support.runs import data, noise, regressor, run, same
from tests.support.thread_ranks import on_ranks


@pytest.fixture(autouse=True)
def one_thread():
    elman.set_num_threads(1)


def ragged(n=23, dtype=np.float64):
    """Sequences and tags of different lengths: shares of a batch have unequal numbers of targets."""
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal((int(t), 2)).astype(dtype) for t in rng.integers(1, 12, n)]
    return xs, [(x.sum(1) > 0).astype(np.int64) for x in xs]


def trained(model, train, validation=None, communicator=None, **options):
    options = {"epochs": 2, "seed": 0, "batch_size": 8, "progress": False} | options
    history = fit(model, train, validation, communicator=communicator, **options)
    return model.state_dict(), history.as_dict()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_gradient_is_that_of_the_whole_batch(size):
    def updated(communicator=None):
        model = SequenceTagger(2, input_size=2, hidden_size=4, dtype=np.float64, seed=0)
        start = model.state_dict()
        fit(model, ragged(), epochs=1, batch_size=23, seed=0, progress=False, clip_norm=None,
            optimizer=SGD(model, learning_rate=1.0, momentum=0.0), communicator=communicator)  # fmt: skip
        return {name: start[name] - value for name, value in model.parameters.items()}

    want, got = updated(), on_ranks(size, updated)
    for of_rank in got:
        assert same(of_rank, got[0])
        for name, value in of_rank.items():
            np.testing.assert_allclose(value, want[name], rtol=1e-9, atol=1e-13)


class Shares:
    """The batches of a Sequences as a process of two sees them: one share after the other."""

    unit = "sequences"

    def __init__(self, data):
        self._data = data

    def __len__(self):
        return len(self._data)

    def batches(self, batch_size, seed=None, skip=0):
        for batch in self._data.batches(2 * batch_size, seed):
            yield from (batch.part(slice(rank, None, 2)) for rank in range(2))


def test_shares_of_one_size_give_the_bits_of_accumulated_batches():
    want = trained(regressor(), Shares(Sequences(*data())), batch_size=4, accumulate=2)
    for parameters, history in on_ranks(2, lambda c: trained(regressor(), data(), communicator=c)):
        assert same(parameters, want[0]) and history["gradient_norm"] == want[1]["gradient_norm"]
        np.testing.assert_allclose(history["train_loss"], want[1]["train_loss"], rtol=1e-12)


def test_all_have_one_model_and_one_history_also_where_some_have_no_share():
    def work(communicator=None):
        model = SequenceTagger(2, input_size=2, hidden_size=4, dtype=np.float64, seed=0)
        return trained(model, ragged(11), ragged(7), communicator, batch_size=3, patience=2, epochs=3)

    (want, told), got = work(), on_ranks(4, work)
    for parameters, history in got:
        assert same(parameters, got[0][0]) and history == got[0][1]
        for name in want:
            np.testing.assert_allclose(parameters[name], want[name], rtol=1e-6, atol=1e-9)
        for name in ("train_loss", "validation_loss", "gradient_norm", "learning_rate"):
            np.testing.assert_allclose(history[name], told[name], rtol=1e-8)
        assert history["best_epoch"] == told["best_epoch"]


def test_lanes_of_a_stream_keep_their_states():
    tokens = np.random.default_rng(0).integers(0, 5, 400)

    def work(communicator=None):
        model = LanguageModel(5, hidden_size=6, dtype=np.float64, seed=0)
        return trained(model, Stream(tokens, steps=10), communicator=communicator, batch_size=5)

    (want, _), got = work(), on_ranks(2, work)
    for name in want:
        np.testing.assert_allclose(got[1][0][name], want[name], rtol=1e-6, atol=1e-9)


def dropping():
    return regressor(num_layers=2, dropout=0.5, hidden_size=8)


def test_processes_drop_different_units_and_begin_as_the_first():
    state = dropping().random_state()
    ranks = [Ranks() for _ in range(2)]
    ranks[1].rank = 1
    assert ranks[0].draw(state, 0, 1, 2) == ranks[0].draw(state, 0, 1, 2)
    assert ranks[0].draw(state, 0, 1, 2) != ranks[0].draw(state, 0, 1, 3)
    assert ranks[0].draw(state, 0, 1, 2) != ranks[1].draw(state, 0, 1, 2)

    def work(communicator):  # another seed on each rank: only the first one's counts
        return trained(regressor(seed=communicator.rank), data(), communicator=communicator, seed=None)

    first, second = on_ranks(2, work)
    assert same(first[0], second[0]) and first[1] == second[1]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_run_goes_on_bit_for_bit_and_with_another_number_of_processes(tmp_path, size):
    pytest.importorskip("safetensors")

    def work(epochs, where):
        def on_rank(communicator):
            model = dropping()
            history = run(model, where, data(), data(1), epochs=epochs, communicator=communicator)
            return model.state_dict(), history.as_dict()

        return on_rank

    on_ranks(2, work(2, tmp_path / "a"))
    resumed = on_ranks(size, work(4, tmp_path / "a"))
    whole = on_ranks(2, work(4, tmp_path / "b"))
    assert len(resumed[0][1]["train_loss"]) == 4
    assert resumed[0][1]["train_loss"][:2] == whole[0][1]["train_loss"][:2]
    if size == 2:
        assert same(resumed[1][0], whole[0][0]) and resumed[1][1]["train_loss"] == whole[0][1]["train_loss"]


class Stops(Callback):
    def __init__(self, communicator, when, reason="enough"):
        self._on, self._when, self._reason = communicator.rank == 1, when, reason

    def on_batch(self, run):
        if self._on and self._when == "batch" and (run.epoch, run.updates) == (1, 1):
            run.stop = self._reason

    def on_epoch(self, run):
        if self._on and self._when == "epoch" and run.epoch == 2:
            run.stop = self._reason


@pytest.mark.parametrize("when", ["batch", "epoch"])
def test_one_that_stops_stops_all(when):
    def work(communicator):
        callbacks = [Stops(communicator, when)]
        return trained(regressor(), data(), communicator=communicator, epochs=9, callbacks=callbacks)

    first, second = on_ranks(2, work)
    assert same(first[0], second[0]) and first[1] == second[1]
    assert first[1]["stopped"] == "enough" and len(first[1]["train_loss"]) == 2


def test_an_error_in_one_ends_all_and_leaves_a_checkpoint(tmp_path):
    pytest.importorskip("safetensors")

    class Breaks(Callback):
        def on_batch(self, run):
            if (run.epoch, run.updates, run.ranks.rank) == (1, 2, 1):
                raise KeyError("mine")

    def work(communicator, epochs=3, callbacks=()):
        model = regressor()
        run(model, tmp_path, epochs=epochs, communicator=communicator, callbacks=callbacks)
        return model.state_dict()

    first, second = on_ranks(2, lambda c: work(c, callbacks=[Breaks()]))
    assert isinstance(second, KeyError)
    assert str(first) == "communicator: expected 2 processes to go on, but process 1 ended early"
    resumed = on_ranks(2, work)
    whole = on_ranks(2, lambda c: trained(regressor(), data(), communicator=c, epochs=3)[0])
    assert same(resumed[0], whole[0]) and same(resumed[1], whole[1])


def test_a_loss_that_explodes_in_one_is_that_of_all(tmp_path):
    pytest.importorskip("safetensors")
    x, y = data()
    x[1, 2] = np.nan  # in the share of one of them

    def work(communicator):
        return trained(regressor(), (x, y), communicator=communicator, checkpoint=tmp_path)

    first, second = on_ranks(2, work)
    assert isinstance(first, FloatingPointError) and isinstance(second, FloatingPointError)
    assert sum("ended early" in str(error) for error in (first, second)) == 1


def test_other_models_are_refused():
    def work(communicator):
        return trained(regressor(hidden_size=4 + communicator.rank), data(), communicator=communicator)

    first, second = on_ranks(2, work)
    assert isinstance(second, ValueError) and "weight_ih_l0" in str(second)
    assert isinstance(first, RuntimeError) and "process 1 ended early" in str(first)


def test_parameters_that_part_are_seen():
    def change(run):
        if run.ranks.rank == 1:
            model = run.model
            model.load_state_dict({name: value + 1 for name, value in model.parameters.items()})

    def work(communicator):
        return trained(regressor(), data(), communicator=communicator, callbacks=[change])

    for error in on_ranks(2, work):
        assert "the same batches and parameters in every process, but those of process 1 are not" in str(
            error
        )


def test_a_checkpoint_that_is_refused_ends_all(tmp_path):
    run(regressor(), tmp_path)

    def work(communicator):
        run(regressor(), tmp_path, noise(3), epochs=4, communicator=communicator)

    first, second = on_ranks(2, work)
    assert isinstance(first, ValueError) and "train: expected the data of" in str(first)
    assert "process 0 ended early" in str(second)


def test_only_the_first_shows_progress(capfd):
    on_ranks(2, lambda c: trained(regressor(), data(), communicator=c, progress="two"))
    assert capfd.readouterr().err.count("two: epoch 1 of 2") == 1


@pytest.mark.parametrize("given", [3, "mpi", SequenceRegressor])
def test_what_is_no_communicator_is_refused(given):
    with pytest.raises(ValueError, match=r"communicator: expected mpi4py's MPI.COMM_WORLD, .*, got "):
        trained(regressor(), data(), communicator=given)
