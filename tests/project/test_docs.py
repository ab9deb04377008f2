"""What the README shows runs, and what the example promises to do it does."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import elman

ROOT = pathlib.Path(__file__).parents[2]


def test_readme_example():
    code, training, pytorch = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["y"].shape == (100, 32, 128) and names["dx"].shape == (100, 32, 7)
    assert not names["y"][names["lengths"][0] :, 0].any()
    assert names["out"].any()
    exec(compile(training, "README.md", "exec"), names)
    assert names["history"].epochs == 3 and names["model"].predict_proba(names["sequences"]).shape == (32, 2)
    names = {"model": torch.nn.Sequential(torch.nn.GRU(3, 4))}
    exec(compile(pytorch, "README.md", "exec"), names)
    assert type(names["model"][0]) is names["elman"].torch.GRU


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of optional packages
def test_training_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs/training.md").read_text(), re.DOTALL):
        exec(compile(code, "training.md", "exec"), names)
    assert names["error"][0] < 0.8 and names["error"][23] < 3.5  # C; persistence has 0.64 and 3.60
    assert min(names["history"].validation_loss) < 0.2
    last = names["model"](names["test"].x[0][:, None])
    np.testing.assert_array_equal(names["now"], last)
    assert (tmp_path / "history.png").exists() and len(names["study"].trials) == 2


@pytest.mark.slow
def test_weather_example_runs(tmp_path):
    out = subprocess.run(
        [sys.executable, ROOT / "examples/weather.py", "--quick", "--out", tmp_path],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    errors = dict(
        re.findall(r"^(elman|ridge regression|persistence|same hour yesterday) +([\d.]+)", out, re.MULTILINE)
    )
    assert float(errors["persistence"]) == 0.635  # the same whatever the network
    assert 0.3 < float(errors["elman"]) < 0.8
    picture = tmp_path / "weather.png"
    assert str(picture) in out and picture.read_bytes().startswith(b"\x89PNG")
    assert elman.load(tmp_path / "weather.safetensors").horizon == 9
