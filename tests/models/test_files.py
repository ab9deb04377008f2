"""Files of models: their classes, arguments and notes."""

import json
import pathlib
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import elman
from elman import load
from elman.layers import GRU, Linear
from elman.models import (
    Forecaster,
    LanguageModel,
    Model,
    Seq2Seq,
    SequenceClassifier,
)
from tests.support.saved import equal, write_raw


class FinalStep(Model):
    def __init__(self, size=3):
        self.parts = {"gru": GRU(2, size, seed=0), "head": Linear(size, 1, seed=1)}


def test_a_class_with_the_name_of_one_of_ours(tmp_path):
    class SequenceClassifier(FinalStep):
        pass

    ours = elman.models.SequenceClassifier(2, input_size=2, hidden_size=3, seed=0)
    ours.save(tmp_path / "ours")
    SequenceClassifier(4).save(tmp_path / "own")
    assert equal(load(tmp_path / "ours"), ours) and equal(load(tmp_path / "own"), SequenceClassifier(4))
    assert type(load(tmp_path / "own")) is SequenceClassifier
    write_raw(
        tmp_path / "old", {"model": "SequenceClassifier", "config": ours.config, "notes": {}}, ours.parameters
    )
    assert equal(load(tmp_path / "old"), ours)
    write_raw(
        tmp_path / "old", {"model": "FinalStep", "config": {"size": 3}, "notes": {}}, FinalStep().parameters
    )
    assert equal(load(tmp_path / "old"), FinalStep())


SCRIPT = """
    import sys
    from elman.layers import GRU
    from elman import load
    from elman.models import Model

    class Scripted(Model):
        def __init__(self, size=3):
            self.parts = {"gru": GRU(2, size, seed=0)}

    if __name__ == "__main__":
        Scripted().save(sys.argv[1]) if len(sys.argv) == 2 else print(type(load(sys.argv[2])).__module__)
"""


@pytest.mark.slow
def test_the_class_of_a_script(tmp_path):
    """Its module is __main__ where the script runs, and scripted_model elsewhere: both are the same class."""
    (tmp_path / "scripted_model.py").write_text(textwrap.dedent(SCRIPT))

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    python("scripted_model.py", "by-script")
    python("-c", "import scripted_model; scripted_model.Scripted().save('by-module')")
    found = python("-c", "import scripted_model, elman; print(type(elman.load('by-script')).__module__)")
    assert found.stdout == "scripted_model\n"
    assert python("scripted_model.py", "load", "by-module").stdout == "__main__\n"
    without = python("-c", "import elman; elman.load('by-module')")
    assert (
        "path: 'by-module' holds a Scripted of a module that is not imported; "
        "import scripted_model before elman.load\n" in without.stderr
    )
    without = python("-c", "import elman; elman.load('by-script')")
    assert (
        "holds a Scripted, a class of the script or notebook that wrote the file; define or import it"
        in without.stderr
    )
    renamed = "import sys, types, elman; sys.modules['scripted_model'] = types.ModuleType('m'); elman.load('by-module')"
    assert (
        "Scripted of scripted_model, which is imported and has no such class" in python("-c", renamed).stderr
    )
    (tmp_path / "other.py").write_text((tmp_path / "scripted_model.py").read_text())
    both = python("-c", "import scripted_model, other, elman; elman.load('by-script')")
    assert "its class Scripted may be any of other:Scripted, scripted_model:Scripted" in both.stderr


# Arguments and notes


def test_arguments_and_notes_of_numpy(tmp_path):
    made = Forecaster(
        np.int64(2), input_size=np.int32(3), hidden_size=np.uint8(4), loss="quantile", dropout=np.float32(0.25),
        quantiles=np.array([0.1, 0.5, 0.9]), targets=np.int16(2), dtype=np.dtype("float64"), num_layers=np.int64(2),
        recurrent_dropout=np.float64(0.5), seed=np.int64(0),
    )  # fmt: skip
    made.notes = {
        "scale": np.array([1.5, 2]),
        "at": (np.float32(0.5), np.True_),
        "from": pathlib.PurePosixPath("a/b"),
    }
    made.save(tmp_path / "file")
    back = load(tmp_path / "file")
    assert back.config == made.config == json.loads(json.dumps(made.config)) and made.config["quantiles"] == [
        0.1,
        0.5,
        0.9,
    ]
    assert back.notes == {"scale": [1.5, 2.0], "at": [0.5, True], "from": "a/b"}
    x = np.random.default_rng(0).standard_normal((5, 2, 3))
    assert np.array_equal(back(x), made(x))
    twin = SequenceClassifier(
        2,
        input_size=1,
        hidden_size=np.uint8(130),
        cell="rnn",
        init="uniform",
        label_smoothing=np.float32(0.125),
        bidirectional=np.True_,
    )
    twin.save(tmp_path / "file")
    assert load(tmp_path / "file").config == twin.config
    assert (
        Seq2Seq(np.int64(3), vocabulary=np.int8(4), hidden_size=2, attention=np.False_).config["attention"]
        is False
    )


def test_what_could_not_be_saved_is_refused_when_the_model_is_made():
    class Own(Model):
        def __init__(self, function):
            self.parts = {"gru": GRU(2, 3)}

    with pytest.raises(
        ValueError,
        match=r"function: expected what JSON can hold .*, got function; Own keeps its arguments for its file: .*, or "
        r"leave it out of files by unsaved = \('function',\) in the class, with a default",
    ):
        Own(lambda x: x)
    assert Own(np.arange(3)).config == {"function": [0, 1, 2]}


def test_notes_with_keys_that_json_would_change(tmp_path):
    made = LanguageModel(3)
    made.notes["words"] = {0: "a"}
    with pytest.raises(ValueError, match=re.escape("notes['words']: expected text as keys, got 0")):
        made.save(tmp_path / "file")
    assert not (tmp_path / "file").exists()
