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


def packed_passes(texts: np.ndarray, store: TokenStore, *, max_tokens: int) -> list[np.ndarray]:
    """Cut a batch, `(texts,)` numbers of texts, into passes of at most `max_tokens` tokens, longest texts first.

    A text is never cut: one of more tokens is a pass of its own.
    """
    import numpy as np

    lengths = store.text_lengths[texts]
    order = np.argsort(-lengths, kind="stable")
    passes: list[np.ndarray] = []
    start = filled = 0
    for place, length in enumerate(lengths[order].tolist()):
        if place > start and filled + length > max_tokens:
            passes.append(texts[order[start:place]])
            start, filled = place, 0
        filled += length
    passes.append(texts[order[start:]])
    return passes


def rectangles(texts: np.ndarray, store: TokenStore, *, max_tokens: int | None) -> list[np.ndarray]:
    """Cut a batch, `(texts,)` numbers of texts, as it stands into rectangles of at most `max_tokens` padded tokens.

    One rectangle where `max_tokens` is None; a text is never cut.
    """
    if max_tokens is None:
        return [texts]
    widths, rows = store.widths[texts].tolist(), store.rows[texts].tolist()
    found: list[np.ndarray] = []
    start = width = filled = 0
    for place in range(len(texts)):
        width, filled = max(width, widths[place]), filled + rows[place]
        if place > start and filled * width > max_tokens:
            found.append(texts[start:place])
            start, width, filled = place, widths[place], rows[place]
    found.append(texts[start:])
    return found


@dataclass(frozen=True)
class Padded:
    """Some texts as rectangular arrays; a text of several windows has several rows.

    `input_ids`, `attention_mask` and `type_ids` have shape `(rows, longest)`; `windows` `(rows,)` are the store's
    windows and `owners` `(rows,)` says which of the texts (from 0) they are of.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    type_ids: np.ndarray | None
    windows: np.ndarray
    owners: np.ndarray


def pad(texts: np.ndarray, store: TokenStore, *, pad_id: int) -> Padded:
    """Lay out texts of a token store, `(texts,)` their numbers, as one rectangle padded to the longest of them."""
    import numpy as np

    windows, owners = windows_of(texts, store)
    starts, lengths = store.offsets[windows], store.lengths[windows]
    columns = np.arange(int(lengths.max()))
    mask = columns < lengths[:, None]
    source = (starts[:, None] + columns)[mask]
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = store.ids[source]
    type_ids = None
    if store.type_ids is not None:
        type_ids = np.zeros(mask.shape, np.int64)
        type_ids[mask] = store.type_ids[source]
    return Padded(ids, mask.astype(np.int64), type_ids, windows, owners)


@dataclass(frozen=True)
class Packed:
    """Some texts end to end, longest window first; a text of several windows lies there in pieces.

    `input_ids` and `type_ids` `(tokens,)`, int64; `lengths`, `windows` and `owners` `(windows,)`: the tokens of each
    window, its number in the store, and which of the texts (from 0) it is of.
    """

    input_ids: np.ndarray
    type_ids: np.ndarray | None
    lengths: np.ndarray
    windows: np.ndarray
    owners: np.ndarray


def pack(texts: np.ndarray, store: TokenStore) -> Packed:
    """Lay out texts of a token store, `(texts,)` their numbers, end to end."""
    import numpy as np

    windows, owners = windows_of(texts, store)
    order = np.argsort(-store.lengths[windows], kind="stable")
    windows, owners = windows[order], owners[order]
    lengths = store.lengths[windows]
    ends = np.cumsum(lengths)
    source = np.arange(ends[-1]) + np.repeat(store.offsets[windows] - ends + lengths, lengths)
    type_ids = None if store.type_ids is None else store.type_ids[source].astype(np.int64)
    return Packed(store.ids[source].astype(np.int64), type_ids, lengths, windows, owners)


def windows_of(texts: np.ndarray, store: TokenStore) -> tuple[np.ndarray, np.ndarray]:
    """The windows of some texts, `(texts,)` their numbers, in order, and which of the texts (from 0) each is of."""
    import numpy as np

    rows = store.rows[texts]
    owners = np.repeat(np.arange(len(texts)), rows)
    before = np.cumsum(rows) - rows
    return store.first_window[texts][owners] + np.arange(len(owners)) - before[owners], owners
