"""Translate short English verses of the Bible into the Spanish of 1909.

An LSTM reads the English pieces of words both ways; another writes the Spanish ones, looking back through attention.
There are only some ten thousand pairs to learn from, so that everything against learning them by heart is used: few
word pieces, cut anew at random in each epoch, dropout, and label smoothing. What comes out is Spanish of that kind and
often about the right things, but no translation to rely on.

    python examples/translate.py                    # or --data with pairs of your own
    python examples/translate.py --say "He went up to the mountain."        # afterwards, by the trained model
"""

from __future__ import annotations

import base64
import functools
import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import sacrebleu
from pysword.bible import ZTextModule
from pysword.modules import SwordModules
from sklearn.feature_extraction.text import TfidfVectorizer

import elman
from elman.models import Seq2Seq
from elman.train import Cosine, Schedule, Sequences, fit
from support.data import from_debian, members
from support.pieces import Pieces
from support.run import Example, Result

LONGEST = 20  # words on each side
SKIPPED = {("III John", 1), ("Revelation of John", 12)}  # chapters that are not divided alike
PIECES = 2000  # word pieces of each language
HIDDEN = 192  # units of each direction
TRAINING = {"epochs": 20, "batch_size": 32, "learning_rate": 2e-3}

Pairs = list[tuple[str, str]]


def schedule(epochs: int) -> Schedule:
    return Cosine(epochs, floor=0.01)


def verses(package: str) -> dict[tuple[str, int, int], str]:
    """The verses in a Debian package of a Bible, by book, chapter and verse."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in members(from_debian(package), "usr/share/sword/*"):
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        modules = SwordModules(str(pathlib.Path(folder, "usr/share/sword")))
        (name,) = modules.parse_modules()
        bible = modules.get_bible_from_module(name)
        for books in bible.get_structure().get_books().values():
            for book in books:
                for chapter, length in enumerate(book.chapter_lengths, 1):
                    for verse in range(1, length + 1):
                        (text,) = bible.get_iter(book.name, chapter, verse)
                        found[book.name, chapter, verse] = " ".join(text.split())
    return found


def load_data(path: pathlib.Path | None = None, longest: int = LONGEST) -> Pairs:
    """(English, Spanish), of at most so many words on each side, each English text once."""
    if path is None:
        # It unpacks a whole book for each verse.
        ZTextModule._decompressed_text = functools.lru_cache(4)(ZTextModule._decompressed_text)
        english, spanish = verses("sword-text-web"), verses("sword-text-sparv")
        both = [k for k in english if k in spanish and k[:2] not in SKIPPED]
        pairs = [(english[k], spanish[k]) for k in both]
    else:
        pairs = [tuple(line.split("\t")[:2]) for line in path.read_text().splitlines() if "\t" in line]
    return [*{a: (a, b) for a, b in pairs if all(0 < len(s.split()) <= longest for s in (a, b))}.values()]


def split(pairs: Pairs, seed: int) -> dict[str, Pairs]:
    """At random: 10 % to test, 5 % to choose the epoch, the others to train on."""
    order = [pairs[i] for i in np.random.default_rng(seed).permutation(len(pairs))]
    a, b = int(0.1 * len(order)), int(0.15 * len(order))
    return {"test": order[:a], "validation": order[a:b], "train": order[b:]}


class Resampled:
    """Training pairs. Each epoch cuts their words into other pieces (subword regularization, Kudo 2018)."""

    unit = "sequences"

    def __init__(self, pairs: Pairs, english: Pieces, spanish: Pieces):
        self.pairs, self.english, self.spanish = pairs, english, spanish

    def __len__(self) -> int:
        return len(self.pairs)

    def batches(self, batch_size, seed=None):
        rng = np.random.default_rng(seed)
        a, b = zip(*self.pairs, strict=True)
        data = Sequences(self.english.sample(a, 0.5, rng), self.spanish.sample(b, 0.5, rng))
        return data.batches(batch_size, seed)


def encoded(pairs: Pairs, english: Pieces, spanish: Pieces) -> Sequences:
    a, b = zip(*pairs, strict=True)
    return Sequences(english.encode(a), spanish.encode(b))


def build_model(english: Pieces, spanish: Pieces, hidden_size: int, seed: int) -> Seq2Seq:
    model = Seq2Seq(
        spanish.size, vocabulary=english.size, hidden_size=hidden_size, embedding_size=128, bidirectional=True,
        dropout=0.4, recurrent_dropout=0.2, label_smoothing=0.1, seed=seed,
    )  # fmt: skip
    for name, pieces in (("english", english), ("spanish", spanish)):
        model.notes[name] = base64.b64encode(pieces.proto).decode()
    return model


def pieces_of(model: Seq2Seq) -> list[Pieces]:
    """Those of both languages, from the model's notes."""
    return [Pieces(base64.b64decode(model.notes[name])) for name in ("english", "spanish")]


def translate(model: Seq2Seq, texts: list[str]) -> list[str]:
    english, spanish = pieces_of(model)
    return spanish.decode(
        model.predict(english.encode(texts), beam_size=5, max_length=60, length_penalty=1.0)
    )


def nearest(train: Pairs, texts: list[str]) -> list[str]:
    """The Spanish side of the training pair whose English side has most in common with each text, by TF-IDF."""
    english, spanish = zip(*train, strict=True)
    weigh = TfidfVectorizer(sublinear_tf=True).fit(english)
    return [
        spanish[i] for i in (weigh.transform(texts) @ weigh.transform(english).T).toarray().argmax(axis=1)
    ]


def scores(found: list[str], references: list[str]) -> dict[str, float]:
    return {
        "BLEU": sacrebleu.corpus_bleu(found, [references]).score,
        "chrF": sacrebleu.corpus_chrf(found, [references]).score,
    }


def draw(model: Seq2Seq, text: str, path: pathlib.Path) -> None:
    """For each piece that the model writes, which ones it looked at."""
    english, spanish = pieces_of(model)
    x = english.encode([text])
    y = model.predict(x, beam_size=5, length_penalty=1.0)
    (weights,) = model.attention_weights(x, y)
    figure, axes = plt.subplots(figsize=(9, 8), layout="constrained")
    image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    columns, rows = english.names(x[0]), spanish.names(y[0])
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(rows) + 1), [*rows, "end"])
    axes.xaxis.tick_top()
    axes.set_xlabel(f"{text}\n{spanish.decode(y)[0]}")
    figure.colorbar(image, label="attention", shrink=0.5)
    figure.savefig(path, dpi=110)


def main() -> None:
    example = Example(
        "Translation, English to Spanish", __doc__, "pairs, UTF-8: on each line a text, a tab and its translation",
        hidden={"type": int, "default": HIDDEN},
        epochs={"type": int, "default": TRAINING["epochs"]},
        say={"metavar": "TEXT", "help": "translate this by the model of an earlier run"},
    )  # fmt: skip
    options = example.options
    if options.say:
        print(*translate(elman.load(example.path("safetensors")), [options.say]))
        return

    pairs = load_data(options.data)
    if example.quick:
        pairs, options.hidden, options.epochs = pairs[:800], 32, 2
    parts = split(pairs, options.seed)
    print(", ".join(f"{len(some)} pairs for {name}" for name, some in parts.items()))
    english, spanish = (Pieces.learn(texts, PIECES) for texts in zip(*parts["train"], strict=True))
    model = build_model(english, spanish, options.hidden, options.seed)
    fit(
        model, Resampled(parts["train"], english, spanish), encoded(parts["validation"], english, spanish),
        schedule=schedule(options.epochs), seed=options.seed, **(TRAINING | {"epochs": options.epochs}),
    )  # fmt: skip
    model.save(example.path("safetensors"))

    texts, references = (list(side) for side in zip(*parts["test"], strict=True))
    found = translate(model, texts)
    for text, reference, translation in list(zip(texts, references, found, strict=True))[:8]:
        print(f"\n{text}\n  is      {translation}\n  in 1909 {reference}")
    draw(model, min(texts[:50], key=lambda text: abs(len(text) - 60)), example.path("png"))
    simple = scores(nearest(parts["train"], texts), references)
    example.report(
        [
            Result(name, value, simple[name], "most similar training verse", "higher")
            for name, value in scores(found, references).items()
        ]
    )


if __name__ == "__main__":
    main()
