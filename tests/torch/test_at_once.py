"""Calls without gradients go to the engine at once, and what it cannot read as it lies goes the long way."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import elman.torch as et
from elman.torch import cache, engine
from tests.support.cases import DRAWING, TRACED


@pytest.fixture
def long_ways(monkeypatch):
    """Grows with each call that goes the long way."""
    taken, plain = [], engine.Pass.forward
    monkeypatch.setattr(engine.Pass, "forward", lambda *args: taken.append(0) or plain(*args))
    return taken


def twins(name="GRU", *sizes, **options):
    theirs = getattr(torch.nn, name)(*(sizes or (3, 8)), **options)
    ours = getattr(et, name)(*(sizes or (3, 8)), **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def both(theirs, ours, *given):
    with torch.no_grad():
        want, found = theirs(*given), ours(*given)
    torch.testing.assert_close(found, want)
    return found


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_once_packed_nothing_else_is_asked(name, long_ways):
    theirs, ours = twins(name)
    x = torch.randn(2, 3) if "Cell" in name else torch.randn(4, 2, 3)
    found = both(theirs, ours, x)
    once = len(long_ways)
    state = found if "Cell" in name else found[1]
    both(theirs, ours, x, state)
    both(theirs, ours, x[0] if "Cell" in name else x[:, 0].contiguous())
    assert len(long_ways) == once


def test_new_numbers_are_seen(long_ways):
    theirs, ours = twins()
    x = torch.randn(4, 2, 3)
    for change in (
        lambda w: w.data.add_(0.1),
        lambda w: w.detach().numpy().__iadd__(0.1),
        lambda w: setattr(w, "data", w.data + 0.1),
    ):
        both(theirs, ours, x)
        for module in (theirs, ours):
            change(module.weight_hh_l0)
    both(theirs, ours, x)
    once = len(long_ways)
    both(theirs, ours, x)
    assert len(long_ways) == once


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch._neg_view(x),
        lambda x: torch._efficientzerotensor(x.shape),
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: torch.zeros(1).expand(x.shape),
    ],
    ids=["negative bit", "zeros without memory", "turned", "expanded"],
)
def test_what_does_not_lie_plain_goes_the_long_way(make, long_ways):
    theirs, ours = twins()
    x = torch.randn(4, 2, 3)
    both(theirs, ours, x)
    once = len(long_ways)
    both(theirs, ours, make(x))
    assert len(long_ways) == once + 1


def test_a_weight_with_the_negative_bit():
    theirs, ours = twins()
    x = torch.randn(4, 2, 3)
    both(theirs, ours, x)
    theirs.weight_hh_l0 = ours.weight_hh_l0 = torch.nn.Parameter(
        torch._neg_view(theirs.weight_hh_l0.detach())
    )
    assert ours.weight_hh_l0.is_neg()
    both(theirs, ours, x)


def test_inference_mode(long_ways):
    _, ours = twins()
    with torch.inference_mode():
        x = torch.randn(4, 2, 3)
        y, _ = ours(x)
        once, (again, h) = len(long_ways), ours(x)
        assert len(long_ways) == once and again.is_inference() and torch.equal(again, y)
    assert not h.requires_grad


def test_results_are_the_caller_s_own():
    _, ours = twins("LSTM", 3, 8)
    x = torch.randn(4, 2, 3)
    with torch.no_grad():
        ours(x)
        (y, (h, c)), (again, _) = ours(x), ours(x)
        kept = again.clone()
        for one in (y, h, c):
            one += 1
    assert torch.equal(again, kept) and y._version == 1
    assert len({one.untyped_storage().data_ptr() for one in (y, h, c, again)}) == 4


def test_weights_can_still_be_freed():
    _, ours = twins()
    x = torch.randn(4, 2, 3)
    with torch.no_grad():
        ours(x), ours(x)
        ours.weight_hh_l0.untyped_storage().resize_(0)
        with pytest.raises(RuntimeError, match=r"^weights: expected memory that holds them, got none"):
            ours(x)


def test_gradients_are_still_taken():
    theirs, ours = twins()
    x = torch.randn(4, 2, 3)
    both(theirs, ours, x)
    ours(x)[0].sum().backward()
    theirs(x)[0].sum().backward()
    torch.testing.assert_close(ours.weight_hh_l0.grad, theirs.weight_hh_l0.grad)
    for part in ours.parameters():
        part.requires_grad_(False)
    h = torch.zeros(1, 2, 8, requires_grad=True)
    assert ours(x, h)[0].requires_grad and ours(x.clone().requires_grad_())[0].requires_grad
    assert not ours(x)[0].requires_grad


def test_autocast_and_fake_tensors_and_gpus_go_the_long_way():
    _, ours = twins()
    x = torch.randn(4, 2, 3)
    with torch.no_grad():
        ours(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert ours(x.bfloat16())[0].dtype == torch.float32
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            assert type(ours(mode.from_tensor(x))[0]).__name__ == "FakeTensor"
        assert ours.to("meta")(x.to("meta"))[0].is_meta


def test_a_type_without_a_table_is_read_by_capsules():
    class Old(torch.Tensor):
        __dlpack_c_exchange_api__ = None

    asked = []
    give = lambda tensor: asked.append(0) or torch._C._to_dlpack(tensor)  # noqa: E731
    old = cache._core.Tensors(
        (Old,), torch.Tensor.is_neg, lambda t: t.requires_grad, give, torch._C._from_dlpack
    )
    weights = [torch.randn(3, 2), torch.randn(4)]
    found = old.fingerprint([w.as_subclass(Old) for w in weights])
    assert found == cache.TENSORS.fingerprint(weights) and len(asked) == 2
    assert old.fingerprint(weights) is None
    assert old.new((2, 3), 4).shape == (2, 3)


@pytest.mark.parametrize("cell", [name for name, one in TRACED.items() if not one.scalars])
def test_layers_of_any_cell_without_scalars(cell, long_ways):
    layer, x = et.Recurrent(TRACED[cell], 3, 8, num_layers=2, bidirectional=True), torch.randn(4, 2, 3)
    with torch.no_grad():
        want, _ = layer(x)
        once = len(long_ways)
        got, _ = layer(x)
        assert len(long_ways) == once and torch.equal(got, want)
        for weight in layer.parameters():  # its vectors too
            weight.detach().numpy()[...] += 0.1
        got, state = layer(x)
        assert len(long_ways) == once + 1
        lengths = torch.tensor([4, 4])  # which always goes the long way
        want, (*final,) = layer(x, lengths=lengths)
        assert torch.equal(got, want)
        torch.testing.assert_close(
            state if isinstance(state, tuple) else (*state,), tuple(final), rtol=0, atol=0
        )


def test_what_is_drawn_is_not_left_out(long_ways):
    layer, x = et.Recurrent(DRAWING["zoneout_lstm"], 3, 8), torch.randn(4, 2, 3)
    with torch.no_grad():
        assert not torch.equal(layer(x)[0], layer(x)[0])
        layer.eval()
        assert torch.equal(layer(x)[0], layer(x)[0])
    assert len(long_ways) == 2  # both in training
