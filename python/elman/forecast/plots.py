"""Pictures of forecasts (extra: plot)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._extras import need
from .scores import pairs


def _axis(count: int = 1) -> tuple[Any, Any]:
    plt = need("matplotlib.pyplot", "plot", "a picture")
    figure, axes = plt.subplots(count, 1, figsize=(10, 3.5 * count), layout="constrained", squeeze=False)
    return figure, axes[:, 0]


def _fan(
    axis: Any, times: Any, centre: Any, quantiles: Any, levels: Sequence[float], label: bool = True
) -> None:
    """A forecast: its middle, and a band for each central interval. quantiles: [steps, Q]."""
    for low, high, share in sorted(pairs(levels), key=lambda pair: -pair[2]):
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
    history: Sequence[tuple[Any, Any]], forecast: Sequence[tuple[Any, Any, Any]], levels: Sequence[float],
    titles: Sequence[str], path: Any = None,
) -> Any:  # fmt: skip
    """One picture for each series: what was, and what is forecast.

    Args:
        history: times and values [n] of each.
        forecast: times, values [S] and quantiles [S, Q] (or None) of each.
        levels: of the quantiles.
        path: a file to write; None leaves the figure open.

    Returns:
        The figure of matplotlib.
    """
    figure, axes = _axis(len(history))
    for axis, (times, values), (ahead, centre, quantiles), title in zip(
        axes, history, forecast, titles, strict=True
    ):
        axis.plot(times, values, color="0.3", linewidth=1.2, label="known")
        _fan(axis, ahead, centre, quantiles, levels if quantiles is not None else ())
        axis.set_title(title)
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
