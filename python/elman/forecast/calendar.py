"""What the calendar says of times: hour, weekday, month and so on, as waves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check

# By name: the time's place in its cycle, and the length of that.
PARTS: dict[str, Any] = {
    "minute": (lambda t: t.minute, 60.0),
    "hour": (lambda t: t.hour + t.minute / 60, 24.0),
    "weekday": (lambda t: t.day_of_week, 7.0),
    "day": (lambda t: t.day - 1, 31.0),
    "month": (lambda t: t.month - 1 + (t.day - 1) / 31, 12.0),
    "quarter": (lambda t: (t.month - 1) % 3 + (t.day - 1) / 31, 3.0),
}


def chosen(calendar: Any, days: float | None) -> list[str]:
    """The parts that are meant.

    Args:
        calendar: True for what changes from step to step and comes again within a year, False for none, or names.
        days: of one step; None where times are whole numbers, which have no calendar.
    """
    if isinstance(calendar, (bool, np.bool_)):
        if not calendar or days is None:
            return []
        return ["hour"] * (days < 1) + ["weekday"] * (days < 7) + ["month"] * (days < 300)
    if isinstance(calendar, str):
        calendar = [calendar]
    names = [_check.choice(f"calendar[{i}]", name, tuple(PARTS)) for i, name in enumerate(calendar)]
    if names and days is None:
        raise ValueError("calendar: expected dates as times with it, got whole numbers")
    return names


def waves(times: Any, names: Sequence[str]) -> np.ndarray:
    """[n, 2 * names]: sine and cosine of each part, for a DatetimeIndex."""
    found = np.empty((len(times), 2 * len(names)))
    for i, name in enumerate(names):
        place, length = PARTS[name]
        turn = 2 * np.pi / length * np.asarray(place(times), float)
        found[:, 2 * i], found[:, 2 * i + 1] = np.sin(turn), np.cos(turn)
    return found
