"""Is a sentence from a film review for or against the film? Learned from ten thousand sentences, no pretrained vectors.

A GRU reads the sentence both ways, and the mean of what it says after each token decides. Half of the networks read
words, half read pieces of words, cut anew at random in each epoch; different seeds and different eyes make different
mistakes, and they vote. They learn, beside the label, the mean grade from -4 to 4 that twenty readers gave each
sentence. The figure is the accuracy of 10-fold cross-validation on the labels, beside two linear models of TF-IDF of
words and pairs of words on the same folds: one learns the labels, the other the grades as well. Everything, the
vocabulary too, is learned from the training folds only.

    python examples/sentiment.py
    python examples/sentiment.py --say "A dull film with one fine scene."     # afterwards, by one of the networks
"""

from __future__ import annotations

import io
import pathlib
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold, train_test_split

import elman
from elman.models import SequenceRegressor
from elman.train import Batch, Cosine, Sequences, fit
from support.data import member, source_from_pypi
from support.pieces import UNKNOWN, Pieces
from support.run import Example, Result

PIECES = 4000
POSITIVE_BELOW = 5153  # ids of the sentences for the film
WORD = re.compile(r"n't|'[a-z]+|[a-z]+|[!?.,;:]")
SHOWN = (
    "The acting is superb and the story moves you.",
    "It starts as a promising thriller, but it is a dull and tedious mess.",
    "Not a bad film at all; it is funny, warm and honest.",
)


def load_data(path: pathlib.Path | None = None) -> tuple[list[str], np.ndarray]:
    """The sentences, and what is to be learned of each, [n, 2]: 1 or -1 for the label, and half its grade. Files of
    the user's own have no grades: [n, 1]."""
    if path:
        rows = [line.split("\t", 1) for line in path.read_text().splitlines()]
        return [text for _, text in rows], np.float32([[2 * int(label) - 1] for label, _ in rows])
    archive = member(source_from_pypi("vaderSentiment", "3.3.2"), "*/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        file = files.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        assert file is not None
        lines = [line.split("\t") for line in file.read().decode().splitlines()]
    y = [(1 if int(i) < POSITIVE_BELOW else -1, float(grade) / 2) for i, grade, _ in lines]
    return [text for _, _, text in lines], np.float32(y)


def clean(text: str) -> str:
    """Lower-case words and punctuation with blanks between; "isn't" is "is n't"."""
    return " ".join(WORD.findall(re.sub(r"n't\b", " n't", text.lower())))


class Words:
    """Reads whole words and punctuation; all but the `known` ones are unknown."""

    def __init__(self, known: list[str]):
        self.known, self.size = known, len(known) + 1
        self._token = {word: token for token, word in enumerate(known, start=UNKNOWN + 1)}

    @classmethod
    def learn(cls, texts: list[str], at_least: int = 2) -> Words:
        counts = Counter(word for text in texts for word in text.split())
        return cls(sorted(word for word, count in counts.items() if count >= at_least))

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        return [np.array([self._token.get(word, UNKNOWN) for word in t.split()] or [UNKNOWN]) for t in texts]

    def sample(self, texts: list[str], alpha: float, rng: np.random.Generator) -> list[np.ndarray]:
        """There is one way only to cut a text into words."""
        return self.encode(texts)


class Varied:
    """Training sentences. Each epoch cuts them anew and makes some tokens unknown, so that no word decides alone."""

    unit = "sequences"
    share = 0.2

    def __init__(self, texts: list[str], y: np.ndarray, reading: Words | Pieces):
        self.texts, self.y, self.reading = texts, y, reading

    def __len__(self) -> int:
        return len(self.texts)

    def batches(self, batch_size: int, seed: Any = None) -> Iterator[Batch]:
        rng = np.random.default_rng(seed)
        x = self.reading.sample(self.texts, 0.3, rng)
        for batch in Sequences(x, self.y).batches(batch_size, seed):
            yield replace(batch, x=np.where(rng.random(batch.x.shape) < self.share, UNKNOWN, batch.x))


def build_model(targets: int, vocabulary: int, size: int = 64, seed: int = 0) -> SequenceRegressor:
    # Most words are rare: with small vectors they say little until they have been seen.
    return SequenceRegressor(
        targets, vocabulary=vocabulary, embedding_size=size, hidden_size=size, cell="gru", bidirectional=True,
        pooling="mean", dropout=0.5, embedding_std=0.1, seed=seed,
    )  # fmt: skip


Voters = list[tuple[Words | Pieces, SequenceRegressor]]


def train_voters(
    texts: list[str], y: np.ndarray, members: int, epochs: int, seed: int, progress: str
) -> Voters:
    """So many networks for each reading, each with the parameters that were best on a tenth of the sentences."""
    texts = [clean(text) for text in texts]
    train, validation = train_test_split(
        np.arange(len(texts)), test_size=0.1, stratify=y[:, 0], random_state=seed
    )
    train_texts, validation_texts = ([texts[i] for i in part] for part in (train, validation))
    voters: Voters = []
    for reading in (Words.learn(train_texts), Pieces.learn(train_texts, PIECES)):
        checked = Sequences(reading.encode(validation_texts), y[validation])
        for k in range(members):
            model = build_model(y.shape[1], reading.size, seed=seed + k)
            fit(
                model, Varied(train_texts, y[train], reading), checked, epochs=epochs, learning_rate=2e-3,
                schedule=Cosine(epochs, floor=0.05), patience=3, seed=seed + k,
                progress=f"{progress}, {type(reading).__name__.lower()}, network {k + 1} of {members}",
            )  # fmt: skip
            voters.append((reading, model))
    return voters


def scores(voters: Voters, texts: list[str]) -> np.ndarray:
    """[n]: above 0 for the film; label and grade of all networks, added up and divided by how many there are."""
    texts = [clean(text) for text in texts]
    return np.mean([model.predict(reading.encode(texts)).sum(axis=1) for reading, model in voters], axis=0)


def linear(texts: list[str], y: np.ndarray, test: list[str]) -> list[np.ndarray]:
    """The baselines: who is for the film by TF-IDF, with logistic regression on the labels, ridge regression on y."""
    weigh = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2).fit(texts)
    x, x_test = weigh.transform(texts), weigh.transform(test)
    labels = LogisticRegression(C=3, max_iter=1000).fit(x, y[:, 0] > 0).predict(x_test)
    return [labels, Ridge(1.0).fit(x, y).predict(x_test).reshape(len(test), -1).sum(axis=1) > 0]


def plot(confusion: np.ndarray, voters: Voters, path: pathlib.Path) -> None:
    figure = plt.figure(figsize=(12, 7), layout="constrained")
    grid = figure.add_gridspec(len(SHOWN), 2, width_ratios=(1, 2))
    left = figure.add_subplot(grid[:, 0])
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    left.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        color = "white" if share[row, column] > 0.5 else "black"
        left.text(column, row, f"{count}\n{share[row, column]:.0%}", ha="center", va="center", color=color)
    left.set(xticks=(0, 1), yticks=(0, 1), xlabel="predicted", ylabel="true", title="Sentences of all folds")
    left.set_xticklabels(["against", "for"])
    left.set_yticklabels(["against", "for"])
    for i, text in enumerate(SHOWN):
        axis = figure.add_subplot(grid[i, 1])
        read = clean(text).split()
        score = scores(voters, [" ".join(read[:t]) for t in range(1, len(read) + 1)])
        axis.bar(range(len(read)), score, color=["tab:green" if s > 0 else "tab:red" for s in score])
        axis.axhline(0, color="0.5", linewidth=0.8)
        axis.set(xticks=range(len(read)), ylim=(-3, 3), ylabel="for the film")
        axis.set_xticklabels(read, rotation=40, ha="right")
        if i == 0:
            axis.set_title("Score of the sentence up to each word")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Sentiment of film reviews", __doc__, "a text file of lines: 1 (for) or 0 (against), a tab, the sentence",
        members={"type": int, "default": 3, "help": "networks of each kind that vote, in each fold"},
        epochs={"type": int, "default": 8, "help": "at most, for each network"},
        folds={"type": int, "default": 10},
        say={"nargs": "+", "metavar": "SENTENCE", "help": "score these by the network of an earlier run"},
    )  # fmt: skip
    options = example.options
    if options.say:
        model = elman.load(example.path("safetensors"))
        for text, score in zip(
            options.say, scores([(Words(model.notes["words"]), model)], options.say), strict=True
        ):
            print(f"{score:+.2f}  {text}")
        return

    texts, y = load_data(options.data)
    if example.quick:
        options.members, options.epochs, options.folds = 1, 2, 2
        texts, y = texts[::5], y[::5]
    positive = y[:, 0] > 0
    confusion, right = np.zeros((2, 2), int), []
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    for fold, (train, test) in enumerate(folds.split(texts, positive), 1):
        train_texts, test_texts = [texts[i] for i in train], [texts[i] for i in test]
        voters = train_voters(
            train_texts, y[train], options.members, options.epochs, options.seed, f"fold {fold}"
        )
        found = scores(voters, test_texts) > 0
        np.add.at(confusion, (positive[test].astype(int), found.astype(int)), 1)
        every = [found, *linear(train_texts, y[train], test_texts)]
        right.append([100 * np.mean(one == positive[test]) for one in every])
        print(
            f"fold {fold}: networks {right[-1][0]:.2f} %, linear {right[-1][1]:.2f} and {right[-1][2]:.2f} %"
        )
    reading, model = voters[0]
    model.notes["words"] = reading.known
    model.save(example.path("safetensors"))
    plot(confusion, voters, example.path("png"))
    accuracy, labels, grades = np.mean(right, axis=0)
    metric = f"accuracy %, {options.folds} folds"
    example.report(
        [
            Result(metric, accuracy, labels, "TF-IDF, logistic regression on the labels", "higher"),
            Result(metric, accuracy, grades, "TF-IDF, ridge regression on labels and grades", "higher"),
        ]
    )


if __name__ == "__main__":
    main()
