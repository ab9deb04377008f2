"""Forecast tomorrow's temperature at JFK airport from three days of weather at three airports.

Trains a few GRUs on nine and a half months of 2013 to say, for each hour ahead, between what bounds the temperature
will be (a normal distribution's mean and variance), averages what they say, and compares the medians with persistence,
the same hour of the day before and ridge regression on the rest of the year.

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
from elman.models import Forecaster
from elman.sequence import Standardizer, sliding_windows
from elman.train import Cosine, fit
from support.run import Example, Result

WINDOW = 72  # hours the network reads
HORIZONS = np.array(
    [1, 2, 3, 4, 6, 8, 12, 18, 24]
)  # hours ahead it learns; more than shown, which steadies it
SHOWN = [1, 6, 24]
SHOWN_AT = [list(HORIZONS).index(ahead) for ahead in SHOWN]
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
MEDIAN = QUANTILES.index(0.5)
STATION = 1  # JFK
DAY = 24


def carry_forward(values: np.ndarray) -> np.ndarray:
    """Fill each gap with the last value before it: what a forecaster would have known at the time."""
    filled = values.copy()
    for before, now in itertools.pairwise(filled):
        gaps = np.isnan(now)
        now[gaps] = before[gaps]
    return filled


class Task:
    """Inputs and targets at every hour, and which hours train, validate and test.

    The last fifth of the year is the test. Of the rest, every sixth week validates, so that every season
    has a part in both. A training target never lies in a validation week, nor in the test.
    """

    def __init__(self, weather: Weather):
        n = len(weather.hours)
        test_begin = int(0.8 * n)
        filled = carry_forward(weather.values).reshape(n, -1)
        mean = np.nanmean(filled[:test_begin], axis=0)
        filled = np.where(np.isnan(filled), mean, filled)
        self.weather = Standardizer().fit(filled[:test_begin]).transform(filled)
        self.hour_of_day = weather.hours.astype(int) % DAY
        turn = self.hour_of_day * (2 * np.pi / DAY)
        self.inputs = np.column_stack([self.weather, np.sin(turn), np.cos(turn)]).astype(np.float32)

        self.now = np.arange(WINDOW - 1, n - 1)  # the last hour that each window knows
        end = np.minimum(self.now + HORIZONS[-1], n - 1)
        validation_week = np.arange(n) // (7 * DAY) % 6 == 5
        weeks_before = np.concatenate([[0], np.cumsum(validation_week)])
        touches = weeks_before[end + 1] > weeks_before[self.now]
        early = self.now + HORIZONS[-1] < test_begin
        self.train = early & ~touches
        self.validation = early & validation_week[self.now] & validation_week[end]
        self.test = self.now + 1 >= test_begin

        self.temperature = weather.values[:, :, 0]  # as recorded: NaN where it was not
        self.known = filled.reshape(n, *weather.values.shape[1:])[:, :, 0]  # what the forecaster starts from
        self.hours = weather.hours

    def change(self) -> np.ndarray:
        """[windows, stations, horizons]: by how much the temperature will have changed; NaN where unknown."""
        target = np.full((len(self.now), self.temperature.shape[1], len(HORIZONS)), np.nan)
        for j, ahead in enumerate(HORIZONS):
            known = self.now + ahead < len(self.temperature)
            target[known, :, j] = self.temperature[self.now[known] + ahead]
        return target - self.known[self.now][:, :, None]


def network_forecast(task: Task, members: int, hidden: int, epochs: int) -> tuple[np.ndarray, Forecaster]:
    """Quantiles of the change at JFK for the test windows, [windows, horizons, quantiles]: the mean of what `members`
    networks say; and the last of these."""
    change = task.change().swapaxes(1, 2)  # [windows, horizons, stations]
    scale = np.nanstd(change[task.train], axis=(0, 2), keepdims=True)
    windows = sliding_windows(task.inputs, WINDOW)[: len(task.now)]
    target = (change / scale).astype(np.float32)
    forecasts = []
    for seed in range(members):
        model = Forecaster(
            len(HORIZONS), targets=target.shape[2], input_size=windows.shape[2], hidden_size=hidden, cell="gru",
            num_layers=2, dropout=0.3, recurrent_dropout=0.3, loss="gaussian", seed=seed,
        )  # fmt: skip
        fit(
            model,
            (windows[task.train], target[task.train]),
            (windows[task.validation], target[task.validation]),
            epochs=epochs,
            batch_size=64,
            schedule=Cosine(epochs, floor=0.1),
            patience=8,
            seed=seed,
            progress=f"network {seed + 1} of {members}",
        )
        forecasts.append(model.predict_quantiles(windows[task.test], QUANTILES)[:, :, STATION])
    model.notes["scale"] = scale.reshape(-1).tolist()  # of the change at each hour ahead
    return np.mean(forecasts, axis=0) * scale[0], model


def ridge_forecast(task: Task, hours: int = 48, variables: int = 8) -> np.ndarray:
    """Linear regression on two days at JFK and the hour of day; the penalty is chosen on the validation weeks,
    which then join the training."""
    at_jfk = task.weather[:, STATION * variables : (STATION + 1) * variables]
    windows = sliding_windows(at_jfk, hours)[WINDOW - hours :][: len(task.now)]
    x = np.column_stack([windows.reshape(len(task.now), -1), np.eye(DAY)[task.hour_of_day[task.now]]])
    forecast = np.empty((int(task.test.sum()), len(HORIZONS)))
    for j, target in enumerate(task.change()[:, STATION].T):
        train, validation = task.train & ~np.isnan(target), task.validation & ~np.isnan(target)

        def error(penalty: float, y=target, train=train, validation=validation) -> float:
            return float(
                np.abs(Ridge(penalty).fit(x[train], y[train]).predict(x[validation]) - y[validation]).mean()
            )

        both = train | validation
        best = Ridge(min((1, 10, 100, 1000, 10000), key=error)).fit(x[both], target[both])
        forecast[:, j] = best.predict(x[task.test])
    return forecast


def same_hour_yesterday(task: Task) -> np.ndarray:
    now = task.now[task.test]
    temperature = task.known[:, STATION]
    return (
        np.stack([temperature[now + ahead - DAY] for ahead in HORIZONS], axis=1) - temperature[now][:, None]
    )


def follow(path: pathlib.Path, task: Task, hours: int = 6) -> None:
    """Let a saved network follow the last three days as they come in, and print what it expects in the last hours."""
    model = elman.load(path)
    step = model.stepper(batch_size=1)
    last = len(task.inputs) - 1
    for now in range(last - WINDOW + 1, last + 1):
        change = model.targets.centre(step(task.inputs[now : now + 1]))[0, :, STATION] * model.notes["scale"]
        if now > last - hours:
            expected = ", ".join(
                f"{task.known[now, STATION] + change[j]:5.1f} in {HORIZONS[j]:2} h" for j in SHOWN_AT
            )
            print(f"  {task.hours[now]}:00  {task.known[now, STATION]:5.1f} C, expected {expected}")


def plot(task: Task, forecast: np.ndarray, path: pathlib.Path, days: int = 14) -> None:
    """Fans: the forecast of every midnight; and each hour as it was expected the day before."""
    now = task.now[task.test][: days * DAY]
    level = task.known[now, STATION][:, None, None] + forecast[: len(now)]
    truth = task.temperature[:, STATION]
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
        start = np.full((1, len(QUANTILES)), task.known[now[i], STATION])
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
        members={"type": int, "default": 5, "help": "networks whose forecasts are averaged"},
        hidden={"type": int, "default": 64, "help": "units of each of the two layers"},
        epochs={"type": int, "default": 30, "help": "at most, for each network"},
    )  # fmt: skip
    options = example.options
    if example.quick:
        options.members, options.hidden, options.epochs = 1, 16, 2

    task = Task(load_weather())
    print(
        f"{task.train.sum()} windows to train on, {task.validation.sum()} to choose the epoch, "
        f"{task.test.sum()} to test, from {task.hours[task.now[task.test][0]]}:00 UTC"
    )
    fans, model = network_forecast(task, options.members, options.hidden, options.epochs)
    model.save(example.path("safetensors"))
    network, ridge = fans[:, :, MEDIAN], ridge_forecast(task)
    forecasts = {
        "elman": network,
        "ridge regression": ridge,
        "mean of these two": (network + ridge) / 2,
        "persistence": np.zeros_like(network),
        "same hour yesterday": same_hour_yesterday(task),
    }
    truth = task.change()[task.test, STATION]
    print("\nmean absolute error at JFK in degrees C, on the test")
    print(f"{'':22}" + "".join(f"{f'+{ahead} h':>8}" for ahead in SHOWN))
    errors = {name: np.nanmean(np.abs(f - truth), axis=0)[SHOWN_AT] for name, f in forecasts.items()}
    for name, error in errors.items():
        print(f"{name:22}" + "".join(f"{value:8.3f}" for value in error))
    known = ~np.isnan(truth)
    inside = ((fans[:, :, 0] <= truth) & (truth <= fans[:, :, -1]))[known].mean()
    print("\nthe saved network, as the last hours of the year come in:")
    follow(example.path("safetensors"), task)
    plot(task, fans, example.path("png"))
    example.report(
        [
            Result(f"MAE at +{ahead} h, C", errors["elman"][k], errors["ridge regression"][k], "ridge")
            for k, ahead in enumerate(SHOWN)
        ],
        note=f"{100 * inside:.0f} % of the test lies between the quantiles 5 and 95 %; averaged with the ridge "
        f"regression, the error at +24 h is {errors['mean of these two'][-1]:.3f}",
    )


if __name__ == "__main__":
    main()
