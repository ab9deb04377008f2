"""Paths that only large shapes take: the backward pass in several chunks of steps, long sums in narrow tiles, weight
gradients too large for a cache, results in memory of the engine's own."""

import gc

import numpy as np
import pytest

import elman
from tests.support.cases import assert_agrees, make_case, make_layer
from tests.support.covering import ISAS, over

# The tape of 2,048 rows of 4 x 128 slots is a chunk; sums of 4 x 800 terms and gradients of 10 MB are large.
CHUNKS = {"I": 20, "H": 128, "T": 150, "B": 32}
WIDE = {"I": 30, "H": 800, "T": 3, "B": 7}


@pytest.mark.slow
@over({"cell": ["lstm", "gru"], "sizes": [CHUNKS, WIDE], "isa": ISAS})
def test_large_shapes_agree_with_the_oracle(isa, cell, sizes):
    layer = make_layer(cell, sizes["I"], sizes["H"], bidirectional=True)
    case = make_case(layer, sizes["T"], sizes["B"], lengths=True)
    case.options["lengths"][0] = sizes["T"]
    assert_agrees(case, forward=2e-5, backward=1e-4)


@pytest.mark.parametrize("sizes", [CHUNKS, WIDE], ids=["chunks", "wide"])
def test_threads_do_not_matter_there_either(sizes):
    case = make_case(
        make_layer("gru", sizes["I"], sizes["H"]), sizes["T"], sizes["B"], lengths=True, reset=True
    )
    results = []
    for threads in (1, 2, 3):
        elman.set_num_threads(threads)
        y, _, dx, _, grads = case.run()
        results.append([y.copy(), dx.copy(), *(grad.copy() for grad in grads.values())])
    for other in results[1:]:
        for got, want in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_result_that_is_held_is_left_alone():
    layer = elman.RNN(8, 256, seed=0)
    x = np.random.default_rng(0).standard_normal((300, 32, 8)).astype(np.float32)
    y, _ = layer(x)  # 10 MB: from the engine's blocks
    before = y.copy()
    view = y[10:20]
    del y
    gc.collect()
    for _ in range(3):
        layer(-x)
    np.testing.assert_array_equal(view, before[10:20])
