"""Groups of parameters with their own learning rate and weight decay, and frozen ones."""

import copy
import re

import numpy as np
import pytest
import torch

from elman.models import SequenceClassifier
from elman.optim.groups import fits
from elman.train import SGD, Adam, AdamW, RMSProp
from tests.support.runs import same


def network(**options):
    return SequenceClassifier(
        2, vocabulary=5, embedding_size=3, hidden_size=4, seed=0, dtype="float64", **options
    )


RULES = [
    (SGD, torch.optim.SGD, {"momentum": 0.9}),
    (RMSProp, torch.optim.RMSprop, {}),
    (Adam, torch.optim.Adam, {}),
    (AdamW, torch.optim.AdamW, {}),
]


@pytest.mark.parametrize(("rule", "twin", "options"), RULES, ids=lambda v: getattr(v, "__name__", ""))
def test_groups_equal_torch(rule, twin, options):
    """Overlapping patterns, later ones counting more, while the learning rate changes; one part is frozen."""
    model, rng = network(), np.random.default_rng(0)
    groups = {
        "network.head": {"learning_rate": 0.002, "weight_decay": 0.3},
        "bias*": {"weight_decay": 0.0},
        "*_hh_l0": {"learning_rate": 0.05},
    }
    optimizer = rule(model, 0.01, weight_decay=0.1, groups=groups, frozen=["embedding"], **options)
    before = model.state_dict()

    def rate_of(name):
        return 0.002 if "head" in name else 0.05 if name.endswith("_hh_l0") else 0.01

    def decay_of(name):
        return 0.0 if "bias" in name else 0.3 if "head" in name else 0.1

    twins = {
        n: torch.nn.Parameter(torch.tensor(v)) for n, v in model.parameters.items() if "embedding" not in n
    }
    other = twin([{"params": [t], "lr": rate_of(n), "weight_decay": decay_of(n)} for n, t in twins.items()],
                 lr=0.01, **options)  # fmt: skip
    for step in range(6):
        optimizer.learning_rate = 0.01 / (1 + step)
        for (name, value), group in zip(twins.items(), other.param_groups, strict=True):
            model.grads[name][...] = rng.standard_normal(value.shape)
            value.grad = torch.tensor(model.grads[name]) * 0.5
            group["lr"] = rate_of(name) / (1 + step)
        model.grads["network.embedding.weight"][...] = 1
        optimizer.step(scale=0.5)
        other.step()
    for name, value in twins.items():
        np.testing.assert_allclose(model.parameters[name], value.detach().numpy(), rtol=1e-12, atol=1e-14)
    assert np.array_equal(before["network.embedding.weight"], model.parameters["network.embedding.weight"])


def test_frozen_parameters_have_no_states_and_no_part_in_the_norm():
    model = network()
    optimizer = Adam(model, frozen=["embedding", "recurrent"])
    assert optimizer.state_dict()["arrays"].keys() == {
        f"{state}.network.head.{name}" for state in ("first", "second") for name in ("weight", "bias")
    }
    for grad in model.grads.values():
        grad[...] = 1
    assert optimizer.norm() == np.sqrt(model.grads["network.head.weight"].size + 2)
    assert optimizer.frozen_of(model) == [name for name in model.parameters if "head" not in name]
    assert Adam(model.parts["network"].parts["head"]).frozen_of(model) == optimizer.frozen_of(model)


def test_groups_of_equal_options_are_one_call():
    calls = []

    class Counting(SGD):
        def _update(self, arrays, rate, scale, decay):
            calls.append((len(arrays[0]), rate, decay))
            super()._update(arrays, rate, scale, decay)

    optimizer = Counting(
        network(), 0.5, groups={"head": {"learning_rate": 0.25}, "embedding": {"learning_rate": 0.25}}
    )
    optimizer.weight_decay = 0.125
    optimizer.step()
    assert sorted(calls) == [(3, 0.25, 0.125), (4, 0.5, 0.125)]


def test_copies_keep_their_groups():
    model = network()
    optimizer = SGD(model, 0.5, groups={"head": {"learning_rate": 0.25}}, frozen="embedding")
    both = copy.deepcopy((model, optimizer))
    for one, own in ((model, optimizer), both):
        for grad in one.grads.values():
            grad[...] = 1
        own.step()
    assert same(model.state_dict(), both[0].state_dict())
    assert both[1].groups == {"head": {"learning_rate": 0.25}}


def test_what_a_pattern_fits():
    name = "network.recurrent.bias_hh_l0"
    for pattern in (name, "network", "recurrent", "network.recurrent", "bias*", "*.bias*", "*", "recurrent.*", "*hh*",
                    "netw?rk", "bias_[hi]h_l0"):  # fmt: skip
        assert fits(pattern, name), pattern
    for pattern in ("bias", "net", "recurrent.bias", "bias_ih*", "NETWORK", "work.recurrent", ""):
        assert not fits(pattern, name), pattern


REFUSALS = {
    "groups: expected patterns that fit some of network.embedding.weight, network.recurrent.": {
        "groups": {"embeding": {"learning_rate": 1}}
    },
    "groups: expected a dict of patterns of names, got list": {"groups": [{"head": 1}]},
    "groups: expected patterns of names, got 3": {"groups": {3: {}}},
    "groups['head']: expected a dict of learning_rate and weight_decay, got ['lr']": {
        "groups": {"head": {"lr": 1}}
    },
    "groups['head']: expected a dict of learning_rate and weight_decay, got 0.1": {"groups": {"head": 0.1}},
    "groups['head']: expected a dict of learning_rate and weight_decay, got []": {"groups": {"head": {}}},
    "groups['head']['learning_rate']: expected a number above 0, got 0": {
        "groups": {"head": {"learning_rate": 0}}
    },
    "groups['head']['weight_decay']: expected a finite number of at least 0, got -1": {
        "groups": {"head": {"weight_decay": -1}}
    },
    "groups: expected patterns that fit some of network.recurrent.": {
        "frozen": ["embedding"],
        "groups": {"embedding": {"learning_rate": 1}},
    },
    "frozen: expected patterns that fit some of network.embedding.weight, ": {"frozen": ["encoder"]},
    "frozen: expected a list of patterns of names, got 3": {"frozen": 3},
    "frozen: expected patterns of names, got None": {"frozen": [None]},
    "frozen: expected something to be left to train, got ['*']": {"frozen": "*"},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        Adam(network(), **REFUSALS[message])
