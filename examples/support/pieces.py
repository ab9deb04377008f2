"""Pieces of words by a unigram model (Kudo 2018, https://arxiv.org/abs/1804.10959), learned from the training texts."""

from __future__ import annotations

import io
from bisect import bisect
from collections.abc import Iterable

import numpy as np
import sentencepiece

UNKNOWN = 0  # the token of what no piece covers
WAYS = 64  # to cut a word at random; what is left out has 1 % of the probability


class Pieces:
    """Cuts texts into `size` different tokens; `proto` is the model as sentencepiece writes it."""

    def __init__(self, proto: bytes):
        self.proto = proto
        self._model = sentencepiece.SentencePieceProcessor(model_proto=proto)
        self.size = len(self._model)
        self._scores = np.float32([self._model.get_score(token) for token in range(self.size)])
        self._ways: dict[tuple[str, float], tuple[list[list[int]], np.ndarray]] = {}

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> Pieces:
        """At most `size` pieces, every character among them."""
        proto = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=proto, vocab_size=size, character_coverage=1.0,
            unk_id=UNKNOWN, bos_id=-1, eos_id=-1, hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        return cls(proto.getvalue())

    def encode(self, texts: Iterable[str]) -> list[np.ndarray]:
        """A row of tokens for each text: the likeliest way to cut it."""
        return [np.array(row or [UNKNOWN]) for row in self._model.encode(list(texts))]

    def sample(self, texts: Iterable[str], alpha: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Each word cut at random, a way of probability p with chance proportional to p ** alpha (subword
        regularization). sentencepiece can draw as well, but not the same from the same seed in the next process."""
        rows = []
        for text in texts:
            words = text.split()
            row: list[int] = []
            for word, chance in zip(words, rng.random(len(words)), strict=True):
                ways, below = self._ways_to_cut(word, alpha)
                row += ways[bisect(below, chance)]
            rows.append(np.array(row or [UNKNOWN]))
        return rows

    def decode(self, rows: Iterable[np.ndarray]) -> list[str]:
        return self._model.decode([row.tolist() for row in rows])

    def names(self, row: np.ndarray) -> list[str]:
        """The pieces as text, without the mark of a word's beginning."""
        return [piece.replace("▁", "") for piece in self._model.id_to_piece(row.tolist())]

    def _ways_to_cut(self, word: str, alpha: float) -> tuple[list[list[int]], np.ndarray]:
        """The likeliest ways, and for each but the last the chance of it and those before."""
        if (word, alpha) not in self._ways:
            ways = self._model.nbest_encode(word, nbest_size=WAYS)
            # Log-probabilities; an unknown letter is in all ways alike. Summed from the end, as sentencepiece does.
            scores = np.array([self._scores[way[::-1]].cumsum()[-1] for way in ways], np.float64)
            weights = np.exp(alpha * (scores - scores.max()))
            self._ways[word, alpha] = ways, np.cumsum(weights / weights.sum())[:-1]
        return self._ways[word, alpha]
