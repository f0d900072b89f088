"""Where a model's layers stand: answered text by text for a packed pass, or by features that are known already.

The embeddings before the layers and the head after them stay the family's own. Between the two, a packed pass gives
on one row for each text, `(texts, 1, width)`: the token that the head reads, or the mean of the text's tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from tunebook.models import grouped, post_norm
from tunebook.models.attention import packed_attention
from tunebook.models.compiled import CompiledAttention, Library, library
from tunebook.models.dropout import Words, torch_seed
from tunebook.models.grouped import GroupedAttention
from tunebook.models.packing import Layout


class Stack:
    """The layers of a classification model, and its forward through them.

    Layers of a known shape run in our own kernel on a CPU (`has_own_layers`), others as they are.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        base = model.base_model
        self.module: Any = getattr(base, "encoder", None) or getattr(base, "transformer", None) or base
        layers = getattr(self.module, "layer", None)
        parts = [post_norm.parts_of(layer) for layer in layers] if isinstance(layers, nn.ModuleList) else []
        self._own = [part for part in parts if part is not None]
        self.has_own_layers = bool(parts) and len(self._own) == len(parts)
        self._lock = threading.RLock()
        self.reads_mean = getattr(model.config, "classifier_pooling", "cls") == "mean"
        self._position_offset = _position_offset(base)

    @cached_property
    def compiled(self) -> Library | None:
        """Attention in C for our own layers, compiled the first time it is asked for; None where it cannot be."""
        return library(self.model.config.hidden_size // self._own[0].num_heads)

    @property
    def names_below_head(self) -> tuple[str, ...]:
        """The parameters that what the head reads is a function of: all of the encoder but its pooler."""
        prefix = self.model.base_model_prefix
        return tuple(
            name
            for name, _ in self.model.named_parameters()
            if name.startswith(f"{prefix}.") and not name.startswith(f"{prefix}.pooler.")
        )

    @property
    def attention_dropout(self) -> float:
        """The probability with which attention drops a token while training."""
        config = self.model.config
        names = ("attention_probs_dropout_prob", "attention_dropout")
        return float(next((getattr(config, name) for name in names if hasattr(config, name)), 0.0))

    def logits(self, ids: torch.Tensor, type_ids: torch.Tensor | None, layout: Layout) -> torch.Tensor:
        """Logits `(texts, outputs)` of packed token ids and type ids, `(tokens,)` each."""
        found: torch.Tensor = self._call(self.model, ids, type_ids, layout).logits
        return found

    def read(self, ids: torch.Tensor, type_ids: torch.Tensor | None, layout: Layout) -> torch.Tensor:
        """What the head reads, `(texts, width)`, of packed token ids and type ids, `(tokens,)` each."""
        found: torch.Tensor = self._call(self.model.base_model, ids, type_ids, layout).last_hidden_state
        return found[:, 0]

    def read_padded(self, **inputs: torch.Tensor) -> torch.Tensor:
        """What the head reads, `(rows, width)`, of a rectangle's inputs, `(rows, longest)` each."""
        hidden: torch.Tensor = self.model.base_model(**inputs).last_hidden_state
        if not self.reads_mean:
            return hidden[:, 0]
        mask = inputs["attention_mask"][..., None]
        return (hidden * mask).sum(1) / mask.sum(1)

    def head(self, read: torch.Tensor) -> torch.Tensor:
        """Logits `(texts, outputs)` of what the head reads, `(texts, width)`; no layer is computed."""
        nothing = torch.zeros(len(read), 1, dtype=torch.long, device=read.device)
        with self._answering(lambda *args, **kwargs: _output(read[:, None])):
            logits: torch.Tensor = self.model(input_ids=nothing, attention_mask=nothing + 1).logits
        return logits

    def _call(self, module: Any, ids: torch.Tensor, type_ids: torch.Tensor | None, layout: Layout) -> Any:
        extra = {} if type_ids is None else {"token_type_ids": type_ids[None]}
        positions = self._positions(ids, layout)[None]
        with self._answering(self._packed), packed_attention(self.model.config):
            return module(input_ids=ids[None], position_ids=positions, layout=layout, **extra)

    @contextmanager
    def _answering(self, answer: Any) -> Iterator[None]:
        """Let `answer` stand for the stack's own forward; other threads wait."""
        with self._lock:
            self.module.forward = answer
            try:
                yield
            finally:
                del self.module.forward

    def _positions(self, ids: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Positions as the family counts them: from 0; or, like RoBERTa, after the padding index, padding skipped."""
        if self._position_offset is None:
            return layout.positions
        is_counted = ((ids != self._position_offset) & (layout.owners < layout.num_texts)).long()
        counted = is_counted.cumsum(0)
        before = (counted - is_counted)[layout.first]
        return (counted - before[layout.owners]) * is_counted + self._position_offset

    def _packed(self, *args: Any, **kwargs: Any) -> Any:
        """The stack's answer to a packed call."""
        if "layout" not in kwargs:
            raise TypeError("this family does not hand its arguments on to its layers")
        layout: Layout = kwargs["layout"]
        hidden = args[0] if args else kwargs.get("hidden_states")
        if self.has_own_layers and hidden is not None and hidden.device.type == "cpu":
            return _output(self._through_own_layers(hidden[0], layout)[:, None])
        stock = type(self.module).forward(self.module, *args, **kwargs)
        return _output(self._read(stock.last_hidden_state[0], layout)[:, None])

    def _through_own_layers(self, hidden: torch.Tensor, layout: Layout) -> torch.Tensor:
        """What the head reads, `(texts, width)`, float32, from embeddings `(tokens, width)`."""
        is_autocast = torch.is_autocast_enabled(hidden.device.type)
        dtype = torch.get_autocast_dtype(hidden.device.type) if is_autocast else hidden.dtype
        seed = torch_seed() if self.module.training else None
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.to(dtype)
            attention = self._attention(layout, dtype)
            for number, parts in enumerate(self._own):
                words = Words(seed, number) if seed is not None else None
                is_last = number == len(self._own) - 1 and not self.reads_mean
                hidden = post_norm.run(hidden, post_norm.Call(parts, layout, attention, is_last, words))
            read = hidden[: layout.num_texts] if not self.reads_mean else self._read(hidden, layout)
            return read.float()

    def _attention(self, layout: Layout, dtype: torch.dtype) -> Callable[..., Any]:
        """What computes attention in our own layers: compiled where it can be, else group by group."""
        if self.compiled is not None:
            return partial(CompiledAttention, self.compiled)
        return partial(GroupedAttention, masks=grouped.masks(layout, self._own[0].num_heads, dtype))

    def _read(self, hidden: torch.Tensor, layout: Layout) -> torch.Tensor:
        """What the head reads, `(texts, width)`, of hidden states `(tokens, width)`."""
        if not self.reads_mean:
            return hidden.index_select(0, layout.first[: layout.num_texts])
        sums = hidden.new_zeros(len(layout.first), hidden.shape[1]).index_add(0, layout.owners, hidden)
        return (sums / layout.ends.diff()[:, None])[: layout.num_texts]


def _output(read: torch.Tensor) -> Any:
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

    return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=read, hidden_states=(read,))


def _position_offset(base: Any) -> int | None:
    """The padding index after which RoBERTa's positions begin; None for families that count from 0."""
    embeddings: Any = getattr(base, "embeddings", None)
    if hasattr(embeddings, "create_position_ids_from_input_ids"):
        return int(embeddings.padding_idx)
    return None
