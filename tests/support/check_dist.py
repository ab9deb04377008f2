"""Checks what `make dist` made: sizes and contents, and that the wheel works with NumPy alone.

python tests/support/check_dist.py dist
"""

import pathlib
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

MOST_BYTES = 3_000_000
TRY = """
import elman, numpy as np
layer = elman.LSTM(3, 4, seed=0)
y, state, backward = layer.forward(np.ones((5, 2, 3), np.float32))
backward(np.ones_like(y))
assert layer.stepper(1)(np.ones((1, 3), np.float32)).shape == (1, 4)
from elman.datasets import load_weather
assert len(load_weather().hours) == 8730
try:
    layer.save("x")
except ImportError as error:
    assert "pip install 'elman[save]'" in str(error)
else:
    raise SystemExit("safetensors came along")
print(elman.info())
"""


def main() -> None:
    (wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
    (sdist,) = pathlib.Path(sys.argv[1]).glob("*.tar.gz")
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.2f} MB; {sdist.name}: {sdist.stat().st_size / 1e6:.2f} MB")
    assert size < MOST_BYTES, f"the wheel is over {MOST_BYTES} bytes"
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("elman/py.typed", "elman/_core.pyi", "elman/datasets/weather.csv.gz"):
        assert needed in names, f"the wheel lacks {needed}"
    assert any(name.endswith("licenses/LICENSE") for name in names)
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("csrc/tile/tile.h") for name in archive.getnames())
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = pathlib.Path(folder) / "bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wheel.resolve()], check=True)
        subprocess.run([python, "-c", TRY], check=True, cwd=folder)
    print("the wheel works with NumPy alone")


if __name__ == "__main__":
    main()
