"""A forecaster as what JSON can hold and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..models import Forecaster
from ..train import History
from .baseline import Baseline
from .conformal import Calibration
from .core import SeriesForecaster
from .member import Member
from .scales import Scales

Arrays = Mapping[str, np.ndarray]


def described(forecaster: SeriesForecaster) -> dict[str, Any]:
    """All but arrays."""
    members = [
        {
            "other": m.other.as_plain(),
            "context": m.context,
            "config": m.model.config,
            "plain": m.baseline.as_plain(),
            "history": m.history.as_dict(),
        }
        for m in forecaster.members
    ]
    return {
        "horizon": forecaster.horizon, "context": forecaster.contexts, "options": forecaster.options,
        "sizes": forecaster.sizes, "marks": forecaster.marks, "scales": forecaster.scales.as_plain(),
        "members": members,
    }  # fmt: skip


def arrays_of(forecaster: SeriesForecaster) -> dict[str, np.ndarray]:
    """Parameters, linear maps, spreads and the errors that quantiles are calibrated with."""
    found: dict[str, np.ndarray] = {}
    for i, member in enumerate(forecaster.members):
        found |= {f"member{i}.{name}": value for name, value in member.model.state_dict().items()}
        found[f"spread{i}"] = member.spread
        found[f"share{i}"] = member.share
        for name, baseline in (("linear", member.baseline), ("other", member.other)):
            if baseline.weights is not None:
                found[f"{name}{i}"] = baseline.weights
    if forecaster.calibration is not None:
        found["calibration"] = forecaster.calibration.errors
    return found


def made_of(state: dict[str, Any]) -> SeriesForecaster:
    """The forecaster of a state, before it has its arrays."""
    found = SeriesForecaster(state["horizon"], state["context"], **state["options"])
    found.sizes, found.marks = tuple(state["sizes"]), state["marks"]
    found.scales = Scales.from_plain(state["scales"])
    for one in state["members"]:
        model, baseline, other = (
            Forecaster(**one["config"]),
            Baseline(**one["plain"]),
            Baseline(**one["other"]),
        )
        history = History(**one["history"])
        found.members.append(Member(one["context"], model, baseline, other, np.ones(1), np.ones(1), history))
    return found


def load_arrays(forecaster: SeriesForecaster, arrays: Arrays) -> None:
    """Put back what `arrays_of` gave."""
    for i, member in enumerate(forecaster.members):
        begin = f"member{i}."
        member.model.load_state_dict(
            {name[len(begin) :]: value for name, value in arrays.items() if name.startswith(begin)}
        )
        member.spread, member.share = arrays[f"spread{i}"], arrays[f"share{i}"]
        member.baseline.weights, member.other.weights = arrays.get(f"linear{i}"), arrays.get(f"other{i}")
    errors = arrays.get("calibration")
    forecaster.calibration = None if errors is None else Calibration(errors)
