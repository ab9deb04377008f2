"""Is a sentence from a film review for or against the film? Learned from ten thousand sentences, no pretrained vectors.

Each word becomes a small vector, a GRU reads the sentence, and the mean of what it says after each word decides. A few
networks with different seeds vote. The figure is the accuracy of 10-fold cross-validation, beside TF-IDF of words and
pairs of words with logistic regression on the same folds; words are known from the training folds only.

    python examples/sentiment.py
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

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline

from elman.models import SequenceClassifier
from elman.train import Batch, Cosine, Sequences, fit
from support.data import from_pypi, member
from support.run import Example, Result

UNKNOWN = 0  # the token of rare words, and of words dropped in training
POSITIVE_BELOW = 5153  # ids of the sentences for the film
WORD = re.compile(r"n't|'[a-z]+|[a-z]+|[!?.,;:]")
SHOWN = (
    "The acting is superb and the story moves you.",
    "It starts as a promising thriller, but it is a dull and tedious mess.",
    "Not a bad film at all; it is funny, warm and honest.",
)


def load_sentences(path: pathlib.Path | None = None) -> tuple[list[str], np.ndarray]:
    """The sentences, and 1 or 0 for each: for or against the film."""
    if path:
        rows = [line.split("\t", 1) for line in path.read_text().splitlines()]
        return [text for _, text in rows], np.array([int(label) for label, _ in rows])
    archive = member(from_pypi("vaderSentiment", "3.3.2", source=True), "*/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        file = files.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        assert file is not None
        lines = [line.split("\t") for line in file.read().decode().splitlines()]
    return [text for _, _, text in lines], np.array([int(int(i) < POSITIVE_BELOW) for i, _, _ in lines])


def words(text: str) -> list[str]:
    """Lower-case words and punctuation; "isn't" is "is" and "n't"."""
    return WORD.findall(re.sub(r"n't\b", " n't", text.lower()))


def make_vocabulary(texts: list[str], at_least: int = 2) -> dict[str, int]:
    counts = Counter(word for text in texts for word in words(text))
    frequent = sorted(word for word, count in counts.items() if count >= at_least)
    return {word: token for token, word in enumerate(frequent, start=UNKNOWN + 1)}


def encode(texts: list[str], vocabulary: dict[str, int]) -> list[np.ndarray]:
    return [np.array([vocabulary.get(word, UNKNOWN) for word in words(text)] or [UNKNOWN]) for text in texts]


class WordDropout(Sequences):
    """Sequences of which a share of the words is unknown, others each time: no word may decide alone."""

    share = 0.1

    def batches(self, batch_size: int, seed: Any = None) -> Iterator[Batch]:
        rng = np.random.default_rng(seed)
        for batch in super().batches(batch_size, seed):
            yield replace(batch, x=np.where(rng.random(batch.x.shape) < self.share, UNKNOWN, batch.x))


def build_model(vocabulary: int, size: int = 64, seed: int = 0) -> SequenceClassifier:
    model = SequenceClassifier(
        2, vocabulary=vocabulary, embedding_size=size, hidden_size=size, cell="gru", pooling="mean",
        dropout=0.5, seed=seed,
    )  # fmt: skip
    # Most words are rare: from small vectors they say little until they have been learned.
    model.parameters["network.embedding.weight"][:] *= 0.1
    return model


def train_models(
    texts: list[str], labels: np.ndarray, members: int, epochs: int, seed: int, progress: str
) -> tuple[list[SequenceClassifier], dict[str, int]]:
    """Networks that stop early on a tenth of the sentences, and the words they know."""
    train, validation = train_test_split(
        np.arange(len(texts)), test_size=0.1, stratify=labels, random_state=seed
    )
    vocabulary = make_vocabulary([texts[i] for i in train])
    x = encode(texts, vocabulary)
    models = []
    for k in range(members):
        model = build_model(len(vocabulary) + 1, seed=seed + k)
        fit(
            model,
            WordDropout([x[i] for i in train], labels[train]),
            Sequences([x[i] for i in validation], labels[validation]),
            epochs=epochs,
            schedule=Cosine(epochs, floor=0.05),
            patience=2,
            seed=seed + k,
            progress=f"{progress}, network {k + 1} of {members}",
        )
        models.append(model)
    return models, vocabulary


def for_the_film(models: list[SequenceClassifier], x: list[np.ndarray]) -> np.ndarray:
    """[n]: the probability, the mean of the networks'."""
    return np.mean([model.predict_proba(x)[:, 1] for model in models], axis=0)


def as_it_reads(model: SequenceClassifier, tokens: np.ndarray) -> np.ndarray:
    """The probability after each word: a stepper takes one word at a time."""
    step = model.stepper(1)
    logits = np.stack([step(token[None])[0] for token in tokens])
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


def plot(
    confusion: np.ndarray, model: SequenceClassifier, vocabulary: dict[str, int], path: pathlib.Path
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

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
        read = words(text)
        chance = as_it_reads(model, encode([text], vocabulary)[0])
        axis.bar(range(len(read)), chance - 0.5, bottom=0.5,
                 color=["tab:green" if p > 0.5 else "tab:red" for p in chance])  # fmt: skip
        axis.axhline(0.5, color="0.5", linewidth=0.8)
        axis.set(xticks=range(len(read)), ylim=(0, 1), ylabel="for the film")
        axis.set_xticklabels(read, rotation=40, ha="right")
        if i == 0:
            axis.set_title("Probability after each word")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Sentiment of film reviews", __doc__, "a text file of lines: 1 (for) or 0 (against), a tab, the sentence",
        members={"type": int, "default": 3, "help": "networks that vote, in each fold"},
        epochs={"type": int, "default": 6, "help": "at most, for each network"},
        folds={"type": int, "default": 10},
    )  # fmt: skip
    options = example.options
    texts, labels = load_sentences(options.data)
    if example.quick:
        options.members, options.epochs, options.folds = 1, 2, 2
        texts, labels = texts[::5], labels[::5]
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    confusion, right, baseline = np.zeros((2, 2), int), [], []
    for fold, (train, test) in enumerate(folds.split(texts, labels)):
        train_texts, test_texts = [texts[i] for i in train], [texts[i] for i in test]
        models, vocabulary = train_models(
            train_texts, labels[train], options.members, options.epochs, options.seed, f"fold {fold + 1}"
        )
        predicted = (for_the_film(models, encode(test_texts, vocabulary)) > 0.5).astype(int)
        np.add.at(confusion, (labels[test], predicted), 1)
        right.append(100 * np.mean(predicted == labels[test]))
        linear = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2),
            LogisticRegression(C=3, max_iter=1000),
        )
        linear.fit(train_texts, labels[train])
        baseline.append(100 * linear.score(test_texts, labels[test]))
    model = models[0]
    model.notes["classes"], model.notes["vocabulary"] = ["against", "for"], vocabulary
    model.save(example.path("safetensors"))
    plot(confusion, model, vocabulary, example.path("png"))
    example.report(
        [
            Result(
                f"accuracy %, {options.folds} folds",
                float(np.mean(right)),
                float(np.mean(baseline)),
                "TF-IDF, logistic regression",
                "higher",
            )
        ]
    )


if __name__ == "__main__":
    main()
