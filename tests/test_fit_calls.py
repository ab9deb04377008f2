"""What a call of `fit` says counts."""

import numpy as np
from tests.runs import data, regressor

from elman.train import Adam, fit


def test_an_optimizer_of_a_part_leaves_the_rest():
    model = regressor()
    before = model.state_dict()
    head = model.parts["network"].parts["head"]
    fit(model, data(), optimizer=Adam(head), epochs=1, progress=False)
    changed = {name for name, value in model.parameters.items() if not np.array_equal(value, before[name])}
    assert changed == {"network.head.weight", "network.head.bias"}
