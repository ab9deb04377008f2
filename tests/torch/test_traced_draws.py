"""elman.torch.Recurrent of cells that draw random numbers in training (zoneout): those of the engine, by a seed from
torch's generator."""

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

import elman
import elman.torch as et
from elman.torch import draws
from tests.support.cases import DRAWING
from tests.support.drawing import KEEPING, by_hand, drawn
from tests.support.torch_cells import CALLS, FLOAT64, assert_close, call, gradients, leaves, make
from tests.support.torch_pairs import ignore_torchs_warnings

pytestmark = ignore_torchs_warnings


def seeded(layer, *given, seed=5, **options):
    torch.manual_seed(seed)
    return call(layer, *given, **options)


def test_they_are_the_engines():
    seed, H = 2**62 + 12345, 33
    keys = draws.row_keys(torch.tensor(seed), 3, torch.arange(4))
    like = torch.empty(4, H, dtype=FLOAT64)
    for index, got in enumerate(draws.numbers(keys, 2, like)):
        want = [[by_hand(seed, 3, row, unit, index) for unit in range(H)] for row in range(4)]
        np.testing.assert_array_equal(got.numpy(), want)


@pytest.mark.parametrize("both", [False, True])
def test_a_layer_draws_what_elmans_own_layer_draws(both):
    layer = et.Recurrent(KEEPING, 2, 40, bidirectional=both)
    torch.manual_seed(9)
    seed = int(draws.new_seed())
    torch.manual_seed(9)
    y, _ = layer(torch.zeros(5, 7, 2))
    np.testing.assert_array_equal(y.detach().numpy(), drawn(seed, both=both))


@pytest.mark.parametrize("cell", DRAWING)
@pytest.mark.parametrize("kind", CALLS)
def test_agrees_with_the_reference(cell, kind):
    layer, *given, marks = make(cell, kind)
    got, want = (seeded(layer, *given, marks, slowly=slowly) for slowly in (False, True))
    assert_close(got, want)
    wanted = leaves(layer, *given)
    assert_close(gradients(got, wanted), gradients(want, wanted))
    assert not torch.equal(got[0], seeded(layer, *given, marks, seed=6)[0])


@pytest.mark.parametrize("cell", DRAWING)
def test_derivatives_of_both_orders_and_modes(cell):
    layer, x, state, *_ = make(cell, T=3, B=2, I=2, H=3)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *rest):
        parts, weights = rest[: len(state)], dict(zip(names, rest[len(state) :], strict=True))
        torch.manual_seed(5)
        y, final = torch.func.functional_call(layer, weights, (x, parts[0] if len(parts) == 1 else parts))
        return y, *(final if isinstance(final, tuple) else (final,))

    inputs = x, *state, *layer.parameters()
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_each_call_draws_anew_in_training_alone():
    layer, x, state, scalars, marks = make("zoneout_lstm")
    first, second = (call(layer, x, state, scalars, marks)[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(*(seeded(layer, x, state, scalars, marks)[0] for _ in range(2)))
    layer.eval()
    before = torch.get_rng_state()
    assert torch.equal(*(call(layer, x, state, scalars, marks)[0] for _ in range(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_checkpoint_draws_the_same_again():
    layer, x, *_ = make("zoneout_gru")
    found = []
    for again in (False, True):
        torch.manual_seed(5)
        y = checkpoint(lambda x: layer(x)[0], x, use_reentrant=False) if again else layer(x)[0]
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    assert_close(*found, tolerance=0)


@pytest.mark.parametrize("cell", DRAWING)
def test_compile_without_a_break(cell):
    torch._dynamo.reset()
    layer, *given, marks = make(cell, "everything")
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    got, want = (seeded(one, *given, marks) for one in (compiled, layer))
    assert_close(got, want)
    wanted = leaves(layer, *given)
    assert_close(gradients(got, wanted), gradients(want, wanted))
    assert not torch.equal(got[0], call(compiled, *given, marks)[0])


def test_torch_func():
    layer, x, *_ = make("zoneout_gru")
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def run(weights, x):
        return torch.func.functional_call(layer, weights, (x,))[0].square().sum()

    torch.manual_seed(5)
    got = torch.func.grad(run, 1)(weights, x.detach())
    torch.manual_seed(5)
    assert_close([got], torch.autograd.grad(run(weights, x), x))
    same = torch.stack([x.detach()] * 3)
    for randomness in ("same", "different"):
        each = torch.func.vmap(lambda x: layer(x)[0], randomness=randomness)(same)
        assert torch.equal(each[0], each[1]) == torch.equal(each[1], each[2]) == (randomness == "same")
        by_sample = torch.func.vmap(torch.func.grad(run, 1), (None, 0), randomness=randomness)(weights, same)
        assert torch.equal(by_sample[0], by_sample[1]) == (randomness == "same")
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(lambda x: layer(x)[0])(same)


@pytest.mark.filterwarnings("ignore:.torch.jit.*deprecated", "ignore::torch.jit.TracerWarning")
def test_recorded_programs_draw_at_each_call():
    layer = et.Recurrent(KEEPING, 2, 40)
    x = torch.zeros(5, 7, 2)
    exported = torch.export.export(layer, (x,)).module()
    traced = torch.jit.trace(layer, x, check_trace=False)
    for program in (exported, traced):
        first, second = (program(x)[0] for _ in range(2))
        assert not torch.equal(first, second) and set(first.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("cell", DRAWING)
def test_outside_training_it_takes_the_mean(cell):
    layer, x, *_ = make(cell)
    layer.eval()
    twin = elman.Recurrent(DRAWING[cell], 3, 4, dtype=np.float64)
    twin.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0].detach(), torch.from_numpy(twin(x.detach().numpy())[0]))
    first, again = (
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=again)[0] for again in (False, True)
    )
    torch.testing.assert_close(first, again)
