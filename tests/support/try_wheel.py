"""Tries an installed wheel, with NumPy alone beside it: layers, training, a stepper, the bundled data, and what is said
of a package that is missing.

python tests/support/try_wheel.py
"""

import sys
import sysconfig

import numpy as np

import elman
from elman.datasets import load_weather
from elman.models import SequenceRegressor
from elman.train import fit


def main() -> None:
    layer = elman.LSTM(3, 4, seed=0)
    y, _, backward = layer.forward(np.ones((5, 2, 3), np.float32))
    backward(np.ones_like(y))
    assert layer.stepper(1)(np.ones((1, 3), np.float32)).shape == (1, 4)
    x = np.random.default_rng(0).standard_normal((32, 9, 3)).astype(np.float32)
    model = SequenceRegressor(1, input_size=3, hidden_size=8, seed=0)
    history = fit(model, (x, x[:, -1:, 0]), epochs=5, seed=0, progress=False)
    assert history.train_loss[-1] < history.train_loss[0]
    assert len(load_weather().hours) == 8730
    try:
        layer.save("x")
    except ImportError as error:
        assert "pip install 'elman[save]'" in str(error)
    else:
        raise SystemExit("safetensors came along")
    # One module that does not say that it can do without the GIL would bring it back.
    free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert not (free and sys._is_gil_enabled()), "the GIL came back"  # type: ignore[attr-defined]
    print(f"{elman.info()}; Python {sys.version.split()[0]} {'without' if free else 'with'} the GIL")


if __name__ == "__main__":
    main()
