"""What the engine does not do runs torch's own code, and says so."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from .engine import DTYPES


def reason(weight: Tensor) -> str | None:
    """Why a module with this weight cannot run on the engine; None if it can."""
    if weight.device.type not in ("cpu", "meta"):
        return f"its weights are on {weight.device}"
    if weight.dtype not in DTYPES:
        return f"its weights are {str(weight.dtype).removeprefix('torch.')}"
    return None


def exporting() -> bool:
    """Whether a model is on its way to ONNX, which knows torch's operators and not elman's."""
    return torch.onnx.is_in_onnx_export()


def warn_once(module: Any, why: str) -> None:
    if module.__dict__.get("_elman_warned") != why:
        module.__dict__["_elman_warned"] = why
        name = type(module).__name__
        warnings.warn(f"elman.torch.{name}: {why}, so it runs torch's own code", stacklevel=4)


def refuse_extras(why: str, **extras: Any) -> None:
    """torch's own code knows no lengths, masks or resets."""
    for name, value in extras.items():
        if value is not None:
            raise RuntimeError(f"{name}: expected None where torch's own code runs ({why}), got {type(value).__name__}")
