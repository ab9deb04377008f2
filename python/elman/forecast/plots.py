"""Pictures of forecasts (extra: plot)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._extras import need
from .conformal import central_intervals
from .core import SeriesForecaster
from .frames import FrameReader
from .series import Series


def _axis(count: int = 1) -> tuple[Any, Any]:
    plt = need("matplotlib.pyplot", "plot", "a picture")
    figure, axes = plt.subplots(count, 1, figsize=(10, 3.5 * count), layout="constrained", squeeze=False)
    return figure, axes[:, 0]


def _fan(
    axis: Any, times: Any, centre: Any, quantiles: Any, levels: Sequence[float], label: bool = True
) -> None:
    """A forecast: its middle, and a band for each central interval. quantiles: [steps, Q]."""
    for low, high, share in sorted(central_intervals(levels), key=lambda one: -one[2]):
        axis.fill_between(times, quantiles[:, low], quantiles[:, high], color="tab:red", alpha=0.2, linewidth=0,
                          label=f"{100 * share:g} %" if label else None)  # fmt: skip
    axis.plot(times, centre, color="tab:red", linewidth=1.2, label="forecast" if label else None)


def _ended(figure: Any, axis: Any, path: Any) -> Any:
    axis.legend(frameon=False)
    figure.autofmt_xdate()
    if path is not None:
        figure.savefig(path, dpi=110)
        need("matplotlib.pyplot", "plot", "a picture").close(figure)
    return figure


def plot_forecast(
    forecaster: SeriesForecaster, reader: FrameReader, series: Sequence[Series], levels: Sequence[float],
    path: Any = None, steps: int | None = None,
) -> Any:  # fmt: skip
    """One picture for each series: its last steps (4 horizons, if None), and the forecast of its first target.

    Args:
        levels: of the quantiles to draw.
        path: a file to write; None leaves the figure open.

    Returns:
        The figure of matplotlib.
    """
    said, target = forecaster.forecast(series), reader.roles.target[0]
    quantiles = said.quantiles(levels, forecaster.calibration) if levels else None
    figure, axes = _axis(len(series))
    for w, (axis, one) in enumerate(zip(axes, series, strict=True)):
        assert one.times is not None
        times, n = reader.grid.calendar(reader.grid.times(one.times)), len(one)
        begin = max(0, n - (steps or 4 * forecaster.horizon))
        axis.plot(times[begin:n], one.target[begin:, 0], color="0.3", linewidth=1.2, label="known")
        ahead = times[n : n + forecaster.horizon]
        _fan(axis, ahead, said.centre[w, :, 0], None if quantiles is None else quantiles[w, :, 0], levels)
        axis.set_title(str(target) if one.name is None else f"{target}, {one.name}")
    return _ended(figure, axes[0], path)


def plot_backtest(
    frame: Any, levels: Sequence[float], path: Any = None, series: Any = None, step: int | None = None
) -> Any:
    """The truth of one series (the first, if None) and the forecasts of each origin, or with `step` each time as it was
    expected so many steps before."""
    name = frame["series"].iloc[0] if series is None else series
    rows = frame[frame["series"].map(lambda own: own == name) & (frame["target"] == frame["target"].iloc[0])]
    if not len(rows):
        raise ValueError(f"series: expected one of the backtest's, got {series!r}")
    figure, (axis,) = _axis()
    times = rows["time"]
    if hasattr(times, "dt") and hasattr(times.dt, "to_timestamp"):
        rows = rows.assign(time=times.dt.to_timestamp())
    truth = rows.drop_duplicates("time").sort_values("time")
    axis.plot(truth["time"], truth["truth"], color="0.3", linewidth=1.2, label="truth")
    columns = [f"q{level:g}" for level in levels]
    parts = (
        [rows[rows["step"] == step].sort_values("time")]
        if step
        else [part for _, part in rows.groupby("origin")]
    )
    for i, part in enumerate(parts):
        _fan(axis, part["time"], part["prediction"], part[columns].to_numpy(), levels, label=i == 0)
    axis.set_title(f"{name}, {step} steps ahead" if step else str(name))
    return _ended(figure, axis, path)
