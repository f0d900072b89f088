"""Token stores of given lengths, without a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tunebook.data.tokens import TokenStore


def store_of(
    lengths: Sequence[int], *, vocabulary: int = 100, avoid: int = 0, windows: Sequence[int] | None = None
) -> TokenStore:
    """Texts of random ids under `vocabulary`, `avoid` not among them: one window of each length, or `windows`
    says how many of the windows each text has."""
    counts = [1] * len(lengths) if windows is None else windows
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    first_window = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    allowed = np.setdiff1d(np.arange(vocabulary), [avoid])
    ids = np.random.default_rng(len(lengths)).choice(allowed, offsets[-1]).astype(np.uint16)
    meta = {
        "texts": len(counts),
        "windows": len(lengths),
        "cut": 0,
        "tokens": int(offsets[-1]),
        "max_length": 512,
    }
    return TokenStore(ids, offsets, first_window, None, meta)
