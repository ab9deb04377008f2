"""A step of a cell by its programs in NumPy: stage by stage, with the products that the engine has in between."""

from elman.tracing import run_program


def forward(cell, slots, matrices, given, keep=True):
    """The new states, the tape and the rows that later stages read, both by index.

    slots: arrays [B, H] in the engine's order; matrices: (weight [H, H], bias [H]) each, in the cell's order; given:
    what programs load, as `run_program` takes it.
    """
    programs = cell.programs
    tape, read, state = {}, {}, {}
    for stage, program in enumerate(programs.forward_keep if keep else programs.forward):
        if stage:
            fed = [matrices[m] for m in programs.products[stage - 1]]
            slots = [read[stage] @ weight.T + bias for weight, bias in fed]
        stored = run_program(program, slots, tape=tape, read=read, **given)
        tape, read, state = tape | stored["tape"], read | stored["read"], state | stored["state"]
    return [state[k] for k in range(len(cell.states))], tape, read


def backward(cell, matrices, given, new, tape, read, gradients):
    """The gradients of all slots, products included, in the engine's order; and what the last program stores."""
    programs = cell.programs
    passed = {}
    last = len(cell.slots) + len(matrices)
    for stage in reversed(range(len(programs.backward))):
        program = programs.backward[stage]
        stored = run_program(
            program, after=new, tape=tape, read=read, passed=passed, gradient=gradients, **given
        )
        tape = tape | stored["tape"]
        if stage:
            fed = programs.products[stage - 1]
            first = last - len(fed)
            passed[stage] = sum(tape[first + i] @ matrices[m][0] for i, m in enumerate(fed))
            last = first
    return [tape[s] for s in range(len(cell.slots) + len(matrices))], stored
