"""Pretrained networks of public packages on elman's layers, held to what the packages' own code computes.

ELMAN_TEST_NETWORKS names a folder with the unpacked source archives of chars2vec and madmom; without it these tests are
skipped. chars2vec's runtime is Keras before 2.3, whose hard sigmoid is 0.2 x + 0.5: a loop of those equations stands
for it, and today's Keras with that function, where it is installed. madmom's is its own file of layers.
"""

import importlib.util
import os
import pickle
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import cells
from tests.cells.carried import held

FOLDER = Path(os.environ.get("ELMAN_TEST_NETWORKS", "nowhere"))
CHARS = sorted(FOLDER.glob("chars2vec-*/chars2vec/trained_models/eng_*/weights.h5"))
MADMOM = sorted(
    path
    for path in FOLDER.glob("madmom-*/madmom/models/*/*/*.pkl")
    if "rnn" in path.name or "lstm" in path.name or "gru" in path.name
)
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="ELMAN_TEST_NETWORKS names no folder")


def keras_arrays(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path) as file:
        groups = [file[name][name] for name in map(bytes.decode, file.attrs["layer_names"]) if "lstm" in name]
        return [[np.array(g[f"{n}:0"]) for n in ("kernel", "recurrent_kernel", "bias")] for g in groups]


@pytest.mark.parametrize("path", CHARS, ids=lambda path: path.parent.name)
def test_chars2vec(path):
    layers = keras_arrays(path)
    hard = lambda x: np.clip(0.2 * x + 0.5, 0, 1)  # noqa: E731

    def runtime(x):
        for w, u, b in layers:
            w, u, b = (one.astype(x.dtype) for one in (w, u, b))
            h = c = np.zeros((x.shape[1], len(u)), x.dtype)
            y = []
            for x_t in x:
                i, f, g, o = np.split(x_t @ w + h @ u + b, 4, axis=1)
                c = hard(f) * c + hard(i) * np.tanh(g)
                h = hard(o) * np.tanh(c)
                y.append(h)
            x = np.stack(y)
        return x

    def keras_runtime(x):
        import keras

        act = lambda z: keras.ops.clip(0.2 * z + 0.5, 0, 1)  # noqa: E731
        found = np.swapaxes(x, 0, 1)
        for w, u, b in layers:
            layer = keras.layers.LSTM(
                len(u), recurrent_activation=act, return_sequences=True, dtype=str(x.dtype)
            )
            layer.build(found.shape)
            layer.set_weights([w, u, b])
            with warnings.catch_warnings(action="ignore"):
                found = keras.ops.convert_to_numpy(layer(found))
        return np.swapaxes(found, 0, 1)

    def ours(x):
        cell = cells.lstm(gate_activation=("hard_sigmoid", 0.2, 0.5))
        I, H = layers[0][0].shape[0], len(layers[0][1])  # noqa: E741
        layer = elman.Recurrent(cell, I, H, num_layers=2, dtype=x.dtype)
        for k, (w, u, b) in enumerate(layers):
            layer.parameters[f"weight_ih_l{k}"] = w.T.astype(x.dtype)
            layer.parameters[f"weight_hh_l{k}"] = u.T.astype(x.dtype)
            layer.parameters[f"bias_ih_l{k}"] = b.astype(x.dtype)
            layer.parameters[f"bias_hh_l{k}"] = np.zeros_like(b, x.dtype)
        return layer(x)[0]

    rng = np.random.default_rng(0)
    x = np.eye(layers[0][0].shape[0])[rng.integers(0, layers[0][0].shape[0], (20, 9))]  # letters of words
    held(path.parent.name, runtime, ours, x)
    if importlib.util.find_spec("keras"):
        held(f"{path.parent.name} by Keras", keras_runtime, ours, x)


class Network:
    """Stands for madmom's classes of whole networks, of which the layers are wanted."""

    def __setstate__(self, state):
        self.__dict__.update(state)


@pytest.fixture(scope="module")
def madmom_layers():
    """Its file of layers, without the package around it, which needs a compiler and an older Python."""
    (nn,) = FOLDER.glob("madmom-*/madmom/ml/nn")
    names = ["madmom", "madmom.ml", "madmom.ml.nn"]
    before = set(sys.modules)
    for name in names:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    for name in ("activations", "layers"):
        spec = importlib.util.spec_from_file_location(f"madmom.ml.nn.{name}", nn / f"{name}.py")
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        setattr(sys.modules["madmom.ml.nn"], name, module)
        with warnings.catch_warnings(action="ignore"):
            spec.loader.exec_module(module)
    yield module
    for name in set(sys.modules) - before:
        if name.startswith("madmom"):
            del sys.modules[name]


class Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if module.startswith("madmom") and not module.startswith(("madmom.ml.nn.layers", "madmom.ml.nn.act")):
            return Network
        return super().find_class(module, name)


def recurrent_layers(path):
    with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
        read = Reader(file, encoding="latin1").load()
    marks = "fwd_layer", "recurrent_weights", "cell"
    return [one for one in read.layers if any(hasattr(one, mark) for mark in marks)]


def cast(layer, dtype):
    """The layer with all of its numbers in another type."""
    for name, value in list(vars(layer).items()):
        if isinstance(value, np.ndarray):
            setattr(layer, name, value.astype(dtype))
        elif hasattr(value, "__dict__") and not isinstance(value, types.FunctionType):
            cast(value, dtype)
    return layer


def one_way(layer):
    """The cell of elman's, and the arrays of its layer without the ends of their names."""
    if hasattr(layer, "input_gate"):
        gates = [layer.input_gate, layer.forget_gate, layer.cell, layer.output_gate]
        seen = {f"p_{n}": g.peephole_weights for n, g in zip("ifo", [*gates[:2], gates[3]], strict=True)}
        peepholes = {n: p for n, p in seen.items() if p is not None}
        cell = cells.lstm(peepholes=bool(peepholes))
    elif hasattr(layer, "reset_gate"):  # n = tanh(W x + b + r * (U h)), h' = z n + (1 - z) h
        gates, peepholes, cell = [layer.reset_gate, layer.update_gate, layer.cell], {}, turned_gru
    else:
        gates, peepholes = [layer], {}
        cell = cells.rnn(layer.activation_fn.__name__)
    arrays = {
        "weight_ih": np.concatenate([g.weights.T for g in gates]),
        "weight_hh": np.concatenate([g.recurrent_weights.T for g in gates]),
        "bias_ih": np.concatenate([np.broadcast_to(g.bias, len(g.recurrent_weights)) for g in gates]),
    }
    return cell, arrays | {"bias_hh": np.zeros_like(arrays["bias_ih"])} | peepholes


@elman.cell({"r": "xh", "z": "xh", "n_x": "x", "n_h": "h"}, "h")
def turned_gru(r, z, n_x, n_h, h):
    """A GRU whose update gate opens where others' closes."""
    return h + cells.sigmoid(z) * (cells.tanh(n_x + cells.sigmoid(r) * n_h) - h)


def stacked(layers, x):
    for layer in layers:
        ways = [layer.fwd_layer, layer.bwd_layer] if hasattr(layer, "fwd_layer") else [layer]
        (cell, first), *others = [one_way(way) for way in ways]
        I, H = x.shape[-1], first["weight_hh"].shape[1]  # noqa: E741
        own = elman.Recurrent(cell, I, H, bidirectional=len(ways) == 2, dtype=x.dtype)
        for end, arrays in zip(("_l0", "_l0_reverse"), [first, *(a for _, a in others)], strict=False):
            for name, value in arrays.items():
                own.parameters[f"{name}{end}"] = value.astype(x.dtype)
        names = ["init", "cell_init"][: len(cell.states)]
        state = [np.stack([np.tile(getattr(way, n), (x.shape[1], 1)) for way in ways]) for n in names]
        state = [part.astype(x.dtype) for part in state]
        x = own(x, state[0] if len(state) == 1 else tuple(state))[0]
    return x


@pytest.mark.parametrize("path", MADMOM, ids=lambda path: path.stem)
def test_madmom(path, madmom_layers):
    layers = recurrent_layers(path)
    assert layers

    def runtime(x):
        madmom_layers.NN_DTYPE = x.dtype
        found = []
        for one in np.swapaxes(x, 0, 1):
            for layer in layers:
                one = cast(layer, x.dtype)(one)
            found.append(one)
        return np.stack(found, 1)

    way = getattr(layers[0], "fwd_layer", layers[0])
    I = getattr(way, "cell", way).weights.shape[0]  # noqa: E741
    x = np.random.default_rng(0).random((60, 5, I)) * 2
    held(path.stem, runtime, lambda x: stacked(layers, x), x)
