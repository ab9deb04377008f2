"""What the benchmarks are asked: files of shapes, and options."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from bench import shapes

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "fast"}, "row one: mode: expected step, infer, train, got 'fast'"),
        ({"cell": "lstn"}, "row one: cell: expected .*lstm.*, got 'lstn'"),
        ({"H": "0"}, "row one: H: expected a whole number of at least 1, got '0'"),
        ({"ragged": "2"}, "row one: ragged: expected a number from 0 to 1, got '2'"),
        ({"mode": "step", "T": "2"}, "mode step: expected T 1, dirs f, ragged 1, reset 0, got T 2, dirs f, "),
        ({"B": None}, "expected the columns id, .*, reset, got none of B"),
        ({"dtype": "half"}, "row one: dtype: expected float32, float64, got 'half'"),
        ({"T": ""}, "row one: T: expected a whole number of at least 1, got ''"),
    ],
)
def test_a_file_of_shapes_that_does_not_fit_is_refused(tmp_path, change, message):
    fields = {
        "id": "one",
        "system": "a test",
        "mode": "infer",
        "cell": "rnn",
        "I": "3",
        "H": "4",
        "layers": "1",
    }
    fields |= {"dirs": "f", "B": "2", "T": "5", "ragged": "1", "reset": "0"}
    path = tmp_path / "own.csv"
    path.write_text("\n".join(map(",".join, (fields, fields.values()))))
    assert shapes.read(path) == [
        shapes.Shape("one", "a test", "infer", "rnn_tanh", 3, 4, 1, "f", 2, 5, 1.0, 0.0)
    ]
    fields = {name: value for name, value in (fields | change).items() if value is not None}
    path.write_text("\n".join(map(",".join, (fields, fields.values()))))
    with pytest.raises(ValueError, match=message):
        shapes.read(path)


ROWS = "id,system,mode,cell,I,H,layers,dirs,B,T,ragged,reset"


def test_files_of_shapes_as_others_write_them(tmp_path):
    path = tmp_path / "own.csv"
    row = "one,a test,infer,gru,3,4,1,f,2,5,1,0"
    path.write_text(f"{ROWS},dtype\n{row},float64\n\n", encoding="utf-8-sig")
    assert [shape.dtype for shape in shapes.read(path)] == [np.float64]
    for text, message in (
        ("", "expected the columns id, .*, got none of id, "),
        (ROWS, "expected rows below the columns' names, got none"),
        (f"{ROWS}\n{row}\n{row}", "expected ids that differ, got one more than once"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            shapes.read(path)


@pytest.mark.parametrize(
    ("program", "options", "message"),
    [
        ("bench", "--threads 0", "--threads: expected a whole number of at least 1, got '0'"),
        ("bench", "--threads 5000", "--threads: expected at most "),
        ("bench", "--rounds -1", "--rounds: expected a whole number of at least 1, got '-1'"),
        ("bench", "--seconds nan", "--seconds: expected a number above 0, got 'nan'"),
        ("bench", "--random 1 --seed -1", "--seed: expected a whole number of at least 0, got '-1'"),
        ("bench.compare", ". . --rounds 0", "--rounds: expected a whole number of at least 1, got '0'"),
        ("bench.scaling", "--threads 0", "expected a whole number of at least 1, got '0'"),
        ("bench.scaling", "--threads 8,5000", "expected at most 4096, got 5000"),
        ("bench.scaling", "--only zz", "--only: expected ids or modes of the shapes, got 'zz'"),
        ("bench.scaling", "--memory 0", "--memory: expected a number above 0, got '0'"),
    ],
)
def test_odd_options_are_refused(program, options, message):
    result = subprocess.run(
        [sys.executable, "-m", program, *options.split()], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode and message in result.stderr and "Traceback" not in result.stderr
