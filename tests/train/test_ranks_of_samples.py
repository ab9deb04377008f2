"""`fit` on several processes, of data that is larger than memory. The processes here are threads."""

import numpy as np
import pytest

import elman
from elman.data import Blocks, NamedSequences, Samples, Stream
from elman.layers import GRU, Linear, Pooling
from elman.models import Graph, Input, LanguageModel, SequenceClassifier
from elman.train import fit
from tests.support.runs import data, regressor, run, same
from tests.support.thread_ranks import on_ranks

X, Y = data(n=43)


@pytest.fixture(autouse=True)
def one_thread():
    elman.set_num_threads(1)


def source():
    yield from zip(X, Y, strict=True)


def ragged():
    for i in range(43):
        yield X[i][: 1 + i % 5], Y[i]


SOURCES = {
    "a generator": lambda: Samples(source, window=16),
    "shards": lambda: Samples([source, ragged], window=16),
    "blocks": lambda: Samples(Blocks(X, Y, block=8), window=16),
    "a part of a source": lambda: Samples(source, window=16, count=21),
    "of different lengths, without a thread": lambda: Samples(ragged, window=16, ahead=0),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_update_is_that_of_the_whole_batch(name):
    def work(communicator=None):
        model = regressor(dtype=np.float64)
        history = run(model, None, SOURCES[name](), data(1), communicator=communicator, epochs=2)
        return model.state_dict(), history.as_dict()

    (want, told), got = work(), on_ranks(3, work)
    for parameters, history in got:
        assert same(parameters, got[0][0]) and history == got[0][1]
        np.testing.assert_allclose(history["train_loss"], told["train_loss"], rtol=1e-9)
        for name in want:
            np.testing.assert_allclose(parameters[name], want[name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["shards", "blocks"])
def test_a_run_that_ends_within_an_epoch_goes_on_bit_for_bit(name, tmp_path):
    def work(where, stops=False):
        def on_rank(communicator):
            def stop(run):
                if stops and communicator.rank == 1 and (run.epoch, run.updates) == (1, 2):
                    raise KeyError("mine")

            model = regressor(dropout=0.3, num_layers=2)
            options = {"communicator": communicator, "callbacks": [EachBatch(stop)]}
            history = run(model, where, SOURCES[name](), data(1), epochs=3, **options)
            return model.state_dict(), history.train_loss

        return on_rank

    class EachBatch(elman.train.Callback):
        def __init__(self, call):
            self.on_batch = call

    first, second = on_ranks(2, work(tmp_path / "a", stops=True))
    assert isinstance(second, KeyError) and isinstance(first, RuntimeError)
    resumed, whole = on_ranks(2, work(tmp_path / "a")), on_ranks(2, work(tmp_path / "b"))
    assert resumed[0][1] == whole[0][1] and same(resumed[1][0], whole[0][0])


def trained(communicator, train, validation=None):
    model = regressor()
    fit(model, train, validation, epochs=2, seed=0, batch_size=8, progress=False, communicator=communicator)
    return model.state_dict()


def test_a_source_that_differs_is_refused():
    """In its numbers, its order or its length: no process waits for one that has gone on."""

    def other(rank):
        def numbers():
            yield from zip(X + np.float32(rank), Y, strict=True)

        def order():
            yield from zip(*(values[::-1] if rank else values for values in (X, Y)), strict=True)

        def length():
            yield from zip(X[: 43 - 16 * rank], Y[: 43 - 16 * rank], strict=True)

        return numbers, order, length

    for i in range(3):
        for validation in (None, data(1)):
            errors = on_ranks(2, lambda c: trained(c, Samples(other(c.rank)[i], window=16), validation))  # noqa: B023
            for error in errors:
                assert isinstance(error, RuntimeError), errors
                assert "expected the same batches and parameters in every process" in str(error)
    errors = on_ranks(2, lambda c: trained(c, (X, Y), Samples(other(c.rank)[0], window=16)))
    assert all("expected the same batches and parameters" in str(error) for error in errors)


def test_data_in_memory_that_differs_is_refused():
    errors = on_ranks(2, lambda c: trained(c, (X, Y + np.float32(c.rank))))
    assert all("expected the same batches and parameters" in str(error) for error in errors)

    def graph(communicator):
        pooled = Input("a").through(GRU(2, 3, seed=0), Pooling())
        model = Graph({"y": pooled.through(Linear(3, Y.shape[1], seed=0))})
        options = {"weights": np.arange(43) + 1.0, "mask": {"a": np.ones(X.shape[:2], bool)}}
        if communicator.rank:
            given[1](options)
        train = NamedSequences({"a": X}, {"y": Y}, **options)
        fit(model, train, epochs=1, seed=0, progress=False, communicator=communicator)

    for given in (
        ("weights", lambda options: options.update(weights=np.arange(43) + 2.0)),
        ("masks", lambda options: options["mask"]["a"].__setitem__((5, 1), False)),
    ):
        assert all("expected the same batches" in str(error) for error in on_ranks(2, graph)), given[0]

    def labels(communicator):
        y = np.array(["a", "b"], object)[(np.arange(43) + communicator.rank) % 2]
        model = SequenceClassifier(["a", "b"], input_size=2, hidden_size=3, seed=0)
        fit(model, (X, y), epochs=1, seed=0, progress=False, communicator=communicator)

    assert all("expected the same batches" in str(error) for error in on_ranks(2, labels))

    def tokens(communicator):
        stream = Stream(np.random.default_rng(communicator.rank).integers(0, 5, 400), steps=10)
        fit(
            LanguageModel(5, hidden_size=3, seed=0),
            stream,
            epochs=1,
            progress=False,
            communicator=communicator,
        )

    assert all("expected the same batches" in str(error) for error in on_ranks(2, tokens))


def test_a_source_that_fails_in_one_ends_all():
    def broken(rank):
        def rows():
            yield from zip(X[:30], Y[:30], strict=True)
            if rank:
                raise OSError("the disk")

        return rows

    first, second = on_ranks(2, lambda c: trained(c, Samples(broken(c.rank), window=8)))
    assert isinstance(second, OSError) and "process 1 ended early" in str(first)
