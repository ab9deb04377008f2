"""elman's models in PyTorch, as its users write them: packed sequences where lengths differ, padding ignored by the
loss. Each takes its weights from the elman model and loses exactly the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

IGNORED = -100


def recurrent_like(layer: Any) -> nn.Module:
    kind = getattr(nn, type(layer).__name__)
    return kind(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bidirectional=layer.bidirectional,
        dropout=layer.dropout,
    )


class Dropout(nn.Module):
    """nn.Dropout, or one mask for all steps of a sequence of x [T, B, F]."""

    def __init__(self, layer: Any):
        super().__init__()
        self.p, self.variational = layer.p, layer.variational

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.variational or not self.training:
            return nn.functional.dropout(x, self.p, self.training)
        return x * nn.functional.dropout(torch.ones_like(x[:1]), self.p)


def padded(batch: Any) -> torch.Tensor:
    """A batch's targets for each step, [T, B], with what lies beyond a length ignored."""
    return ignored(*batch.y_steps())


def ignored(y: Any, lengths: Any) -> torch.Tensor:
    """[T, B] targets with what lies beyond a length ignored."""
    target = torch.from_numpy(y)
    if lengths is None:
        return target
    beyond = torch.arange(len(y))[:, None] >= torch.from_numpy(lengths)
    return target.masked_fill(beyond, IGNORED)


class Twin(nn.Module):
    """A recurrent network with the embedding, the dropout and the linear head that the model has.

    PyTorch has no recurrent dropout; a model with it has a twin without.
    """

    def __init__(self, model: Any, network: Any, prefix: str):
        super().__init__()
        parts = network.parts
        self.model = [model]  # in a list: it is not a torch module
        self.recurrent = recurrent_like(parts["recurrent"])
        self.pairs = [(self.recurrent, f"{prefix}.recurrent")]
        self.embedding: nn.Module = nn.Identity()
        self.head: nn.Module = nn.Identity()
        if "embedding" in parts:
            self.embedding = nn.Embedding(parts["embedding"].num_embeddings, parts["embedding"].embedding_dim)
            self.pairs.append((self.embedding, f"{prefix}.embedding"))
        if "head" in parts:
            self.head = nn.Linear(parts["head"].in_features, parts["head"].out_features)
            self.pairs.append((self.head, f"{prefix}.head"))
        dropouts = [parts.get(name) for name in ("embedding_dropout", "dropout")]
        self.after_embedding, self.before_head = (Dropout(d) if d else nn.Identity() for d in dropouts)

    def copy_weights(self, back: bool = False) -> None:
        """From elman's model, or back to it."""
        parameters = self.model[0].parameters
        for module, prefix in self.pairs:
            for name, value in module.named_parameters():
                if back:
                    parameters[f"{prefix}.{name}"] = value
                else:
                    value.data.copy_(torch.tensor(parameters[f"{prefix}.{name}"]))

    def weight(self, batch: Any) -> int:
        """How many targets the loss of a batch is the mean of."""
        return batch.y.size if batch.y_lengths is None else int(batch.y_lengths.sum())

    def read(self, batch: Any, state: Any = None) -> tuple[torch.Tensor, Any]:
        x = self.after_embedding(self.embedding(torch.from_numpy(batch.x)))
        if batch.lengths is None:
            return self.recurrent(x, state)
        packed = pack_padded_sequence(x, torch.from_numpy(batch.lengths), enforce_sorted=False)
        y, state = self.recurrent(packed, state)
        return pad_packed_sequence(y)[0], state


class Classifier(Twin):
    def __init__(self, model: Any):
        super().__init__(model, model.network, "network")

    def loss(self, batch: Any, state: Any) -> tuple[torch.Tensor, Any]:
        _, (h, _) = self.read(batch)
        logits = self.head(self.before_head(torch.cat([h[0], h[1]], dim=1)))
        return nn.functional.cross_entropy(logits, torch.from_numpy(batch.y)), None


class Tagger(Classifier):
    def loss(self, batch: Any, state: Any) -> tuple[torch.Tensor, Any]:
        logits = self.head(self.before_head(self.read(batch)[0]))
        target = padded(batch)
        smoothing = self.model[0].label_smoothing
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
        ), None


class Language(Classifier):
    def loss(self, batch: Any, state: Any) -> tuple[torch.Tensor, Any]:
        y, (h, c) = self.read(batch, state)
        target = padded(batch)
        loss = nn.functional.cross_entropy(self.head(self.before_head(y)).flatten(0, 1), target.flatten())
        return loss, (h.detach(), c.detach())


class Recognizer(Classifier):
    def weight(self, batch: Any) -> int:
        return batch.size

    def loss(self, batch: Any, state: Any) -> tuple[torch.Tensor, Any]:
        logits = self.head(self.before_head(self.read(batch)[0]))
        T, B = logits.shape[:2]
        lengths = [T] * B if batch.lengths is None else batch.lengths.tolist()
        target = torch.from_numpy(batch.y)
        return nn.functional.ctc_loss(
            logits.log_softmax(-1), target, lengths, batch.y_lengths.tolist(), blank=self.model[0].blank,
            zero_infinity=True,
        ), None  # fmt: skip


class Forecaster(Twin):
    def __init__(self, model: Any):
        super().__init__(model, model.encoder, "encoder")

    def loss(self, batch: Any, state: Any) -> tuple[torch.Tensor, Any]:
        y, _ = self.read(batch)
        target = torch.from_numpy(batch.y)
        return nn.functional.mse_loss(self.head(self.before_head(y[-1])).view(target.shape), target), None


class Translator(Twin):
    def __init__(self, model: Any):
        super().__init__(model, model.encoder, "encoder")
        self.target_embedding = nn.Embedding(model.embedding.num_embeddings, model.embedding.embedding_dim)
        self.decoder = recurrent_like(model.decoder)
        self.before_target, self.before_out = Dropout(model.embedding_dropout), Dropout(model.dropout)
        self.combine = nn.Linear(model.combine.in_features, model.combine.out_features)
        self.out = nn.Linear(model.head.in_features, model.head.out_features)
        self.pairs += [(self.target_embedding, "embedding"), (self.decoder, "decoder")]
        self.pairs += [(self.combine, "combine"), (self.out, "head")]

    def weight(self, batch: Any) -> int:
        return super().weight(batch) + batch.size  # each target has an end

    def loss(self, batch: Any, state: Any) -> tuple[torch.Tensor, Any]:
        before, after, lengths = self.model[0]._shifted(batch)
        memory, state = self.read(batch)
        B = batch.size
        parts = state if isinstance(state, tuple) else (state,)
        start = [part.transpose(0, 1).reshape(1, B, -1).contiguous() for part in parts]
        y, _ = self.decoder(
            self.before_target(self.target_embedding(torch.from_numpy(before))),
            tuple(start) if len(start) > 1 else start[0],
        )
        known = None
        if batch.lengths is not None:
            known = (torch.arange(len(memory)) < torch.from_numpy(batch.lengths)[:, None])[:, None]
        context = nn.functional.scaled_dot_product_attention(
            y.transpose(0, 1), memory.transpose(0, 1), memory.transpose(0, 1), attn_mask=known, scale=1.0
        ).transpose(0, 1)
        logits = self.out(self.before_out(torch.tanh(self.combine(torch.cat([context, y], dim=-1)))))
        target = ignored(after, lengths)
        smoothing = self.model[0].label_smoothing
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
        ), None
