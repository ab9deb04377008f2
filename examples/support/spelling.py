"""Texts letter by letter: which letter comes next, and how many of them are wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence


class LetterModel:
    """The probability of a letter after the ones before it, learned from texts: counts after contexts of all lengths,
    longer ones mixed with shorter ones (Witten & Bell 1991)."""

    def __init__(self, texts: Sequence[str], alphabet: str, order: int = 8):
        self.alphabet, self.order = alphabet, order
        self.counts: dict[str, Counter] = {}
        for text in texts:
            for i, letter in enumerate(text):
                for begin in range(max(0, i - order + 1), i + 1):
                    self.counts.setdefault(text[begin:i], Counter())[letter] += 1

    def probability(self, context: str, letter: str) -> float:
        p = 1 / len(self.alphabet)
        for begin in range(len(context), -1, -1):
            seen = self.counts.get(context[begin:])
            if seen is None:
                break
            p = (seen[letter] + len(seen) * p) / (seen.total() + len(seen))
        return p

    def score(self, weight: float, bonus: float) -> Callable[[tuple[int, ...], int], float]:
        """For a beam search over indices into the alphabet: the weighted log probability of a letter after the prefix,
        and a bonus for each letter, without which short texts win."""

        def score(prefix: tuple[int, ...], label: int) -> float:
            context = "".join(self.alphabet[i] for i in prefix[1 - self.order :])
            return weight * math.log(self.probability(context, self.alphabet[label])) + bonus

        return score


def edits(a: Sequence, b: Sequence) -> int:
    """The least number of insertions, deletions and substitutions that make b of a (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


def error_rate(found: Sequence[Sequence], true: Sequence[Sequence]) -> float:
    """Edits for every 100 letters of the true texts."""
    return 100 * sum(map(edits, found, true)) / sum(map(len, true))
