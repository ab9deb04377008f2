"""A graph step by step: the bits of the whole sequences, and what needs these."""

import copy
import pickle
import threading

import numpy as np
import pytest

from elman.layers import GRU, LSTM, RNN, Dropout, Embedding, Linear, Pooling, Sequential
from elman.models import Graph, Input, Output, concatenate, repeat
from tests.support.graphs import make

B, T = 3, 6
RNG = np.random.default_rng(0)


def stepwise(dtype="float32"):
    """Every kind of node that goes step by step; a layer that comes twice keeps two states."""
    d = {"dtype": dtype}
    shared = GRU(3, 3, **d, seed=0)
    words = Input("words").through(Embedding(7, 3, **d, seed=1), shared)
    waves = Input("waves").through(Linear(2, 3, **d, seed=2), Dropout(0.5, seed=0), shared).activate("relu")
    both = concatenate(words + waves, repeat(Input("age").through(Linear(1, 2, **d, seed=3)), waves))
    top = both.through(
        Sequential(LSTM(5, 4, 2, **d, seed=4), Linear(4, 4, **d, seed=5)), RNN(4, 2, **d, seed=6)
    )
    pooled = concatenate(
        *(top.through(Pooling(kind)) for kind in ("last", "mean", "max")), Input("age")
    ).activate("tanh")
    return Graph({
        "tags": Output(top.through(Linear(2, 3, **d, seed=7)), "cross_entropy"),
        "kind": Output(pooled.through(Linear(7, 2, **d, seed=8)), "cross_entropy"),
        "waves": Input("waves"),
    })  # fmt: skip


X = {
    "words": RNG.integers(0, 7, (B, T)),
    "waves": RNG.standard_normal((B, T, 2)).astype(np.float32),
    "age": RNG.standard_normal((B, 1)).astype(np.float32),
}


def at(t):
    return {"words": X["words"][:, t], "waves": X["waves"][:, t], "age": X["age"]}


@pytest.mark.parametrize("given", [False, True])
def test_the_bits_of_the_whole(given):
    model = stepwise()
    step = model.stepper(B)
    out = {"tags": np.empty((B, 3), np.float32), "kind": np.empty((B, 2), np.float32)} if given else None
    whole = model(X)
    for t in range(T):
        found = step(at(t), out=out)
        so_far = model({name: one if name == "age" else one[:, : t + 1] for name, one in X.items()})
        np.testing.assert_array_equal(found["tags"], whole["tags"][t])
        np.testing.assert_array_equal(found["kind"], so_far["kind"])
        np.testing.assert_array_equal(found["waves"], X["waves"][:, t])
        assert not given or (found["tags"] is out["tags"] and found["kind"] is out["kind"])
        assert not np.shares_memory(found["waves"], X["waves"])


def test_state_and_reset():
    model = stepwise()
    step, fresh = model.stepper(B), model.stepper(B)
    first = step(at(0))
    kept = step.state
    assert len(kept) == 7  # of the GRU twice
    second = step(at(1))
    step.state = kept
    np.testing.assert_array_equal(step(at(1))["kind"], second["kind"])
    step.reset(np.array([True, False, True]))
    again, want = step(at(0)), fresh(at(0))
    for name in ("tags", "kind"):
        np.testing.assert_array_equal(again[name][[0, 2]], want[name][[0, 2]])
        assert (again[name][1] != want[name][1]).any()
    step.reset()
    np.testing.assert_array_equal(step(at(0))["tags"], first["tags"])
    with pytest.raises(ValueError, match=r"^state: expected a tuple of 7, got 3"):
        step.state = 3


def test_later_changes_of_the_model_do_not_reach_it():
    model = stepwise()
    step, want = model.stepper(B), model(X)
    with model.editing() as parameters:
        for value in parameters.values():
            value += 1
    np.testing.assert_array_equal(step(at(0))["tags"], want["tags"][0])


def test_numbers_as_users_have_them():
    """One number for each stream, lists, float64 and whole numbers."""
    model = stepwise()
    want = model.stepper(B)(at(0))
    found = model.stepper(B)({
        "words": X["words"][:, 0].tolist(), "waves": X["waves"][:, 0].astype(float), "age": X["age"][:, 0]
    })  # fmt: skip
    np.testing.assert_array_equal(found["kind"], want["kind"])


WRONG = {
    "x: expected words, waves, age by name, got words": ({"words": [0, 1, 2]}, None),
    "x: expected words, waves, age by name, got 3": (3, None),
    r"x\['words'\]: expected 0 to 6, got 1 to 7": (at(1) | {"words": [1, 2, 7]}, None),
    r"x\['words'\]: expected \[3\] tokens, got \[2\] int64": (at(1) | {"words": [1, 2]}, None),
    r"x\['words'\]: expected an array of whole numbers, got \[3\] float64": (
        at(1) | {"words": [0.5, 1, 2]},
        None,
    ),
    r"x\['waves'\]: expected \[3, I\] or \[3\] numbers, got \[2, 2\] float64": (
        at(1) | {"waves": np.ones((2, 2))},
        None,
    ),
    r"linear: x: expected \[..., 2\] float32, got \[3, 1\] float32": (
        at(1) | {"waves": np.ones((3, 1))},
        None,
    ),
    r"out: expected arrays by the names tags, kind, waves, got kinds": (at(1), {"kinds": 1}),
    r"out: expected arrays by the names tags, kind, waves, got \[2\] float64": (at(1), np.ones(2)),
    r"out\['kind'\]: expected \[3, 2\] float32, got \[3, 2\] float64": (at(1), {"kind": np.ones((3, 2))}),
}


@pytest.mark.parametrize("message", WRONG)
@pytest.mark.parametrize("first", [True, False])
def test_a_step_that_does_not_fit_changes_nothing(message, first):
    step = stepwise().stepper(B)
    if not first:
        step(at(0))
    before = step.state
    x, out = WRONG[message]
    with pytest.raises(ValueError, match=f"^{message}"):
        step(x, out)
    for one, other in zip(flat(before), flat(step.state), strict=True):
        np.testing.assert_array_equal(one, other)


def flat(state):
    """The arrays of a state."""
    return [inner for one in state for inner in flat(one)] if isinstance(state, tuple) else [state]


def test_one_thread_at_a_time():
    step, inside, go = stepwise().stepper(B), threading.Event(), threading.Event()

    class Slow(dict):
        def __getitem__(self, name):
            inside.set()
            go.wait(10)
            return super().__getitem__(name)

    thread = threading.Thread(target=lambda: step(Slow(at(0))))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(RuntimeError, match=r"^stepper: expected one call at a time"):
        step(at(0))
    go.set()
    thread.join()


NEEDS = {
    r"lstm: stepper: expected a layer that runs forward in time, got bidirectional=True": lambda: make(),
    r"gru: stepper: expected a layer that runs forward in time, got reverse=True": lambda: Graph(
        {"out": Input("a").through(GRU(1, 2, reverse=True))}
    ),
    r"Repetition: stepper: expected a vector that is known before the first step, got one .* by Pooling\('mean'": (
        lambda: Graph({
            "out": repeat(Input("a").through(Pooling("mean"), Linear(1, 2)), Input("a"))
        })
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", NEEDS)
def test_what_needs_whole_sequences(message):
    with pytest.raises(ValueError, match=f"^{message}"):
        NEEDS[message]().stepper(1)
    with pytest.raises(ValueError, match=r"^batch_size: expected a whole number of at least 1, got 0"):
        stepwise().stepper(0)


def test_deep_graphs_are_copied_and_pickled():
    node = Input("a").through(GRU(1, 1, seed=0))
    first = node
    for _ in range(2000):
        node = node.activate("tanh")
    model = Graph({"deep": node.through(head=Linear(1, 1, seed=1)), "first": first})
    x = {"a": np.ones((2, 3, 1))}
    want = model(x)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)):
        found = twin(x)
        assert found.keys() == want.keys() and twin.config == model.config and repr(twin) == repr(model)
        for name, value in want.items():
            np.testing.assert_array_equal(found[name], value)
        assert twin.outputs["first"].node is twin.order[1] and twin.order[1] is not model.order[1]
        with twin.editing() as parameters:
            parameters["head.weight"] += 1
        assert (model.parameters["head.weight"] == twin.parameters["head.weight"]).all() == (
            twin.parts["head"] is model.parts["head"]
        )
        with model.editing() as parameters:
            parameters["head.weight"][:] = Linear(1, 1, seed=1).parameters["weight"]
    assert first.sources and model.stepper(1)({"a": [[1.0]]})["deep"].shape == (1, 1)


def test_streams_that_skip_steps():
    """Each as if it were alone, with its own steps; also of one input alone."""
    model = stepwise()
    step, alone = model.stepper(B), [model.stepper(1) for _ in range(B)]
    masks = RNG.random((T, B)) < 0.6
    last = [None] * B
    for t, mask in enumerate(masks):
        now = {name: value.copy() for name, value in at(t).items()}
        now["words"][~mask], now["waves"][~mask] = 99, np.nan
        found = step(now, mask=mask if t % 2 else {"words": mask, "waves": mask})
        for b in range(B):
            if mask[b]:
                last[b] = alone[b]({name: value[b : b + 1] for name, value in now.items()})
                np.testing.assert_array_equal(found["tags"][b], last[b]["tags"][0])
            if last[b] is not None:
                np.testing.assert_array_equal(found["kind"][b], last[b]["kind"][0])
    two = Graph({
        "a": Input("a").through(GRU(2, 3, seed=0), Pooling("last")), "b": Input("b").through(GRU(2, 3, seed=0))
    })  # fmt: skip
    step, x = two.stepper(2), X["waves"][:2, 0]
    first = step({"a": x, "b": x})
    second = step({"a": x, "b": x}, mask={"a": [True, False]})
    np.testing.assert_array_equal(second["a"][0], second["b"][0])
    np.testing.assert_array_equal(second["a"][1], first["a"][1])
    for mask, message in {
        (): r"mask: expected \[2\] bool",
        (1,): r"mask: expected names among a, b, got 'c'",
    }.items():
        with pytest.raises(ValueError, match=f"^{message}"):
            step({"a": x, "b": x}, mask={"c": [True, True]} if mask else [True])


def test_what_stands_side_by_side_is_refused_as_for_whole_sequences():
    model = stepwise()
    step, skip = model.stepper(B), np.array([True, False, True])
    first, before = step(at(0)), step.state
    for mask in ({"words": skip}, {"waves": skip}, {"words": skip, "waves": ~skip}):
        with pytest.raises(
            ValueError, match=r"^mask: expected the same for words and waves, whose steps stand side"
        ):
            step(at(1), mask=mask)
    step.state = before
    both = step(at(1), mask={"words": skip, "waves": skip})["kind"]
    step.state = before
    np.testing.assert_array_equal(step(at(1), mask=skip)["kind"], both)
    np.testing.assert_array_equal(both[~skip], first["kind"][~skip])
    step.state = before
    assert (
        step(at(1), mask={"words": ~(skip & ~skip)})["kind"] != both
    ).any()  # None is skipped: as without it
    apart = Graph(
        {"out": concatenate(*(Input(name).through(GRU(1, 2), Pooling()) for name in "ab"))}
    ).stepper(B)
    apart({name: np.ones(B) for name in "ab"}, mask={"a": skip})
    total = Graph({"out": Input("a") + Input("b")}).stepper(B)
    with pytest.raises(
        ValueError, match=r"^Sum: expected values of one shape, got \[3, 2\] float32, \[3, 1\] float32"
    ):
        total({"a": np.ones((B, 2)), "b": np.ones(B)})


def test_what_is_too_large_may_stand_where_a_stream_skips():
    step = Graph({"out": Input("a").through(GRU(1, 2, seed=0), Pooling("mean"))}).stepper(B)
    first, skip = step({"a": np.ones(B)}), np.array([True, False, True])
    found = step({"a": np.array([1.0, 1e300, 1.0])}, mask=skip)
    np.testing.assert_array_equal(found["out"][1], first["out"][1])
    with pytest.raises(ValueError, match=r"^x\['a'\]: expected numbers that float32 can hold"):
        step({"a": np.array([1.0, 1e300, 1.0])}, mask=~skip | np.array([False, True, False]))
    with pytest.raises(ValueError, match=r"^x\['a'\]: expected numbers that float32 can hold"):
        step({"a": np.array([1.0, 1e300, 1.0])})
