"""What every program has to keep to, whatever its cell is."""

from elman.tracing.operations import KNOWN, MOST_COLUMNS, STATISTICS, UNARY
from elman.tracing.units import IN_ROWS, alike_of

_LOADED = ("state", "after", "tape", "gradient", "vector", "scalar", "read", "passed", "statistic", "left")

_ADDS = ("add_vector", "add_scalar")


def assert_sound(cell):
    """Registers are written before they are read, and nothing is overwritten that is still to be loaded."""
    programs = cell.programs
    states, matrices = len(cell.states), len(cell.matrices)
    stages = len(programs.forward)
    carried = _carried(cell)
    assert stages == (3 if carried else 1 + len(programs.products))
    fed, slots = [list(range(len(cell.slots)))], len(cell.slots)
    for products in programs.products:
        fed.append(list(range(slots, slots + len(products))))
        slots += len(products)
    assert slots == len(cell.slots) + matrices <= programs.columns
    fed += [[]] * (stages - len(fed))
    staged = len(programs.forward) > 1
    if not staged:
        assert len(programs.kept) <= slots == programs.columns
    rows = [stage for stage, products in enumerate(programs.products, 1) if products]
    for way in (programs.forward, programs.forward_keep):
        columns, left, statistics = set(), set(), []
        assert len(way) == stages
        for stage, program in enumerate(way):
            assert len(program.place) == len(set(program.place)) == len(fed[stage])
            for slot, place in enumerate(program.place):  # of the tape no column of a later slot
                assert place >= 0 or (stage == 0 and (-1 - place <= slot or -1 - place >= MOST_COLUMNS))
            last = stage == stages - 1
            row = [] if last or carried or not programs.products[stage] else [("store_read", stage + 1)]
            stored = [k for k in range(states) if not carried or (k in carried) == (stage == 1)]
            new = [("store_state", k) for k in stored] if last or (carried and stage) else row
            assert not carried or stage == 1 or not _indices(program, "load_state")
            _statistics(program, columns, left, statistics)
            _walk(program, new, columns, left, statistics, [r for r in rows if r <= stage])
        assert left <= set(range(programs.left))
    if not staged:
        assert columns == set(range(len(programs.kept)))
    left = set()
    for stage in reversed(range(stages)):
        assert programs.backward[stage].place == ()
        gradients = [("store_tape", s) for s in fed[stage]]
        if stage == (1 if carried else 0):
            gradients += [("store_gradient", k) for k in carried or range(states)]
        elif carried:
            assert not carried & _indices(programs.backward[stage], "load_gradient")
        assert not carried or _indices(programs.backward[stage], "load_state") <= carried
        if stage == 0:
            gradients += [("add_scalar", k) for k in range(len(cell.scalars))]
            vectors = _indices(programs.backward[stage], "add_vector")
            assert vectors <= set(range(len(cell.params)))
            gradients += [("add_vector", k) for k in vectors]
        final = {s for later in fed[stage + 1 :] for s in later}
        _statistics(programs.backward[stage], columns, left, statistics)
        passed = [r for r in rows if r > stage]
        _walk(programs.backward[stage], gradients, columns, left, statistics, rows, passed, final)
    assert left <= set(range(programs.left))


def _indices(program, op):
    return {one.index for one in program.instructions if one.op == op}


def _carried(cell):
    """The states of an elementwise cell that a step reads."""
    ops = {node.op for node in cell.nodes}
    if any("h" in feed for feed in cell.slots.values()) or ops & {"product", *STATISTICS}:
        return set()
    return {node.which for node in cell.nodes if node.op == "state"}


def _statistics(program, columns, left, statistics):
    """What comes before a program: of columns that are there, and that it leaves alone."""
    first = {"store_tape": 0, "store_left": MOST_COLUMNS}
    stored = {first[one.op] + one.index for one in program.instructions if one.op in first}
    stored |= {-1 - place for place in program.place if place < 0}
    for mean, to, of, epsilon in program.statistics:
        assert of and set(of) <= columns | {MOST_COLUMNS + c for c in left} and not set(of) & stored
        assert epsilon is None or (epsilon > 0 and mean is not None)
        assert to == len(statistics) and (mean is None or statistics[mean] == of)
        statistics.append(of)


def _walk(program, expected, columns, left, statistics, read, passed=(), final=()):
    """columns: of the tape that have been stored, to which it adds its own; statistics: those that are there;
    read, passed: the stages whose rows and gradients are there; final: columns that stay as they are."""
    written, loaded, alike = {place for place in program.place if place >= 0}, set(), {}
    arrived = [-1 - place for place in program.place if place < 0]
    stored = [("store_tape", c) if c < MOST_COLUMNS else ("store_left", c - MOST_COLUMNS) for c in arrived]
    for op, to, args, number, index, count, once in program.instructions:
        assert count == 1 or op in ("load_tape", "load_left") or op in UNARY
        assert isinstance(number, float) and isinstance(index, int)
        arity = KNOWN[op].arity if op in KNOWN else 1 if op.startswith("store") or op in _ADDS else 0
        assert len(args) == arity, op
        needs = {a + i for a in args for i in range(count)}
        assert needs <= written, f"{op} reads {needs - written} before it is written"
        assert not once or op in ("load_left", "store_left")
        made = alike_of(op.removeprefix("load_"), [alike.get(a, 0) for a in args])
        if op.startswith("store_") or op in _ADDS:
            assert to == -1 and (op, index) not in stored and (not once or made & IN_ROWS)
            stored.append((op, index))
            continue
        assert "spike" not in op and to >= 0 and to + count <= program.registers
        registers = set(range(to, to + count))
        assert all(alike.get(a, 0) == made for a in registers & needs), "a register of another shape"
        alike |= dict.fromkeys(registers, IN_ROWS if once else made)
        written |= registers
        if op.startswith("load_"):
            what = op.removeprefix("load_")
            assert what in _LOADED
            places = {
                "tape": columns,
                "left": left,
                "read": read,
                "passed": passed,
                "statistic": range(len(statistics)),
            }
            there = places.get(what)
            assert there is None or set(range(index, index + count)) <= set(there)
            for i in range(index, index + count):
                assert (op, i, once) not in loaded
                loaded.add((op, i, once))
                assert (f"store_{what}", i) not in stored, f"{op} {i} behind its store"
            assert what not in ("tape", "left") or not any(store == f"store_{what}" for store, _ in stored)
    more = set(stored) - set(expected)
    assert len(stored) == len(expected) + len(more) and {op for op, _ in more} <= {"store_tape", "store_left"}
    assert not {index for op, index in stored if op == "store_tape"} & set(final)
    columns |= {index for op, index in stored if op == "store_tape"}
    left |= {index for op, index in stored if op == "store_left"}
