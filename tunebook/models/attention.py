"""Attention over packed texts, registered with `transformers`: each text attends to itself alone.

Encoders that look their attention up by name (BERT, RoBERTa, ELECTRA, DistilBERT, ALBERT, ModernBERT, ...) call
`attend` with the keyword arguments that the model was called with, the layout among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

from tunebook.models.packing import Group, Layout

NAME = "tunebook_packed"
PREFIXED = "tunebook_prefixed"


@contextmanager
def packed_attention(config: Any) -> Iterator[None]:
    """Let a model with this configuration attend text by text while it is called with a `layout`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, no_mask)
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def use_prefixes(config: Any) -> None:
    """Let a model with this configuration see the prefixes of its attention modules when it is called padded."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(PREFIXED, attend_padded)
    AttentionMaskInterface.register(PREFIXED, sdpa_mask)
    config._attn_implementation = PREFIXED


def attend_padded(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Mixed values `(texts, tokens, heads, head_width)` for `query`, `key` and `value`
    `(texts, heads, tokens, head_width)`: attention over a module's prefix and the text."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    key, value, attention_mask = _after_prefix(_prefix_of(module, key), key, value, attention_mask)
    mixed: tuple[torch.Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, **kwargs
    )
    return mixed


def _prefix_of(module: Any, key: torch.Tensor) -> torch.Tensor | None:
    """The module's prefix, if any, `(2, 1, heads, length, head_width)`, in the format of `key` `(1, heads, ...)`."""
    if not hasattr(module, "prefix"):
        return None
    rows: torch.Tensor = module.prefix().to(key.dtype)
    return rows.view(2, 1, -1, key.shape[1], key.shape[3]).transpose(2, 3)


def _after_prefix(
    prefix: torch.Tensor | None, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Keys, values `(texts, heads, tokens, head_width)` and mask `(..., tokens)` with a prefix, if any, before."""
    if prefix is None:
        return key, value, mask
    first = prefix.expand(-1, len(key), -1, -1, -1)
    if mask is not None:
        mask = pad(mask, (prefix.shape[3], 0), value=0.0 if mask.is_floating_point() else 1)
    return torch.cat([first[0], key], 2), torch.cat([first[1], value], 2), mask


def no_mask(*args: Any, **kwargs: Any) -> None:
    """The mask of a pack: none, since the layout says which tokens belong together."""


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Layout,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Mixed values `(1, tokens, heads, head_width)` for `query`, `key` and `value` `(1, heads, tokens, head_width)`.

    `sliding_window` is what ModernBERT hands over: a token sees those less than so many places away.
    """
    rows = [part[0].transpose(0, 1) for part in (query, key, value)]
    is_half = query.dtype in (torch.bfloat16, torch.float16)
    prefix = _prefix_of(module, key)
    if query.device.type == "cuda" and dropout == 0 and is_half and prefix is None:
        return _varlen(rows, layout, scaling, sliding_window)[None], None
    spread = [part.index_select(0, layout.spread) for part in rows]
    mixed = torch.cat(
        [_grouped(prefix, group, spread, scaling, dropout, sliding_window) for group in layout.groups]
    )
    return mixed.index_select(0, layout.gather)[None], None


def kernel(device: torch.device, *, dropout: float, is_half: bool) -> str:
    """The name of what `attend` trains with: varlen, for half precision without dropout on CUDA, or grouped."""
    return "varlen attention" if device.type == "cuda" and is_half and dropout == 0 else "grouped attention"


def _varlen(
    rows: list[torch.Tensor], layout: Layout, scaling: float, sliding_window: int | None
) -> torch.Tensor:
    """Flash attention over all texts at once, each `(tokens, heads, head_width)`."""
    from torch.nn.attention.varlen import varlen_attn

    reach = -1 if sliding_window is None else sliding_window - 1
    query, key, value = (part.contiguous() for part in rows)
    mixed: Any = varlen_attn(
        query,
        key,
        value,
        layout.ends,
        layout.ends,
        layout.longest,
        layout.longest,
        scale=scaling,
        window_size=(reach, reach),
    )
    found: torch.Tensor = mixed
    return found


def _grouped(
    prefix: torch.Tensor | None,
    group: Group,
    spread: list[torch.Tensor],
    scaling: float,
    dropout: float,
    sliding_window: int | None,
) -> torch.Tensor:
    """One rectangle's mixed values `(its places, heads, head_width)`."""
    query, key, value = (
        part.narrow(0, group.places, group.texts * group.width)
        .view(group.texts, group.width, *part.shape[1:])
        .transpose(1, 2)
        for part in spread
    )
    key, value, mask = _after_prefix(prefix, key, value, _sees(group, sliding_window))
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling)
    return mixed.transpose(1, 2).flatten(0, 1)


def _sees(group: Group, sliding_window: int | None) -> torch.Tensor:
    """Which keys a query sees, `(texts, 1, 1 or width, width)`; where no token is, a query sees every real key."""
    keys = group.is_real[:, None, None, :]
    if sliding_window is None or sliding_window >= group.width:
        return keys
    columns = torch.arange(group.width, device=keys.device)
    is_near = (columns[:, None] - columns).abs() < sliding_window
    return keys & (is_near | ~group.is_real[:, None, :, None])
