"""Files of layers and models: what comes back, and what is refused, whatever is in them."""

import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

import elman
from elman import files
from elman.models import SequenceRegressor
from tests.support.saved import equal, write_raw

safetensors = pytest.importorskip("safetensors.numpy")
save, load_file = safetensors.save, safetensors.load_file

ROOT = pathlib.Path(__file__).parents[2]


def layer():
    return elman.GRU(2, 3, num_layers=2, dropout=0.25, seed=0)


def model():
    made = SequenceRegressor(1, input_size=2, hidden_size=3, cell="gru", dropout=0.25, loss="huber", seed=0)
    made.notes["scale"] = [0.5, 12]
    return made


KINDS = {"layer": layer, "model": model}


# Damage


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_every_changed_byte_is_seen(name, tmp_path):
    """One byte changed, anywhere: refused, or (white space) the same."""
    made, path = KINDS[name](), tmp_path / "file"
    made.save(path)
    whole = path.read_bytes()
    header = int.from_bytes(whole[:8], "little") + 8
    rng = np.random.default_rng(0)
    refused, begin = 0, time.process_time()
    places = [*range(8), *rng.integers(8, header, 300), *rng.integers(header, len(whole), 50)]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= rng.integers(1, 256)
        path.write_bytes(changed)
        try:
            assert equal(elman.load(path), made)
        except ValueError as error:
            assert str(error).startswith("path: expected a file written by save(), got ")
            refused += 1
    assert refused > 0.9 * len(places)
    assert time.process_time() - begin < 60


STRANGE = {
    "it is empty": b"",
    "not a safetensors file: ": b"# text, and more",
    "not a safetensors file; if torch.save wrote it, load_state_dict takes what torch.load gives": b"PK\x03\x04...",
    r"nothing in its metadata says what it is; .*, layer.load_state_dict\(safetensors.numpy.load_file\(": save(
        {"a": np.zeros(2, np.float32)}
    ),
    "nothing in its metadata says": save({"a": np.zeros(2, np.float32)}, {"format": "pt"}),
    "its description is damaged": save({}, {"elman": "{"}),
    "its description is damaged.*": save({}, {"elman": "[" * 100_000}),
    r"its description is damaged$": save({}, {"elman": "[1, 2]"}),
}


@pytest.mark.parametrize("message", STRANGE)
def test_what_is_not_ours(message, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(STRANGE[message])
    with pytest.raises(ValueError, match=f"path: expected a file written by save.*, got '.*file': {message}"):
        elman.load(path)


def test_what_the_system_refuses_comes_in_its_own_words(tmp_path):
    with pytest.raises(FileNotFoundError):
        elman.load(tmp_path / "nothing")
    with pytest.raises(
        IsADirectoryError, match=r"^path: expected a file .*, got the directory '.*'; a run whose check"
    ):
        elman.load(tmp_path)


def test_models_are_imported_when_a_file_asks_for_one(tmp_path):
    for name, make in KINDS.items():
        make().save(tmp_path / name)
    code = """
import sys, elman
for name in ("layer", "model"):
    elman.load(name)
    print("elman.models" in sys.modules, "safetensors" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "True", "True", "True"]


GRU_CONFIG = {"layer": "GRU", "dtype": "float32", "input_size": 2, "hidden_size": 3}
LAYERS = {
    "it does not say that it holds a layer or a model": {},
    "it does not say that it holds a layer or a model; it is of a checkpoint": {"checkpoint": 3},
    "it does not say that it holds": {"layer": "GRU", "model": "SequenceClassifier"},
    "it does not say of which class it is": {"layer": None},
    "it does not say of which class": GRU_CONFIG | {"layer": ["GRU"]},
    "extra: expected an argument of GRU, got an unknown one": GRU_CONFIG | {"extra": 1},
    ".*missing 1 required positional argument: 'hidden_size'": {"layer": "GRU", "input_size": 2},
    "hidden_size: expected a whole number of at least 1, got 'a'": GRU_CONFIG | {"hidden_size": "a"},
    "dtype: expected float32 or float64, got .*": GRU_CONFIG | {"dtype": {"a": 1}},
    "state_dict: expected the names": {"layer": "GRU", "input_size": 0 + 1, "hidden_size": 1, "bias": False},
    # what would take all memory, or for ever
    "its arguments ask for more parameters than it holds": GRU_CONFIG | {"num_layers": 10**8},
    "its arguments ask for more parameters": GRU_CONFIG | {"hidden_size": 10**9},
    "its arguments ask for more": GRU_CONFIG | {"input_size": 10**400},
}


def of(model, **config):
    return {"model": model, "config": config, "notes": {}}


NET = {"input_size": 2, "hidden_size": 3}
MODELS = {
    "it does not say with which arguments the model was made": {"model": "SequenceClassifier"},
    "it does not say with which arguments": {"model": "SequenceClassifier", "config": [], "notes": {}},
    "it does not say of which class it is.?": of(3),
    "input_size: expected either it or vocabulary": of("SequenceClassifier", classes=2),
    "extra: expected an argument of LanguageModel": of("LanguageModel", vocabulary=3, extra=1),
    "quantiles: .*|.*not iterable": of("SequenceRegressor", quantiles=3, **NET),
} | {
    f"its arguments ask for more parameters than it holds{'.?' * i}": of(name, **NET | config)
    for i, (name, config) in enumerate([
        ("SequenceClassifier", {"classes": 10**12}),
        ("SequenceClassifier", {"classes": 2, "num_layers": 10**8}),
        ("Forecaster", {"horizon": 10**9, "future_size": 10**9}),
        ("Forecaster", {"horizon": 10**12}),
        ("Seq2Seq", {"target_vocabulary": 10**12}),
        ("CTCRecognizer", {"labels": 10**12, "cell": "rnn"}),
        ("LanguageModel", {"vocabulary": 10**12, "input_size": None}),
    ])
}  # fmt: skip


@pytest.mark.parametrize("message", LAYERS | MODELS)
def test_descriptions_that_do_not_fit(message, tmp_path):
    write_raw(tmp_path / "file", (LAYERS | MODELS)[message], {"a": np.zeros((3, 5), np.float32)})
    begin = time.process_time()
    with pytest.raises(ValueError, match=f"path: expected a file written by save.*, got '.*file': {message}"):
        elman.load(tmp_path / "file")
    assert time.process_time() - begin < 5


UNKNOWN = {
    "a Transformer; import the module of this class before elman.load": GRU_CONFIG | {"layer": "Transformer"},
    "a Oracle; import the module of this class before elman.load": of("Oracle"),
    "a FinalStep of a module that is not imported; import x before elman.load": of("x:FinalStep"),
    "a Final of elman.models, which is imported and has no such class": of("elman.models:Final"),
    "a Final, a class of the script or notebook that wrote the file; define or import it": of(
        "__main__:Final"
    ),
}


@pytest.mark.parametrize("message", UNKNOWN)
def test_a_class_that_is_not_imported(message, tmp_path):
    write_raw(tmp_path / "file", UNKNOWN[message], {"a": np.zeros((3, 5), np.float32)})
    with pytest.raises(ValueError, match=f"^path: '.*file' holds {message}"):
        elman.load(tmp_path / "file")


@pytest.mark.parametrize("name", KINDS)
def test_files_from_before_checksums(name, tmp_path):
    made = KINDS[name]()
    made.save(tmp_path / "new")
    content, arrays = files.read(tmp_path / "new", "a test")
    if name == "model":
        assert content["model"] == "elman.models:SequenceRegressor"
        content["model"] = "SequenceRegressor"
    write_raw(tmp_path / "old", content, arrays)
    assert equal(elman.load(tmp_path / "old"), made)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_whole_or_as_before(name, tmp_path, monkeypatch):
    made = KINDS[name]()
    made.save(tmp_path / "file")
    before = (tmp_path / "file").read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        made.save(tmp_path / "file")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", before)]


def test_any_tool_reads_the_arrays(tmp_path):
    made = layer()
    made.save(tmp_path / "file")
    arrays = load_file(tmp_path / "file")
    assert all(np.array_equal(arrays[name], value) for name, value in made.parameters.items())
