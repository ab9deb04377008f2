"""What every program has to keep to, whatever its cell is."""

from elman.tracing.operations import DERIVATIVES, OPERATIONS, UNARY


def assert_sound(cell):
    """Registers are written before they are read, and nothing is overwritten that is still to be loaded."""
    programs = cell.programs
    slots, states = len(cell.slots), len(cell.states)
    extras = len(cell.params) + len(cell.scalars)
    tape = [("store_tape", i) for i in range(len(programs.kept))]
    new = [("store_state", k) for k in range(states)]
    assert len(programs.kept) <= slots
    _walk(programs.forward, new)
    _walk(programs.forward_keep, new + tape)
    _walk(
        programs.backward,
        [("store_tape", s) for s in range(slots)]
        + [("store_gradient", k) for k in range(states)]
        + [("store_extra", k) for k in range(extras)],
    )
    for program in programs[:2]:
        assert sorted(program.place) == sorted(set(program.place)) and len(program.place) == slots
    assert programs.backward.place == ()


def _walk(program, expected):
    written, stored, loaded = set(program.place), [], set()
    for op, to, args, number, index, count in program.instructions:
        assert count == 1 or op == "load_tape" or op in UNARY
        assert isinstance(number, float) and isinstance(index, int)
        known = {**OPERATIONS, **DERIVATIVES}
        arity = known[op].arity if op in known else 1 if op.startswith("store") else 0
        assert len(args) == arity, op
        read = {a + i for a in args for i in range(count)}
        assert read <= written, f"{op} reads {read - written} before it is written"
        if op.startswith("store_"):
            assert to == -1 and (op, index) not in stored
            stored.append((op, index))
            continue
        assert "spike" not in op and to >= 0 and to + count <= program.registers
        written |= set(range(to, to + count))
        if op.startswith("load_"):
            what = op.removeprefix("load_")
            assert what in ("state", "after", "tape", "gradient", "vector", "scalar")
            for i in range(index, index + count):
                assert (op, i) not in loaded
                loaded.add((op, i))
                assert (f"store_{what}", i) not in stored, f"{op} {i} behind its store"
            assert what != "tape" or not any(store == "store_tape" for store, _ in stored)
    assert sorted(stored) == sorted(expected)
