"""sb3-contrib's RecurrentPPO on CartPole, as it is and accelerated, in turns: same returns, time of each.

pip install 'elman[torch]' sb3-contrib && python bench/programs/recurrent_ppo.py
"""

from __future__ import annotations

import time

import numpy as np
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

import elman.torch

STEPS, ROUNDS = 8192, 3


class Returns(BaseCallback):
    """Every finished episode's return, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[float] = []

    def _on_step(self) -> bool:
        self.all += [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
        return True


def train(accelerate: bool) -> tuple[float, list[float]]:
    environments = make_vec_env("CartPole-v1", n_envs=8, seed=0)
    model = RecurrentPPO("MlpLstmPolicy", environments, n_steps=128, batch_size=256, seed=0, device="cpu")
    if accelerate:
        elman.torch.accelerate(model.policy)
    returns = Returns()
    begin = time.perf_counter()
    model.learn(STEPS, callback=returns)
    return time.perf_counter() - begin, returns.all


def main() -> None:
    times: dict[bool, list[float]] = {False: [], True: []}
    returns = {}
    for _ in range(ROUNDS):
        for accelerate in (False, True):
            seconds, returns[accelerate] = train(accelerate)
            times[accelerate].append(seconds)
    before, after = (float(np.median(times[accelerate])) for accelerate in (False, True))
    same = sum(a == b for a, b in zip(returns[False], returns[True], strict=False))
    print(
        f"{STEPS} steps: torch {before:.1f} s, accelerated {after:.1f} s, {before / after:.2f} times as fast"
    )
    print(f"the first {same} of {len(returns[False])} episodes have the same return")


if __name__ == "__main__":
    main()
