"""Which texts a step trains on, and how they are laid out: pure functions of lengths, seed and step."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tunebook.data.tokens import TokenStore

# Padding a few more tokens is cheaper than another pass through the layers. Measured with MiniLM-L6 on two cores.
WASTE_TOKENS = 32


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Steps that see every text once; the last one may be smaller."""
    return -(-count // batch_size)


def batch_at(step: int, *, count: int, batch_size: int, seed: int) -> np.ndarray:
    """The texts of step `step` (from 0), of shape `(batch_size,)` or fewer at the end of an epoch.

    Every epoch is a fresh uniformly random order, a function of seed and epoch alone: resuming replays nothing.
    """
    epoch, position = divmod(step, steps_per_epoch(count, batch_size))
    order = _order(count, seed, epoch)
    return order[position * batch_size : (position + 1) * batch_size]


@functools.lru_cache(maxsize=1)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch, kept while the epoch lasts: a million texts take milliseconds to shuffle."""
    import numpy as np

    order = np.random.default_rng([seed, epoch]).permutation(count)
    order.flags.writeable = False
    return order


def micro_batches(texts: np.ndarray, store: TokenStore, *, max_tokens: int) -> list[np.ndarray]:
    """Cut a batch, `(texts,)` numbers of texts, into groups of similar length, longest first, against padding.

    A group ends when it would pad over `WASTE_TOKENS` tokens or hold over `max_tokens` padded ones. The groups
    partition the batch: with the loss weighted to the whole batch, its gradient is unchanged.
    """
    import numpy as np

    widths, rows = store.widths[texts], store.rows[texts]
    order = np.argsort(-widths, kind="stable")
    groups: list[np.ndarray] = []
    start = waste = filled = 0
    for place, index in enumerate(order):
        width = int(widths[order[start]])
        waste += (width - int(widths[index])) * int(rows[index])
        filled += int(rows[index])
        if place > start and (waste > WASTE_TOKENS or filled * width > max_tokens):
            groups.append(texts[order[start:place]])
            start, waste, filled = place, 0, int(rows[index])
    groups.append(texts[order[start:]])
    return groups


@dataclass(frozen=True)
class Padded:
    """Some texts as rectangular arrays; a text of several windows has several rows.

    `input_ids`, `attention_mask` and `type_ids` have shape `(rows, longest)`, `owners` `(rows,)` says which of the
    texts (from 0) a row belongs to; `tokens` counts the real ones.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    type_ids: np.ndarray | None
    owners: np.ndarray
    tokens: int


def pad(texts: np.ndarray, store: TokenStore, *, pad_id: int) -> Padded:
    """Lay out texts of a token store, `(texts,)` their numbers, as one rectangle padded to the longest of them."""
    import numpy as np

    windows = np.concatenate([np.arange(store.first_window[i], store.first_window[i + 1]) for i in texts])
    starts, ends = np.asarray(store.offsets[windows]), np.asarray(store.offsets[windows + 1])
    lengths = ends - starts
    columns = np.arange(int(lengths.max()))
    mask = columns < lengths[:, None]
    source = (starts[:, None] + columns)[mask]
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = store.ids[source]
    type_ids = None
    if store.type_ids is not None:
        type_ids = np.zeros(mask.shape, np.int64)
        type_ids[mask] = store.type_ids[source]
    owners = np.repeat(np.arange(len(texts)), store.rows[texts])
    return Padded(ids, mask.astype(np.int64), type_ids, owners, int(lengths.sum()))
