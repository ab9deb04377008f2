"""Recognise speech: letters from the sound of recorded telephone prompts, with no alignment given.

A bidirectional LSTM reads log-mel features and is trained by connectionist temporal classification (Graves et al. 2006)
on 20 minutes of one voice, the prompts of the Asterisk telephone system. What it hears, and what people say in such
prompts (a language model of letters, learned from the training transcripts alone), are brought together by beam search.
The prompts share many phrases; test utterances have transcripts that no training utterance has. The baseline is the
transcript of the training utterance that sounds most alike, by dynamic time warping.

    python examples/speech.py
    python examples/speech.py --streaming      # a one-way model, which writes while it listens
"""

from __future__ import annotations

import gzip
import pathlib
import re
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

from elman.models import CTCRecognizer
from elman.sequence import Standardizer
from elman.train import Cosine, Schedule, Sequences, WarmUp, fit
from support.audio import HOP, log_mel, most_alike, read_wav
from support.data import from_debian, member, members
from support.run import Example, Result
from support.spelling import LetterModel, error_rate

RATE = 8000  # samples a second
STACK = 3  # frames of 10 ms that make one step of the network
ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"
TRAINING = {"epochs": 100, "batch_size": 16, "learning_rate": 3e-3}
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def schedule(epochs: int) -> Schedule:
    return WarmUp(2, then=Cosine(epochs - 2, floor=0.02))


def spoken(text: str) -> str:
    """What is said where a prompt is written so: lower case, words for digits and signs, no remarks in brackets."""
    text = re.sub(r"\[.*?\]|\(.*?\)|<.*?>", " ", text.lower()).replace("*", " star ").replace("#", " pound ")
    text = re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text)
    return " ".join(re.sub(r"[^a-z']", " ", text).split())


def stack(frames: np.ndarray) -> np.ndarray:
    """Steps of the network [t / 3, 3 bands], from frames [t, bands]."""
    steps = len(frames) // STACK
    return np.ascontiguousarray(frames[: steps * STACK].reshape(steps, -1))


@dataclass
class Part:
    """Utterances: samples [n], log-mel frames [t, bands] and transcript of each."""

    audio: list[np.ndarray]
    frames: list[np.ndarray]
    texts: list[str]

    def x(self) -> list[np.ndarray]:
        return [stack(frames) for frames in self.frames]

    def labels(self) -> list[np.ndarray]:
        return [np.array([ALPHABET.index(letter) for letter in text]) for text in self.texts]


def load_data(folder: pathlib.Path | None = None, quick: bool = False) -> list[Part]:
    """Training, validation and test utterances: 80, 10 and 10 %; those with the same transcript are together."""
    if folder is None:
        written = member(from_debian("asterisk-core-sounds-en"), "*/core-sounds-en.txt.gz")
        text = gzip.decompress(written).decode()
        files = members(from_debian("asterisk-core-sounds-en-wav"), "*.wav")
        wavs = {name.partition("en_US_f_Allison/")[2][:-4]: content for name, content in files}
    else:
        text = (folder / "transcripts.txt").read_text()
        wavs = {path.stem: path.read_bytes() for path in folder.glob("*.wav")}
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    # Numbers of several digits can be read in more than one way: leave them out.
    texts = {name: spoken(line) for name, line in lines.items() if not re.search(r"\d\d|\d\.\d", line)}
    names = sorted(name for name in wavs if texts.get(name))
    order = np.random.default_rng(0).permutation(sorted({texts[name] for name in names}))
    if quick:
        order = [text for text in order if len(text) < 20][:60]
    turn = {text: i % 10 if len(text) < 200 else 9 for i, text in enumerate(order)}  # the longest: training
    parts = []
    for turns in (range(2, 10), [1], [0]):
        chosen = [name for name in names if turn.get(texts[name]) in turns]
        audio = [read_wav(wavs[name], RATE) for name in chosen]
        parts.append(Part(audio, [log_mel(one, RATE) for one in audio], [texts[name] for name in chosen]))
    return parts


class Augmented:
    """Training data that is a little different in every epoch: faster or slower, with noise, and with bands and
    stretches of time blotted out (SpecAugment, Park et al. 2019). The seed decides how, so that runs repeat."""

    unit = "sequences"

    def __init__(self, frames: list[np.ndarray], labels: list[np.ndarray]):
        self.frames, self.labels = frames, labels

    def __len__(self) -> int:
        return len(self.frames)

    def batches(self, batch_size: int, seed=None):
        rng = np.random.default_rng(seed)
        x = [stack(self.change(frames, rng)) for frames in self.frames]
        yield from Sequences(x, self.labels).batches(batch_size, seed)

    @staticmethod
    def change(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        t, bands = frames.shape
        at = np.linspace(0, t - 1, int(t * rng.uniform(0.9, 1.15)))
        low = np.minimum(at.astype(int), t - 2)
        part = (at - low).astype(np.float32)[:, None]
        x = frames[low] + part * (frames[low + 1] - frames[low])
        noise, louder = rng.uniform(0, 0.3), rng.normal(0, 0.2)
        x += np.float32(noise) * rng.standard_normal(x.shape, np.float32) + np.float32(louder)
        for _ in range(2):
            begin, width = rng.integers(bands), rng.integers(8)
            x[:, begin : begin + width] = 0
        for _ in range(1 + t // 100):
            begin, width = rng.integers(len(x)), rng.integers(12)
            x[begin : begin + width] = 0
        return x


def build_model(streaming: bool, hidden_size: int = 128, seed: int = 0) -> CTCRecognizer:
    return CTCRecognizer(
        len(ALPHABET), input_size=40 * STACK, hidden_size=hidden_size, num_layers=3, bidirectional=not streaming,
        dropout=0.3, seed=seed,
    )  # fmt: skip


def read(model: CTCRecognizer, x: list[np.ndarray], score=None) -> list[str]:
    """Transcripts by best path, or by beam search with the `score` of a language model."""
    labels = model.predict(x, beam_size=None if score is None else 12, score=score)
    return ["".join(ALPHABET[i] for i in one) for one in labels]


def listen(model: CTCRecognizer, audio: np.ndarray, scale: Standardizer) -> None:
    """Print what a one-way model has understood, each time it writes another letter while the sound arrives."""
    step, heard, text, last = model.stepper(batch_size=1), [], "", model.blank
    hop = int(HOP * RATE)
    window = (STACK - 1) * hop + int(0.025 * RATE)  # samples that make one step
    for begin in range(0, len(audio) - window + 1, STACK * hop):
        x = stack(scale.transform(log_mel(audio[begin : begin + window], RATE)))
        logits = step(x)
        label = int(logits.argmax())
        if label not in (last, model.blank):
            text += ALPHABET[label]
            print(f"  {(begin + window) / RATE:5.2f} s  {text}")
        last = label
        heard.append((x, logits))
    x, logits = (np.stack(values) for values in zip(*heard, strict=True))
    same = (model(x) == logits).all()
    print("  the whole utterance at once gives", "the same bits" if same else "other bits")


def plot(frames: np.ndarray, logits: np.ndarray, true: str, found: str, path: pathlib.Path) -> None:
    """Draw the sound of one utterance, and below it the letters that the model is sure of."""
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    seconds = (np.arange(len(probability)) + 0.5) * STACK * HOP
    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 5.5), sharex=True, layout="constrained")
    area = (0, len(frames) * HOP, 0, frames.shape[1])
    above.imshow(frames.T, origin="lower", aspect="auto", extent=area, cmap="magma")
    above.set(ylabel="mel band", title=f"said: {true}\nrecognised: {found}")
    below.plot(seconds, probability[:, -1], color="0.8")
    for label in np.unique(probability[:, :-1].argmax(axis=1)):
        below.plot(seconds, probability[:, label])
    likeliest = probability.argmax(axis=1)
    for t in np.flatnonzero((likeliest != len(ALPHABET)) & (np.diff(likeliest, prepend=-1) != 0)):
        letter = ALPHABET[likeliest[t]].replace(" ", "␣")
        below.annotate(letter, (seconds[t], 1.03), ha="center", fontsize=11, annotation_clip=False)
    below.set(xlabel="seconds", ylabel="probability (grey: no letter)", ylim=(0, 1.12))
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Speech recognition: recorded telephone prompts", __doc__,
        "a folder of *.wav and transcripts.txt, whose lines are `name of the file without .wav: what is said`",
        streaming={"action": "store_true", "help": "a one-way model, and how it writes while it listens"},
        free_picture=False,
    )  # fmt: skip
    options = example.options
    if options.streaming:  # its figures do not replace those of the two-way model
        options.out = options.out / "streaming"
        options.out.mkdir(exist_ok=True)
    epochs, hidden = (3, 32) if example.quick else (TRAINING["epochs"], 128)
    train, validation, test = load_data(options.data, example.quick)
    minutes = sum(map(len, train.audio)) / RATE / 60
    print(f"{len(train.texts)} utterances to train on ({minutes:.1f} min), {len(validation.texts)} to choose the "
          f"weight of the language model, {len(test.texts)} to test")  # fmt: skip

    scale = Standardizer().fit(np.concatenate(train.frames))
    for part in (train, validation, test):
        part.frames = [scale.transform(frames) for frames in part.frames]

    model = build_model(options.streaming, hidden, options.seed)
    model.notes = {"alphabet": ALPHABET, "mean": scale.mean_.tolist(), "scale": scale.scale_.tolist()}
    # Without patience: the validation loss mostly tells how sure the model is of the few words that it has never heard.
    # It rises while fewer and fewer letters are wrong.
    fit(
        model, Augmented(train.frames, train.labels()), schedule=schedule(epochs), seed=options.seed,
        **(TRAINING | {"epochs": epochs}),
    )  # fmt: skip
    model.save(example.path("safetensors"))

    letters = LetterModel(train.texts, ALPHABET)
    scores = {(w, b): letters.score(w, b) for w in (0.2, 0.4, 0.7) for b in (0.0, 0.5, 1.0, 1.5)}

    def error(choice: tuple[float, float]) -> float:
        return error_rate(read(model, validation.x(), scores[choice]), validation.texts)

    weight, bonus = choice = min(scores, key=error)
    best_path, found = read(model, test.x()), read(model, test.x(), scores[choice])
    known = [frames[1::STACK] for frames in train.frames]
    alike = [train.texts[most_alike(frames[1::STACK], known)] for frames in test.frames]
    baseline = error_rate(alike, test.texts)
    for true, text in list(zip(test.texts, found, strict=True))[:10]:
        print(f"  said        {true}\n  recognised  {text}\n")
    if options.streaming:
        listen(model, test.audio[1], scale)
    shown = min(range(len(test.texts)), key=lambda i: abs(len(test.texts[i]) - 40))
    logits = model(test.x()[shown][:, None])[:, 0]
    plot(test.frames[shown], logits, test.texts[shown], found[shown], example.path("png"))
    name = "most alike training utterance"
    example.report(
        [
            Result("letters wrong, best path, %", error_rate(best_path, test.texts), baseline, name),
            Result("letters wrong, beam search, %", error_rate(found, test.texts), baseline, name),
        ],
        note=f"{minutes:.0f} minutes of speech to learn from; language model's weight {weight}, bonus {bonus}",
    )


if __name__ == "__main__":
    main()
