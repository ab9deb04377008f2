"""elman.torch: the same program as PyTorch's, with elman's modules and what their call takes beyond torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import elman.torch
from bench.contenders import Contender
from bench.contenders.torch import prepare_modules
from bench.shapes import Data, Shape


def prepare(
    shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int, modules: Any = elman.torch
) -> Contender | None:
    tensors = {"lengths": data.lengths, "reset": data.reset}
    options = {name: torch.from_numpy(value) for name, value in tensors.items() if value is not None}

    def over_sequence(layer: Any, x: torch.Tensor) -> torch.Tensor:
        return layer(x, **options)[0]

    return prepare_modules(modules, over_sequence, shape, data, weights, threads)
