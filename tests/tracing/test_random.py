"""Programs of random operations against torch's autograd."""

import json
import time

import numpy as np
import pytest

from elman.tracing import CellDefinition
from tests.tracing.random_cells import random_cell
from tests.tracing.torch_side import assert_agrees
from tests.tracing.walk import assert_sound


def assert_holds(seed, cell, source):
    try:
        assert_sound(cell)
        assert_agrees(cell, np.random.default_rng(seed), B=2, H=3)
        assert CellDefinition.from_data(json.loads(json.dumps(cell.as_data()))) == cell
    except Exception as error:
        raise AssertionError(f"seed {seed}:\n{source}") from error


@pytest.mark.parametrize("part", range(20))
def test_random_cells(part):
    for seed in range(part * 12, part * 12 + 12):
        cell, source = random_cell(seed)
        assert_holds(seed, cell, source)


@pytest.mark.parametrize("part", range(10))
def test_random_elementwise_cells(part):
    for seed in range(part * 12, part * 12 + 12):
        cell, source = random_cell(seed, elementwise=True)
        assert_holds(seed, cell, source)


@pytest.mark.parametrize("part", range(10))
def test_random_cells_of_several_stages(part):
    for seed in range(part * 12, part * 12 + 12):
        try:
            cell, source = random_cell(seed, most=25, matrices=seed % 4, statistics=(seed // 4) % 4)
        except ValueError as error:
            assert "expected at most 6 stages" in str(error)
            continue
        assert_holds(seed, cell, source)


def test_programs_of_sixty_operations_take_no_time():
    slowest = 0.0
    for seed in range(30):
        cell, _ = random_cell(seed, most=60)
        start = time.process_time()
        cell.programs  # noqa: B018
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 1  # 0.05 s where nothing else runs
