"""A step of a cell by its programs in NumPy: stage by stage, with the products that the engine has in between."""

import numpy as np

from elman.tracing import run_program
from elman.tracing.operations import MOST_COLUMNS


def compute(program, tape, left, statistics):
    """Adds the statistics that come before a program."""
    for mean, to, columns, epsilon in program.statistics:
        middle = 0 if mean is None else statistics[mean]
        numbers = [(tape[c] if c < MOST_COLUMNS else left[c - MOST_COLUMNS]) - middle for c in columns]
        sums = sum(x if mean is None else x**2 for x in numbers).mean(-1, keepdims=True)
        found = sums / len(columns)
        statistics[to] = found if epsilon is None else 1 / np.sqrt(found + epsilon)


def forward(cell, slots, matrices, given, keep=True):
    """The new states; the tape, the rows that later stages read and the statistics, by index.

    slots: arrays [B, H] in the engine's order; matrices: (weight [H, H], bias [H]) each, in the cell's order; given:
    what programs load, as `run_program` takes it.
    """
    programs = cell.programs
    tape, left, read, statistics, state = {}, {}, {}, {}, {}
    for stage, program in enumerate(programs.forward_keep if keep else programs.forward):
        if stage:
            fed = [matrices[m] for m in _products(programs, stage)]
            slots = [read[stage] @ weight.T + bias for weight, bias in fed]
        compute(program, tape, left, statistics)
        found = {"tape": tape, "left": left, "read": read, "statistic": statistics}
        stored = run_program(program, slots, **found, **given)
        left = left | stored["left"]
        tape, read, state = tape | stored["tape"], read | stored["read"], state | stored["state"]
    return [state[k] for k in range(len(cell.states))], (tape, read, statistics)


def backward(cell, matrices, given, new, kept, gradients):
    """The gradients of all slots, products included, in the engine's order; and what the programs store: the
    gradients of the states, and what they add to those of vectors and scalars."""
    programs = cell.programs
    tape, read, statistics = kept
    statistics, passed, left = dict(statistics), {}, {}
    found_gradients = dict.fromkeys(range(len(cell.states)), 0 * new[0])  # of what nothing reads
    last = len(cell.slots) + len(matrices)
    for stage in reversed(range(len(programs.backward))):
        program = programs.backward[stage]
        compute(program, tape, left, statistics)
        found = {
            "after": new,
            "tape": tape,
            "left": left,
            "read": read,
            "passed": passed,
            "statistic": statistics,
        }
        stored = run_program(program, gradient=gradients, **found, **given)
        tape, left = tape | stored["tape"], left | stored["left"]
        found_gradients |= stored["gradient"]
        if fed := _products(programs, stage):
            first = last - len(fed)
            passed[stage] = sum(tape[first + i] @ matrices[m][0] for i, m in enumerate(fed))
            last = first
    found = stored | {"gradient": found_gradients}
    return [tape[s] for s in range(len(cell.slots) + len(matrices))], found


def _products(programs, stage):
    """The matrices of a stage; the programs of an elementwise cell have none."""
    return programs.products[stage - 1] if 0 < stage <= len(programs.products) else ()
