"""Texts and tokens as estimators take them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..data.intake import series_of
from ..data.vocabulary import as_vocabulary, is_text
from ..train import Vocabulary


def vocabulary_of(given: Any, X: Any) -> Vocabulary | None:
    """The Vocabulary that the argument `vocabulary` says, which may be learnt from X; None where there is none.

    Raises:
        ValueError: it is nothing that stands for one, or X are no texts to learn from.
    """
    how = {} if isinstance(given, str) and given == "learn" else given
    if isinstance(how, dict) and "words" not in how:
        if not is_text(X):
            raise ValueError(
                f"X: expected texts or lists of words, [n], with vocabulary={given!r}, got {_check.describe(X)}"
            )
        return Vocabulary.of(X, **how)
    found, size = as_vocabulary(given)
    if found is None and size is not None:
        if isinstance(size, str):
            raise ValueError(f"vocabulary: expected 'learn', a Vocabulary or a whole number, got {size!r}")
        _check.whole_number("vocabulary", size, 1)
    return found


def known_tokens(X: Any, vocabulary: Vocabulary | None, size: int) -> Any:
    """Tokens [n, t], or a list of [t_i], of texts or of numbers 0 to size - 1.

    Raises:
        ValueError: X is neither, or a number is too large.
    """
    if is_text(X):
        if vocabulary is None:
            raise ValueError("X: expected tokens, got texts; a Vocabulary, or vocabulary='learn', reads them")
        return vocabulary(X)
    found = series_of("X", X)
    for i, one in enumerate(found):
        if one.ndim != 1 or (one.dtype.kind not in "biu" and one.size):
            raise ValueError(f"X[{i}]: expected [t] tokens, whole numbers, got {_check.describe(one)}")
        _check.tokens(f"X[{i}]", one.astype(np.int64), size)
    return found
