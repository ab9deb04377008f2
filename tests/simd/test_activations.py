"""sigmoid and tanh as the cells use them, beside NumPy's in a wider type: errors in units of the last place."""

import numpy as np
import pytest

import elman
from tests.support.cases import make_layer

# The worst over all floats, and over millions of doubles, is 2.44 and 2.08; an error of half a unit is the least.
WORST = {"sigmoid": 2.5, "tanh": 2.2}


def layer_of(name, dtype):
    """A layer of one unit whose y is the function of x, exactly: every other term is 0 or times 1."""
    layer = make_layer("gru" if name == "sigmoid" else "rnn_tanh", 1, 1, dtype=dtype)
    weights = {key: np.zeros_like(value) for key, value in layer.parameters.items()}
    if name == "sigmoid":
        weights["weight_ih_l0"][1] = 1  # z; the candidate is 0, and so h' = z h, of h = 1
    else:
        weights["weight_ih_l0"][0] = 1
    layer.load_state_dict(weights)
    return layer


def call(name, x):
    layer = layer_of(name, x.dtype)
    return layer(x.reshape(1, -1, 1), np.ones((1, x.size, 1), x.dtype) * (name == "sigmoid"))[0].ravel()


def arguments(dtype):
    """Of both signs: equally distributed near 0 and up to where exp ends, and in all magnitudes."""
    rng = np.random.default_rng(0)
    largest = 87 if dtype == np.float32 else 708
    parts = [rng.uniform(-1, 1, 40_000), rng.uniform(-20, 20, 60_000), rng.uniform(-largest, largest, 20_000)]
    parts.append(np.exp(rng.uniform(np.log(1e-30), np.log(largest), 40_000)) * rng.choice([-1, 1], 40_000))
    return np.concatenate(parts).astype(dtype)


@pytest.mark.parametrize("name", WORST)
def test_errors_in_units_of_the_last_place(isa, dtype, name):
    wide = np.float64 if dtype == np.float32 else np.longdouble
    if np.finfo(wide).nmant < np.finfo(dtype).nmant + 8:
        pytest.skip("NumPy has no wider type here")
    x = arguments(dtype)
    of = x.astype(wide)
    want = np.tanh(of) if name == "tanh" else 1 / (1 + np.exp(-of))
    errors = np.abs(call(name, x) - want) / np.spacing(np.abs(want).astype(dtype)).astype(wide)
    assert errors.max() < WORST[name], (x[errors.argmax()], errors.max())
    assert np.mean(errors) < 0.5  # 0.47 for double's tanh before


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(elman.isas()), reason="needs both")
@pytest.mark.parametrize("name", WORST)
def test_avx2_and_avx512_have_the_same_bits(dtype, name):
    x = np.concatenate([arguments(dtype), np.array([0, -0.0, 1e30, -1e30, np.nan, 1e-45], dtype)])
    results = []
    for isa in ("avx2", "avx512"):
        elman.use_isa(isa)
        results.append(call(name, x))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", WORST)
def test_ends(isa, dtype, name):
    x = np.array([0, -0.0, 1e30, -1e30, 90, -90, np.nan], dtype)  # infinity times the weight 0 is NaN
    y = call(name, x)
    low, middle = (-1, 0) if name == "tanh" else (0, 0.5)
    np.testing.assert_allclose(y, [middle, middle, 1, low, 1, low, np.nan], rtol=0, atol=1e-37)
