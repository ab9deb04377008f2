"""Recognise seven shoulder exercises from a watch: acceleration and rotation at 50 Hz, ten people.

Each person in turn is left out: networks trained on the other nine say which exercise that person does in each window
of 4 seconds, beside a random forest on statistics of the same windows. In training, windows are cut anywhere, stretched
in time, turned in space and rescaled, as other people would move and wear the watch.

    python examples/activity.py
"""

from __future__ import annotations

import io
import pathlib
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay

import elman
from elman.models import SequenceClassifier
from elman.sequence import Standardizer
from elman.train import Batch, Cosine, fit
from support import data
from support.run import Example, Result

EXERCISES = [
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius",
    "row",
]
WINDOW = 200  # samples: 4 seconds
STACK = 4  # samples read in one step
CHANNELS = 6  # acceleration in three axes, angular velocity about them
SPEED = 0.2  # in training, movements are up to so much faster or slower
TURN = 0.2  # and the watch is turned by some radians


@dataclass
class Recordings:
    """One person doing one exercise in each: signals [t_i, 6] float32, exercises [n], people [n]."""

    signals: list[np.ndarray]
    exercises: np.ndarray
    people: np.ndarray

    def of(self, chosen: np.ndarray) -> Recordings:
        rows = np.flatnonzero(chosen)
        return Recordings([self.signals[i] for i in rows], self.exercises[rows], self.people[rows])

    def windows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows [n, 200, 6] side by side, the exercise and the person of each."""
        starts = [(i, at) for i, x in enumerate(self.signals) for at in range(0, len(x) - WINDOW + 1, WINDOW)]
        rows = [i for i, _ in starts]
        x = np.stack([self.signals[i][at : at + WINDOW] for i, at in starts])
        return x, self.exercises[rows], self.people[rows]


class Numbers:
    """Makes an array of a pickle. NumPy's own functions for that would also take raw bytes for objects."""

    def __init__(self, *kind):
        self.array: np.ndarray | list | None = None

    def __setstate__(self, state) -> None:
        _, shape, kind, by_columns, content = state
        if kind.name == "O8" and isinstance(content, list):
            self.array = content
        elif kind.name in ("f8", "i8") and isinstance(content, bytes):
            self.array = np.frombuffer(content, "<" + kind.name).reshape(
                shape, order="F" if by_columns else "C"
            )
        else:
            raise pickle.UnpicklingError(f"expected numbers as bytes or objects as a list, got {kind.name}")


class Kind:
    """The type of an array in a pickle."""

    def __init__(self, name: str, *options):
        self.name = name

    def __setstate__(self, state) -> None:
        if state[1] not in "<|":
            raise pickle.UnpicklingError(f"expected numbers with the lowest byte first, got {state[1]!r}")


class ArraysOnly(pickle.Unpickler):
    """Reads a pickle that may call nothing but what stands here for NumPy's functions, and makes `Numbers`."""

    stand_ins: ClassVar[dict] = {
        ("numpy.core.multiarray", "_reconstruct"): Numbers,
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): Kind,
        ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.stand_ins:
            raise pickle.UnpicklingError(f"expected arrays only, got {module}.{name}")
        return self.stand_ins[module, name]


def read_objects(content: bytes) -> dict:
    """The dict of lists and arrays of numbers in a .npy file of one object."""
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    (found,) = ArraysOnly(file, encoding="latin1").load().array
    return {
        name: [one.array if isinstance(one, Numbers) else one for one in value]
        if isinstance(value, list)
        else value.array
        for name, value in found.items()
    }


def load_data(path: pathlib.Path | None = None) -> Recordings:
    """The recordings of seglearn (Burns et al. 2018), or of a file that `--data` describes."""
    if path is not None:
        with np.load(path) as own:
            signals = np.split(own["signals"].astype(np.float32), np.cumsum(own["lengths"])[:-1])
            return Recordings(signals, own["exercises"], own["people"])
    content = data.member(data.from_pypi("seglearn", "1.2.5"), "seglearn/data/watch_dataset.npy")
    found = read_objects(content)
    return Recordings([x.astype(np.float32) for x in found["X"]], found["y"], found["subject"])


class RandomWindows:
    """Windows for `fit`. Each epoch cuts new ones anywhere, and varies them as people vary."""

    unit = "windows"

    def __init__(self, recordings: Recordings, scale: Standardizer, count: int):
        self.recordings, self.scale, self.count = recordings, scale, count

    def __len__(self) -> int:
        return self.count

    def batches(self, batch_size: int, seed=None) -> Iterator[Batch]:
        rng = np.random.default_rng(seed)
        lengths = np.array([len(x) for x in self.recordings.signals])
        for begin in range(0, self.count, batch_size):
            size = min(batch_size, self.count - begin)
            rows = rng.choice(len(lengths), size, p=lengths / lengths.sum())
            x = np.stack([stretched(self.recordings.signals[i], rng) for i in rows])
            x = x.reshape(size, WINDOW, 2, 3) @ rotations(size, rng)[:, None]  # both sensors turn together
            x = x.reshape(size, WINDOW, CHANNELS) * np.exp(rng.normal(0, 0.1, (size, 1, 1)))
            x = self.scale.transform(x) + rng.normal(0, 0.05, x.shape)
            time_first = np.ascontiguousarray(stacked(x).swapaxes(0, 1))
            yield Batch(time_first, None, self.recordings.exercises[rows], None, rows, done=begin + size)


def stretched(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A window [200, 6] of a movement up to SPEED faster or slower."""
    span = min((WINDOW - 1) * np.exp(rng.uniform(-SPEED, SPEED)), len(signal) - 2)
    at = rng.uniform(0, len(signal) - 2 - span) + np.linspace(0, span, WINDOW)
    before, part = at.astype(int), (at % 1)[:, None]
    return signal[before] * (1 - part) + signal[before + 1] * part


def rotations(n: int, rng: np.random.Generator) -> np.ndarray:
    """[n, 3, 3]: turns about random axes, by TURN radians on the usual."""
    x, y, z = axis = rng.normal(size=(3, n))
    cross = np.array([[0 * x, -z, y], [z, 0 * x, -x], [-y, x, 0 * x]]) / np.linalg.norm(axis, axis=0)
    cross, angle = np.moveaxis(cross, 2, 0), rng.normal(0, TURN, (n, 1, 1))
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def stacked(x: np.ndarray) -> np.ndarray:
    """[n, t, 6] as [n, t // 4, 24] float32: a step reads four samples."""
    n, t, channels = x.shape
    return x.reshape(n, t // STACK, STACK * channels).astype(np.float32)


def build_model(hidden: int, seed: int) -> SequenceClassifier:
    return SequenceClassifier(
        len(EXERCISES), input_size=STACK * CHANNELS, hidden_size=hidden, cell="gru", pooling="mean", dropout=0.4,
        seed=seed,
    )  # fmt: skip


def train(recordings: Recordings, options, seed: int, label: str) -> tuple[SequenceClassifier, Standardizer]:
    scale = Standardizer().fit(np.concatenate(recordings.signals))
    model = build_model(options.hidden, seed)
    fit(
        model, RandomWindows(recordings, scale, options.windows), epochs=options.epochs, batch_size=64,
        optimizer="adamw", learning_rate=2e-3, schedule=Cosine(options.epochs, floor=0.02), seed=seed, progress=label,
    )  # fmt: skip
    model.notes = {"exercises": EXERCISES, "mean": scale.mean_.tolist(), "scale": scale.scale_.tolist()}
    return model, scale


def statistics(x: np.ndarray) -> np.ndarray:
    """[n, 54] of windows [n, 200, 6]: nine of each channel, as feature engineering would have it."""
    around = x - x.mean(axis=1, keepdims=True)
    z = around / x.std(axis=1, keepdims=True)
    crossings = (around[:, 1:] > 0) != (around[:, :-1] > 0)
    return np.concatenate(
        [x.mean(1), x.std(1), x.min(1), x.max(1), np.median(x, 1), (z**3).mean(1), (z**4).mean(1), crossings.mean(1),
         np.abs(np.diff(x, axis=1)).mean(1)],
        axis=1,
    )  # fmt: skip


def stream(path: pathlib.Path, recordings: Recordings) -> int:
    """Let a saved model follow recordings as they come in. Gives how many it has named rightly at their end."""
    model = elman.load(path)
    mean, scale = np.array(model.notes["mean"]), np.array(model.notes["scale"])
    right = 0
    for number, (signal, exercise) in enumerate(zip(recordings.signals, recordings.exercises, strict=True)):
        step = model.stepper(batch_size=1)
        for end in range(STACK, len(signal) + 1, STACK):
            samples = (signal[end - STACK : end] - mean) / scale
            logits = step(samples.reshape(1, -1).astype(np.float32))
            if number == 0 and end % 400 == 0:
                print(f"  after {end / 50:2.0f} s: {EXERCISES[logits.argmax()]}")
        right += int(logits.argmax() == exercise)
        if number == 0:
            print(f"  in truth: {EXERCISES[exercise]}")
    return right


def plot(truth: np.ndarray, said: np.ndarray, path: pathlib.Path) -> None:
    figure, axis = plt.subplots(figsize=(7.5, 6.5), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        truth, said, labels=range(len(EXERCISES)), display_labels=EXERCISES, normalize="true", values_format=".0%",
        cmap="Blues", colorbar=False, xticks_rotation=40, ax=axis,
    )  # fmt: skip
    axis.set_title("Windows of 4 s of people the networks have never seen")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Activity recognition: seven shoulder exercises from a watch", __doc__,
        "a .npz with signals [steps, 6] of all recordings one after the other at 50 Hz, lengths [n] of each, exercises "
        "[n] (0 to 6) and people [n]",
        members={"type": int, "default": 3, "help": "networks whose probabilities are averaged"},
        hidden={"type": int, "default": 64, "help": "units of the GRU"},
        epochs={"type": int, "default": 20},
        windows={"type": int, "default": 2048, "help": "random windows in an epoch"},
    )  # fmt: skip
    options = example.options
    if example.quick:
        options.members, options.hidden, options.epochs, options.windows = 1, 16, 2, 512
    recordings = load_data(options.data)
    windows, truth, person = recordings.windows()
    features = statistics(windows)
    network, forest = np.empty(len(truth), int), np.empty(len(truth), int)
    for one in np.unique(person):
        others, test = recordings.people != one, person == one
        probabilities = 0
        for member in range(options.members):
            label = f"without person {one}, network {member + 1} of {options.members}"
            model, scale = train(recordings.of(others), options, options.seed + member, label)
            probabilities += model.predict_proba(stacked(scale.transform(windows[test])))
        network[test] = np.argmax(probabilities, axis=1)
        trees = RandomForestClassifier(30 if example.quick else 300, random_state=options.seed, n_jobs=2)
        forest[test] = trees.fit(features[~test], truth[~test]).predict(features[test])
    model.save(example.path("safetensors"))
    plot(truth, network, example.path("png"))
    print(f"\nperson {one}, whom the saved network has never seen, as the samples come in:")
    theirs = recordings.of(recordings.people == one)
    right = stream(example.path("safetensors"), theirs)
    print(f"  whole recordings named rightly at their end: {right} of {len(theirs.signals)}")
    example.report(
        [Result("accuracy, %", 100 * np.mean(network == truth), 100 * np.mean(forest == truth),
                "random forest on statistics of the windows", better="higher")],
        f"{len(truth)} windows, one person of {len(np.unique(person))} left out at a time",
    )  # fmt: skip


if __name__ == "__main__":
    main()
