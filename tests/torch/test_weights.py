"""Weights that change between calls, by every way there is, one element at a time: elman.torch sees each change, in a
call without gradients, in single steps, in forward and in backward."""

import multiprocessing

import pytest
import torch
from torch import nn

import elman.torch as et
from tests.support.torch_weights import (
    FLOAT64,
    KINDS,
    WAYS,
    assert_same,
    by_index,
    make,
    one_by_one,
    outcomes,
    results,
    total,
)

# torch's own word on what it does with projections
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.mark.parametrize("name", KINDS)
def test_every_element_is_seen_however_it_is_written(name):
    """The ways in turns, so that each meets every weight. What is compared is elman with what it gives when it has
    packed nothing yet, and at each weight's last element also torch."""
    theirs, ours, x = make(name)
    with torch.no_grad():
        before = results(ours, x)
        for n, (p, i) in enumerate(one_by_one(ours)):
            WAYS[n % len(WAYS)](p, i)
            after = results(ours, x)
            assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), (n, i)
            before = after
            if i == p.numel() - 1:
                theirs.load_state_dict(ours.state_dict())
                with torch.enable_grad():
                    assert_same(theirs, ours, x, f"element {n}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_every_way_is_seen_by_every_call(name, way):
    theirs, ours, x = make(name)
    outcomes(ours, x)
    for p in list(ours.parameters()):
        way(p, p.numel() // 2)
        theirs.load_state_dict(ours.state_dict())
        assert_same(theirs, ours, x)


@pytest.mark.parametrize("name", KINDS)
def test_one_flat_vector_holds_all_weights(name):
    """As in evolution strategies and in optimisers of SciPy: parameters are views of it, and it is written to."""
    theirs, ours, x = make(name)
    flat = nn.utils.parameters_to_vector(ours.parameters()).detach()
    at = 0
    for p in ours.parameters():
        p.data = flat[at : at + p.numel()].view(p.shape)
        at += p.numel()
    with torch.no_grad():
        before = results(ours, x)
        for i in range(flat.numel()):
            flat[i] += 0.25
            after = results(ours, x)
            assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), i
            before = after
    theirs.load_state_dict(ours.state_dict())
    assert_same(theirs, ours, x)


@pytest.mark.parametrize("name", KINDS)
def test_a_numerical_gradient_check_by_hand(name):
    _, ours, x = make(name)
    grads = torch.autograd.grad(total(results(ours, x)), list(ours.parameters()))
    eps = 1e-6
    with torch.no_grad():
        for p, grad in zip(ours.parameters(), grads, strict=True):
            for i in range(p.numel()):
                ends = []
                for shift in (eps, -2 * eps):
                    p.data.view(-1)[i] += shift
                    ends.append(total(results(ours, x)).item())
                p.data.view(-1)[i] += eps
                assert abs((ends[0] - ends[1]) / (2 * eps) - grad.reshape(-1)[i].item()) < 1e-5


OPTIMISERS = {
    "sgd fused": lambda p: torch.optim.SGD(p, 0.1, fused=True),
    "sgd foreach": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, foreach=True),
    "sgd": lambda p: torch.optim.SGD(p, 0.1, foreach=False),
    "adam fused": lambda p: torch.optim.Adam(p, 0.1, fused=True),
    "adamw foreach": lambda p: torch.optim.AdamW(p, 0.1, foreach=True),
    "adagrad fused": lambda p: torch.optim.Adagrad(p, 0.1, fused=True),
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.1, max_iter=3),
}


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", KINDS)
def test_training_goes_torchs_way(name, optimiser):
    losses = []
    for module, x in [make(name)[::2], make(name)[1:]]:
        steps = OPTIMISERS[optimiser](module.parameters())
        of_module = []

        def closure(module=module, x=x, steps=steps, of_module=of_module):
            steps.zero_grad()
            loss = total(results(module, x)) ** 2 / 100
            loss.backward()
            of_module.append(loss.item())
            return loss

        for _ in range(4):
            steps.step(closure)
        losses.append(of_module)
    assert losses[1] == pytest.approx(losses[0], rel=1e-7)
    assert losses[1][0] != losses[1][1]


@pytest.mark.parametrize("fused", [False, True])
def test_sparse_gradients(fused):
    """One-hot inputs reach one column of the input weights at each step, and nothing else is trained."""
    theirs, ours = nn.GRU(8, 3, dtype=FLOAT64), et.GRU(8, 3, dtype=FLOAT64)
    ours.load_state_dict(theirs.state_dict())
    losses = []
    for module in (theirs, ours):
        optimiser = torch.optim.SGD([module.weight_ih_l0], 0.5, fused=fused)
        of_module = []
        for k in range(16):
            optimiser.zero_grad()
            y, _ = module(torch.eye(8, dtype=FLOAT64)[k % 8].view(1, 1, 8))
            loss = (y - 0.5).square().sum()
            loss.backward()
            optimiser.step()
            of_module.append(loss.item())
        losses.append(of_module)
    assert losses[1] == pytest.approx(losses[0], rel=1e-9) and losses[1][8] < losses[1][0]


def _write(tensor, go, done):
    """In another process."""
    for i in range(tensor.numel()):
        go.get()
        tensor.view(-1)[i] += 0.25
        done.put(i)


@pytest.mark.slow
def test_another_process_writes_to_shared_memory():
    theirs, ours, x = make("lstm")
    ours.share_memory()
    outcomes(ours, x)
    context = multiprocessing.get_context("spawn")
    go, done = context.SimpleQueue(), context.SimpleQueue()
    other = torch.multiprocessing.get_context("spawn").Process(
        target=_write, args=(ours.weight_hh_l0.detach(), go, done)
    )
    other.start()
    with torch.no_grad():
        before = results(ours, x)
        for _ in range(ours.weight_hh_l0.numel()):
            go.put(0)
            done.get()
            after = results(ours, x)
            assert not torch.equal(before[0], after[0])
            before = after
    other.join()
    theirs.load_state_dict(ours.state_dict())
    assert_same(theirs, ours, x)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_a_weight_written_to_between_forward_and_backward(name, dtype):
    """Where autograd sees the write it refuses; where it does not, the gradients are torch's, or none."""
    for way in WAYS:
        for weight in [n for n, _ in make(name)[0].named_parameters()]:
            answers = []
            for module, x in [make(name, dtype)[::2], make(name, dtype)[1:]]:
                x = x.clone().requires_grad_()
                loss = total(results(module, x))
                p = getattr(module, weight)
                way(p, p.numel() // 2)
                try:
                    answers.append(torch.autograd.grad(loss, [x, *module.parameters()]))
                except RuntimeError as error:
                    answers.append(str(error))
            want, got = answers
            if isinstance(got, str):
                known = ("modified by an inplace operation", "of the forward pass, got others")
                assert any(words in got for words in known), got
                continue
            assert not isinstance(want, str), (way, weight, want)
            for a, b in zip(got, want, strict=True):
                rtol = 1e-8 if dtype == FLOAT64 else 1e-4
                torch.testing.assert_close(a, b, rtol=rtol, atol=rtol, msg=lambda m: f"{way} {weight}: {m}")  # noqa: B023


@pytest.mark.parametrize("name", KINDS)
def test_gradients_of_gradients_refuse_other_weights(name):
    _, ours, x = make(name)
    loss = total(results(ours, x.requires_grad_()))
    by_index(next(ours.parameters()), 0)
    with pytest.raises(
        RuntimeError, match=r"expected in backward the weights.* of the forward pass, got others"
    ):
        torch.autograd.grad(loss, x, create_graph=True)


@pytest.mark.parametrize("name", KINDS)
def test_a_retained_graph_after_a_write(name):
    """torch keeps what the forward pass made and takes the weights as they are."""
    answers = []
    for module, x in [make(name)[::2], make(name)[1:]]:
        x = x.clone().requires_grad_()
        loss = total(results(module, x))
        torch.autograd.grad(loss, x, retain_graph=True)
        by_index(next(module.parameters()), 1)
        try:
            answers.append(torch.autograd.grad(loss, [x, *module.parameters()]))
        except RuntimeError as error:
            assert "got others" in str(error) and name == "projected"
            return
    for a, b in zip(*answers, strict=True):
        torch.testing.assert_close(a, b)
