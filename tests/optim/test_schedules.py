"""Learning-rate schedules equal PyTorch's, and go on from where they stopped."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.train import (
    Constant,
    Cosine,
    Exponential,
    Plateau,
    Schedule,
    Steps,
    WarmUp,
)


def torch_rates(make, epochs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


lr = torch.optim.lr_scheduler
SCHEDULES = [
    (Constant(), lambda o: lr.ConstantLR(o, 1.0), 5),
    (Cosine(10), lambda o: lr.CosineAnnealingLR(o, 10), 11),
    (Cosine(10, floor=0.2), lambda o: lr.CosineAnnealingLR(o, 10, eta_min=0.2), 11),
    (Steps(3), lambda o: lr.StepLR(o, 3), 20),
    (Steps(4, 0.5), lambda o: lr.StepLR(o, 4, 0.5), 20),
    (Exponential(0.9), lambda o: lr.ExponentialLR(o, 0.9), 20),
    (WarmUp(5, start=0.25), lambda o: lr.LinearLR(o, 0.25, 1.0, 5), 12),
    (
        WarmUp(4, Cosine(6, 0.1), start=0.5),
        lambda o: lr.SequentialLR(
            o, [lr.LinearLR(o, 0.5, 1.0, 4), lr.CosineAnnealingLR(o, 6, eta_min=0.1)], milestones=[4]
        ),
        11,
    ),
]


@pytest.mark.parametrize(
    ("schedule", "twin", "epochs"), SCHEDULES, ids=lambda v: str(v).split(" at ")[0][:40]
)
def test_schedules_equal_torch(schedule, twin, epochs):
    assert isinstance(schedule, Schedule)
    np.testing.assert_allclose(
        [schedule(t) for t in range(epochs)], torch_rates(twin, epochs), rtol=1e-9, atol=1e-12
    )
    schedule.observe(1.0)  # means nothing to those that look at the time alone
    assert schedule.state_dict() == {}
    schedule.load_state_dict({})


def test_schedules_between_and_after_epochs():
    assert Cosine(10)(2.5) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert Cosine(10, floor=0.1)(25.5) == pytest.approx(0.1)
    assert WarmUp(2)(0) == 0 and WarmUp(2)(0.5) == 0.25 and WarmUp(2)(2) == WarmUp(2)(9.5) == 1
    assert Steps(2)(1.99) == 1 and Steps(2)(2.0) == 0.1
    assert Exponential(0.25)(0.5) == 0.5
    nested = WarmUp(1, WarmUp(1, start=0.5), start=0.1)
    assert nested(1 - 1e-9) == pytest.approx(0.5) and nested(1) == 0.5  # no jump where one ends


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.floats(-2, 10) | st.sampled_from([1.0, math.nan, math.inf]), max_size=40),
    factor=st.sampled_from([0.1, 0.5]),
    patience=st.integers(0, 4),
    threshold=st.sampled_from([0.0, 1e-4, 0.1]),
    floor=st.sampled_from([0.0, 0.05]),
)
def test_plateau_equals_torch(losses, factor, patience, threshold, floor):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    twin = lr.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience, threshold=threshold, min_lr=floor, eps=0
    )
    plateau = Plateau(factor, patience, threshold, floor)
    for i, loss in enumerate(losses):
        plateau.observe(loss)
        twin.step(loss)
        assert plateau(i + 0.5) == pytest.approx(optimizer.param_groups[0]["lr"])
        fresh = Plateau(factor, patience, threshold, floor)
        fresh.load_state_dict(json.loads(json.dumps(plateau.state_dict())))
        assert fresh == plateau
        plateau = fresh


def test_a_warm_up_before_a_plateau_passes_the_losses_on():
    schedule = WarmUp(2, Plateau(0.5, patience=0))
    assert schedule(1) == 0.5 and schedule(2) == 1
    for _ in range(2):
        schedule.observe(1.0)
    assert schedule(2) == 0.5 and schedule.state_dict()["current"] == 0.5
    fresh = WarmUp(2, Plateau(0.5, patience=0))
    fresh.load_state_dict(schedule.state_dict())
    assert fresh == schedule


def test_a_schedule_of_ones_own():
    class Halves(Schedule):
        def __call__(self, epoch):
            return 0.5

    assert WarmUp(1, Halves())(0.5) == 0.25 and Halves().state_dict() == {}
