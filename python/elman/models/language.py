"""A model of texts: the next token."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from ..data.vocabulary import as_vocabulary, is_text
from .labels import Labels
from .one_network import OfClasses
from .sampling import Sampler


class LanguageModel(OfClasses):
    """The next token of a text, at each step.

    Args:
        vocabulary: V, a number of tokens, or an `elman.train.Vocabulary`; then a prompt may be a text.
        ignore: a token that is not learnt as a next one (a padding); None: all are.
        options: of `elman.models.network`, but `bidirectional`.

    Trains on a `Stream` of tokens (state carried from piece to piece), or on sequences with y a list of [t_i] next
    tokens. Predictions: logits [T, B, V].

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    by_steps = True

    def __init__(self, vocabulary: Any, *, ignore: int | None = None, **options: Any):
        if options.get("bidirectional"):
            raise ValueError("bidirectional: expected False, as a text is written forward, got True")
        size = as_vocabulary(vocabulary)[1]
        self.labels = Labels("vocabulary", size, ignore)
        self._build(size, None, {"vocabulary": vocabulary} | options)

    def generate(
        self,
        length: int,
        prompt: Any = (0,),
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        samples: int = 1,
        seed: Any = None,
    ) -> np.ndarray:
        """Write on from a prompt.

        Args:
            length: tokens to write.
            prompt: [t] tokens that come before, at least one; or a text, if the model has a Vocabulary.
            temperature: logits are divided by it; 0 takes the likeliest token each time.
            top_k: choose among so many likeliest tokens (Fan et al. 2018).
            top_p: choose among the likeliest tokens that together have this probability (Holtzman et al. 2020).
            samples: texts to write at once.
            seed: of the choices: a whole number or a generator; None for new ones.

        Returns:
            int64 [samples, length]: the new tokens. `model.vocabulary.decode` gives the words of one row.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        length = _check.whole_number("length", length, 1)
        if self.vocabulary is not None and (isinstance(prompt, str) or is_text(prompt)):
            prompt = self.vocabulary.encode(prompt)
        tokens = to_numpy("prompt", prompt, np.int64)
        if tokens.ndim != 1 or not tokens.size:
            raise ValueError(f"prompt: expected [t] tokens, at least one, got {_check.describe(tokens)}")
        sampler = Sampler(temperature, top_k, top_p, seed)
        samples = _check.whole_number("samples", samples, 1)
        step = self.stepper(samples)
        written = np.empty((samples, length), np.int64)
        for token in tokens:
            logits = step(np.full(samples, token))
        for t in range(length):
            written[:, t] = sampler(logits)
            logits = step(written[:, t])
        return written
