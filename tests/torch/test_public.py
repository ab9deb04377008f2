"""What torch.nn's modules do under tools that copy, save, change, watch or wrap them, elman's do."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils import checkpoint

import elman.torch as et
from tests.support.torch_pairs import (
    Model,
    Tools,
    compare,
    grads,
    ignore_torchs_warnings,
    loss,
    tree_leaves,
)

pytestmark = ignore_torchs_warnings
tools = Tools()


def trained(model, out):
    return out, grads(model, out)


def stepped(model, out):
    """With gradients where `.backward()` leaves them."""
    loss(out).backward()
    return tree_leaves(out), [p.grad for p in model.parameters() if p.grad is not None]


def weight(model):
    return "weight_hh" if model.cell else "weight_hh_l0"


# Copies and files


@tools.of()
def copies(model, x):
    loss(model(x)).backward()  # with packed weights and gradients
    again = [copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))]
    return [trained(one, one(x)) for one in again]


@tools.of()
def files(model, x):
    file, state = io.BytesIO(), io.BytesIO()
    torch.save(model, file)
    torch.save(model.state_dict(), state)
    file.seek(0), state.seek(0)
    loaded = torch.load(file, weights_only=False)
    model.load_state_dict(torch.load(state, weights_only=True), assign=True)
    return loaded(x), model(x)


@tools.of()
def package(model, x):
    file = io.BytesIO()
    with torch.package.PackageExporter(file) as exporter:
        exporter.extern("**")
        exporter.save_pickle("models", "model.pkl", model)
    file.seek(0)
    return torch.package.PackageImporter(file).load_pickle("models", "model.pkl")(x)


# Weights: where they are made, changed and shared


@tools.of()
def made_on_meta(model, x):
    with torch.device("meta"):
        twin = Model(model.kind)
    if type(model.rnn).__module__.startswith("elman"):
        et.accelerate(twin)
    shapes = [part.shape for part in tree_leaves(twin(x.to("meta")))]
    assert shapes == [part.shape for part in tree_leaves(model(x))]
    twin.to_empty(device="cpu").load_state_dict(model.state_dict())
    return twin(x)


@tools.of()
def swapped_on_conversion(model, x):
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return model.double()(x.double())
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


@tools.of()
def shared_memory(model, x):
    return model.share_memory()(x)


@tools.of()
def as_a_vector(model, x):
    vector = nn.utils.parameters_to_vector(model.parameters())
    nn.utils.vector_to_parameters(vector / 2, model.parameters())
    return model(x)


@tools.of()
def averaged(model, x):
    average = torch.optim.swa_utils.AveragedModel(model)
    average.update_parameters(model)
    return average(x)


@tools.of()
def parametrised(model, x):
    parametrizations.weight_norm(model.rnn, weight(model))
    once = trained(model, model(x))
    parametrizations.orthogonal(model.rnn, weight(model).replace("hh", "ih"))
    return once, trained(model, model(x))


@tools.of()
def spectral_norm(model, x):
    parametrizations.spectral_norm(model.rnn, weight(model))
    return trained(
        model, model.eval()(x)
    )  # training improves the estimate, torch.nn's LSTM three times a call


@tools.of()
def hooked_weight_norm(model, x):
    nn.utils.weight_norm(model.rnn, weight(model))
    return trained(model, model(x))


@tools.of()
def pruned(model, x):
    prune.random_unstructured(model.rnn, weight(model), 0.5)
    once = trained(model, model(x))
    prune.remove(model.rnn, weight(model))
    return once, trained(model, model(x))


# Memory, hooks, counters


@tools.of()
def checkpoints(model, x):
    x.requires_grad_()
    plain = trained(model, checkpoint.checkpoint(model, x, use_reentrant=False))
    out = checkpoint.checkpoint(model, x, use_reentrant=True)
    return plain, stepped(model, out), x.grad


@tools.of()
def saved_tensors(model, x):
    with torch.autograd.graph.save_on_cpu():
        out = model(x)
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda t: t):
        again = model(x)
    return trained(model, out), trained(model, again)


@tools.of()
def hooks(model, x):
    seen = []
    model.rnn.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model.rnn.register_forward_hook(lambda module, args, out: seen.append(out))
    model.rnn.register_full_backward_pre_hook(lambda module, given: seen.append(given))
    model.rnn.register_full_backward_hook(lambda module, got, given: seen.append((got, given)))
    model.rnn.register_state_dict_pre_hook(lambda *_: seen.append(torch.ones(1)))
    for p in model.rnn.parameters():
        p.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.sum()))
    model.load_state_dict(model.state_dict())
    done = stepped(model, model(x.requires_grad_()))
    order = [i for i, one in enumerate(seen) if isinstance(one, torch.Tensor) and one.dim() == 0]
    assert len(order) == len(list(model.rnn.parameters()))  # which come in no fixed order
    return done, [one for i, one in enumerate(seen) if i not in order]


@tools.of(["LSTM", "GRU-packed", "RNNCell"])
def profilers(model, x):
    with torch.profiler.profile(with_modules=True, record_shapes=True, with_flops=True) as profile:
        done = stepped(model, model(x))
    assert profile.key_averages().table()
    with torch.autograd.profiler.profile(), torch.autograd.detect_anomaly(check_nan=True):
        return done, trained(model, model(x))


@tools.of()
def modes(model, x):
    class Functions(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, call, types, args=(), kwargs=None):
            return call(*args, **(kwargs or {}))

    class Dispatches(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, call, types, args=(), kwargs=None):
            return call(*args, **(kwargs or {}))

    done = []
    for mode in (Functions(), Dispatches(), torch.inference_mode()):
        with mode:
            out = model(x)
        done.append(out if isinstance(mode, torch.inference_mode) else trained(model, out))
    return done


@tools.of()
def other_wrappers(model, x):
    return nn.DataParallel(model)(x), torch.jit.wait(torch.jit.fork(model, x))


@pytest.mark.slow
@pytest.mark.parametrize(("run", "kind"), tools)
def test_as_under_torch_nn(run, kind):
    compare(run, kind)
