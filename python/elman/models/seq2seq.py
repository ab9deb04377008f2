"""One sequence into another: an encoder, and a decoder that attends to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, init, losses
from ..data import Batch, Sequences
from ..data.vocabulary import as_vocabulary
from ..layers import DotAttention, Dropout, Embedding, Linear
from ..layers.wanted import is_wanted
from ..losses import Loss
from ..sequence.marks import closed_up, whole_lengths
from .base import Model
from .beam import beam_search
from .network import decoder_of
from .reading import read_tokens


class Seq2Seq(Model):
    """Encoder and decoder with attention (Sutskever et al. 2014; Luong et al. 2015).

    The decoder begins with the encoder's final state. At each step it reads the token before (in training the true
    one). Its h attends to the encoder's outputs by dot products; the logits of the next token come from
    tanh(W [context; h]).

    Args:
        target_vocabulary: V, tokens of the target, or a Vocabulary; then targets may be texts. The model adds a token
            of its own, which begins and ends each target.
        attention: without it the decoder has the encoder's final state alone.
        label_smoothing: share of each target spread over all tokens.
        options: of `elman.models.network`: vocabulary (of the source) or input_size, hidden_size, cell, num_layers,
            bidirectional (the decoder then has 2 H units), dropout (of both embeddings, between recurrent layers, and
            before the decoder's head), ...

    Targets: a list of [s_i] tokens. Predictions: logits [S + 1, B, V + 1].

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    def __init__(
        self, target_vocabulary: Any, *, attention: bool = True, label_smoothing: float = 0.0, **options: Any
    ):
        self.target_vocabulary, size = as_vocabulary(target_vocabulary)
        self.boundary = _check.whole_number("target_vocabulary", size, 1)
        self.label_smoothing = _check.fraction("label_smoothing", label_smoothing)
        seeds = init.seeds(options.get("seed"), 7)
        self.vocabulary = as_vocabulary(options.get("vocabulary"))[0]
        self.encoder = self._network(None, None, options | {"seed": seeds[0]})
        recurrent = self.encoder.recurrent
        width, dtype = recurrent.directions * recurrent.hidden_size, recurrent.dtype
        embedding_size = options.get("embedding_size") or recurrent.hidden_size
        std = options.get("embedding_std", 1.0)
        self.embedding = Embedding(self.boundary + 1, embedding_size, dtype=dtype, seed=seeds[1], std=std)
        self.decoder = decoder_of(recurrent, embedding_size, width, seeds[2])
        self.attention = DotAttention() if _check.flag("attention", attention) else None
        self.parts = {"encoder": self.encoder, "embedding": self.embedding, "decoder": self.decoder}
        if self.attention:
            self.parts["combine"] = self.combine = Linear(2 * width, width, dtype=dtype, seed=seeds[3])
        self.parts["head"] = self.head = Linear(width, self.boundary + 1, dtype=dtype, seed=seeds[4])
        dropout = options.get("dropout", 0.0)
        self.parts["embedding_dropout"] = self.embedding_dropout = Dropout(
            dropout, variational=True, seed=seeds[5]
        )
        self.parts["dropout"] = self.dropout = Dropout(dropout, variational=True, seed=seeds[6])

    def _shifted(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tokens that the decoder reads, those that it has to write, [S + 1, B] each, and their lengths."""
        y, lengths = batch.y_steps()
        ends = whole_lengths("y_lengths", lengths, len(y), batch.size)
        _check.tokens("y", y[np.arange(len(y))[:, None] < ends], self.boundary)
        before = np.full((len(y) + 1, batch.size), self.boundary)
        before[1:] = y
        after = np.full_like(before, self.boundary)
        after[:-1] = y
        after[ends, np.arange(batch.size)] = self.boundary
        before[np.arange(len(before))[:, None] > ends] = self.boundary  # padding may be anything
        return before, after, ends + 1

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        before, _, lengths = self._shifted(batch)
        memory, steps, h, through_both = self._flow_to_decoder(batch, state, before, lengths, keep)
        top, through_attention = self._flow_through_attention(h, memory, steps, lengths, keep)
        kept, through_dropout = self.dropout.apply(top, keep=keep)
        logits, through_head = self.head.apply(kept, keep=keep)
        below = any(is_wanted(part) for part in self.parts.values() if part is not self.head)

        def backward(d: np.ndarray) -> None:
            dtop = through_head(d, need_dx=below)
            if below:
                dh, dmemory = through_attention(through_dropout(dtop))
                through_both(dmemory, dh)

        return logits, None, backward

    def _flow_to_decoder(
        self, batch: Batch, state: Any, before: np.ndarray, lengths: np.ndarray, keep: bool
    ) -> tuple[np.ndarray, Any, np.ndarray, Any]:
        """The encoder's outputs [T, B, H] and their lengths, the decoder's h [S + 1, B, H], `backward` of both."""
        memory, lengths_in, after, through_encoder = self._encode(batch, state, keep)
        vectors, through_embedding = self.embedding.apply(before, keep=keep)
        vectors, through_dropout = self.embedding_dropout.apply(vectors, keep=keep)
        h, _, through_decoder = self.decoder.apply(vectors, self._join(after[0]), lengths, keep=keep)
        to_encoder, to_embedding = is_wanted(self.encoder), is_wanted(self.embedding)

        def backward(dmemory: np.ndarray, dh: np.ndarray) -> None:
            dvectors, dstate = through_decoder(dh, need_dx=to_embedding, need_dstate=to_encoder)
            if to_embedding:
                through_embedding(through_dropout(dvectors))
            if to_encoder:
                through_encoder(dmemory, self._part(dstate))

        return memory, lengths_in, h, backward

    def _encode(self, batch: Batch, state: Any, keep: bool) -> tuple[np.ndarray, Any, Any, Any]:
        """The encoder's outputs, how many there are of each sequence, its state, `backward`. Masked steps are no part
        of what is attended to."""
        memory, after, through = self.encoder.apply(batch.x, state, batch.lengths, batch.mask, keep=keep)
        lengths: Any = batch.lengths
        opened: Any = lambda d: d  # noqa: E731
        if batch.mask is not None:
            memory, lengths, opened = closed_up(memory, lengths, batch.mask)
        return (
            memory,
            lengths,
            after,
            lambda d, dstate: through(opened(d), (dstate,), need_dx=False, need_dstate=False),
        )

    def _flow_through_attention(
        self, h: np.ndarray, memory: np.ndarray, lengths: Any, ends: np.ndarray, keep: bool
    ) -> tuple[np.ndarray, Any]:
        """tanh(W [context; h]), and `backward`, which gives the gradients of h and of the memory. Without attention h
        itself."""
        if self.attention is None:
            return h, lambda dh: (dh, np.zeros_like(memory))
        context, through_attention = self.attention.apply(h, memory, lengths, ends, keep=keep)
        top, through_combine = self._flow_through_combine(context, h, keep)

        def backward(dtop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            dcontext, dh = through_combine(dtop)
            dquery, dmemory = through_attention(dcontext)
            dh += dquery
            return dh, dmemory

        return top, backward

    def _flow_through_combine(self, context: np.ndarray, h: np.ndarray, keep: bool) -> tuple[np.ndarray, Any]:
        pairs, through_combine = self.combine.apply(np.concatenate([context, h], axis=-1), keep=keep)
        top = np.tanh(pairs)

        def backward(dtop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            dcontext, dh = np.split(through_combine(dtop * (1 - np.square(top))), 2, axis=-1)
            return np.ascontiguousarray(dcontext), np.ascontiguousarray(dh)

        return top, backward

    def _join(self, state: Any) -> Any:
        """The encoder's final state [L * D, B, H] as the decoder's first [L, B, D * H]."""
        return _each(state, lambda part: _swap_directions(part, self.decoder.num_layers))

    def _part(self, state: Any) -> Any:
        """The reverse of `_join`."""
        D = self.encoder.recurrent.directions
        return _each(state, lambda part: _part_directions(part, D))

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        _, after, lengths = self._shifted(batch)
        return losses.cross_entropy(
            prediction, after, lengths, label_smoothing=self.label_smoothing, weights=self._weights(batch, after),
            gradient=gradient,
        )  # fmt: skip

    def _weights(self, batch: Batch, after: np.ndarray) -> np.ndarray | None:
        """[S + 1, B]"""
        if batch.weights is None:
            return None
        if batch.weights.ndim == 1:
            return np.tile(batch.weights, (len(after), 1))
        raise ValueError(
            f"weights: expected [n], one for each target as a whole, got {_check.describe(batch.weights)}"
        )

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        return read_tokens(y, known, self.boundary, f"a list of [s_i] tokens, got {got}")

    def predict(
        self,
        x: Any,
        *,
        beam_size: int = 4,
        max_length: int = 100,
        length_penalty: float = 0.0,
        batch_size: int = 64,
        mask: Any = None,
    ) -> list[np.ndarray]:
        """The likeliest target [s_i] found for each sequence of x, by beam search; beam_size 1 is greedy.

        Args:
            x: a list of [t_i] tokens (or [t_i, I] features), or one array [n, T, ...].
            beam_size: hypotheses kept at each step.
            max_length: tokens of a target.
            length_penalty: a in log probability / length^a, by which whole targets are ranked (Wu et al. 2016).
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of [t_i]: False for steps of x to skip.

        Returns:
            A list of [s_i] tokens.

        Raises:
            ValueError: something does not fit.
        """
        _check.whole_number("beam_size", beam_size, 1)
        _check.whole_number("max_length", max_length, 1)
        data = self._data(x, mask=mask)
        found: list[Any] = [None] * len(data)
        for batch in data.batches(_check.whole_number("batch_size", batch_size, 1)):
            step = _Decoding(self, self.read(batch), beam_size)
            best = beam_search(step, batch.size, beam_size, self.boundary, max_length, length_penalty)
            for i, tokens in zip(batch.index, best, strict=True):
                found[i] = tokens
        return found

    def attention_weights(self, x: Any, y: Any, batch_size: int = 64) -> list[np.ndarray]:
        """How much attention each token of a target pays to each step of its source.

        Args:
            x: a list of [t_i] tokens (or [t_i, I] features), as for `predict`.
            y: a list of [s_i] target tokens, those of `predict` for instance.
            batch_size: sequences at a time.

        Returns:
            [s_i + 1, t_i] for each sequence; each row sums to 1, the last is that of the target's end.

        Raises:
            ValueError: the model has no attention, or x and y do not match.
        """
        if self.attention is None:
            raise ValueError("attention_weights: expected a model with attention, got attention=False")
        found: list[Any] = [None] * len(x)
        data = Sequences(x, y, **self.vocabularies)
        self.expect_data("", data)
        for batch in map(self.read, data.batches(_check.whole_number("batch_size", batch_size, 1))):
            before, _, ends = self._shifted(batch)
            memory, _, h, _ = self._flow_to_decoder(batch, None, before, ends, keep=False)
            weights = self.attention.weights(h, memory, batch.lengths, ends)
            steps = whole_lengths("lengths", batch.lengths, len(memory), batch.size)
            for b, i in enumerate(batch.index):
                found[i] = weights[: ends[b], b, : steps[b]]
        return found


class _Decoding:
    """The decoder's steps over K hypotheses for each of B sequences; row k * B + b is hypothesis k of sequence b."""

    def __init__(self, model: Seq2Seq, batch: Batch, K: int):
        self._model, self._shape = model, (K, batch.size)
        memory, lengths, state, _ = model._encode(batch, None, keep=False)
        self._attend = model.attention.over(memory, lengths) if model.attention else None
        self._step = model.decoder.stepper(K * batch.size)
        self._step.state = _each(model._join(state[0]), lambda part: np.tile(part, (1, K, 1)))

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Logits [K, B, V + 1] after tokens [K, B]."""
        model = self._model
        h = self._step(model.embedding(tokens.reshape(-1))).reshape(*self._shape, -1)
        if self._attend:
            h, _ = model._flow_through_combine(self._attend(h), h, keep=False)
        return model.head(h)

    def select(self, origin: np.ndarray) -> None:
        """Hypothesis k goes on from what was `origin[k]`, [K, B]."""
        B = origin.shape[1]
        rows = (origin * B + np.arange(B)).reshape(-1)
        self._step.state = _each(self._step.state, lambda part: np.ascontiguousarray(part[:, rows]))


def _each(state: Any, f: Any) -> Any:
    """f of h, or of h and c."""
    return tuple(map(f, state)) if isinstance(state, tuple) else f(state)


def _swap_directions(part: np.ndarray, L: int) -> np.ndarray:
    """[L * D, B, H] as [L, B, D * H]."""
    rows, B, H = part.shape
    return np.ascontiguousarray(part.reshape(L, rows // L, B, H).swapaxes(1, 2)).reshape(L, B, -1)


def _part_directions(part: np.ndarray, D: int) -> np.ndarray:
    """[L, B, D * H] as [L * D, B, H]."""
    L, B, width = part.shape
    return np.ascontiguousarray(part.reshape(L, B, D, width // D).swapaxes(1, 2)).reshape(L * D, B, -1)
