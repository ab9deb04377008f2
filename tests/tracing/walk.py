"""What every program has to keep to, whatever its cell is."""

from elman.tracing.operations import DERIVATIVES, OPERATIONS, UNARY


def assert_sound(cell):
    """Registers are written before they are read, and nothing is overwritten that is still to be loaded."""
    programs = cell.programs
    states, matrices = len(cell.states), len(cell.matrices)
    extras = len(cell.params) + len(cell.scalars)
    stages = 1 + len(programs.products)
    fed = [list(range(len(cell.slots)))]
    for products in programs.products:
        fed.append([fed[-1][-1] + 1 + i for i in range(len(products))])
    slots = fed[-1][-1] + 1
    assert slots == len(cell.slots) + matrices <= programs.columns
    if not matrices:
        assert len(programs.kept) <= slots == programs.columns
    for way in (programs.forward, programs.forward_keep):
        columns = set()
        assert len(way) == stages
        for stage, program in enumerate(way):
            assert len(program.place) == len(set(program.place)) == len(fed[stage])
            last = stage == stages - 1
            new = [("store_state", k) for k in range(states)] if last else [("store_read", stage + 1)]
            _walk(program, new, columns, range(1, stage + 1))
    if not matrices:
        assert columns == set(range(len(programs.kept)))
    for stage in reversed(range(stages)):
        assert programs.backward[stage].place == ()
        gradients = [("store_tape", s) for s in fed[stage]]
        if stage == 0:
            gradients += [("store_gradient", k) for k in range(states)]
            gradients += [("store_extra", k) for k in range(extras)]
        final = {s for later in fed[stage + 1 :] for s in later}
        _walk(programs.backward[stage], gradients, columns, range(1, stages), range(stage + 1, stages), final)


def _walk(program, expected, columns, read, passed=(), final=()):
    """columns: of the tape that have been stored, to which it adds its own; read, passed: the stages whose rows and
    gradients are there; final: columns that stay as they are."""
    written, stored, loaded = set(program.place), [], set()
    for op, to, args, number, index, count in program.instructions:
        assert count == 1 or op == "load_tape" or op in UNARY
        assert isinstance(number, float) and isinstance(index, int)
        known = {**OPERATIONS, **DERIVATIVES}
        arity = known[op].arity if op in known else 1 if op.startswith("store") else 0
        assert len(args) == arity, op
        needs = {a + i for a in args for i in range(count)}
        assert needs <= written, f"{op} reads {needs - written} before it is written"
        if op.startswith("store_"):
            assert to == -1 and (op, index) not in stored
            stored.append((op, index))
            continue
        assert "spike" not in op and to >= 0 and to + count <= program.registers
        written |= set(range(to, to + count))
        if op.startswith("load_"):
            what = op.removeprefix("load_")
            assert what in ("state", "after", "tape", "gradient", "vector", "scalar", "read", "passed")
            there = {"tape": columns, "read": read, "passed": passed}.get(what)
            assert there is None or set(range(index, index + count)) <= set(there)
            for i in range(index, index + count):
                assert (op, i) not in loaded
                loaded.add((op, i))
                assert (f"store_{what}", i) not in stored, f"{op} {i} behind its store"
            assert what != "tape" or not any(store == "store_tape" for store, _ in stored)
    more = set(stored) - set(expected)
    assert len(stored) == len(expected) + len(more) and {op for op, _ in more} <= {"store_tape"}
    assert not {index for op, index in stored if op == "store_tape"} & set(final)
    columns |= {index for op, index in stored if op == "store_tape"}
