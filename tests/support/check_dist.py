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

MOST_BYTES = 3_800_000
TRY = pathlib.Path(__file__).with_name("try_wheel.py")


def main() -> None:
    (wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
    (sdist,) = pathlib.Path(sys.argv[1]).glob("*.tar.gz")
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.2f} MB; {sdist.name}: {sdist.stat().st_size / 1e6:.2f} MB")
    assert size < MOST_BYTES, f"the wheel is over {MOST_BYTES} bytes"
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "elman/py.typed",
        "elman/_core.pyi",
        "elman/datasets/weather.csv.gz",
        "elman/torch/cudnn.csv",
    ):
        assert needed in names, f"the wheel lacks {needed}"
    assert any(name.endswith("licenses/LICENSE") for name in names)
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("csrc/tile/tile.h") for name in archive.getnames())
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = pathlib.Path(folder) / "bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wheel.resolve()], check=True)
        subprocess.run([python, TRY], check=True, cwd=folder)
    print("the wheel works with NumPy alone")


if __name__ == "__main__":
    main()
