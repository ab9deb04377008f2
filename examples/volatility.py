"""How much will a stock move next week? Forecasts of realised variance, with their uncertainty.

Prices are close to a random walk, but how strongly they move from day to day is not: calm follows calm, and a company's
reports come every quarter. The target is the log of the realised variance (the mean of the squared daily log returns)
of the next five trading days, for Apple, IBM and Microsoft, learned before 2010 and tested from then on.

The customary forecast is linear in the logs of the mean variance of the last 5, 22 and 61 days (HAR: Corsi 2009).
Here ridge regression and networks also see the day's range, volume and the place in the quarter: a GRU reads 66 days, a
second one goes on through the next four weeks with their place in the quarter, and predicts mean and variance. Each
network leaves out some quarters, and what it forecasts there decides when its training ends, and how far to trust the
networks where they and ridge regression differ.

    python examples/volatility.py
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import pathlib
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge

from elman.models import Forecaster
from elman.sequence import Standardizer, sliding_windows
from elman.train import Cosine, Sequences, fit
from support.data import from_pypi, member
from support.run import Example, Result

STOCKS = ("AAPL", "IBM", "MSFT")
CONTEXT, WEEK, WEEKS = 66, 5, 4  # days read; days of a week; weeks forecast, of which the first is scored
MEANS = (5, 22, 61)  # days of HAR's three means
TEST = np.datetime64("2010-01-01")
FOLDS = 4  # a network leaves out one quarter of every year
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MEDIAN = LEVELS.index(0.5)
PENALTY = 100.0  # of ridge regression; chosen, as all else, on validation quarters before 2010
FLOOR = 1e-10  # a variance of zero has no logarithm


def load_stocks(path: pathlib.Path | None = None) -> dict[str, dict[str, np.ndarray]]:
    """Columns by name for each ticker, sorted by date."""
    content = (
        path.read_bytes() if path else
        member(from_pypi("bokeh_sampledata", "2026.1"), "bokeh_sampledata/_data/stocks.csv.gz")
    )  # fmt: skip
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        rows.setdefault(row["Ticker"], []).append(row)
    stocks = {}
    for ticker in rows if path else STOCKS:
        table = sorted(rows[ticker], key=lambda row: row["Date"])
        stocks[ticker] = {"Date": np.array([row["Date"] for row in table], "M8[D]")} | {
            name: np.array([float(row[name]) for row in table])
            for name in ("High", "Low", "Volume", "Adj Close")
        }
    return stocks


def mean_of_last(values: np.ndarray, days: int) -> np.ndarray:
    """[n]: the mean of each day and the days before it; NaN where there are too few."""
    means = np.full(len(values), np.nan)
    means[days - 1 :] = sliding_windows(values, days).mean(axis=1)
    return means


def quarter_waves(dates: np.ndarray, stock: int, stocks: int) -> np.ndarray:
    """[..., C]: where in its quarter each date lies, as waves; each stock has columns of its own."""
    begin = (dates.astype("M8[M]").astype(int) // 3 * 3).astype("M8[M]").astype("M8[D]")
    turn = 2 * np.pi * (dates - begin).astype(int) / 91.3
    waves = [np.ones(dates.shape)] + [wave(k * turn) for k in (1, 2, 3, 4) for wave in (np.sin, np.cos)]
    columns = np.zeros((*dates.shape, stocks, len(waves)), np.float32)
    columns[..., stock, :] = np.stack(waves, axis=-1)
    return columns.reshape(*dates.shape, -1)


@dataclass
class Task:
    """Every day of every stock from which there is something to forecast."""

    x: np.ndarray  # [n, CONTEXT, F], what the network reads
    future: np.ndarray  # [n, WEEKS, C], what is known of the weeks to come
    har: np.ndarray  # [n, 3], the inputs of HAR
    truth: np.ndarray  # [n, WEEKS], log realised variance; NaN where it is not over yet
    stock: np.ndarray  # [n], which stock
    day: np.ndarray  # [n], the first day to forecast
    scale: Standardizer  # of x

    @property
    def quarter(self) -> np.ndarray:
        return self.day.astype("M8[M]").astype(int) // 3

    @property
    def learn(self) -> np.ndarray:
        """All that is forecast is over before the test."""
        return self.last_day < TEST

    @property
    def last_day(self) -> np.ndarray:
        return self.day + np.timedelta64(7 * WEEKS, "D")

    @property
    def test(self) -> np.ndarray:
        return self.day >= TEST


def make_task(stocks: dict[str, dict[str, np.ndarray]]) -> Task:
    parts = []
    for i, table in enumerate(stocks.values()):
        returns = np.diff(np.log(table["Adj Close"]))
        dates, spread = table["Date"][1:], np.log(table["High"] / table["Low"])[1:]
        volume = np.log(np.maximum(table["Volume"], 1))[1:]
        har = np.stack([np.log(mean_of_last(returns**2, k) + FLOOR) for k in MEANS], axis=1)
        daily = np.column_stack([
            har, np.log(spread**2 + 1e-6), np.log(returns**2 + 1e-6), volume - mean_of_last(volume, 61),
            returns / np.sqrt(mean_of_last(returns**2, 61)),
        ])  # fmt: skip
        now = np.arange(max(MEANS) - 1 + CONTEXT - 1, len(dates) - WEEK)
        weeks = now[:, None] + WEEK * (1 + np.arange(WEEKS))  # the last day of each
        over = weeks < len(dates)
        truth = np.where(over, har[np.where(over, weeks, 0), 0], np.nan)
        ahead = dates[now][:, None] + (7 * np.arange(WEEKS) + 4).astype("m8[D]")  # the middle of each
        windows = sliding_windows(daily, CONTEXT)[now - CONTEXT + 1]
        parts.append((windows, quarter_waves(ahead, i, len(stocks)), har[now], truth,
                      np.full(len(now), i), dates[now + 1]))  # fmt: skip
    x, future, har, truth, stock, day = map(np.concatenate, zip(*parts, strict=True))
    scale = Standardizer().fit(x[day < TEST, -1])
    return Task(scale.transform(x).astype(np.float32), future, har, truth, stock, day, scale)


def build_model(task: Task, hidden: int = 64, dropout: float = 0.5, seed: int = 0) -> Forecaster:
    return Forecaster(
        WEEKS, input_size=task.x.shape[2], future_size=task.future.shape[2], hidden_size=hidden, cell="gru",
        loss="gaussian", dropout=dropout, recurrent_dropout=dropout, seed=seed,
    )  # fmt: skip


def linear(x: np.ndarray, task: Task, train: np.ndarray, penalty: float = 0.0) -> np.ndarray:
    """[n, WEEKS]: linear regression of each week on x, [n, WEEKS, F]."""
    known = train[:, None] & ~np.isnan(task.truth)
    fits = [Ridge(penalty).fit(x[known[:, w], w], task.truth[known[:, w], w]) for w in range(WEEKS)]
    return np.stack([fits[w].predict(x[:, w]) for w in range(WEEKS)], axis=1)


def same_inputs(task: Task) -> np.ndarray:
    """[n, WEEKS, F]: what the network sees, as means of the last 1, 5, 22 and 61 days, for a linear model."""
    means = np.concatenate([task.x[:, -k:].mean(axis=1) for k in (1, *MEANS)], axis=1)
    means = np.repeat(means[:, None], WEEKS, axis=1)
    return np.concatenate([means, task.future], axis=2)


def split(task: Task, k: int, folds: int) -> tuple[np.ndarray, np.ndarray]:
    """(train, validation) of one network, which leaves out every so-manyth quarter. No training window has a week to
    forecast in them, nor in the test."""
    ends = task.last_day.astype("M8[M]").astype(int) // 3
    mine, mine_at_end = task.quarter % folds == k, ends % folds == k
    return task.learn & ~mine & ~mine_at_end, task.learn & mine & mine_at_end


def ridge_forecast(task: Task, folds: int) -> np.ndarray:
    """[n, WEEKS]: in quarters that learn by a regression that left out the quarter, in the test by one on all."""
    inputs = same_inputs(task)
    forecast = np.full(task.truth.shape, np.nan)
    for train, part in [*(split(task, k, folds) for k in range(folds)), (task.learn, task.test)]:
        forecast[part] = linear(inputs, task, train, PENALTY)[part]
    return forecast


def network_forecast(
    task: Task, folds: int, members: int, epochs: int, seed: int
) -> tuple[np.ndarray, Forecaster]:
    """[n, WEEKS, Q] quantiles, and the first network. In quarters that learn they are by the networks that left out the
    quarter; in the test they are the mean of all networks'."""
    level = float(np.nanmean(task.truth[task.learn]))
    y = (task.truth - level)[:, :, None].astype(np.float32)
    total, count = np.zeros((*task.truth.shape, len(LEVELS))), np.zeros(len(y))
    networks: list[Forecaster] = []
    for k, _ in itertools.product(range(folds), range(members)):
        train, left_out = split(task, k, folds)
        model = build_model(task, seed=seed + len(networks))
        model.notes["level"] = level
        fit(
            model,
            Sequences(task.x[train], y[train], task.future[train]),
            Sequences(task.x[left_out], y[left_out], task.future[left_out]),
            epochs=epochs,
            batch_size=64,
            schedule=Cosine(epochs, floor=0.05),
            patience=6,
            seed=seed + len(networks),
            progress=f"network {len(networks) + 1} of {folds * members}",
        )
        for part in (left_out, task.test):
            quantiles = model.predict_quantiles(task.x[part], LEVELS, task.future[part])
            total[part] += level + quantiles[:, :, 0]
            count[part] += 1
        networks.append(model)
    return total / np.where(count, count, np.nan)[:, None, None], networks[0]


def trust(task: Task, network: np.ndarray, ridge: np.ndarray) -> float:
    """How much of the difference between the networks and ridge regression is best added to the latter, in the quarters
    that both had left out: a linear regression with one coefficient."""
    part = task.learn & ~np.isnan(network[:, 0])
    more, missing = (network - ridge)[part, 0], (task.truth - ridge)[part, 0]
    return float(more @ missing / (more @ more))


def plot(task: Task, quantiles: np.ndarray, path: pathlib.Path, name: str) -> None:
    """The forecasts of the next week, one a week, as a fan around the truth, for the first stock."""
    rows = np.flatnonzero(task.test & (task.stock == 0))[::WEEK]
    percent = 100 * np.sqrt(252 * np.exp(quantiles[rows, 0]))
    figure, axis = plt.subplots(figsize=(11, 5), layout="constrained")
    axis.fill_between(task.day[rows], percent[:, 0], percent[:, 4], color="tab:blue", alpha=0.2,
                      label="9 of 10 weeks")  # fmt: skip
    axis.fill_between(task.day[rows], percent[:, 1], percent[:, 3], color="tab:blue", alpha=0.35,
                      label="5 of 10 weeks")  # fmt: skip
    axis.plot(task.day[rows], percent[:, 2], color="tab:blue", label="median forecast, 5 days before")
    axis.plot(task.day[rows], 100 * np.sqrt(252 * np.exp(task.truth[rows, 0])), ".", color="black",
              label="what happened")  # fmt: skip
    axis.set(yscale="log", ylabel="volatility of the week, % a year", title=f"{name}: next week's volatility")
    axis.yaxis.set_major_formatter("{x:.0f}")
    axis.set_yticks([5, 10, 20, 40, 80], minor=False)
    axis.minorticks_off()
    axis.legend(loc="upper center", ncols=4, frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    example = Example(
        "Volatility of stocks", __doc__, "a CSV file (or .gz) with columns Ticker, Date, High, Low, Volume, "
        "Adj Close; days from 2010 on are the test",
        members={"type": int, "default": 2, "help": "networks for each choice of quarters left out"},
        epochs={"type": int, "default": 20, "help": "at most, for each network"},
    )  # fmt: skip
    options, folds = example.options, FOLDS
    if example.quick:
        folds, options.members, options.epochs = 2, 1, 2
    stocks = load_stocks(options.data)
    task = make_task(stocks)
    fan, model = network_forecast(task, folds, options.members, options.epochs, options.seed)
    model.notes["stocks"] = list(stocks)
    model.notes["scale"] = [task.scale.mean_.tolist(), task.scale.scale_.tolist()]
    model.save(example.path("safetensors"))
    network, ridge = fan[:, :, MEDIAN], ridge_forecast(task, folds)
    share = trust(task, network, ridge)
    both = ridge + share * (network - ridge)
    fan += (both - network)[:, :, None]
    plot(task, fan, example.path("png"), next(iter(stocks)))

    def error(forecast: np.ndarray) -> float:
        return float(np.mean((forecast - task.truth)[task.test, 0] ** 2))

    har = np.repeat(task.har[:, None], WEEKS, axis=1)
    inside = (task.truth[:, 0] > fan[:, 0, 0]) & (task.truth[:, 0] < fan[:, 0, 4])
    example.report(
        [
            Result(
                "error² of log variance", error(both), error(linear(har, task, task.learn)), "linear (HAR)"
            ),
            Result("error² of log variance", error(both), error(ridge), "ridge on the networks' inputs"),
        ],
        f"persistence {error(har[:, :, 0]):.3f}; the networks alone {error(network):.3f}, of which a share of "
        f"{share:.2f} is trusted beside ridge regression; in the 90 % band {inside[task.test].mean():.0%}",
    )


if __name__ == "__main__":
    main()
