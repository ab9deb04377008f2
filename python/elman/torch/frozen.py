"""The user says that weights do not change. Then calls need not look at them."""

from __future__ import annotations

import warnings

from torch import nn

from .cache import Cache
from .swap import _modules


def assume_frozen(model: nn.Module, frozen: bool = True) -> nn.Module:
    """Do without the fingerprint of the weights. It is taken at every call, and tells whether the weights are still the
    ones that were packed. It reads every weight once, which takes time where single steps of large weights are taken.

    What torch knows of is still seen: an optimiser's step (but not one with `fused=True`), `load_state_dict`, `.to()`,
    a new Parameter, any operation in place. A write through `.data`, a NumPy view or another process is not, until
    this is called again. This holds for these modules alone: copies of them, and what is loaded from a file, are looked
    at again.

    Args:
        model: any module; it is changed in place, in all elman modules inside.
        frozen: False takes the word back.

    Returns:
        `model`. `report(model)` names the modules that are assumed frozen.

    Raises:
        TypeError: model is no torch.nn.Module.
    """
    ours = [module for module in _modules(model).values() if hasattr(module, "_elman_cache")]
    for module in ours:
        module._elman_cache = Cache(frozen)  # nothing is packed yet, so all weights are looked at once
    if frozen and not ours:
        warnings.warn(
            f"elman.torch.assume_frozen: expected elman's modules inside, got none in a {type(model).__name__}; call "
            "elman.torch.accelerate(model) first",
            stacklevel=2,
        )
    return model
