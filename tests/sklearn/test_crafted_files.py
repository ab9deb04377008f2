"""Files of estimators that say what cannot be, with checksums that fit: refused by name."""

import copy
import re

import numpy as np
import pytest

import elman
from elman import files
from elman.sklearn import RecurrentClassifier, RecurrentForecaster, RecurrentRegressor

QUICK = {"epochs": 1, "hidden_size": 3, "random_state": 0}
X = np.random.default_rng(0).standard_normal((8, 5, 2))
PAIR = "a pair of [2] finite numbers, the second above 0, got [["


def classifier():
    return RecurrentClassifier(**QUICK).fit(X, list("abcd") * 2)


def regressor():
    return RecurrentRegressor(**QUICK).fit(X, np.random.default_rng(1).random((8, 3)))


def forecaster():
    options = {"residual": "linear", "blend": "last", "scale": "series", "validation_fraction": 0.2}
    made = RecurrentForecaster(horizon=4, context=6, calibration_fraction=0.3, **options, **QUICK)
    return made.fit([np.random.default_rng(i).standard_normal((60, 2)) for i in range(2)])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """What the file of each estimator holds."""
    path = tmp_path_factory.mktemp("files") / "file"
    found = {}
    for make in (classifier, regressor, forecaster):
        make().save(path)
        found[make.__name__] = files.read(path, "a test")
    return found


def put(*path):
    """Puts a value in the description's state."""
    *way, last, value = path

    def change(content, arrays):
        at = content["state"]
        for name in way:
            at = at[name]
        assert last in at if isinstance(at, dict) else last < len(at)
        at[last] = value

    return change


def shaped(name, *shape):
    """Gives an array another shape."""

    def change(content, arrays):
        arrays[name] = np.ones(shape, arrays[name].dtype)

    return change


def without(name):
    return lambda content, arrays: arrays.pop(name)


CASES = [
    ("classifier", put("scale", [[0.0] * 3, [1.0] * 3]), f"scale: values: expected {PAIR}"),
    ("classifier", put("scale", [[0.0, 0], [1.0, 0]]), f"scale: values: expected {PAIR}"),
    ("classifier", put("scale", [[0.0, float("nan")], [1.0, 1]]), f"scale: values: expected {PAIR}"),
    ("classifier", put("scale", [["a", "b"], [1.0, 1]]), f"scale: values: expected {PAIR}"),
    ("classifier", put("scale", [[0.0, 0]]), "scale: values: expected a pair of [2] finite"),
    ("classifier", put("classes", ["a", "b"]), "classes: expected [4], got [2] <U1"),
    ("classifier", put("size", 3), "scale: values: expected a pair of [3] finite"),
    ("regressor", put("target_scale", [[0.0] * 2, [1.0] * 2]), "target_scale: values: expected a pair of [3] finite"),
    ("regressor", put("config", "pooling", None), "config: expected a model of one target for each sequence, got"),
    ("regressor", put("flat", True), "flat: expected False of a model with 3 outputs, got True"),
    ("regressor", put("flat", 0), "flat: expected True or False, got 0"),
    ("forecaster", put("core", "scales", "target", [[0.0], [1.0]]), "scales of target: values: expected a pair of [2]"),
    ("forecaster", put("core", "scales", "target", None), "scales of target: expected them for the mode 'series', got"),
    ("forecaster", put("core", "scales", "mode", "none"), "mode: expected one of 'all', 'series'"),
    (
        "forecaster", put("core", "scales", "series", 0, 1, [0.0]),
        "scales of series 'series 0': values: expected a pair of [2] finite",
    ),
    ("forecaster", put("core", "sizes", [3, 0, 0, 0]), "scales of target: values: expected a pair of [3] finite"),
    ("forecaster", put("core", "sizes", [2, -1, 0, 0]), "sizes[1]: expected a whole number of at least 0, got -1"),
    ("forecaster", put("core", "marks", 2), "marks: expected True or False, got 2"),
    ("forecaster", put("core", "members", []), "members: expected 1, got 0"),
    ("forecaster", put("core", "members", 0, "context", 7), "members[0]: expected a context of [6], got 7"),
    (
        "forecaster", put("core", "members", 0, "plain", "horizon", 5),
        "members[0]: expected a plain of 4 steps and 2 targets, got (5, 2)",
    ),
    (
        "forecaster", put("core", "members", 0, "config", "horizon", 5),
        "members[0]: expected a model of 4 steps and 2 targets, got (5, 2)",
    ),
    ("forecaster", shaped("spread0", 4, 1), "spread0: expected [4, 2] float"),
    ("forecaster", shaped("share0", 2), "share0: expected [4, 2] float"),
    ("forecaster", shaped("linear0", 13, 9), "linear0: expected [13, 8] float"),
    ("forecaster", shaped("linear0", 12, 8), "linear0: expected [13, 8] float"),
    ("forecaster", shaped("calibration", 9, 4, 2), "calibration: expected [n, 4, 2, 1] float"),
    ("forecaster", without("spread0"), "spread0: expected an array [4, 2], got none"),
    ("forecaster", without("linear0"), "linear0: expected an array [13, 8], got none"),
    (
        "forecaster", lambda content, arrays: arrays.update(other0=np.ones((13, 8))),
        "arrays: expected none but those of the forecaster, got other0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "message"), CASES)
def test_refused(name, change, message, saved, tmp_path):
    content, arrays = copy.deepcopy(saved[name])
    change(content, arrays)
    files.write(tmp_path / "file", content, arrays, "a test")
    with pytest.raises(ValueError, match="path: expected a file written by save.*" + re.escape(message)):
        elman.load(tmp_path / "file")


@pytest.mark.parametrize("name", ["classifier", "regressor", "forecaster"])
def test_right_ones_are_taken(name, saved, tmp_path):
    files.write(tmp_path / "file", *saved[name], "a test")
    elman.load(tmp_path / "file")


def test_what_reads_tokens(tmp_path):
    model = RecurrentClassifier(vocabulary=9, **QUICK).fit([[1, 2], [3, 8]] * 4, [0, 1] * 4)
    model.save(tmp_path / "file")
    content, arrays = files.read(tmp_path / "file", "a test")
    content["state"]["size"] = 12
    files.write(tmp_path / "file", content, arrays, "a test")
    with pytest.raises(ValueError, match="size: expected 9, which the model reads, got 12"):
        elman.load(tmp_path / "file")
