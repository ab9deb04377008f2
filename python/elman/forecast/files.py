"""A forecaster as what JSON can hold and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _check
from ..layers import arguments
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
        found["calibration"], found["calibration_ages"] = one.errors, one.ages.astype(np.float64)
        found["calibration_series"] = np.array([places.get(name, -1) for name in one.names], np.float64)
        found["calibration_half_life"] = np.array([one.half_life])
    return found


def made_of(state: dict[str, Any]) -> SeriesForecaster:
    """The forecaster of a state, before it has its arrays."""
    found = SeriesForecaster(state["horizon"], state["context"], **arguments.made_of(state["options"]))
    F, P, C, G = (_check.whole_number(f"sizes[{i}]", size, 0) for i, size in enumerate(state["sizes"]))
    found.sizes, found.marks = (F, P, C, G), _check.flag("marks", state["marks"])
    found.scales = Scales.from_plain(state["scales"], found.sizes)
    if len(state["members"]) != len(found.contexts) * found.count:
        raise ValueError(
            f"members: expected {len(found.contexts) * found.count}, got {len(state['members'])}"
        )
    found.seen = None  # in older files
    if state.get("seen") is not None:
        found.seen = {named(name): int(last) for name, last in state["seen"]}
    for i, one in enumerate(state["members"]):
        model, baseline, other = (
            Forecaster._from_config(one["config"]),
            Baseline(**one["plain"]),
            Baseline(**one["other"]),
        )
        _check_member(f"members[{i}]", found, one["context"], model, baseline, other)
        history = History(**one["history"])
        found.members.append(Member(one["context"], model, baseline, other, np.ones(1), np.ones(1), history))
    return found


def load_arrays(forecaster: SeriesForecaster, arrays: Arrays) -> None:
    """Put back what `arrays_of` gave."""
    left = dict(arrays)

    def take(name: str, *shape: int | str) -> np.ndarray:
        if name not in left:
            raise ValueError(f"{name}: expected an array {_check.shape_text(shape)}, got none")
        return _check.floats(name, left.pop(name), shape)

    S, F = forecaster.horizon, forecaster.sizes[0]
    for i, member in enumerate(forecaster.members):
        begin, model = f"member{i}.", member.model
        own = [name for name in left if name.startswith(begin)]
        model.load_state_dict({name[len(begin) :]: left.pop(name) for name in own})
        member.spread, member.share = take(f"spread{i}", S, F), take(f"share{i}", S, F)
        features = member.context * F + model.config["input_size"] - F + S * model.future_size
        for name, baseline in (("linear", member.baseline), ("other", member.other)):
            if baseline.kind == "linear":
                baseline.weights = take(f"{name}{i}", features + 1, S * F)
    K = len(model.targets.levels) if model.targets.name == "quantile" else 1
    forecaster.calibration = None
    if "calibration_ages" in left:
        errors = take("calibration", "n", S, F, K)
        ages, places = (take(f"calibration_{what}", len(errors)) for what in ("ages", "series"))
        names = [*(forecaster.seen or ()), None]  # -1 is None
        for what, got, least, most in (("ages", ages, 0, 2**53), ("series", places, -1, len(names) - 2)):
            if not ((got >= least) & (got <= most)).all():
                raise ValueError(f"calibration_{what}: expected numbers from {least} to {most}, got others")
        (half_life,) = take("calibration_half_life", 1).tolist()
        own = [names[int(place)] for place in places]
        forecaster.calibration = Calibration(errors, ages, own, half_life)
    elif "calibration" in left:  # of an older file: all errors are alike
        forecaster.calibration = Calibration(take("calibration", "n", S, F, K))
    if left:
        raise ValueError(f"arrays: expected none but those of the forecaster, got {', '.join(left)}")


def _check_member(
    name: str, of: SeriesForecaster, context: Any, model: Forecaster, baseline: Baseline, other: Baseline
) -> None:
    """Refuse a network or baselines that do not fit the forecaster that they are of."""
    S, F = of.horizon, of.sizes[0]
    if context not in of.contexts:
        raise ValueError(f"{name}: expected a context of {of.contexts}, got {context!r}")
    for what, got in (
        ("model", (model.horizon, model.size)), ("plain", (baseline.horizon, baseline.targets)),
        ("other", (other.horizon, other.targets)),
    ):  # fmt: skip
        if got != (S, F):
            raise ValueError(f"{name}: expected a {what} of {S} steps and {F} targets, got {got}")
