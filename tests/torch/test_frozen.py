"""assume_frozen: what is not looked at then, and what is seen all the same."""

import copy
import io

import pytest
import torch
from torch import nn

import elman.torch as et
from tests.support.torch_weights import (
    FLOAT64,
    KINDS,
    H,
    I,
    assert_same,
    by_index,
    make,
    results,
    total,
)

# torch's own word on what it does with projections
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


class TestAssumeFrozen:
    def fingerprints(self, monkeypatch):
        taken = []
        plain = et.cache.fingerprint
        monkeypatch.setattr(et.cache, "fingerprint", lambda weights: taken.append(0) or plain(weights))
        return taken

    @pytest.mark.parametrize("name", KINDS)
    def test_no_weight_is_read_again(self, name, monkeypatch):
        theirs, ours, x = make(name)
        taken = self.fingerprints(monkeypatch)
        assert et.assume_frozen(ours) is ours
        assert_same(theirs, ours, x)
        once = len(taken)
        assert_same(theirs, ours, x)
        assert len(taken) == once  # of small cells none is taken at all
        assert once > 0 or name.endswith("cell")
        et.assume_frozen(ours, False)
        for module in (theirs, ours):
            for parameter in module.parameters():
                parameter.detach().numpy()[:] += 0.1  # which torch does not see
        assert_same(theirs, ours, x)
        assert et.report(ours)[0].reason == ""

    @pytest.mark.parametrize("name", KINDS)
    def test_what_torch_knows_of_is_seen(self, name):
        theirs, ours, x = make(name)
        et.assume_frozen(ours)

        def load(module):
            module.load_state_dict({n: p + 0.1 for n, p in module.state_dict().items()})

        def assign(module):
            module.load_state_dict({n: p + 0.1 for n, p in module.state_dict().items()}, assign=True)

        def cast(module):
            module.to(torch.float32).to(FLOAT64)

        def fill(module):
            with torch.no_grad():
                for p in module.parameters():
                    p.fill_(0.3)

        def give(module):
            for n, p in list(module.named_parameters()):
                setattr(module, n, nn.Parameter(p.detach() * 2))

        def step(module):
            optimiser = torch.optim.SGD(module.parameters(), 0.1)
            total(results(module, x)).backward()
            optimiser.step()
            optimiser.zero_grad()

        for change in (load, assign, cast, fill, give, step):
            change(theirs), change(ours)
            assert_same(theirs, ours, x, change.__name__)
        for _ in range(20):  # new memory, freed and had again
            for p, q in zip(theirs.parameters(), ours.parameters(), strict=True):
                p.data = p.data + 0.01
                q.data = q.data + 0.01
            for a, b in zip(results(ours, x), results(theirs, x), strict=True):
                torch.testing.assert_close(a, b)

    def test_what_it_does_not_see_it_sees_when_called_again(self):
        theirs, ours, x = make("gru")
        et.assume_frozen(ours)
        with torch.no_grad():
            before, _ = ours(x)
            by_index(ours.weight_hh_l0, 0)
            assert torch.equal(ours(x)[0], before)
        et.assume_frozen(ours)
        theirs.load_state_dict(ours.state_dict())
        assert_same(theirs, ours, x)

    def test_weights_without_version_counts_are_still_read(self):
        with torch.inference_mode():
            _, ours, x = make("gru")
            et.assume_frozen(ours)
            before, _ = ours(x)
            ours.weight_hh_l0[0, 0] += 1
            assert not torch.equal(ours(x)[0], before)

    @pytest.mark.parametrize("name", KINDS)
    def test_copies_are_looked_at(self, name):
        """An ablation study freezes the model and changes copies of it."""
        theirs, ours, x = make(name)
        et.assume_frozen(ours)
        with io.BytesIO() as file:
            torch.save(ours, file)
            file.seek(0)
            copies = [copy.deepcopy(ours), torch.load(file, weights_only=False)]
        for module in copies:
            assert [entry.reason for entry in et.report(module)] == [""]
            plain = copy.deepcopy(theirs)
            assert_same(plain, module, x)
            for changed in (plain, module):
                next(changed.parameters()).data[:, 1] = 0
            assert_same(plain, module, x)

    def test_a_model_that_is_not_accelerated_is_named(self):
        with pytest.warns(UserWarning, match=r"expected elman's modules inside, got none in a GRU"):
            et.assume_frozen(nn.GRU(I, H))

    def test_it_is_reported(self):
        model = nn.ModuleDict({"a": et.GRU(I, H), "b": nn.Linear(1, 1), "c": et.LSTMCell(I, H)})
        et.assume_frozen(model["a"])
        a, c = et.report(model)
        assert a.fast and str(a) == "a: torch.nn.GRU, on elman's engine, its weights are assumed frozen"
        assert c.fast and str(c) == "c: torch.nn.LSTMCell, on elman's engine"
        et.accelerate(et.restore(model))
        assert et.report(model)[0].reason == ""

    def test_refuses_what_is_no_module(self):
        with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, got list"):
            et.assume_frozen([])


@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("H", [5, 300])  # whose weights are small, and large
def test_a_new_parameter_in_the_same_memory_is_seen(T, H):
    theirs, ours = nn.LSTM(3, H), et.LSTM(3, H)
    ours.load_state_dict(theirs.state_dict())
    et.assume_frozen(ours)
    x = torch.randn(T, 2, 3)
    with torch.no_grad():
        ours(x)
        for module in (theirs, ours):
            module.weight_hh_l0 = nn.Parameter(module.weight_hh_l0.data.mul_(2))
        torch.testing.assert_close(ours(x)[0], theirs(x)[0])
        shared = {name: value.numpy().copy() for name, value in ours.state_dict().items()}
        for factor in (1, 2):
            for module in (theirs, ours):
                module.load_state_dict({n: torch.from_numpy(v) for n, v in shared.items()}, assign=True)
            torch.testing.assert_close(ours(x)[0], theirs(x)[0])
            for value in shared.values():
                value *= factor + 1
