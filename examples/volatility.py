"""How much will a stock move next week? Forecasts of realised variance, with their uncertainty.

Prices are close to a random walk, but how strongly they move from day to day is not: calm follows calm, and a company's
reports come every quarter. The target is the log of the realised variance (the mean of the squared daily log returns)
of the next five trading days, for Apple, IBM and Microsoft, learned before 2010 and tested from then on.

The customary forecast is linear in the logs of the mean variance of the last 5, 22 and 61 days (HAR: Corsi 2009).
Here ridge regression also sees the day's range, volume and the place in the quarter, and networks learn what it leaves
over: a GRU reads 66 days, a second one goes on through the next four weeks with their place in the quarter, and both
mean and variance of what is left are predicted. Each network stops early on quarters of its own, and all are averaged.

    python examples/volatility.py
"""

from __future__ import annotations

import csv
import gzip
import io
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


def build_model(task: Task, hidden: int = 32, dropout: float = 0.3, seed: int = 0) -> Forecaster:
    return Forecaster(
        WEEKS, input_size=task.x.shape[2], future_size=task.future.shape[2], hidden_size=hidden, cell="gru",
        loss="gaussian", dropout=dropout, recurrent_dropout=dropout, seed=seed,
    )  # fmt: skip


def linear(
    x: np.ndarray, task: Task, train: np.ndarray, penalty: float = 0.0
) -> tuple[np.ndarray, list[Ridge]]:
    """[n, WEEKS], and what was fitted: linear regression of each week on x, [n, F] or for each week [n, WEEKS, F]."""
    x = np.broadcast_to(x[:, None], (len(x), WEEKS, x.shape[1])) if x.ndim == 2 else x
    known = train[:, None] & ~np.isnan(task.truth)
    fits = [Ridge(penalty).fit(x[known[:, w], w], task.truth[known[:, w], w]) for w in range(WEEKS)]
    return np.stack([fits[w].predict(x[:, w]) for w in range(WEEKS)], axis=1), fits


def same_inputs(task: Task) -> np.ndarray:
    """[n, WEEKS, F]: what the network sees, as means of the last 1, 5, 22 and 61 days, for a linear model."""
    means = np.concatenate([task.x[:, -k:].mean(axis=1) for k in (1, *MEANS)], axis=1)
    means = np.repeat(means[:, None], WEEKS, axis=1)
    return np.concatenate([means, task.future], axis=2)


def split(task: Task, member: int, members: int) -> tuple[np.ndarray, np.ndarray]:
    """(train, validation) of one network: it validates on every so-manyth quarter. No training window has a week to
    forecast in a validation quarter, nor in the test."""
    last = (task.day + np.timedelta64(7 * WEEKS, "D")).astype("M8[M]")
    ends = last.astype(int) // 3
    early = last.astype("M8[D]") < TEST
    mine, mine_at_end = task.quarter % members == member, ends % members == member
    return early & ~mine & ~mine_at_end, early & mine & mine_at_end


def plot(task: Task, quantiles: np.ndarray, path: pathlib.Path, name: str) -> None:
    """The forecasts of the next week, one a week, as a fan around the truth, for the first stock."""
    rows = np.flatnonzero(task.test & (task.stock == 0))[::WEEK]
    percent = 100 * np.sqrt(252 * np.exp(quantiles[rows, 0, 0]))
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
        members={"type": int, "default": 4, "help": "networks whose forecasts are averaged"},
        epochs={"type": int, "default": 10, "help": "at most, for each network"},
    )  # fmt: skip
    members, epochs = (2, 2) if example.quick else (example.options.members, example.options.epochs)
    stocks = load_stocks(example.options.data)
    task = make_task(stocks)
    every = ~task.test
    inputs = same_inputs(task)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    means, quantiles = [], []
    for k in range(members):
        model = build_model(task, seed=example.options.seed + k)
        train, validation = split(task, k, max(members, 2))
        base, fits = linear(inputs, task, train, penalty=PENALTY)
        left = (task.truth - base)[:, :, None].astype(np.float32)  # what the network learns
        parts = [Sequences(task.x[part], left[part], task.future[part]) for part in (train, validation)]
        fit(model, *parts, epochs=epochs, batch_size=64, schedule=Cosine(epochs, floor=0.05), patience=6,
            seed=example.options.seed + k, progress=f"network {k + 1} of {members}")  # fmt: skip
        means.append(base + model.predict(task.x, task.future)[:, :, 0])
        quantiles.append(base[:, :, None, None] + model.predict_quantiles(task.x, levels, task.future))
        if k == 0:
            model.notes["stocks"] = list(stocks)
            model.notes["scale"] = [task.scale.mean_.tolist(), task.scale.scale_.tolist()]
            model.notes["adds_to"] = [[float(ridge.intercept_), *ridge.coef_.tolist()] for ridge in fits]
            model.save(example.path("safetensors"))
    network, fan = np.mean(means, axis=0), np.mean(quantiles, axis=0)
    plot(task, fan, example.path("png"), next(iter(stocks)))

    def error(forecast: np.ndarray) -> float:
        return float(np.mean((forecast - task.truth)[task.test, 0] ** 2))

    inside = (task.truth[:, 0] > fan[:, 0, 0, 0]) & (task.truth[:, 0] < fan[:, 0, 0, 4])
    har, same = error(linear(task.har, task, every)[0]), error(linear(inputs, task, every, PENALTY)[0])
    persistence = error(np.repeat(task.har[:, :1], WEEKS, axis=1))
    example.report(
        [
            Result("error² of log variance", error(network), har, "linear (HAR)"),
            Result("error² of log variance", error(network), same, "ridge on the networks' inputs"),
        ],
        f"persistence {persistence:.3f}; the networks also read range, volume and the calendar, which HAR does not; "
        f"the first network alone {error(means[0]):.3f}; in the 90 % band {inside[task.test].mean():.0%}",
    )


if __name__ == "__main__":
    main()
