"""Multi-head attention of packed texts over themselves, group by group, with its own backward: for CPUs."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from tunebook.models.dropout import Words
from tunebook.models.packing import Group, Layout

Saved = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]


def masks(layout: Layout, num_heads: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """For each group what to add to its scores, `(texts * num_heads, 1, width)`: 0, and -inf where no token is.

    Narrow groups are computed in float32 whatever `dtype` the projections have: it is as fast there, and closer.
    """
    found = []
    for group in layout.groups:
        mask = torch.zeros(group.is_real.shape, dtype=dtype if group.is_wide else torch.float32)
        mask.masked_fill_(~group.is_real, float("-inf"))
        found.append(mask.repeat_interleave(num_heads, 0)[:, None])
    return found


class GroupedAttention:
    """Attention of one layer in one pass; `backward` uses what `forward` kept. Without `words` there is no dropout.

    `prefix` `(2, length, width)` has keys and values that stand before those of every text; `d_prefix` is their
    gradient, of the same shape, float32, once `backward` was asked for it.
    """

    def __init__(
        self,
        layout: Layout,
        masks: list[torch.Tensor],
        *,
        num_heads: int,
        dropout: float,
        words: Words | None,
        prefix: torch.Tensor | None = None,
    ) -> None:
        self.layout, self.masks, self.num_heads = layout, masks, num_heads
        self.prefix = prefix
        self.d_prefix: torch.Tensor | None = None
        self.dropout = 0.0 if words is None else dropout
        self.words = words
        self._saved: list[Saved] = []

    def forward(self, query: torch.Tensor | None, rest: torch.Tensor) -> torch.Tensor:
        """Mixed values `(tokens, width)` from projections `rest` `(tokens, 3 width)`; or, where each text has one
        `query` `(texts, width)`, `(texts, width)` from its keys and values `(tokens, 2 width)`."""
        spread = rest.index_select(0, self.layout.spread)
        mixed = torch.cat(
            [
                self._mix(group, mask, query, spread)
                for group, mask in zip(self.layout.groups, self.masks, strict=True)
            ]
        )
        return mixed.index_select(0, self.layout.gather) if query is None else mixed

    def backward(
        self, gradient: torch.Tensor, *, is_single: bool, needs_prefix: bool = False
    ) -> tuple[torch.Tensor | None, torch.Tensor]:
        """From the gradient `(tokens or texts, width)` to those of what `forward` took; `is_single` says that each
        text had one query. With `needs_prefix` that of the prefix is in `d_prefix` afterwards."""
        if needs_prefix:
            assert self.prefix is not None
            self.d_prefix = torch.zeros_like(self.prefix, dtype=torch.float32)
        layout = self.layout
        if not is_single:  # places without a token stay zero: they must not add to keys and values
            places = gradient.new_zeros(len(layout.spread), gradient.shape[1])
            gradient = places.index_copy_(0, layout.gather, gradient)
        found = [
            self._unmix(group, gradient, saved, is_single)
            for group, saved in zip(layout.groups, self._saved, strict=True)
        ]
        rest = torch.cat([one for _, one in found]).index_select(0, layout.gather)
        return torch.cat([one for one, _ in found]) if is_single else None, rest

    def _mix(
        self, group: Group, mask: torch.Tensor, query: torch.Tensor | None, spread: torch.Tensor
    ) -> torch.Tensor:
        rows = spread.narrow(0, group.places, group.texts * group.width)
        if query is None:
            query, key, value = self._by_head(rows, group, 3).to(mask.dtype).unbind()
        else:
            query = query[group.start : group.stop].reshape(len(mask), 1, -1).to(mask.dtype)
            key, value = self._by_head(rows, group, 2).to(mask.dtype).unbind()
        key, value, mask = self._after_prefix(group, key, value, mask)
        shares = torch.softmax(
            torch.baddbmm(mask, query, key.transpose(1, 2), alpha=query.shape[-1] ** -0.5), -1
        )
        keep, scale = None, 1 / (1 - self.dropout)
        if self.dropout:
            assert self.words is not None
            keep = self.words.keep(tuple(shares.shape), self.dropout, shares.dtype)
        self._saved.append((query, key, value, shares, keep))
        mixed = torch.bmm(shares, value) if keep is None else torch.bmm(shares * keep, value).mul_(scale)
        return self._by_row(mixed[None], group, spread.dtype)

    def _unmix(
        self, group: Group, gradient: torch.Tensor, saved: Saved, is_single: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        query, key, value, shares, keep = saved
        if is_single:
            d_mixed = gradient[group.start : group.stop].reshape(query.shape).to(query.dtype)
        else:
            rows = gradient.narrow(0, group.places, group.texts * group.width)
            d_mixed = self._by_head(rows, group, 1)[0].to(query.dtype)
        found = key.new_empty(2 if is_single else 3, *key.shape)  # the query's has no places for a prefix
        if keep is not None:
            d_mixed = d_mixed * (1 / (1 - self.dropout))
        torch.bmm((shares if keep is None else shares * keep).transpose(1, 2), d_mixed, out=found[-1])
        d_shares = torch.bmm(d_mixed, value.transpose(1, 2))
        if keep is not None:
            d_shares.mul_(keep)
        d_scores = torch._softmax_backward_data(d_shares, shares, -1, shares.dtype)
        d_scores.mul_(query.shape[-1] ** -0.5)
        torch.bmm(d_scores.transpose(1, 2), query, out=found[-2])
        before = 0 if self.prefix is None else self.prefix.shape[1]
        d_query = torch.bmm(d_scores, key, out=None if is_single else found[0, :, before:])
        if self.d_prefix is not None:
            self.d_prefix += self._of_prefix(found[-2:, :, :before], group)
        rest = self._by_row(found[:, :, before:], group, gradient.dtype)
        return d_query.reshape(group.texts, -1).to(gradient.dtype), rest

    def _after_prefix(
        self, group: Group, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Keys and values `(texts * heads, width, head_width)` and mask with the prefix, which all see, before."""
        if self.prefix is None:
            return key, value, mask
        length = self.prefix.shape[1]
        split = self.prefix.reshape(2, length, self.num_heads, -1).transpose(1, 2).to(key.dtype)
        first = split.repeat(1, group.texts, 1, 1)
        return torch.cat([first[0], key], 1), torch.cat([first[1], value], 1), pad(mask, (length, 0))

    def _of_prefix(self, gradient: torch.Tensor, group: Group) -> torch.Tensor:
        """The sum over texts `(2, length, width)` of gradients `(2, texts * heads, length, head_width)`."""
        split = gradient.reshape(2, group.texts, self.num_heads, *gradient.shape[-2:])
        return split.float().sum(1).transpose(1, 2).flatten(2)

    def _by_head(self, rows: torch.Tensor, group: Group, parts: int) -> torch.Tensor:
        """Rows `(texts * width, parts * heads * head_width)` as `(parts, texts * heads, width, head_width)`."""
        split = rows.view(group.texts, group.width, parts, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        return split.reshape(parts, group.texts * self.num_heads, group.width, -1)

    def _by_row(self, values: torch.Tensor, group: Group, dtype: torch.dtype) -> torch.Tensor:
        """The inverse of `_by_head`, in another format."""
        split = values.view(len(values), group.texts, self.num_heads, *values.shape[-2:]).permute(
            1, 3, 0, 2, 4
        )
        return split.to(dtype).reshape(-1, len(values) * self.num_heads * values.shape[-1])
