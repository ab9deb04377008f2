"""Cells against layers of packages of which only the files with the equations can be read: the rest needs CUDA or JAX.

ELMAN_TEST_NETWORKS names a folder with the unpacked source archive of haste_pytorch, as for test_public_networks.py.
recurrentgemma and LRU_pytorch are found where they are installed. What is not there is skipped.
"""

import importlib
import importlib.util
import os
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import elman
from elman import cells
from tests.cells.carried import as_it_is, hold, note
from tests.cells.held import random_layer

FOLDER = Path(os.environ.get("ELMAN_TEST_NETWORKS", "nowhere"))
I, H = 4, 5  # noqa: E741


def joined(*names):
    return lambda arrays: np.concatenate([arrays[f"{name}_l0"] for name in names])


def bare(monkeypatch, **packages):
    """Packages by name, of which nothing is run but the files that are asked for."""
    for name, path in packages.items():
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        monkeypatch.setitem(sys.modules, name, module)


def in_order(order):
    """A matrix or vector of gates, turned, with the gates in the other's order."""
    return lambda array: np.concatenate([array[k * H : (k + 1) * H] for k in order]).T


@pytest.fixture
def haste(monkeypatch):
    """A function from the name of a file to its module, whose class runs loops of PyTorch's on a CPU."""
    found = sorted(FOLDER.glob("haste_pytorch-*/frameworks/pytorch"))
    if not found:
        pytest.skip("ELMAN_TEST_NETWORKS names no folder with haste_pytorch")
    before = set(sys.modules)
    bare(monkeypatch, haste_pytorch=found[0], haste_pytorch_lib=found[0])
    with warnings.catch_warnings(action="ignore"):  # of escapes in docstrings
        yield lambda file: importlib.import_module(f"haste_pytorch.{file}")
    for name in set(sys.modules) - before:
        if name.startswith("haste_pytorch."):
            del sys.modules[name]


# A layer of haste: its file, our cell, the gates in its order, and which parameters have another place.
HASTE = {
    "LSTM": ("lstm", cells.lstm(), (0, 2, 1, 3), {}),
    "GRU": ("gru", cells.gru(), (1, 0, 2), {}),
    "IndRNN": ("indrnn", cells.ind_rnn("tanh"), (0,), {"recurrent_scale": as_it_is("u_l0")}),
    "LayerNormLSTM": (
        "layer_norm_lstm",
        cells.layer_norm_lstm(),
        (0, 2, 1, 3),
        {
            "bias": joined("b_i", "b_g", "b_f", "b_o"),
            "gamma": lambda a: np.stack([joined(*(f"{s}_{g}" for g in "igfo"))(a) for s in "xh"]),
            "gamma_h": as_it_is("gain_l0"),
            "beta_h": as_it_is("shift_l0"),
        },
    ),
    "LayerNormGRU": (
        "layer_norm_gru",
        cells.layer_norm_gru(),
        (1, 0, 2),
        {
            "bias": joined("b_z", "b_r", "b_n"),
            # Ours has no second shift of the gates, which would be the same as the first.
            "recurrent_bias": (
                lambda a: np.concatenate([0 * a["b_z_l0"], 0 * a["b_r_l0"], a["b_hn_l0"]]),
                joined("b_z", "b_r", "b_hn"),
            ),
            "gamma": lambda a: np.stack([joined(*(f"{s}_{g}" for g in "zrn"))(a) for s in "xh"]),
        },
    ),
}


def pairs_of(other, order, layout):
    """Its parameters and their places in ours."""
    turned = in_order(order)
    usual = {
        "kernel": "weight_ih",
        "recurrent_kernel": "weight_hh",
        "bias": "bias_ih",
        "recurrent_bias": "bias_hh",
    }
    places = {name: (lambda a, n=ours: turned(a[f"{n}_l0"]),) for name, ours in usual.items()}
    places |= {name: place if isinstance(place, tuple) else (place,) for name, place in layout.items()}
    return [(parameter, *places[name]) for name, parameter in other.named_parameters()]


@pytest.mark.parametrize("name", HASTE)
def test_haste(name, haste):
    file, cell, order, layout = HASTE[name]
    other = getattr(haste(file), name)(I, H).double()
    pairs = pairs_of(other, order, layout)

    def forward(x, *initial):
        given = [part[None] for part in initial]
        y, last = other(x, given[0] if len(given) == 1 else tuple(given))
        return y, [part[0] for part in (last if isinstance(last, tuple) else (last,))]

    norms = name.startswith("LayerNorm")
    zero = ["bias_ih_l0", "bias_hh_l0"] if norms else ["bias_hh_l0"] if name == "LSTM" else []
    hold("haste", cell, forward, pairs, zero, T=20, states=True)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_haste_zoneout(name, haste):
    """The mean that a call takes; what is drawn in training is another draw."""
    file, _, order, layout = HASTE[name]
    cell = cells.zoneout_lstm(0.3, 0.0) if name == "LSTM" else cells.zoneout_gru(0.3)
    rng = np.random.default_rng(1)
    layer, x = random_layer(cell, I, H, rng), rng.standard_normal((9, 3, I))
    if name == "LSTM":
        layer.parameters["bias_hh_l0"] = np.zeros(4 * H)
    other = getattr(haste(file), name)(I, H, zoneout=0.3).double().eval()
    with torch.no_grad():
        for parameter, value in pairs_of(other, order, layout):
            parameter.copy_(torch.tensor(value(layer.parameters)))
        want = other(torch.tensor(x))[0].numpy()
    got = layer(x)[0]
    note("haste, zoneout", cell.name, np.abs(got - want).max())
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_recurrentgemma(monkeypatch):
    """Its RG-LRU with one block; where a text begins, at position 0, it leaves the factor sqrt(1 - a^2) out."""
    spec = importlib.util.find_spec("recurrentgemma")
    if spec is None:
        pytest.skip("recurrentgemma is not installed")
    root = Path(spec.submodule_search_locations[0])
    for name in ("einops", "jaxtyping"):
        pytest.importorskip(name)
    bare(monkeypatch, **{"recurrentgemma": root, "recurrentgemma.torch": root / "torch"})
    layers = importlib.import_module("recurrentgemma.torch.layers")
    monkeypatch.delitem(sys.modules, "recurrentgemma.torch.layers")
    monkeypatch.delitem(sys.modules, "recurrentgemma.torch.array_typing")
    # Its state is float32 otherwise, whatever x is.
    monkeypatch.setattr(layers.rnn_scan, "__defaults__", (torch.float64,))
    other = layers.RGLRU(H, 1, dtype=torch.float64)

    def forward(x, h):
        y, last = other(x.transpose(0, 1), torch.ones(x.shape[1], len(x), dtype=torch.int64), h)
        return y.transpose(0, 1), [last]

    pairs = [(other.a_param, as_it_is("rate_l0"))]
    for gate, rows in ((other.a_gate, slice(H)), (other.input_gate, slice(H, 2 * H))):
        pairs.append((gate.w, lambda a, r=rows: a["weight_ih_l0"][r].T[None]))
        pairs.append((gate.b, lambda a, r=rows: a["bias_ih_l0"][r][None]))
    zero, unit = [("bias_ih_l0", slice(2 * H, None))], {"weight_ih_l0": (slice(2 * H, None), np.eye(H))}
    hold("recurrentgemma", cells.rg_lru, forward, pairs, zero, fixed=unit, I=H, T=20, states=True)


@pytest.fixture
def in_double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def lru_pytorch(outputs, units):
    """Its layer, whose angle and scale are functions of our t and nu, where it trains them apart."""
    package = pytest.importorskip("LRU_pytorch")
    other = package.LRU(I, outputs, units)
    t = torch.nn.Parameter(torch.empty(units))
    for name in ("theta_log", "gamma_log"):
        delattr(other, name)

    def forward(x):
        other.theta_log = torch.log(2 * torch.atan(t))
        other.gamma_log = 0.5 * torch.log(-torch.expm1(-2 * torch.exp(other.nu_log)))
        return other(x.transpose(0, 1)).transpose(0, 1)

    return other, t, forward


def complex_rows(arrays):
    re, im = np.split(arrays["weight_ih_l0"], 2)
    return re + 1j * im


def test_lru_pytorch(in_double):
    other, t, forward = lru_pytorch(H, H)
    with torch.no_grad():
        other.C.copy_(torch.eye(H))
        other.D.zero_()
    pairs = [(other.B, complex_rows), (other.nu_log, as_it_is("nu_l0")), (t, as_it_is("t_l0"))]
    hold("LRU_pytorch", cells.lru, forward, pairs, ["bias_ih_l0"], T=20)


def test_a_whole_lru_layer_is_twice_as_many_units_and_a_linear_map(in_double):
    """As the docstring of the cell says: those with -j B have the imaginary parts."""
    units, outputs = 3, 2
    other, t, forward = lru_pytorch(outputs, units)
    rng = np.random.default_rng(2)
    nu, tangent = rng.uniform(-4, 0, units), rng.uniform(0.1, 1.5, units)
    with torch.no_grad():
        other.nu_log.copy_(torch.tensor(nu))
        t.copy_(torch.tensor(tangent))
        B, C, D = (one.numpy() for one in (other.B, other.C, other.D))
        x = rng.standard_normal((12, 3, I))
        want = forward(torch.tensor(x)).numpy()
    layer = elman.Recurrent(cells.lru, I, 2 * units, dtype="float64")
    every = np.concatenate([B, -1j * B])
    layer.parameters["weight_ih_l0"] = np.concatenate([every.real, every.imag])
    layer.parameters["bias_ih_l0"] = np.zeros(4 * units)
    layer.parameters["nu_l0"], layer.parameters["t_l0"] = np.tile(nu, 2), np.tile(tangent, 2)
    got = layer(x)[0] @ np.hstack([C.real, -C.imag]).T + x @ D.T
    note("LRU_pytorch", "lru and its readout", np.abs(got - want).max())
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
