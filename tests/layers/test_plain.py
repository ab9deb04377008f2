"""What a file's description may hold, and what it becomes."""

import json
import pathlib
from fractions import Fraction

import numpy as np
import pytest

from elman._plain import plain


class Odd:
    def __array__(self, dtype=None, copy=None):
        return np.array([1, 2], np.int16)


PLAIN = [
    (np.float32(0.25), 0.25), (np.float64(1e-3), 1e-3), (np.float16(0.5), 0.5), (np.int8(3), 3),
    (np.uint64(2**63), 2**63),
    (np.bool_(True), True), (np.str_("a"), "a"), (np.array(3), 3), (np.array(0.5, np.float32), 0.5),
    (np.array([0.1, 0.5, 0.9]), [0.1, 0.5, 0.9]), (np.array([[1, 2], [3, 4]], np.int16), [[1, 2], [3, 4]]),
    (np.array([True]), [True]), (np.array(["a", "b"]), ["a", "b"]), (np.array(["a", None], object), ["a", None]),
    (np.longdouble(0.5), 0.5), (np.array([0.5], np.longdouble), [0.5]), ((1, (2, np.float32(3))), [1, [2, 3.0]]),
    (np.dtype("float32"), "float32"), (np.float64, "float64"), (pathlib.PurePosixPath("a/b"), "a/b"), (Odd(), [1, 2]),
    ({"a": {np.str_("b"): (np.int64(1),)}}, {"a": {"b": [1]}}), (None, None), (2**100, 2**100), ("\ud800", "\ud800"),
]  # fmt: skip


@pytest.mark.parametrize("value, want", PLAIN, ids=lambda value: type(value).__name__)
def test_plain(value, want):
    got = plain("a", value)
    assert got == want and type(got) is type(want) and json.loads(json.dumps(got)) == want

    def types(nest):
        if isinstance(nest, (list, dict)):
            return [types(item) for item in (nest.values() if isinstance(nest, dict) else nest)]
        return type(nest)

    assert types(got) == types(want)


@pytest.mark.parametrize(
    "value, message",
    [
        (
            {"a": [0, {1: 2}]},
            r"n\['a'\]\[1\]: expected text as keys, got 1; str\(1\), or a list of pairs, can be saved",
        ),
        (
            {"a": b"x"},
            r"n\['a'\]: expected what JSON can hold \(numbers, text, None, lists, dicts\), got bytes",
        ),
        ({1, 2}, "n: expected what JSON can hold .* got set"),
        (1j, "n: expected .* got complex"),
        (np.complex64(1), "n: expected .* got complex64"),
        (np.datetime64("2020-01-01"), "n: expected .* got datetime64"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "n: expected .* got MaskedArray"),
        ([np.array([Fraction(1, 2)])], r"n\[0\]\[0\]: expected .* got Fraction"),
        (len, "n: expected .* got builtin_function_or_method"),
        (pathlib.Path, "n: expected .* got type"),
    ],
)
def test_what_is_not_plain(value, message):
    with pytest.raises(ValueError, match=message):
        plain("n", value)
