"""elman.torch.Recurrent: layers of traced cells beside the reference, the NumPy layer, and PyTorch's tools."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import elman
import elman.torch as et
from elman.cells import maximum, minimum, spike
from elman.torch import cell_ops, ops
from elman.torch.spec import Layout
from tests.support.cases import TRACED
from tests.support.torch_cells import CALLS, FLOAT64, SMOOTH, assert_close, call, gradients, leaves, make
from tests.support.torch_pairs import ignore_torchs_warnings, tree_leaves

pytestmark = ignore_torchs_warnings
SOME = ["slstm", "cfc", "sru"]  # four states; a scalar; vectors and slots that h does not feed


@pytest.mark.parametrize("cell", TRACED)
def test_agrees_with_the_reference(cell):
    for kind in CALLS:
        layer, *given, marks = make(cell, kind)
        got, want = (call(layer, *given, marks, slowly=slowly) for slowly in (False, True))
        assert_close(got, want, kind)
        wanted = leaves(layer, *given)
        assert_close(gradients(got, wanted), gradients(want, wanted), f"{kind}, gradients")


@pytest.mark.parametrize("cell", TRACED)
def test_has_the_bits_of_the_numpy_layer(cell):
    layer, x, state, scalars, marks = make(cell, "everything", torch.float32)
    twin = elman.Recurrent(TRACED[cell], 3, 4, num_layers=2, bidirectional=True)
    twin.load_state_dict(layer.state_dict())
    plain = lambda t: t.detach().numpy()  # noqa: E731
    hx = tuple(map(plain, state)) if len(state) > 1 else plain(state[0])
    numbers = {name: plain(one) for name, one in (marks | scalars).items()}
    y, final, backward = twin.forward(plain(x), hx, **numbers)
    results = call(layer, x, state, scalars, marks)
    wants = [y, *(final if isinstance(final, tuple) else (final,))]
    for got, want in zip(results, wants, strict=True):
        np.testing.assert_array_equal(plain(got), want)
    seeds = [torch.randn_like(r) for r in results]
    got = torch.autograd.grad(results, leaves(layer, x, state, scalars), seeds)
    dy, *dfinal = map(plain, seeds)
    dx, dstate = backward(dy, tuple(dfinal) if len(dfinal) > 1 else dfinal[0])
    wants = [dx, *(dstate if isinstance(dstate, tuple) else (dstate,)), *twin.grads.values()]
    if scalars:
        wants += backward.dscalars.values()
    for a, b in zip(got, wants, strict=True):
        np.testing.assert_array_equal(plain(a), b)


@pytest.mark.parametrize("cell", SMOOTH)
def test_derivatives_of_both_orders_and_modes(cell):
    layer, x, state, scalars, _ = make(cell, T=2, B=1, I=2, H=2)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *rest):
        parts, numbers = rest[: len(state)], dict(zip(scalars, rest[len(state) :], strict=False))
        weights = dict(zip(names, rest[len(state) + len(scalars) :], strict=True))
        hx = parts[0] if len(parts) == 1 else parts
        y, final = torch.func.functional_call(layer, weights, (x, hx), numbers)
        return y, *(final if isinstance(final, tuple) else (final,))

    inputs = (x, *state, *scalars.values(), *layer.parameters())
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_the_gradient_of_equal_numbers_goes_where_the_engine_sends_it():
    """maximum(a, h) and minimum(a, h) give it to h, and so does what reads the trace."""
    for function in (maximum, minimum):
        cell = elman.cell("a", "h")(lambda a, h, function=function: function(a, h))
        layer = et.Recurrent(cell, 1, 1, dtype=FLOAT64)
        torch.nn.utils.vector_to_parameters(torch.zeros(4, dtype=FLOAT64), layer.parameters())
        h = torch.zeros(1, 1, 1, dtype=FLOAT64, requires_grad=True)
        for again in (False, True):
            y, _ = layer(torch.zeros(1, 1, 1, dtype=FLOAT64), h)
            bias, state = torch.autograd.grad(y.sum(), [layer.bias_ih_l0, h], create_graph=again)
            assert bias.item() == 0 and state.item() == 1


def test_the_gradient_goes_where_the_engine_sends_it_of_nan_too():
    for function in (maximum, minimum, lambda a, h: elman.cells.clip(a, -1.0, 1.0) + 0.0 * h):
        cell = elman.cell("a", "h")(lambda a, h, function=function: function(a, h))
        layer = et.Recurrent(cell, 1, 1, dtype=FLOAT64)
        torch.nn.utils.vector_to_parameters(torch.ones(4, dtype=FLOAT64), layer.parameters())
        for values in ((torch.nan, 1.0), (1.0, torch.nan), (torch.nan, torch.nan)):
            x, h = (torch.full((1, 1, 1), v, dtype=FLOAT64, requires_grad=True) for v in values)
            found = []
            for again in (False, True):
                y, _ = layer(x, h)
                assert y.isnan().all()
                found.append(torch.autograd.grad(y.sum(), [x, h], create_graph=again))
            assert [g.nan_to_num(7.0).item() for g in found[0]] == [
                g.nan_to_num(7.0).item() for g in found[1]
            ]


def test_a_spike_can_be_differentiated_in_every_mode():
    cell = elman.cell({"a": "x"}, "h")(lambda a: spike(a, 2.0))
    layer = et.Recurrent(cell, 1, 1, bias=False, dtype=FLOAT64)
    layer.weight_ih_l0.data.fill_(1.0)
    run = lambda x: layer(x.view(1, 1, 1))[0].sum()  # noqa: E731
    points = torch.tensor([-0.7, 0.0, 0.5], dtype=FLOAT64)
    slopes, curves = (1 + 2 * points.abs()) ** -2, -4 * points.sign() * (1 + 2 * points.abs()) ** -3
    one = torch.ones((), dtype=FLOAT64)
    for n, point in enumerate(points):
        x = point.clone().requires_grad_()
        (first,) = torch.autograd.grad(run(x), x, create_graph=True)
        (second,) = torch.autograd.grad(first, x)
        tangent = torch.func.jvp(run, (point,), (one,))[1]
        assert_close([first, second, tangent], [slopes[n], curves[n], slopes[n]])
        assert torch.func.grad(run)(point) == first
    assert_close([torch.func.vmap(torch.func.grad(run))(points)], [slopes])
    assert_close([torch.func.vmap(torch.func.hessian(run))(points)], [curves])


@pytest.mark.parametrize("cell", SOME)
def test_nan_where_no_step_counts(cell):
    """It comes into no gradient, of either order."""
    layer, x, state, scalars, _ = make(cell)
    mask = torch.rand(5, 3) < 0.6
    with torch.no_grad():
        for t in (x, *scalars.values()):
            t[~mask] = torch.nan
    wanted = leaves(layer, x, state, scalars)
    for again in (False, True):
        found = gradients(call(layer, x, state, scalars, {"mask": mask}), wanted, create_graph=again)
        assert all(grad.isfinite().all() for grad in found if grad is not None)


@pytest.mark.parametrize("cell", SOME)
def test_torch_func(cell):
    layer, x, _, scalars, _ = make(cell)
    weights = {name: p.detach() for name, p in layer.named_parameters()}
    scalars = {name: one.detach() for name, one in scalars.items()}

    def run(weights, x, scalars):
        return torch.func.functional_call(layer, weights, (x,), scalars)[0].square().sum()

    of_all = weights, x.detach(), scalars
    got = tree_leaves(torch.func.grad(run, (0, 1, 2))(*of_all))
    mine = torch.utils._pytree.tree_map(lambda t: t.clone().requires_grad_(), of_all)
    assert_close(got, torch.autograd.grad(run(*mine), tree_leaves(mine)))
    many = torch.stack([x.detach(), -x.detach()])
    call_of = lambda x: layer(x, **scalars)[0]  # noqa: E731
    assert_close(torch.func.vmap(call_of)(many), [call_of(one) for one in many])
    by_sample = torch.func.vmap(torch.func.grad(run, 1), (None, 0, None))(weights, many, scalars)
    assert_close(by_sample, [torch.func.grad(run, 1)(weights, one, scalars) for one in many])
    _, tangent = torch.func.jvp(call_of, (x.detach(),), (torch.ones_like(x),))
    pulled = torch.func.vjp(call_of, x.detach())[1](torch.ones_like(tangent))[0]
    assert_close([tangent.sum()], [pulled.sum()])


@pytest.mark.parametrize("cell", SOME)
def test_compile_without_a_break(cell):
    torch._dynamo.reset()
    layer, x, state, scalars, marks = make(cell, "everything")
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    got, want = (call(one, x, state, scalars, marks) for one in (compiled, layer))
    assert_close(got, want)
    wanted = leaves(layer, x, state, scalars)
    assert_close(gradients(got, wanted), gradients(want, wanted))
    with torch.no_grad():
        assert_close(call(compiled, x, state, scalars, marks), want)


def test_compile_with_other_shapes():
    torch._dynamo.reset()
    layer = et.Recurrent(TRACED["cfc"], 3, 4)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    for T, B in ((5, 2), (7, 4), (6, 3)):
        x, given = torch.randn(T, B, 3), {"dt": torch.rand(T, B), "lengths": torch.randint(0, T + 1, (B,))}
        assert_close(compiled(x, **given), layer(x, **given))


@pytest.mark.filterwarnings("ignore:.torch.jit.*deprecated", "ignore::torch.jit.TracerWarning")
def test_what_is_saved_runs_in_a_process_that_has_not_seen_the_cell(tmp_path):
    layer = et.Recurrent(TRACED["slstm"], 3, 4, 2, dtype=FLOAT64)
    x = torch.linspace(-1, 1, 30, dtype=FLOAT64).view(5, 2, 3)
    torch.save(layer, tmp_path / "module")
    torch.export.save(torch.export.export(layer, (x,)), tmp_path / "program.pt2")
    torch.jit.trace(layer, x).save(tmp_path / "traced")
    torch.save(layer(x)[0].detach(), tmp_path / "y")
    code = """if True:
        import sys, torch, elman.torch
        from pathlib import Path
        folder = Path(sys.argv[1])
        x, y = torch.linspace(-1, 1, 30, dtype=torch.float64).view(5, 2, 3), torch.load(folder / "y")
        assert torch.equal(torch.jit.load(folder / "traced")(x)[0], y)
        assert torch.equal(torch.export.load(folder / "program.pt2").module()(x)[0], y)
        assert torch.equal(torch.load(folder / "module", weights_only=False)(x)[0], y)
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=True)


def test_opcheck():
    layer, x, state, scalars, marks = make("cfc", "everything")
    numbers = torch.stack(list(scalars.values()), -1).detach().requires_grad_()
    layout = Layout(False, None, *(marks[name] for name in ("lengths", "mask", "reset")))
    args = x, state, layer._elman_weights(), [], [numbers], None, *ops.plain(layer._spec(), layout)
    assert set(torch.library.opcheck(cell_ops.cell, (*args, True)).values()) == {"SUCCESS"}
    *given, tape = (t.detach() for t in cell_ops.cell(*args, True))
    plain = [
        [t.detach() for t in a] if isinstance(a, list) and a and torch.is_tensor(a[0]) else a for a in args
    ]
    plain[0] = x.detach()
    of_back = ([given[0], None], tape, *plain)
    assert set(torch.library.opcheck(cell_ops.cell_backward, of_back).values()) == {"SUCCESS"}
    assert_close(cell_ops.cell_backward([given[0], None], tape[:0], *plain), cell_ops.cell_backward(*of_back))
