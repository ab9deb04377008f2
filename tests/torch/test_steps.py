"""Trained steps: one call of the engine each way, over weights as they lie, with the bits of the long way."""

import pytest
import torch

import elman.torch as et
from elman import _core
from elman.cells import usual
from elman.torch import autograd, call

# Few rows and many; less than a vector, a part of one more, and sums of more than one part.
SIZES = [(1, 3, 5), (4, 9, 50), (5, 17, 16), (16, 1, 40), (17, 20, 33), (40, 35, 70)]  # B, I, H
KINDS = ["LSTMCell", "GRUCell", "RNNCell", "LSTM", "GRU", "RNN"]


def trained(module, x, state, wanted):
    """Two steps and their gradients."""
    tensors = [x, *state, *module.parameters()]
    for n, tensor in enumerate(tensors):
        tensor.requires_grad_(wanted(n))
    given = None if not state else state[0] if len(state) == 1 else tuple(state)
    loss = 0
    for _ in range(2):
        out = module(x, given)
        given = out if x.dim() == 2 else out[1]
        parts = [*(given if isinstance(given, tuple) else (given,)), *([] if x.dim() == 2 else [out[0]])]
        loss = loss + sum((part * torch.linspace(-1, 1, part.numel()).view_as(part)).sum() for part in parts)
    return torch.autograd.grad(loss, [t for t in tensors if t.requires_grad], retain_graph=True)


def counted(function, results):
    """The same, which adds to `results` what it gives."""

    def call(*arguments):
        results.append(function(*arguments))
        return results[-1]

    return call


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_of_the_long_way(kind, dtype, bias, monkeypatch):
    cell = kind.endswith("Cell")
    for B, I, H in SIZES:  # noqa: E741
        module = getattr(et, kind)(I, H, **({} if cell else {"num_layers": 2}), bias=bias, dtype=dtype)
        x = torch.randn(*(() if cell else (1,)), B, I, dtype=dtype)
        shape = (B, H) if cell else (2, B, H)
        state = [torch.randn(shape, dtype=dtype) for _ in range(1 + kind.startswith("LSTM"))]
        for begin, wanted in (
            ([], lambda n: True),
            (state, lambda n: True),
            (state, lambda n: n % 2 == 0),
            (state, lambda n: n in (3, 4)),
        ):
            found = []
            with torch.no_grad():
                module(x, None)  # packs, where steps over plain weights do not pay
            for long in (False, True):
                with monkeypatch.context() as patch:
                    steps, back = [], []
                    if long:
                        patch.setattr(call, "at_once", lambda *a: None)
                    patch.setattr(autograd, "step", counted(autograd.step, steps))
                    patch.setattr(_core, "step_backward", counted(_core.step_backward, back))
                    found.append(trained(module, x, begin, wanted))
                    for done in steps, back:
                        assert len(done) == (0 if long else 2) and all(one is not None for one in done)
            for a, b in zip(*found, strict=True):
                assert torch.equal(a, b)


def test_a_graph_that_is_kept_gives_the_same_again():
    cell = et.LSTMCell(3, 5)
    h, c = cell(torch.randn(2, 3))
    first, second = (
        torch.autograd.grad((h + c).sum(), list(cell.parameters()), retain_graph=True) for _ in "12"
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_tensors_of_any_layout():
    theirs, ours = torch.nn.GRUCell(4, 6), et.GRUCell(4, 6)
    ours.load_state_dict(theirs.state_dict())
    for module in (theirs, ours):
        module.weight_hh.data = module.weight_hh.data.t().contiguous().t()
    x, h = torch.randn(4, 3).t().requires_grad_(), torch.randn(6, 3).t().requires_grad_()
    grads = [torch.autograd.grad(m(x, h).sum(), [x, h, *m.parameters()]) for m in (theirs, ours)]
    for want, got in zip(*grads, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_second_gradients_where_one_input_is_made_from_another(kind):
    theirs = getattr(torch.nn, kind)(4, 4, dtype=torch.float64)
    ours = getattr(et, kind)(4, 4, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    start = torch.randn(3, 4, dtype=torch.float64)
    found = []
    for module in (theirs, ours):
        module.bias_hh = module.bias_ih
        x = start.clone().requires_grad_()
        state = (x * 2, x * 3) if kind == "LSTMCell" else x * 2
        for step in range(2):
            state = module(x + step, state)
        h = state[0] if kind == "LSTMCell" else state
        (dx,) = torch.autograd.grad(h.square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(dx.square().sum(), [x, *dict.fromkeys(module.parameters())]))
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("B", [2, 50])  # over plain weights, and over packed ones
def test_weights_replaced_before_backward_are_refused_unless_equal(B):
    for same in (True, False):
        cell = et.GRUCell(3, 5)
        with torch.no_grad():
            cell(torch.randn(B, 3))  # packs, where that is due: the next step finds it
        h = cell(torch.randn(B, 3), torch.randn(B, 5))
        cell.weight_hh.data = cell.weight_hh.data.clone() * (1 if same else 2)
        if same:
            h.sum().backward()
        else:
            with pytest.raises(RuntimeError, match="expected in backward the weights"):
                h.sum().backward()


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("B", [1, 7, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_of_steps_whichever_way_they_go(kind, B, frozen):
    """A step whose weights are new goes another way than its recomputation."""
    cell = kind.endswith("Cell")
    module = getattr(et, kind)(4, 6)
    if frozen:
        et.assume_frozen(module)
    x = torch.randn(*(() if cell else (1,)), B, 4, requires_grad=True)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    for _ in range(3):
        out = torch.utils.checkpoint.checkpoint(module, x, use_reentrant=False)
        sum(part.sum() for part in torch.utils._pytree.tree_leaves(out)).backward()
        optimizer.step()


@pytest.mark.parametrize("bad", [(), [], (None, None), "h None", "None c"])
@pytest.mark.parametrize("grad", [False, True])
def test_parts_of_a_state_are_no_zeros(bad, grad):
    cell = et.LSTMCell(3, 5)
    h = torch.zeros(2, 5)
    bad = {"h None": (h, None), "None c": (None, h)}.get(bad, bad) if isinstance(bad, str) else bad
    with torch.set_grad_enabled(grad):
        cell(torch.randn(2, 3))
        with pytest.raises((RuntimeError, TypeError), match="hx"):
            cell(torch.randn(2, 3), bad)


def test_other_inputs_before_second_gradients_are_named():
    cell = et.LSTMCell(3, 5)
    x = torch.randn(2, 3, requires_grad=True)
    h, _ = cell(x)
    x.data.mul_(2)
    with pytest.raises(
        RuntimeError, match="expected in backward the weights, input and state of the forward pass"
    ):
        torch.autograd.grad(h.sum(), x, create_graph=True)


def test_a_cell_whose_biases_were_taken_away():
    theirs, ours = torch.nn.LSTMCell(3, 5), et.LSTMCell(3, 5)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3)
    for module in (theirs, ours):
        module.bias_ih = module.bias_hh = None
    for want, got in zip(theirs(x), ours(x), strict=True):
        torch.testing.assert_close(got, want)
    ours.bias_ih = torch.nn.Parameter(torch.zeros(20))
    with pytest.raises(RuntimeError, match="bias_ih, bias_hh: expected both or none of them, got one"):
        ours(x)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("name", sorted(usual()))
def test_a_step_of_every_cell_is_the_first_of_two(name, trained):
    """Over plain weights, in a stack, and in sizes in which memory that nobody gave would be another's."""
    for B, I, H in ((1, 2, 4), (2, 3, 1), (1, 5, 33), (3, 1, 18)):  # noqa: E741
        for dtype in (torch.float32, torch.float64):
            layer = et.Recurrent(usual()[name], I, H, 3, dtype=dtype).eval()
            x, scalars = torch.randn(2, B, I, dtype=dtype), dict.fromkeys(usual()[name].scalars, 0.5)
            with torch.set_grad_enabled(trained):
                wanted = layer(x, **scalars)[0][:1]
                found = [layer(x[:1], **scalars)[0] for _ in range(20)]
            assert all(torch.equal(one, wanted) for one in found), (B, I, H, dtype)
