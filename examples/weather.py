"""Forecast tomorrow's temperature at JFK airport from two days of weather at three airports.

Learns from nine and a half months of 2013 and is tested on the rest of the year, against ridge regression, persistence
and the same hour of the day before. A GRU says between what bounds the temperature will be, one to 24 hours ahead. Each
network leaves out every sixth week, and what it forecasts there decides when its training ends, and how far to trust
the networks, for each hour ahead, where they and ridge regression differ. Its errors there, and each day those of the
days before, move the bounds.

    python examples/weather.py            # or: make demo
"""

from __future__ import annotations

import itertools
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from sklearn.linear_model import Ridge

import elman
from elman.datasets import Weather, load_weather
from elman.forecast import Calibration, Distribution, rolling_quantiles
from elman.models import Forecaster
from elman.sequence import Standardizer, sliding_windows
from elman.train import Cosine, fit
from support.run import Example, Result

DAY = 24
WINDOW = 2 * DAY  # hours that are read
# Hours ahead that it learns; more than are shown, which steadies it.
HORIZONS = np.array([1, 2, 3, 4, 6, 8, 12, 18, 24])
SHOWN = [1, 6, 24]
SHOWN_AT = [list(HORIZONS).index(ahead) for ahead in SHOWN]
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
MEDIAN = QUANTILES.index(0.5)
STATION = 1  # JFK

FOLDS = 6  # a network leaves out the weeks k, k + 6, k + 12, ...


def carry_forward(values: np.ndarray) -> np.ndarray:
    """Fill each gap with the last value before it: what a forecaster would have known at the time."""
    filled = values.copy()
    for before, now in itertools.pairwise(filled):
        gaps = np.isnan(now)
        now[gaps] = before[gaps]
    return filled


class Task:
    """Inputs and targets at every hour. The last fifth of the year is the test."""

    def __init__(self, weather: Weather):
        n, stations, variables = weather.values.shape
        test_begin = int(0.8 * n)
        filled = carry_forward(weather.values).reshape(n, -1)
        filled = np.where(np.isnan(filled), np.nanmean(filled[:test_begin], axis=0), filled)
        self.hours = weather.hours
        self.temperature = weather.values[:, STATION, 0]  # as recorded: NaN where it was not
        self.known = filled[:, STATION * variables]  # what the forecaster starts from

        self.now = np.arange(WINDOW - 1, n - 1)  # the last hour that each window knows
        self.end = np.minimum(self.now + HORIZONS[-1], n - 1)  # the last that it forecasts
        self.learn = self.now + HORIZONS[-1] < test_begin
        self.test = self.now + 1 >= test_begin

        scaled = Standardizer().fit(filled[:test_begin]).transform(filled)
        day = (weather.hours - weather.hours[0].astype("M8[Y]")).astype(int) / DAY
        # How high the sun stands. With it, autumn can be learned from spring, which has days as long.
        self.season = np.cos(2 * np.pi * (day + 10) / 365)[self.now]
        self.hour_of_day = weather.hours.astype(int) % DAY
        past = sliding_windows(scaled, WINDOW)[: len(self.now)]  # [windows, WINDOW, stations * variables]
        self.past_at_station = past.reshape(*past.shape[:2], stations, variables)[:, :, STATION].reshape(
            len(past), -1
        )
        self.x = self._inputs(past)

        measured = np.concatenate([weather.values[:, :, 0], np.full((HORIZONS[-1], stations), np.nan)])
        level = filled.reshape(n, stations, variables)[self.now, :, 0]
        # [windows, horizons, stations]: by how much the temperature will have changed; NaN where unknown
        self.change = measured[self.now[:, None] + HORIZONS] - level[:, None]

    def fold(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows that learn where every sixth week is left out, and those that forecast within these weeks. What
        learns has no target in them, nor in the test."""
        left_out = np.arange(len(self.hours)) // (7 * DAY) % FOLDS == k
        hours_before = np.concatenate([[0], np.cumsum(left_out)])
        touches = hours_before[self.end + 1] > hours_before[self.now]
        return self.learn & ~touches, self.learn & left_out[self.now] & left_out[self.end]

    def _inputs(self, past: np.ndarray) -> np.ndarray:
        """[windows, WINDOW, F]: how the weather differed from what it is now; what it is now; hour and season."""
        now = np.broadcast_to(past[:, -1:], past.shape)
        turn = 2 * np.pi / DAY * self.hour_of_day[self.now]
        calendar = np.stack([np.sin(turn), np.cos(turn), self.season], axis=1)
        calendar = np.repeat(calendar[:, None], WINDOW, axis=1)
        return np.concatenate([past - now, now, calendar], axis=2).astype(np.float32)


def network_forecast(
    task: Task, folds: int, members: int, hidden: int, epochs: int, seed: int
) -> tuple[np.ndarray, Forecaster]:
    """Quantiles of the change at JFK, [windows, horizons, quantiles], and the first network. In the weeks that learn
    they are by the networks that left out the week; in the test they are the mean of all networks'."""
    scale = np.nanstd(task.change[task.learn], axis=(0, 2), keepdims=True)
    x, y = task.x, (task.change / scale).astype(np.float32)
    total, count = np.zeros((len(x), len(HORIZONS), len(QUANTILES))), np.zeros(len(x))
    networks: list[Forecaster] = []
    for k, _ in itertools.product(range(folds), range(members)):
        train, validation = task.fold(k)
        model = Forecaster(
            len(HORIZONS), targets=y.shape[2], input_size=x.shape[2], hidden_size=hidden, cell="gru", dropout=0.5,
            recurrent_dropout=0.5, loss="quantile", quantiles=QUANTILES, seed=seed + len(networks),
        )  # fmt: skip
        model.notes["scale"] = scale.ravel().tolist()
        fit(
            model,
            (x[train], y[train]),
            (x[validation], y[validation]),
            epochs=epochs,
            batch_size=64,
            schedule=Cosine(epochs, floor=0.1),
            patience=8,
            seed=seed + len(networks),
            progress=f"network {len(networks) + 1} of {folds * members}",
        )
        for part in (validation, task.test):
            total[part] += model.predict_quantiles(x[part], QUANTILES)[:, :, STATION]
            count[part] += 1
        networks.append(model)
    return total / np.where(count, count, np.nan)[:, None, None] * scale[0], networks[0]


def ridge_forecast(task: Task, folds: int, season: bool) -> np.ndarray:
    """[windows, horizons]: linear regression on two days at JFK and the hour of day, and on the season if so said. In
    the weeks that learn it is by a regression that left out the week; this chooses the penalty for each hour ahead."""
    x = np.column_stack([task.past_at_station, np.eye(DAY)[task.hour_of_day[task.now]]])
    if season:
        x = np.column_stack([x, task.season])
    y = task.change[:, :, STATION]
    known = ~np.isnan(y).any(axis=1)
    tried, errors = [], []
    for penalty in (1, 10, 100, 1000, 10000):
        forecast = np.full(y.shape, np.nan)
        for train, part in [*map(task.fold, range(folds)), (task.learn, task.test)]:
            forecast[part] = Ridge(penalty).fit(x[train & known], y[train & known]).predict(x[part])
        tried.append(forecast)
        errors.append(np.nanmean(np.abs(forecast - y)[task.learn], axis=0))
    best = np.argmin(errors, axis=0)
    return np.take_along_axis(np.stack(tried), best[None, None], axis=0)[0]


def trust(task: Task, network: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """[horizons]: how much of the difference between the networks and ridge regression is best added to the latter,
    in the weeks that each had left out."""
    truth, ridge, network = task.change[task.learn, :, STATION], ridge[task.learn], network[task.learn]
    shares = np.linspace(0, 1.2, 25)
    errors = [np.nanmean(np.abs(ridge + share * (network - ridge) - truth), axis=0) for share in shares]
    return shares[np.argmin(errors, axis=0)]


def calibrated(task: Task, fans: np.ndarray) -> np.ndarray:
    """[test windows, horizons, quantiles]: moved by as much as they were wrong before, in the weeks that were left out,
    and day by day in the test, as far as the truth was known by then."""
    truth = task.change[:, :, STATION, None]
    said = Distribution(fans[:, :, None, MEDIAN], fans[:, :, None], np.ones(truth.shape), tuple(QUANTILES))
    day, over = task.now // DAY, (task.now + HORIZONS[-1] + DAY - 1) // DAY
    before, test = np.flatnonzero(task.learn & ~np.isnan(fans[:, 0, 0])), np.flatnonzero(task.test)
    known = Calibration.of(said.take(before), truth[before], day[before], half_life=10)  # days, as horizons
    found = rolling_quantiles(said.take(test), truth[test], QUANTILES, known, day[test], over[test])
    return found[:, :, 0]


def same_hour_yesterday(task: Task) -> np.ndarray:
    before = np.minimum(task.now[:, None] + HORIZONS, len(task.known) - 1) - DAY
    return task.known[before] - task.known[task.now][:, None]


def show_latest(path: pathlib.Path, task: Task, hours: int = 6) -> None:
    """Load a saved network, and print what it expects in the last hours of the year."""
    model = elman.load(path)
    change = model.predict(task.x[-hours:])[:, :, STATION] * model.notes["scale"]
    for now, more in zip(task.now[-hours:], change, strict=True):
        expected = ", ".join(f"{task.known[now] + more[j]:5.1f} in {HORIZONS[j]:2} h" for j in SHOWN_AT)
        print(f"  {task.hours[now]}:00  {task.known[now]:5.1f} C, expected {expected}")


def plot(task: Task, forecast: np.ndarray, path: pathlib.Path, days: int = 14) -> None:
    """Fans: the forecast of every midnight; and each hour as it was expected the day before."""
    now = task.now[task.test][: days * DAY]
    level = task.known[now][:, None, None] + forecast[: len(now)]
    truth = task.temperature
    figure, axes = plt.subplots(2, 1, figsize=(11, 7.5), sharex=True, layout="constrained")
    for axis in axes:
        axis.plot(task.hours[now], truth[now], color="0.3", linewidth=1.5, label="measured", zorder=3)
        axis.set_ylabel("temperature, °C")

    def fan(axis, at: np.ndarray, values: np.ndarray) -> None:
        for outer, shade in ((0, 0.2), (1, 0.4)):
            chance = f"{100 * (QUANTILES[-1 - outer] - QUANTILES[outer]):.0f} % of chances"
            axis.fill_between(task.hours[at], values[:, outer], values[:, -1 - outer], color="tab:red", alpha=shade,
                              linewidth=0, label=chance)  # fmt: skip
        axis.plot(task.hours[at], values[:, MEDIAN], color="tab:red", linewidth=1.2, label="median")

    ahead = np.array([0, *HORIZONS])
    for i in np.flatnonzero(task.hour_of_day[now[:-DAY]] == 0):
        start = np.full((1, len(QUANTILES)), task.known[now[i]])
        fan(axes[0], now[i] + ahead, np.concatenate([start, level[i]]))
    axes[0].set_title("Temperature at JFK, the first two weeks of the test (UTC): forecasts made at midnight")
    fan(axes[1], now[:-DAY] + DAY, level[:-DAY, -1])
    axes[1].set_title("Each hour as it was expected 24 h before")
    dates = AutoDateLocator()
    axes[1].xaxis.set_major_locator(dates)
    axes[1].xaxis.set_major_formatter(ConciseDateFormatter(dates))
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Forecasting, temperature at JFK", __doc__, "",  # the weather comes with elman
        members={"type": int, "default": 2, "help": "networks for each choice of weeks left out"},
        hidden={"type": int, "default": 64, "help": "units of each network"},
        epochs={"type": int, "default": 30, "help": "at most, for each network"},
    )  # fmt: skip
    options, folds = example.options, FOLDS
    if example.quick:
        folds, options.members, options.hidden, options.epochs = 1, 1, 16, 2

    task = Task(load_weather())
    print(
        f"{task.learn.sum()} windows to learn from, {task.test.sum()} to test, "
        f"from {task.hours[task.now[task.test][0]]}:00 UTC"
    )
    fans, model = network_forecast(task, folds, options.members, options.hidden, options.epochs, options.seed)
    model.save(example.path("safetensors"))
    network, ridge = fans[:, :, MEDIAN], ridge_forecast(task, folds, season=True)
    share = trust(task, network, ridge)
    both = ridge + share * (network - ridge)
    forecasts = {
        "elman": both,
        "the networks alone": network,
        "ridge and the season": ridge,
        "ridge regression": ridge_forecast(task, folds, season=False),
        "persistence": np.zeros_like(network),
        "same hour yesterday": same_hour_yesterday(task),
    }
    truth = task.change[task.test, :, STATION]
    print("\nmean absolute error at JFK in degrees C, on the test")
    print(f"{'':22}" + "".join(f"{f'+{ahead} h':>8}" for ahead in SHOWN))
    errors = {}
    for name, forecast in forecasts.items():
        errors[name] = np.nanmean(np.abs(forecast[task.test] - truth), axis=0)[SHOWN_AT]
        print(f"{name:22}" + "".join(f"{value:8.3f}" for value in errors[name]))
    print("elman is ridge regression and, of what the networks say beside it, "
          + ", ".join(f"{share[j]:.0%} at +{HORIZONS[j]} h" for j in SHOWN_AT))  # fmt: skip

    fans += (both - network)[:, :, None]
    moved = calibrated(task, fans)
    known = ~np.isnan(truth)
    held = [
        f"{((fan[:, :, low] <= truth) & (truth <= fan[:, :, -1 - low]))[known].mean():.1%}"
        for fan in (moved, fans[task.test]) for low in (0, 1)
    ]  # fmt: skip
    print("\none saved network, in the last hours of the year:")
    show_latest(example.path("safetensors"), task)
    plot(task, moved, example.path("png"))
    example.report(
        [
            Result(f"MAE at +{ahead} h, C", errors["elman"][k], errors[name][k], name)
            for k, ahead in enumerate(SHOWN)
            for name in ("ridge regression", "ridge and the season")
        ],
        note=f"the bands of 90 and 50 % hold {held[0]} and {held[1]} of the test; never calibrated they would hold "
        f"{held[2]} and {held[3]}",
    )


if __name__ == "__main__":
    main()
