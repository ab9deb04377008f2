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
from .series import named

Arrays = Mapping[str, np.ndarray]


def described(forecaster: SeriesForecaster) -> dict[str, Any]:
    """All but arrays."""
    seen = None if forecaster.seen is None else [list(pair) for pair in forecaster.seen.items()]
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
        "members": members, "seen": seen,
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
        one, places = forecaster.calibration, {name: i for i, name in enumerate(forecaster.seen or ())}
        found["calibration"], found["calibration_ages"] = one.errors, one.ages
        found["calibration_series"] = np.array([places.get(name, -1) for name in one.names], np.int64)
        found["calibration_half_life"] = np.array([one.half_life])
    return found


def made_of(state: dict[str, Any]) -> SeriesForecaster:
    """The forecaster of a state, before it has its arrays."""
    found = SeriesForecaster(state["horizon"], state["context"], **state["options"])
    found.sizes, found.marks = tuple(state["sizes"]), state["marks"]
    found.scales = Scales.from_plain(state["scales"])
    found.seen = None if state.get("seen") is None else {named(name): last for name, last in state["seen"]}
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
    errors, forecaster.calibration = arrays.get("calibration"), None
    if errors is not None and "calibration_ages" in arrays:
        names = [*(forecaster.seen or ()), None]
        forecaster.calibration = Calibration(
            errors, arrays["calibration_ages"], [names[place] for place in arrays["calibration_series"]],
            float(arrays["calibration_half_life"][0]),
        )  # fmt: skip
    elif errors is not None:  # of an older file: all alike
        forecaster.calibration = Calibration(errors)
