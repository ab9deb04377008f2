"""elman.torch's layers and cells beside torch.nn's: outputs, states and all gradients."""

import concurrent.futures

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman.torch as et
from tests.support.torch_layers import KINDS, assert_same, pair

# torch's own word on what it does with projections
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def parts(state):
    return list(state) if isinstance(state, tuple) else [state]


def outcome(module, x, hx, call):
    """Everything a call gives: results, then the gradients of x, hx and the parameters."""
    leaves = [t.detach().clone().requires_grad_() for t in (x, *parts(hx))] if hx is not None else None
    x = leaves[0] if leaves else x.detach().clone().requires_grad_()
    state = None if hx is None else (leaves[1] if len(leaves) == 2 else tuple(leaves[1:]))
    module.zero_grad()
    y, final = call(module, x, state)
    results = [y, *parts(final)]
    generator = torch.Generator().manual_seed(5)
    seeds = [torch.randn(r.shape, dtype=r.dtype, generator=generator) for r in results]
    torch.autograd.backward(results, seeds)
    grads = [t.grad for t in (leaves or [x])] + [p.grad for p in module.parameters()]
    return [r.detach() for r in results], grads


def assert_agree(theirs, ours, x, hx, call):
    want, want_grads = outcome(theirs, x, hx, call)
    got, got_grads = outcome(ours, x, hx, call)
    for a, b in zip(got, want, strict=True):
        assert_same(a, b, x.dtype)
    for n, (a, b) in enumerate(zip(got_grads, want_grads, strict=True)):
        assert_same(a, b, x.dtype, f"gradient {n}")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_configuration_agrees_with_torch(data):
    draw = data.draw
    kind, dtype = draw(st.sampled_from(KINDS)), draw(st.sampled_from([torch.float32, torch.float64]))
    T, B, I, H = (draw(st.integers(1, n)) for n in (7, 5, 6, 9))  # noqa: E741
    options = {
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "dtype": dtype,
    }
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM" and H > 1:
        options["proj_size"] = draw(st.integers(0, H - 1))
    torch.manual_seed(draw(st.integers(0, 99)))
    theirs, ours = pair(kind, I, H, **options)
    form = draw(st.sampled_from(["batch", "one", "sorted", "unsorted", "strided"]))
    first = options["batch_first"]
    x = torch.randn((B, T, I) if first else (T, B, I), dtype=dtype)
    rows = options["num_layers"] * (1 + options["bidirectional"])
    widths = [options.get("proj_size", 0) or H, H][: 2 if kind == "LSTM" else 1]
    hx = None
    if draw(st.booleans()):
        lead = (rows,) if form == "one" else (rows, B)
        hx = tuple(torch.randn(*lead, width, dtype=dtype) for width in widths)
        hx = hx if kind == "LSTM" else hx[0]
    if form == "one":
        x = torch.randn(T, I, dtype=dtype)
    lengths = torch.tensor(draw(st.lists(st.integers(1, T), min_size=B, max_size=B)))
    if form == "sorted":
        lengths = lengths.sort(descending=True).values

    def call(module, x, state):
        if form == "strided":
            return module(torch.stack([x, x], -1)[..., 0], state)
        if form in ("sorted", "unsorted"):
            packed = pack_padded_sequence(x, lengths, first, enforce_sorted=form == "sorted")
            y, final = module(packed, state)
            return y.data, final
        return module(x, state)

    assert_agree(theirs, ours, x, hx, call)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
@pytest.mark.parametrize("batch", [(), (1,), (5,)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_cells_agree_with_torch(kind, batch, bias, given, dtype):
    theirs, ours = pair(kind, 6, 9, bias=bias, dtype=dtype)
    x = torch.randn(*batch, 6, dtype=dtype)
    hx = tuple(torch.randn(*batch, 9, dtype=dtype) for _ in range(2))
    hx = None if not given else hx if kind == "LSTMCell" else hx[0]

    def call(module, x, state):
        out = module(x, state)
        return parts(out)[0], out

    assert_agree(theirs, ours, x, hx, call)


def test_relu_cells_agree_with_torch():
    theirs, ours = pair("RNNCell", 6, 9, nonlinearity="relu")
    x = torch.randn(3, 6)
    assert_same(ours(x), theirs(x), x.dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [False, True])
def test_lengths_equal_a_packed_sequence(kind, first):
    theirs, ours = pair(kind, 4, 6, 2, batch_first=first, bidirectional=True, dtype=torch.float64)
    lengths = torch.tensor([3, 7, 1, 7, 5])
    x = torch.randn((5, 7, 4) if first else (7, 5, 4), dtype=torch.float64)

    def padded(module, x, state):
        if module is ours:
            return module(x, state, lengths=lengths)
        y, final = module(pack_padded_sequence(x, lengths, first, enforce_sorted=False), state)
        return pad_packed_sequence(y, first)[0], final

    assert_agree(theirs, ours, x, None, padded)


@pytest.mark.parametrize("form", [list, tuple, np.array, torch.tensor], ids=lambda f: f.__name__)
def test_lengths_of_any_kind(form):
    layer = et.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    want, _ = layer(x, lengths=torch.tensor([2, 5]))
    assert torch.equal(layer(x, lengths=form([2, 5]))[0], want)


@pytest.mark.parametrize("options", [{}, {"proj_size": 3}, {"bidirectional": True, "num_layers": 2}], ids=str)
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_mask_and_reset_pass_gradcheck(options, first, given):
    """Against finite differences; the values themselves are compared with the oracle for the native layers."""
    layer = et.LSTM(2, 4, batch_first=first, dtype=torch.float64, **options)
    generator = torch.Generator().manual_seed(1)
    shape = (3, 5) if first else (5, 3)
    mask = torch.rand(shape, generator=generator) < 0.7
    reset = torch.rand(shape, generator=generator) < 0.3
    lengths = torch.tensor([5, 0, 4])
    x = torch.randn(*shape, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    hx = tuple(
        torch.randn(rows, 3, width, dtype=torch.float64, generator=generator, requires_grad=True)
        for width in (options.get("proj_size", 4), 4)
    )
    state = hx if given else None

    def run(x, h, c):
        y, (hn, cn) = layer(x, (h, c) if state else None, lengths=lengths, mask=mask, reset=reset)
        return y, hn, cn

    assert torch.autograd.gradcheck(run, (x, *hx))


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_draws_what_torch_draws(kind):
    for first in (False, True):
        theirs, ours = pair(kind, 4, 6, 3, dropout=0.4, batch_first=first, dtype=torch.float64)
        x = torch.randn(5, 3, 4, dtype=torch.float64)
        torch.manual_seed(7)
        want, want_grads = outcome(theirs, x, None, lambda m, x, s: m(x, s))
        torch.manual_seed(7)
        got, got_grads = outcome(ours, x, None, lambda m, x, s: m(x, s))
        for a, b in zip(got + got_grads, want + want_grads, strict=True):
            assert_same(a, b, x.dtype)


def test_backward_in_eval_mode():
    theirs, ours = pair("GRU", 4, 6, 2, dropout=0.4)
    assert_agree(theirs.eval(), ours.eval(), torch.randn(5, 3, 4), None, lambda m, x, s: m(x, s))


def test_a_retained_graph_gives_the_same_gradients_twice():
    layer = et.LSTM(3, 4, 2)
    x = torch.randn(5, 2, 3, requires_grad=True)
    y, _ = layer(x)
    first = torch.autograd.grad(y.sum(), [x, *layer.parameters()], retain_graph=True)
    second = torch.autograd.grad(y.sum(), [x, *layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_empty_batches_and_sequences():
    layer = et.LSTM(3, 4)
    y, (h, _) = layer(torch.randn(5, 0, 3))
    assert y.shape == (5, 0, 4) and h.shape == (1, 0, 4)
    h0 = torch.randn(1, 2, 4)
    y, (h, _) = layer(torch.randn(0, 2, 3), (h0, h0))
    assert y.shape == (0, 2, 4) and torch.equal(h, h0)


def test_frozen_weights_get_no_gradient():
    layer = et.GRU(3, 4)
    layer.weight_ih_l0.requires_grad_(False)
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    assert layer.weight_ih_l0.grad is None and layer.weight_hh_l0.grad is not None


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_an_input_without_gradient_changes_no_other_gradient(options):
    layer = et.LSTM(3, 4, **options)
    x = torch.randn(5, 2, 3)
    parameters = list(layer.parameters())
    without = torch.autograd.grad(layer(x)[0].sum(), parameters)
    with_one = torch.autograd.grad(layer(x.requires_grad_())[0].sum(), parameters)
    assert all(torch.equal(a, b) for a, b in zip(without, with_one, strict=True))


def test_threads_share_a_layer():
    """One module called from several Python threads at once, in whole sequences and in single steps."""
    layer = et.LSTM(8, 32, 2)
    x = torch.randn(20, 4, 8)
    h = torch.randn(2, 4, 32)
    with torch.no_grad():
        want = layer(x, (h, h))[0], layer(x[:1], (h, h))[0]

    def work(_):
        with torch.no_grad():
            return all(
                torch.equal(layer(x, (h, h))[0], want[0]) and torch.equal(layer(x[:1], (h, h))[0], want[1])
                for _ in range(50)
            )

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [False, True])
def test_single_steps_equal_the_sequence(kind, first):
    """Steps without gradients take a way of their own; not a bit may differ."""
    layer = getattr(et, kind)(3, 9, 2, batch_first=first)
    x = torch.randn((2, 6, 3) if first else (6, 2, 3))
    with torch.no_grad():
        want, last = layer(x)
        state, ys = None, []
        for one in x.split(1, dim=int(first)):
            y, state = layer(one, state)
            ys.append(y)
    assert torch.equal(torch.cat(ys, dim=int(first)), want)
    assert all(torch.equal(a, b) for a, b in zip(parts(state), parts(last), strict=True))


def test_dropout_in_single_steps_without_gradients():
    layer = et.GRU(3, 50, 2, dropout=0.5)
    with torch.no_grad():
        x = torch.randn(1, 4, 3)
        assert not torch.equal(layer(x)[0], layer(x)[0])
        layer.eval()
        assert torch.equal(layer(x)[0], layer(x)[0])
