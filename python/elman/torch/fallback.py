"""What the engine does not do runs torch's own code, and says so."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils._expanded_weights.expanded_weights_impl import ExpandedWeight

from . import gpu
from .spec import DTYPES


def reason(weight: Tensor) -> str | None:
    """Why a module with this weight runs torch's own code; None if it runs on the engine."""
    kind = weight.device.type
    if isinstance(weight, ExpandedWeight):
        return "its weights are torch.nn.utils' for gradients per sample"
    if kind in gpu.KINDS:
        if why := gpu.reason(weight):
            return why
    elif kind not in ("cpu", "meta"):
        return f"its weights are on {weight.device}"
    elif weight.dtype not in DTYPES:
        return f"its weights are {str(weight.dtype).removeprefix('torch.')}"
    if tracing() and torch.onnx.is_in_onnx_export():
        return ONNX
    return None


def runs_on_engine(module: torch.nn.Module) -> bool:
    """Whether a twin with these parameters, or without any, runs on the engine."""
    weight = next(module.parameters(), None)
    return weight is None or reason(weight) is None


def tracing() -> bool:
    """Whether this call is being recorded, by torch.compile, torch.export or torch.jit.trace."""
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._len_torch_dispatch_stack() > 0
    )


ONNX = "ONNX has torch's operators and not elman's"


def run(module: Any, torch_forward: Callable[..., Any], why: str, input: Any, hx: Any, **extras: Any) -> Any:
    """torch's own code, with a warning once for each module; it knows no lengths, masks or resets."""
    for name, value in extras.items():
        if value is not None:
            raise RuntimeError(
                f"{name}: expected None for torch's own code ({why}), got {type(value).__name__}"
            )
    warn(module, why, "torch's own code", stacklevel=5)
    return torch_forward(input, hx)


def warn(module: Any, why: str, what: str, stacklevel: int) -> None:
    """Once for each module."""
    if why != ONNX and module.__dict__.get("_elman_warned") != why:
        module.__dict__["_elman_warned"] = why
        name = type(module).__name__
        warnings.warn(f"elman.torch.{name}: {why}, so it runs {what}", stacklevel=stacklevel)
