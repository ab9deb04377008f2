"""A run of a cell's function, and what its symbols refuse: all that a program cannot say, where it stands.

The messages name the line of the cell's function.
"""

from __future__ import annotations

import inspect
import math
import operator
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from .._check import describe
from .graph import Graph
from .operations import LARGEST

FUNCTIONS = (
    *(
        "sigmoid",
        "tanh",
        "exp",
        "log",
        "sqrt",
        "softplus",
        "relu",
        "hard_sigmoid",
        "maximum",
        "minimum",
        "clip",
    ),
    *("where", "spike", "zoneout", "mean", "variance", "layer_norm"),
)
_USE = f"use those of elman.cells: {', '.join(FUNCTIONS)}"
_LIBRARIES = os.path.dirname(os.__file__)
_OURS = os.path.dirname(os.path.dirname(__file__))
# Scalars of NumPy come first in `np.float64(2) * value`, which is then a call of these.
_UFUNCS: dict[str, Callable[[Any, Any], Any]] = {
    **{"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv},
    **{"greater": operator.gt, "greater_equal": operator.ge, "less": operator.lt, "less_equal": operator.le},
    **{"equal": operator.eq, "not_equal": operator.ne},
}


class Trace:
    """One run of a cell's function on symbols."""

    def __init__(self, name: str, function: Callable[..., Any]):
        self.graph = Graph()
        self.name = name
        self._code = getattr(inspect.unwrap(function), "__code__", None)

    def _line(self) -> str | None:
        """Where its function is while it runs, or the helper of the user's that it has called."""
        frame: FrameType | None = sys._getframe(1)
        inner = None
        while frame is not None and frame.f_code is not self._code:
            if inner is None and not frame.f_code.co_filename.startswith((_OURS, _LIBRARIES)):
                inner = frame
            frame = frame.f_back
        if frame is not None and inner is None and frame.f_code.co_filename.startswith(_OURS):
            inner = _caller(frame)  # of one of elman.cells, which was given a function
        frame = frame and (inner or frame)
        return frame and f"line {frame.f_lineno} of {os.path.basename(frame.f_code.co_filename)}"

    def definition(self) -> str:
        """Where its function begins."""
        code = self._code
        return f" (line {code.co_firstlineno} of {os.path.basename(code.co_filename)})" if code else ""

    def place(self) -> str:
        """The cell and, while its function runs, the line there."""
        line = self._line()
        return f"cell {self.name}, {line}" if line else f"cell {self.name}"

    def refuse(self, text: str) -> NoReturn:
        raise TypeError(f"{self.place()}: {text}")

    def node(self, x: Any) -> int:
        """The node of a value or of a number."""
        if not isinstance(x, Symbol):
            return self.graph.constant(self.number(x))
        if x.trace is not self:
            running, other = (self, x.trace) if self._line() else (x.trace, self)
            running.refuse(f"expected symbols of this cell, got one of cell {other.name}")
        return x.as_node()

    def number(self, x: Any) -> float:
        if isinstance(x, Symbol):
            self.refuse("expected a number, got a symbol")
        if isinstance(x, (np.generic, np.ndarray)) and x.ndim == 0:
            x = x.item()
        if isinstance(x, bool) or not isinstance(x, (int, float)):
            what = "arrays belong in params or scalars" if hasattr(x, "shape") else _USE
            self.refuse(f"expected a number or a symbol, got {describe(x)}; {what}")
        try:
            number = float(x)
        except OverflowError:
            number = math.inf
        if not abs(number) <= LARGEST:
            self.refuse(f"expected a finite number, got {number}; float32 holds up to 3.4e38")
        return number


def _caller(frame: FrameType) -> FrameType | None:
    """The first frame around it that is no part of elman."""
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_filename.startswith(_OURS):
        outer = outer.f_back
    return outer


class Symbol:
    """What values and conditions refuse alike."""

    __slots__ = ("trace",)
    _NO_IF = (
        "expected no `if` on a symbol; use where(condition, then, otherwise), or maximum and minimum (while, assert, "
        "max, min and a < b < c ask for an `if`, too)"
    )

    def __init__(self, trace: Trace):
        self.trace = trace

    def as_node(self) -> int:
        self.trace.refuse("expected a value, got a condition; use where(condition, 1.0, 0.0)")

    def __bool__(self) -> bool:
        self.trace.refuse(self._NO_IF)

    def __getattr__(self, name: str) -> Any:
        if name == "trace":  # of a symbol that copy() is about to fill
            raise AttributeError(name)
        # hasattr() asks, too, and takes no other error for a no.
        instead = f"; use {name}(...) of elman.cells" if name in FUNCTIONS else ""
        raise AttributeError(f"{self.trace.place()}: expected no attribute of a symbol, got .{name}{instead}")

    def __format__(self, form: str) -> str:
        if form:
            self.trace.refuse("expected no format of a symbol, whose numbers come later")
        return repr(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        ours = _UFUNCS.get(ufunc.__name__) if method == "__call__" and not options else None
        if ours is None:
            self._refuse_library(f"numpy.{ufunc.__name__}")
        return ours(*(x if isinstance(x, Symbol) else self.trace.number(x) for x in inputs))

    def __array_function__(self, function: Any, *rest: Any) -> NoReturn:
        self._refuse_library(f"numpy.{function.__name__}")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> NoReturn:
        given = [*args, *(kwargs or {}).values()]
        flat = [x for one in given for x in (one if isinstance(one, (list, tuple)) else [one])]
        symbol = next(x for x in flat if isinstance(x, Symbol))
        symbol._refuse_library(f"torch's {getattr(function, '__name__', 'function')}")

    def _refuse_library(self, what: str) -> NoReturn:
        self.trace.refuse(f"expected no {what} on a symbol; {_USE}")


# What else Python asks these for.
_ASKED_BY = {"float": " (those of math ask for it)", "index": " (so does range)"}


# Operators, by name and sign; what has none of them, and what to use.
_OF_A_CONDITION = "a condition", "use where(condition, then, otherwise)"
_OPERATORS = {
    "add + sub - mul * truediv / pow ** neg - pos + abs abs()": _OF_A_CONDITION,
    "gt > ge >= lt < le <= eq == ne !=": _OF_A_CONDITION,
    "floordiv // mod % divmod divmod() matmul @ lshift << rshift >>": ("a symbol", "use + - * /"),
    "and & or | xor ^ invert ~": ("values", "use & | ~ of conditions, as in (x > 0) & (x < 1)"),
}


def operators() -> list[str]:
    """The methods of all operators."""
    return [f"__{name}__" for text in _OPERATORS for name, _ in _signs(text)]


def _refuse_methods() -> None:
    """Python looks these up in the class, so each is there by name."""
    for name in [
        "float",
        "int",
        "complex",
        "index",
        "hash",
        "len",
        "round",
        "trunc",
        "floor",
        "ceil",
        "array",
    ]:
        asks = _ASKED_BY.get(name, "")
        _refuse(name, f"expected no {name}() of a symbol{asks}, whose numbers come later; {_USE}")
    for name in ["iter", "next", "getitem", "setitem"]:
        _refuse(name, "expected no iteration over a symbol and no [...]; a cell sees one unit")
    _refuse("contains", "expected no `in` on a symbol; use where(condition, then, otherwise)")

    for text, (whose, instead) in _OPERATORS.items():
        for name, sign in _signs(text):
            _refuse(name, f"expected no {sign} of {whose}; {instead}")


def _signs(text: str) -> list[tuple[str, str]]:
    """The operators with a value to their left, and with one to their right."""
    words = text.split()
    return [
        (side + name, sign) for name, sign in zip(words[::2], words[1::2], strict=True) for side in ("", "r")
    ]


def _refuse(name: str, text: str) -> None:
    def refuse(self: Symbol, *_: Any, **__: Any) -> NoReturn:
        self.trace.refuse(text)

    setattr(Symbol, f"__{name}__", refuse)


_refuse_methods()
