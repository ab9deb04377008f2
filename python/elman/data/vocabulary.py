"""Words to numbers, and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import _check
from .intake import is_missing

Split = Callable[[str], Iterable[str]]


def _plain(text: str) -> list[str]:
    """Words in small letters, and each other sign apart; a word may have ' and - inside."""
    return re.findall(r"\w+(?:['\u2019-]\w+)*|[^\w\s]", text.lower())


SPLITS: dict[str, Split] = {"words": str.split, "plain": _plain, "characters": list}


class Vocabulary:
    """The words that a model knows, each with a number: 0 to len(vocabulary) - 1.

    `Vocabulary.of(texts)` learns one. Texts are cut into words by `split`. Where a list of words is given instead of
    a text (of any tokenizer), it is taken as it is. Models take it as `vocabulary=`, and keep it in their files.

    Args:
        words: the word of each number.
        unknown: the word among them that stands for those that are not known; None: they are refused.
        padding: a word among them that stands for no word, if there is one. elman pads nothing, other libraries do.
        split: "words" (what stands between blanks, `str.split`), "plain" (words in small letters, with . , ? ! and
            other signs apart), "characters", or a function of a text that gives its words. A file of a model keeps no
            function: a vocabulary loaded from there takes lists of words only, until `split` is set.

    Raises:
        ValueError: a word is there twice, or is no text; unknown or padding is not among them.
    """

    def __init__(
        self,
        words: Iterable[str],
        *,
        unknown: str | None = None,
        padding: str | None = None,
        split: str | Split | None = "words",
    ):
        self.words = tuple(words)
        for i, word in enumerate(self.words):
            if not isinstance(word, str):
                raise ValueError(f"words[{i}]: expected text, got {_check.describe(word)}")
        self._numbers = {word: i for i, word in enumerate(self.words)}
        if len(self._numbers) < len(self.words):
            twice = next(word for word, n in Counter(self.words).items() if n > 1)
            raise ValueError(f"words: expected each once, got {twice!r} twice")
        if not self.words:
            raise ValueError("words: expected at least one, got none")
        for name, special in (("unknown", unknown), ("padding", padding)):
            if special is not None and special not in self._numbers:
                raise ValueError(
                    f"{name}: expected one of the words, or None, got {_check.describe(special)}"
                )
        self.unknown, self.padding = unknown, padding
        if split is not None and not callable(split):
            _check.choice("split", split, tuple(SPLITS))
        self.split: str | Split | None = split

    @classmethod
    def of(
        cls,
        texts: Iterable[str | Iterable[str]],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        unknown: str | None = "<unknown>",
        padding: str | None = None,
        specials: Sequence[str] = (),
        split: str | Split = "words",
    ) -> Vocabulary:
        """The words of some texts (or lists of words): padding, unknown and specials first, then the most frequent
        (of equally frequent ones the first that came).

        Args:
            texts: a list of texts, or of lists of words.
            min_count: a whole number; words that come less often are left out. With 2 or more the texts have words
                that are not known, and so a model learns what to make of these.
            max_size: the largest number of words, these first ones counted; None: no limit.
            unknown, padding: words that are added; None: no such word.
            specials: a list of further words that are added.
            split: as for a Vocabulary.

        Returns:
            The Vocabulary.

        Raises:
            ValueError: an argument does not fit, or what was given is one text.
        """
        min_count = _check.whole_number("min_count", min_count, 1)
        if isinstance(specials, str):
            raise ValueError(f"specials: expected a list of words, got {specials!r}")
        first = [word for word in (padding, unknown, *specials) if word is not None]
        counts: Counter[str] = Counter()
        reader = cls(["any"], split=split)
        for i, text in enumerate(_each(texts)):
            counts.update(reader._cut(f"texts[{i}]", text))
        for word in first:
            counts.pop(word, None)
        words = [word for word, count in counts.most_common() if count >= min_count]
        if max_size is not None:
            words = words[: _check.whole_number("max_size", max_size, max(1, len(first))) - len(first)]
        return cls([*first, *words], unknown=unknown, padding=padding, split=split)

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.as_plain() == other.as_plain()

    def __hash__(self) -> int:
        return hash((self.words, self.unknown, self.padding))

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} words, unknown={self.unknown!r}, padding={self.padding!r})"

    def number(self, word: str) -> int:
        """The number of a word; that of `unknown` where it is not known.

        Raises:
            ValueError: it is not known, and there is no word for such.
        """
        found = self._numbers.get(word, -1 if self.unknown is None else self._numbers[self.unknown])
        if found < 0:
            raise ValueError(
                f"text: expected words of the vocabulary, which has none for others, got {word!r}"
            )
        return found

    def cut(self, text: str | Iterable[str]) -> list[str]:
        """The words of a text; of a list of words these themselves.

        Raises:
            ValueError: it is neither, or `split` was a function that the file has not kept.
        """
        return self._cut("text", text)

    def _cut(self, name: str, text: Any) -> list[str]:
        if isinstance(text, str):
            if self.split is None:
                raise ValueError(
                    "split: expected the function that cut texts when the model was saved, got none; set "
                    "vocabulary.split, or give lists of words"
                )
            split = SPLITS[self.split] if isinstance(self.split, str) else self.split
            text = split(text)
        if not isinstance(text, Iterable):  # such as a text that is missing in a table
            hint = "; leave it out, or give '' for it" if is_missing(text) else ""
            raise ValueError(f"{name}: expected a text or a list of words, got {_check.describe(text)}{hint}")
        words = list(text)
        for word in words:
            if not isinstance(word, str):
                raise ValueError(
                    f"{name}: expected a text or a list of words, got {_check.describe(word)} in it"
                )
        return words

    def encode(self, text: str | Iterable[str]) -> np.ndarray:
        """Numbers [t] int64 of one text, or of a list of words."""
        return self._encode("text", text)

    def _encode(self, name: str, text: Any) -> np.ndarray:
        return np.array([self.number(word) for word in self._cut(name, text)], np.int64)

    def __call__(self, texts: Iterable[str | Iterable[str]]) -> list[np.ndarray]:
        """Numbers [t_i] int64 of each of several texts, or lists of words."""
        return [self._encode(f"texts[{i}]", text) for i, text in enumerate(_each(texts))]

    def decode(self, tokens: Any) -> list[str]:
        """The words of numbers.

        Args:
            tokens: [t] whole numbers: an array of any library, or a list.

        Returns:
            A list of t words.

        Raises:
            ValueError: there is no word of such a number.
        """
        numbers = _check.tokens("tokens", tokens, len(self))
        if numbers.ndim != 1:
            raise ValueError(f"tokens: expected [t], got {_check.describe(numbers)}")
        return [self.words[i] for i in numbers]

    def as_plain(self) -> dict[str, Any]:
        """What JSON holds of it: `Vocabulary(**vocabulary.as_plain())` is the same again, but for a `split` that is a
        function."""
        split = self.split if isinstance(self.split, str) else None
        return {"words": list(self.words), "unknown": self.unknown, "padding": self.padding, "split": split}


def _each(texts: Any) -> Iterator[Any]:
    if isinstance(texts, (str, bytes)) or not hasattr(texts, "__iter__"):
        raise ValueError(f"texts: expected several, as a list, got {_check.describe(texts)}")
    return iter(texts)


def is_text(values: Any) -> bool:
    """Whether these are texts, or lists of words; some may be missing."""
    if not _may_hold_text(values):
        return False
    first = _first(values)
    if _may_hold_text(first):
        first = _first(one for value in values if _may_hold_text(value) for one in value)
    return isinstance(first, str)


def _first(values: Iterable[Any]) -> Any:
    return next((one for one in values if not is_missing(one)), None)


def _may_hold_text(values: Any) -> bool:
    """Whether these are a list, or an array or Series of text or objects; tensors and buffers hold numbers."""
    if isinstance(values, (list, tuple)):
        return True
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    return getattr(values, "ndim", 0) == 1 and kind in ("O", "U")


def as_vocabulary(value: Any) -> tuple[Vocabulary | None, Any]:
    """(the vocabulary, its size) of a model's argument: a Vocabulary, what `as_plain` gave, or a number."""
    if isinstance(value, dict):
        value = Vocabulary(**value)
    return (value, len(value)) if isinstance(value, Vocabulary) else (None, value)
