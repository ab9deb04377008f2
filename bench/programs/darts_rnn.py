"""darts' recurrent forecasters on seasonal series made here, as they are and accelerated, in turns.

pip install 'elman[torch]' 'darts[torch]' && python bench/programs/darts_rnn.py
"""

from __future__ import annotations

import logging
import time
import warnings

import numpy as np
from darts import TimeSeries
from darts.models import BlockRNNModel, RNNModel

import elman.torch

ROUNDS = 3
QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}


def series(count: int = 40, length: int = 300) -> list[TimeSeries]:
    """Seasonal series with trend and noise, float32."""
    rng = np.random.default_rng(0)
    t = np.arange(length)

    def one() -> np.ndarray:
        season = np.sin(2 * np.pi * (t + rng.integers(12)) / 12)
        return (season + 0.01 * t + 0.1 * rng.standard_normal(length)).astype(np.float32)

    return [TimeSeries.from_values(one()) for _ in range(count)]


COMMON = {"random_state": 0, "pl_trainer_kwargs": QUIET}
MODELS = {
    "RNNModel LSTM 25 (the default size)": lambda: RNNModel(
        24, "LSTM", 25, training_length=36, n_epochs=2, **COMMON
    ),
    "RNNModel GRU 64": lambda: RNNModel(24, "GRU", 64, training_length=36, n_epochs=2, **COMMON),
    "BlockRNNModel LSTM 128 x 2": lambda: BlockRNNModel(
        48, 12, model="LSTM", hidden_dim=128, n_rnn_layers=2, n_epochs=1, **COMMON
    ),
}


def run(make, data: list[TimeSeries], accelerate: bool) -> tuple[float, float, np.ndarray]:
    """Seconds to train, seconds to forecast, the forecasts."""
    model = make()
    model.fit(data[:1], epochs=1)  # builds the network
    if accelerate:
        elman.torch.accelerate(model.model)
    begin = time.perf_counter()
    model.fit(data)
    trained = time.perf_counter()
    forecasts = model.predict(36, series=data, verbose=False)
    return trained - begin, time.perf_counter() - trained, np.stack([f.values() for f in forecasts])


def main() -> None:
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "darts"):
        logging.getLogger(name).setLevel(logging.ERROR)
    data = series()
    for name, make in MODELS.items():
        times: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        forecasts = {}
        for _ in range(ROUNDS):
            for accelerate in (False, True):
                *seconds, forecasts[accelerate] = run(make, data, accelerate)
                times[accelerate].append(tuple(seconds))
        before, after = (np.median(times[accelerate], axis=0) for accelerate in (False, True))
        apart = np.abs(forecasts[True] - forecasts[False]).max() / np.abs(forecasts[False]).max()
        print(
            f"{name}: training {before[0]:.2f} and {after[0]:.2f} s, {before[0] / after[0]:.2f} times as fast; "
            f"forecasting {before[1]:.2f} and {after[1]:.2f} s, {before[1] / after[1]:.2f}; "
            f"forecasts apart by at most {apart:.1e} of the largest value"
        )


if __name__ == "__main__":
    main()
