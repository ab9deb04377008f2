"""The scripts of docs/several-machines.md, each run by the command below it."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.support.pages import ROOT

PAGE = (ROOT / "docs/several-machines.md").read_text()
SCRIPTS = dict(re.findall(r"```py\n# (\w+)\.py\n.*?```\n```sh\n(.*?)\n```", PAGE, re.DOTALL))
SAYS = {
    "train_mpi": "validation loss",
    "train_gloo": "validation loss",
    "search_dask": "best {",
    "search_optuna": "trials ",
}


def test_every_script_has_its_command():
    assert SCRIPTS.keys() == SAYS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_the_script_runs(tmp_path, name):
    (code,) = re.findall(rf"```py\n(# {name}\.py\n.*?)```", PAGE, re.DOTALL)
    (tmp_path / f"{name}.py").write_text(code)
    paths = [str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]
    own = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PATH": own}
    done = subprocess.run(
        SCRIPTS[name], shell=True, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=200
    )
    assert done.returncode == 0 and SAYS[name] in done.stdout, done.stdout + done.stderr
