"""The words of a trace: what a node may be, its arguments, what it costs, and how large a cell may grow."""

from __future__ import annotations

from typing import NamedTuple

MOST_SLOTS, MOST_STATES, MOST_PARAMS, MOST_SCALARS, MOST_RANDOM = 16, 8, 16, 4, 16
LARGEST = 3.4028234663852886e38  # number of float32, as which the engine may hold any
MOST_NODES, MOST_REGISTERS, MOST_INSTRUCTIONS = 1000, 64, 4096
MOST_STAGES, MOST_COLUMNS, MOST_STATISTICS = 6, 64, 32


class Node(NamedTuple):
    """One value of a trace. The number of a leaf or a product says which slot, state, vector, scalar or matrix."""

    op: str
    args: tuple[int, ...] = ()
    number: float = 0.0

    @property
    def which(self) -> int:
        """Of a leaf or a product."""
        return int(self.number)


class Operation(NamedTuple):
    """What is known of an operation; the cost is in cheap vector instructions, roughly."""

    arity: int
    cost: int = 1
    numbered: bool = False  # the node's number is an operand


UNARY = {"abs": 1, "sqrt": 6, "exp": 8, "log": 10, "sigmoid": 10, "tanh": 10, "softplus": 18}
STATISTICS = ("mean", "variance", "inverse_deviation")
CHOICES = ("where_greater", "where_at_least", "where_equal")

# What a cell's function may lead to.
OPERATIONS: dict[str, Operation] = {
    **{op: Operation(2) for op in ("add", "sub", "mul", "max", "min")},
    "div": Operation(2, 6),
    **{op: Operation(3) for op in ("fma", "fnma")},
    **{
        op: Operation(1, numbered=True)
        for op in ("add_number", "mul_number", "from_number", "max_number", "min_number")
    },
    **{op: Operation(4) for op in CHOICES},
    # Of a random number: 1 where it is below the node's number, else 0; outside training the number itself.
    "chance": Operation(1, numbered=True),
    # Of x, 0, 1, 0: where_greater, whose number is the slope on the way back.
    "spike": Operation(4, numbered=True),
    **{op: Operation(1, cost) for op, cost in UNARY.items()},
    # Of a row of all units with a matrix, whose number is the node's.
    "product": Operation(1),
    # Over all units of some values together; behind a mean the first argument is their mean. The last one is
    # 1 / sqrt(variance + the node's number).
    "mean": Operation(1),
    "variance": Operation(2),
    "inverse_deviation": Operation(2, numbered=True),
}
# What only the way back has.
DERIVATIVES = {
    **{op: Operation(2, 3) for op in ("dsigmoid", "dtanh")},
    **{op: Operation(3, 4) for op in ("dsigmoid3", "dtanh3")},
}

KNOWN = {**OPERATIONS, **DERIVATIVES}

INPUTS = ("slot", "state", "vector", "scalar")
LEAVES = (*INPUTS, "constant", "random")
# What is at hand in any program without a tape: leaves, statistics, and on the way back the gradients of the new states
# and of the row that a stage reads.
FREE = ("state", "vector", "scalar", "constant", "gradient", "random", "passed", *STATISTICS)
