"""What the module of scans refuses: it gets addresses, and a wrong one is nothing that a kernel could survive."""

from __future__ import annotations

import numpy as np
import pytest

import elman.stack.gpu

H, B = 6, 2


def words(count):
    """An array that lives as long as the tests, and its address."""
    array = np.zeros(count, np.int64)
    KEPT.append(array)
    return array.ctypes.data


KEPT: list[np.ndarray] = []


@pytest.fixture
def scans(played):
    return elman.stack.gpu.find()[0]


def plan_arguments(**other):
    """Of one step of B sequences."""
    arrays = {
        "alive": np.array([B], np.int32), "offset": np.array([0, B]), "index": np.arange(B, dtype=np.int32),
        "start": np.arange(B, dtype=np.int32), "finish": np.arange(B, dtype=np.int32),
    }  # fmt: skip
    KEPT.extend(arrays.values())
    return {"steps": 1, "segments": B} | {name: a.ctypes.data for name, a in arrays.items()} | other


def forward_arguments(scans, **other):
    needed = {name: words(4 * H * max(B, H)) for name in ("products", "weight", "y")}
    return {"plan": scans.Plan(**plan_arguments()), "final": [words(B * H)] * 2} | needed | other


def backward_arguments(scans, **other):
    needed = {name: words(4 * H * max(B, H)) for name in ("weight", "y", "slots")}
    states = {"states": [words(B * H)], "dinitial": [words(B * H)] * 2}
    return {"plan": scans.Plan(**plan_arguments())} | needed | states | other


def without(arguments, name):
    return {key: value for key, value in arguments.items() if key != name}


def schedule(scans, backward=False, kind="block", directions=1, cell="lstm"):
    return scans.schedules(cell, backward, "float32", H, B, directions, kind)[0]


def test_what_is_right_is_taken(scans):
    forward = scans.ForwardSide(**forward_arguments(scans))
    scans.scan(schedule(scans), [forward], 0, 0)
    backward = scans.BackwardSide(**backward_arguments(scans))
    scans.scan(schedule(scans, True), [backward], 0, 0)
    empty = scans.Plan(
        steps=0, segments=0, **dict.fromkeys(["alive", "offset", "index", "start", "finish"], 0)
    )
    nothing = {"products": 0, "weight": 0, "y": 0, "final": [0, 0]}
    scans.scan(schedule(scans), [scans.ForwardSide(plan=empty, **nothing)], 0, 0)


@pytest.mark.parametrize("name", ["steps", "segments", "alive", "offset", "index", "start", "finish"])
def test_a_plan_has_all_its_parts(scans, name):
    with pytest.raises(TypeError, match=f"Plan: missing {name}"):
        scans.Plan(**without(plan_arguments(), name))
    with pytest.raises(TypeError, match="Plan: unknown rows"):
        scans.Plan(**plan_arguments(rows=3))
    if name not in ("steps", "segments"):
        with pytest.raises(ValueError, match=f"Plan: expected addresses on the device, got 0 for {name}"):
            scans.Plan(**plan_arguments(**{name: 0}))
    else:
        with pytest.raises(ValueError, match=f"Plan: {name}: expected a count, got -1"):
            scans.Plan(**plan_arguments(**{name: -1}))


@pytest.mark.parametrize("name", ["plan", "products", "weight", "y", "final"])
def test_a_forward_side_has_what_it_needs(scans, name):
    with pytest.raises(TypeError, match=f"ForwardSide: missing {name}"):
        scans.ForwardSide(**without(forward_arguments(scans), name))
    if name not in ("plan", "final"):
        with pytest.raises(ValueError, match=f"ForwardSide: expected addresses .*, got 0 for {name}"):
            scans.ForwardSide(**forward_arguments(scans, **{name: 0}))
    with pytest.raises(TypeError, match=f"ForwardSide: {name}: expected .*, got 'here'"):
        scans.ForwardSide(**forward_arguments(scans, **{name: "here"}))


@pytest.mark.parametrize("name", ["plan", "weight", "y", "slots", "states", "dinitial"])
def test_a_backward_side_has_what_it_needs(scans, name):
    with pytest.raises(TypeError, match=f"BackwardSide: missing {name}"):
        scans.BackwardSide(**without(backward_arguments(scans), name))
    if name != "plan":
        zero = [0] if name in ("states", "dinitial") else 0
        with pytest.raises(ValueError, match=f"BackwardSide: expected addresses .*, got 0 for {name}"):
            scans.BackwardSide(**backward_arguments(scans, **{name: zero}))


def test_unknown_names_are_refused(scans):
    arguments = forward_arguments(scans)
    with pytest.raises(TypeError, match="ForwardSide: unknown bais"):
        scans.ForwardSide(**arguments, bais=words(4 * H))
    with pytest.raises(TypeError, match="ForwardSide: unknown wieght missing weight"):
        scans.ForwardSide(**without(arguments, "weight"), wieght=arguments["weight"])
    with pytest.raises(TypeError, match="BackwardSide: unknown memory"):
        scans.BackwardSide(**backward_arguments(scans), memory=words(H))
    with pytest.raises(TypeError, match="incompatible"):
        scans.ForwardSide(arguments["plan"])


def test_what_is_kept_for_backward_is_whole(scans):
    with pytest.raises(TypeError, match="ForwardSide: missing states"):
        scans.ForwardSide(**forward_arguments(scans, slots=words(4 * B * H)))


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("initial", 1, r"expected 2 addresses \(h, c\) or none, got 1"),
        ("final", 3, r"expected 2 addresses \(h, c\), got 3"),
        ("states", 2, r"expected 1 addresses \(c\), got 2"),
    ],
)
def test_states_are_counted(scans, name, count, expected):
    arguments = forward_arguments(scans, slots=words(4 * B * H), states=[words(B * H)])
    side = scans.ForwardSide(**arguments | {name: [words(B * H)] * count})
    with pytest.raises(ValueError, match=f"ForwardSide: {name}: {expected}"):
        scans.scan(schedule(scans), [side], 0, 0)


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("initial", 3, r"expected 2 addresses \(h, c\) or none, got 3"),
        ("dfinal", 1, r"expected 2 addresses \(h, c\) or none, got 1"),
        ("dinitial", 1, r"expected 2 addresses \(h, c\), got 1"),
        ("states", 0, r"expected 1 addresses \(c\), got 0"),
    ],
)
def test_gradients_of_states_are_counted(scans, name, count, expected):
    side = scans.BackwardSide(**backward_arguments(scans) | {name: [words(B * H)] * count})
    with pytest.raises(ValueError, match=f"BackwardSide: {name}: {expected}"):
        scans.scan(schedule(scans, True), [side], 0, 0)


def test_sides_are_those_that_the_schedule_is_for(scans):
    forward, backward = (
        scans.ForwardSide(**forward_arguments(scans)), scans.BackwardSide(**backward_arguments(scans))
    )  # fmt: skip
    with pytest.raises(ValueError, match="sides: expected 2, one for each direction, got 1"):
        scans.scan(schedule(scans, directions=2), [forward], 0, 0)
    with pytest.raises(ValueError, match="sides: expected 1, one for each direction, got 2"):
        scans.scan(schedule(scans), [forward, forward], 0, 0)
    with pytest.raises(
        TypeError, match=r"sides: expected BackwardSide, which the schedule is for, got .*Forw"
    ):
        scans.scan(schedule(scans, True), [forward], 0, 0)
    with pytest.raises(
        TypeError, match=r"sides: expected ForwardSide, which the schedule is for, got .*Back"
    ):
        scans.scan(schedule(scans), [backward], 0, 0)
    few = scans.schedules("lstm", False, "float32", H, 1, 1, "block")[0]
    with pytest.raises(ValueError, match="plans of at most 1 segments, which the schedule is for, got 2"):
        scans.scan(few, [forward], 0, 0)
    empty = scans.Plan(**plan_arguments(steps=0))
    nothing = scans.ForwardSide(**forward_arguments(scans, plan=empty))
    with pytest.raises(ValueError, match="sides: expected steps in both plans or in none"):
        scans.scan(schedule(scans, directions=2), [forward, nothing], 0, 0)


def test_a_schedule_gets_the_room_it_needs(scans):
    side = scans.ForwardSide(**forward_arguments(scans))
    with pytest.raises(ValueError, match="carry: expected an address, with the schedule launch, got 0"):
        scans.scan(schedule(scans, kind="launch"), [side], 0, 0)
    grid = scans.schedules("lstm", False, "float32", 40, B, 1, "grid")[0]
    with pytest.raises(ValueError, match="words: expected an address, with the schedule grid, got 0"):
        scans.scan(grid, [side], 0, 0)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (("elman", False, "float32", H, B, 1), "cell: expected one of .*lstm.*, got 'elman'"),
        (("lstm", False, "float64", H, B, 1), "dtype: expected float32, .*, got 'float64'"),
        (("lstm", False, "float32", 0, B, 1), "H: expected 1 to 268435456, got 0"),
        (("lstm", False, "float32", H, 0, 1), "segments: expected 1 to 1073741824, got 0"),
        (("lstm", False, "float32", 2**31 - 1, B, 1), "H: expected 1 to 268435456, got 2147483647"),
        (("lstm", False, "float32", H, 2**31 - 1, 2), "segments: expected 1 to 1073741824, got 2147483647"),
        (("lstm", False, "float32", H, B, 1, "", [132, 0, 16]), "machine: expected 1 to 1048576, got 0"),
        (
            ("lstm", False, "float32", H, B, 1, "", [132, 227 << 10, -2]),
            "machine: expected 1 to 1048576, got -2",
        ),
        (("lstm", False, "float32", H, B, 3), "directions: expected 1 or 2, got 3"),
        (
            ("lstm", False, "float32", H, B, 1, "", [132]),
            "machine: expected multiprocessors, .*, got 1 numbers",
        ),
    ],
)
def test_tasks_that_no_schedule_is_for(scans, task, expected):
    with pytest.raises(ValueError, match=expected):
        scans.schedules(*task)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_largest_tasks(scans, dtype, backward):
    """Blocks are counted without overflow: there is a schedule for all of them, or none."""
    for H, segments in [(1, 2**30), (2**28, 1), (2**14, 2**20), (2**28, 2**30)]:
        try:
            found = scans.schedules("lstm", backward, dtype, H, segments, 2)[0]
        except ValueError as error:
            assert str(error).startswith("schedule: no ''"), error
            continue
        assert found.units * found.ranks >= H and 8 * found.tiles * found.teams >= segments
        assert 2 * found.ranks * found.teams < 2**31
