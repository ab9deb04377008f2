"""Cells of elman.cells against the packages that have them: outputs and gradients of the same weights.

None of these packages is needed; a test of one that is not there is skipped.
"""

import os

import numpy as np
import pytest
import torch

from elman import cells
from tests.cells.carried import as_it_is, hold, steps

I, H = 4, 5  # noqa: E741


def blocks(name, *order):
    """The blocks of rows of ours, in another order."""
    return lambda arrays: np.concatenate([arrays[name][k * H : (k + 1) * H] for k in order])


def joined(*names):
    return lambda arrays: np.concatenate([arrays[name] for name in names])


# Of torchrecurrent: our cell, how many states, which parameters have another layout, what ours has more.
RECURRENT = {
    "ATRCell": (cells.atr, 1, {}, ()),
    "BRCell": (cells.brc(), 1, {"weight_hh": joined("w_a_l0", "w_c_l0"), "bias_hh": None}, ()),
    "NBRCell": (cells.brc("dense"), 1, {}, ()),
    "CFNCell": (cells.cfn, 1, {}, ()),
    "FastRNNCell": (cells.fast_rnn(), 1, {}, ()),
    "IndRNNCell": (cells.ind_rnn("tanh"), 1, {"vector_u": as_it_is("u_l0"), "bias_hh": None}, ()),
    "JANETCell": (cells.janet(), 1, {}, ()),
    "LiGRUCell": (cells.li_gru, 1, {}, ()),
    "LightRUCell": (cells.light_ru, 1, {}, ()),
    "MGUCell": (cells.mgu, 1, {}, ()),
    "NASCell": (cells.nas, 2, {}, ()),
    "PeepholeLSTMCell": (cells.peephole_lstm, 2, {"weight_ph": joined("p_i_l0", "p_f_l0", "p_o_l0")}, ()),
    "RANCell": (cells.ran, 2, {"bias_ih": blocks("bias_ih_l0", 1, 2)}, [("bias_ih_l0", slice(H))]),
    "SGRNCell": (cells.sgrn, 1, {}, ()),
    "STARCell": (cells.star, 1, {}, ()),
    "TRNNCell": (cells.t_rnn, 1, {}, ()),
    "UGRNNCell": (cells.ugrnn, 1, {}, ()),
    "UnICORNNCell": (
        cells.unicornn(0.5, 0.4),
        2,
        {"weight_hh": as_it_is("w_l0"), "weight_ch": as_it_is("c_l0"), "bias_hh": None},
        (),
    ),
}
NONLINEARITY = {"IndRNNCell": {"nonlinearity": "tanh"}, "UnICORNNCell": {"dt": 0.5, "alpha": 0.4}}


@pytest.mark.parametrize("name", RECURRENT)
def test_torchrecurrent(name):
    package = pytest.importorskip("torchrecurrent")
    cell, count, layout, zero = RECURRENT[name]
    other = getattr(package, name)(I, H, **NONLINEARITY.get(name, {})).double()
    pairs = []
    for word, parameter in other.named_parameters():
        place = layout.get(word, as_it_is(f"{word}_l0"))
        if name == "FastRNNCell" and word in ("alpha", "beta"):
            pairs.append(
                (parameter, lambda a, n=word: a[f"{n}_l0"][:1], lambda a, n=word: a[f"{n}_l0"].sum())
            )
        elif name == "JANETCell" and word == "beta":
            assert parameter.item() == 1
        elif place is None:
            torch.nn.init.zeros_(parameter)
        else:
            pairs.append((parameter, place))
    memory = lambda x, state: other(x, (state, state))[0]  # of JANET, whose output is its memory  # noqa: E731
    forward = steps(memory if name == "JANETCell" else other, count)
    hold(
        "torchrecurrent",
        cell,
        forward,
        pairs,
        zero,
        same=("alpha_l0", "beta_l0") if name == "FastRNNCell" else (),
    )


def test_torchrecurrent_fast_grnn():
    """One sum with two biases there; here the gate's is what it has more."""
    package = pytest.importorskip("torchrecurrent")
    other = package.FastGRNNCell(I, H, nonlinearity="sigmoid").double()
    torch.nn.init.zeros_(other.bias_hh)
    one = lambda name: (lambda a: a[name][:1], lambda a: a[name].sum())  # noqa: E731
    pairs = [
        (other.weight_ih, as_it_is("weight_ih_l0")),
        (other.weight_hh, as_it_is("weight_hh_l0")),
        (
            other.bias_ih,
            lambda a: np.concatenate([a["bias_ih_l0"] + a["b_z_l0"], a["bias_ih_l0"]]),
            lambda a: np.concatenate([a["b_z_l0"], a["bias_ih_l0"] - a["b_z_l0"]]),
        ),
        (other.zeta, *one("zeta_l0")),
        (other.nu, *one("nu_l0")),
    ]
    same = ("zeta_l0", "nu_l0")
    hold("torchrecurrent", cells.fast_grnn(), steps(other), pairs, ["bias_hh_l0"], same)


@pytest.mark.parametrize("heads, H", [(1, 5), (3, 9), (4, 64)])
@pytest.mark.parametrize("states", [False, True], ids=["from zeros", "states"])
def test_xlstm(states, heads, H):
    """Its plain loop."""
    package = pytest.importorskip("xlstm.blocks.slstm.src.vanilla")
    pointwise = package.slstm_pointwise_function_registry["slstm"]
    K = H // heads
    shapes = ((4 * H, I), (heads, 4 * K, K), (4 * H,))
    weights = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def forward(x, *initial):
        start = torch.stack(initial) if states else torch.zeros(4, x.shape[1], H, dtype=x.dtype)
        every, last, _ = package.slstm_forward(x @ weights[0].T, start, *weights[1:], pointwise)
        return (every[0, 1:], list(last)) if states else every[0, 1:]

    def of_heads(arrays):
        return arrays["weight_hh_l0"].reshape(4, heads, K, K).swapaxes(0, 1).reshape(shapes[1])

    places = as_it_is("weight_ih_l0"), of_heads, as_it_is("bias_ih_l0")
    pairs = list(zip(weights, places, strict=True))
    hold("xlstm", cells.slstm(), forward, pairs, ["bias_hh_l0"], T=20, states=states, H=H, heads=heads)


@pytest.mark.parametrize("name", ["minGRU", "minLSTM"])
def test_mingru_pytorch(name):
    """Their sums over time are of logarithms."""
    package = pytest.importorskip(f"minGRU_pytorch.{name}")
    other = getattr(package, name)(H).double()
    forward = lambda x: other(x.transpose(0, 1)).transpose(0, 1)  # noqa: E731
    if name == "minGRU":
        cell, pair = cells.min_gru(), (other.to_hidden_and_gate.weight, blocks("weight_ih_l0", 1, 0))
    else:
        cell, pair = cells.min_lstm(), (other.to_hidden_and_f_i_gate.weight, blocks("weight_ih_l0", 2, 0, 1))
    hold("minGRU-pytorch", cell, forward, [pair], ["bias_ih_l0"], I=H, T=20)


@pytest.mark.parametrize("mode", ["default", "no_gate", "pure"])
def test_ncps(mode):
    package = pytest.importorskip("ncps.torch")
    other = package.CfCCell(I, H, mode=mode, backbone_layers=0).double()

    def forward(x, dt):
        h = torch.zeros(x.shape[1], H, dtype=x.dtype)
        outputs = []
        for x_t, dt_t in zip(x, dt, strict=True):
            h, _ = other(x_t, h, dt_t[:, None])
            outputs.append(h)
        return torch.stack(outputs)

    pairs = []
    for k, name in enumerate(["ff1"] if mode == "pure" else ["ff1", "ff2", "time_a", "time_b"]):
        linear, rows = getattr(other, name), slice(k * H, (k + 1) * H)
        pairs.append(
            (linear.weight, lambda a, r=rows: np.hstack([a["weight_ih_l0"][r], a["weight_hh_l0"][r]]))
        )
        pairs.append((linear.bias, lambda a, r=rows: a["bias_ih_l0"][r]))
    if mode == "pure":
        pairs += [(other.w_tau, lambda a: a["w_tau_l0"][None]), (other.A, lambda a: a["top_l0"][None])]
    hold("ncps", cells.cfc(mode), forward, pairs, ["bias_hh_l0"])


@pytest.mark.parametrize("inputs", [H, I], ids=["x itself", "projected"])
@pytest.mark.parametrize("tanh", [False, True], ids=["linear", "tanh"])
@pytest.mark.filterwarnings("ignore")
def test_sru(inputs, tanh):
    """It compiles some C++ when it is imported."""
    package = pytest.importorskip("sru")
    direct = inputs == H
    other = package.SRUCell(inputs, H, use_tanh=tanh, highway_bias=-1.0, rescale=direct).double()
    slots = 3 if direct else 4
    scale = float(other.scale_x) if direct else 1.0
    layered = lambda w: w.reshape(4, H, inputs)[:slots].transpose(2, 1, 0).reshape(inputs, H * slots)  # noqa: E731
    pairs = [
        (other.weight, lambda a: layered(a["weight_ih_l0"])),
        (other.weight_c, joined("v_f_l0", "v_r_l0")),
        (other.bias, blocks("bias_ih_l0", 1, 2)),
    ]
    cell = cells.sru("tanh" if tanh else "linear", scale)
    zero = [("bias_ih_l0", slice(H)), ("bias_ih_l0", slice(3 * H, None))]
    unit = {"weight_ih_l0": (slice(3 * H, None), np.eye(H))} if direct else {}
    hold("sru", cell, lambda x: other(x)[0], pairs, zero, I=inputs, fixed=unit)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["Leaky", "RLeaky"])
def test_snntorch(recurrent, reset):
    package = pytest.importorskip("snntorch")
    fast_sigmoid = pytest.importorskip("snntorch.surrogate").fast_sigmoid(slope=10)
    options = {"threshold": 0.5, "spike_grad": fast_sigmoid, "reset_mechanism": reset}
    linear = torch.nn.Linear(I, H)
    pairs = [(linear.weight, as_it_is("weight_ih_l0")), (linear.bias, as_it_is("bias_ih_l0"))]
    if recurrent:
        other = package.RLeaky(0.75, linear_features=H, **options)
        pairs += [
            (other.recurrent.weight, as_it_is("weight_hh_l0")),
            (other.recurrent.bias, as_it_is("bias_hh_l0")),
        ]
    else:
        other = package.Leaky(0.75, **options)

    def forward(x):
        spikes, potential = (torch.zeros(x.shape[1], H, dtype=x.dtype) for _ in range(2))
        outputs = []
        for x_t in x:
            state = (spikes, potential) if recurrent else (potential,)
            spikes, potential = other(linear(x_t), *state)
            outputs.append(spikes)
        return torch.stack(outputs)

    cell = (cells.rlif if recurrent else cells.lif)(0.75, 0.5, reset, 10.0)
    # Its spikes are float32, whatever it is given.
    hold("snntorch", cell, forward, pairs, T=20, dtype="float32", tolerance=1e-4)


@pytest.fixture
def keras(monkeypatch):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("keras runs on another backend")
    # By this table its products are of float32, whatever its arrays are of.
    dtypes = pytest.importorskip("keras.src.backend.common.dtypes")
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    return keras


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("activation", ["tanh", "softsign", "elu"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "GRU, reset before"])
def test_keras(kind, activation, gates, keras):
    options = {"activation": activation, "recurrent_activation": gates, "return_sequences": True}
    kind, _, before = kind.partition(", ")
    if before:
        options["reset_after"] = False
    other = getattr(keras.layers, kind)(H, dtype="float64", **options)
    other.build((3, 7, I))
    kernel, recurrent, bias = (variable.value for variable in other.cell.trainable_variables)
    order = (0, 1, 2, 3) if kind == "LSTM" else (1, 0, 2)
    turned = lambda name: lambda arrays: blocks(name, *order)(arrays).T  # noqa: E731
    pairs = [(kernel, turned("weight_ih_l0")), (recurrent, turned("weight_hh_l0"))]
    if kind == "LSTM":
        cell, zero = cells.lstm(activation=activation, gate_activation=gates), ["bias_hh_l0"]
        pairs.append((bias, as_it_is("bias_ih_l0")))
    elif before:
        cell, zero = cells.gru(False, activation, gates), ["bias_hh_l0"]
        pairs.append((bias, blocks("bias_ih_l0", *order)))
    else:
        cell, zero = cells.gru(activation=activation, gate_activation=gates), []
        two = blocks("bias_ih_l0", *order), blocks("bias_hh_l0", *order)
        pairs.append((bias, lambda a: np.stack([two[0](a), two[1](a)])))
    forward = lambda x: other(x.transpose(0, 1)).transpose(0, 1)  # noqa: E731
    # torch's hard sigmoid, which is keras's there, divides by 6 in float32.
    exact = gates == "sigmoid"
    hold("keras", cell, forward, pairs, zero, tolerance=1e-10 if exact else 1e-6)
