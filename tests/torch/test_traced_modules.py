"""elman.torch.Recurrent as a module: copies, files, types, hooks and stale weights."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import elman
import elman.torch as et
from tests.support.cases import TRACED
from tests.support.torch_cells import FLOAT64, assert_close, call, gradients, leaves, make

SOME = ["slstm", "cfc", "sru"]


def test_compiled_cells_by_name():
    theirs, ours = et.LSTM(3, 4, 2, bidirectional=True), et.Recurrent("lstm", 3, 4, 2, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 2, 3)
    y, (h, c) = ours(x)
    want, (want_h, want_c) = theirs(x)
    assert torch.equal(y, want) and torch.equal(h, want_h) and torch.equal(c, want_c)


def test_initial_values():
    torch.manual_seed(0)
    cell = elman.cell("a", "h", params={"fixed": 0.25, "drawn": (2.0, 3.0), "usual": None})(
        lambda a, h, fixed, drawn, usual: a * fixed + h * drawn + usual
    )
    layer = et.Recurrent(cell, 3, 16, 2, bidirectional=True)
    twin = elman.Recurrent(cell, 3, 16, num_layers=2, bidirectional=True)
    assert [(n, p.shape) for n, p in layer.named_parameters()] == [
        (n, p.shape) for n, p in twin.parameters.items()
    ]
    for name, p in layer.named_parameters():
        low, high = (2, 3) if name.startswith("drawn") else (-0.25, 0.25)
        assert low <= p.min() and p.max() <= high
        assert name.startswith("fixed") == (p.min() == p.max())
    before = copy.deepcopy(layer.state_dict())
    torch.manual_seed(0)
    layer.reset_parameters()
    again = et.Recurrent(cell, 3, 16, 2, bidirectional=True, dtype=FLOAT64)
    assert all(torch.equal(before[name], p) for name, p in layer.state_dict().items())
    assert all(p.dtype == FLOAT64 for p in again.parameters())


def test_state_dicts_of_the_numpy_layer_go_both_ways():
    layer = et.Recurrent(TRACED["sru"], 3, 4, 2, bidirectional=True)
    twin = elman.Recurrent(TRACED["sru"], 3, 4, num_layers=2, bidirectional=True, seed=1)
    layer.load_state_dict(twin.state_dict())
    x = torch.randn(5, 2, 3)
    assert np.array_equal(layer(x)[0].detach().numpy(), twin(x.numpy())[0])
    layer.reset_parameters()
    twin.load_state_dict(layer.state_dict())
    assert np.array_equal(layer(x)[0].detach().numpy(), twin(x.numpy())[0])
    whole = torch.nn.Sequential(layer)
    whole.load_state_dict({f"0.{name}": p for name, p in twin.state_dict().items()})


def test_copies():
    layer, x, *_ = make("slstm")
    y = layer(x)[0]
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for other in (
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.load(file, weights_only=False),
    ):
        assert torch.equal(other(x)[0], y)
        assert other.cell == layer.cell and repr(other) == repr(layer) == "Recurrent(slstm, 3, 4)"
    assert repr(et.Recurrent("gru", 3, 4, 2, False)) == "Recurrent(gru, 3, 4, num_layers=2, bias=False)"


@pytest.mark.parametrize("cell", SOME)
def test_every_write_to_a_weight_is_seen(cell):
    layer, x, state, scalars, marks = make(cell)
    call(layer, x, state, scalars, marks)
    for p in layer.parameters():
        for i in range(0, p.numel(), 5):
            p.data.view(-1)[i] += 0.25
            assert_close(call(layer, x, state, scalars, marks), call(layer, x, state, scalars, marks, True))


@pytest.mark.parametrize("cell", SOME)
def test_without_gradients(cell):
    layer, *given = make(cell, "everything")
    want = call(layer, *given)
    for block in (torch.no_grad(), torch.inference_mode()):
        with block:
            got = call(layer, *given)
        assert all(torch.equal(a, b) and not a.requires_grad for a, b in zip(got, want, strict=True))


def test_gradients_that_are_not_wanted():
    layer, x, state, scalars, marks = make("cfc", "everything")
    want = gradients(call(layer, x, state, scalars, marks), leaves(layer, x, state, scalars))
    for t in (x, *state, *layer.parameters()):
        t.requires_grad_(False)
    (got,) = gradients(call(layer, x, state, scalars, marks), list(scalars.values()))
    assert torch.equal(got, want[-1])
    scalars["dt"].requires_grad_(False)
    layer.bias_hh_l1.requires_grad_(True)
    (got,) = gradients(call(layer, x, state, scalars, marks), [layer.bias_hh_l1])
    names = [name for name, _ in layer.named_parameters()]
    assert torch.equal(got, want[1 + len(state) + names.index("bias_hh_l1")])


def test_a_retained_graph_gives_the_same_gradients_twice():
    layer, x, state, scalars, marks = make("cfc")
    wanted, results = leaves(layer, x, state, scalars), call(layer, x, state, scalars, marks)
    first, second = (gradients(results, wanted, retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_hooks_and_checkpoints():
    layer, x, state, scalars, marks = make("cfc")
    wanted = leaves(layer, x, state, scalars)
    want = gradients(call(layer, x, state, scalars, marks), wanted)
    seen = []
    handles = [
        layer.register_forward_hook(lambda module, args, out: seen.append("forward")),
        layer.register_full_backward_hook(lambda module, dx, dy: seen.append("backward")),
    ]
    with torch.autograd.graph.save_on_cpu():
        results = call(layer, x, state, scalars, marks)
    assert_close(gradients(results, wanted), want)
    assert seen == ["forward", "backward"]
    for handle in handles:
        handle.remove()
    again = torch.utils.checkpoint.checkpoint(call, layer, x, state, scalars, marks, use_reentrant=False)
    assert_close(gradients(again, wanted), want)


def test_dropout_between_layers():
    layer = et.Recurrent(TRACED["lstm" if "lstm" in TRACED else "traced_lstm"], 3, 4, 3, dropout=0.4)
    theirs = et.LSTM(3, 4, 3, dropout=0.4)
    theirs.load_state_dict(layer.state_dict())
    x, results = torch.randn(5, 2, 3), []
    for one in (layer, theirs):
        torch.manual_seed(7)
        results.append(one(x)[0])
    torch.testing.assert_close(*results)
    assert torch.equal(layer.eval()(x)[0], layer(x)[0]) and not torch.equal(layer(x)[0], results[0])


def test_half_precision_runs_in_torchs_operations():
    layer, x, state, scalars, marks = make("cfc", "everything")
    want = call(layer, x, state, scalars, marks)
    half = lambda t: t.detach().to(torch.float16)  # noqa: E731
    given = half(x), [half(s) for s in state], {n: half(s) for n, s in scalars.items()}, marks
    layer.to(torch.float16)
    words = "elman.torch.Recurrent: its weights are float16, so it runs in torch's operations, step by step"
    with pytest.warns(UserWarning, match=words) as caught:
        got = call(layer, *given)
    assert len(caught) == 1 and caught[0].filename.endswith("torch_cells.py")
    assert got[0].dtype == torch.float16
    assert_close([t.double() for t in got], want, tolerance=0.02)
    got[0].sum().backward()
    assert layer.weight_ih_l0.grad.isfinite().all()
    assert "float16" in str(et.report(layer))
    layer.double()
    assert call(layer, x, state, scalars, marks)[0].dtype == FLOAT64


def test_autocast_computes_in_the_weights_type():
    layer = et.Recurrent(TRACED["cfc"], 3, 4)
    x, dt = torch.randn(5, 2, 3).bfloat16(), torch.rand(5, 2).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        y, h = layer(x, torch.zeros(1, 2, 4).bfloat16(), dt=dt)
    assert y.dtype == h.dtype == torch.float32
    assert torch.equal(y, layer(x.float(), dt=dt.float())[0])


def test_stand_ins():
    layer, x, *_ = make("slstm")
    y, state = layer.to("meta")(x.to("meta"))
    assert y.shape == (5, 3, 4) and y.is_meta and len(state) == 4
    empty = et.Recurrent(TRACED["slstm"], 3, 4)
    assert empty(torch.zeros(0, 2, 3))[0].shape == (0, 2, 4) and empty(torch.zeros(5, 0, 3))[0].shape == (
        5,
        0,
        4,
    )


def test_tools_that_look_into_models():
    model = torch.nn.Sequential(et.Recurrent(TRACED["sru"], 3, 4))
    assert str(et.report(model)) == "0: elman.torch.recurrent.Recurrent, on elman's engine"
    assert "assumed frozen" in str(et.report(et.assume_frozen(model)))
    x = torch.randn(5, 2, 3)
    before = model(x)[0]
    model[0].v_f_l0.data.zero_()
    assert torch.equal(model(x)[0], before)  # not seen, by the user's word
    et.assume_frozen(model, False)
    assert not torch.equal(model(x)[0], before)
    with FlopCounterMode(display=False) as counter:
        model(x)[0].sum().backward()
    assert counter.get_total_flops() == 3 * 2 * 10 * 16 * 3
    torch.nn.utils.parametrizations.weight_norm(model[0], "weight_ih_l0")
    model(x)[0].sum().backward()
    assert model[0].parametrizations.weight_ih_l0.original0.grad.any()
