"""A fixed part of some texts: the same ones on any machine, whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunebook.data.normal import as_keys, text_key
from tunebook.data.splitting import cutting_keys

if TYPE_CHECKING:
    import numpy as np

    from tunebook.data.normal import Keys

_SEED = 20_20


def keys_of(texts: Sequence[str]) -> Keys:
    """The key of each text, `(texts,)` uint64: equal for texts that are the same but for case and spaces."""
    return as_keys([text_key(text) for text in texts])


def hash_sample(texts: Sequence[str], most: int) -> np.ndarray:
    """The places `(texts,)` of at most `most` texts, chosen by a hash of each alone; of equal ones the first.

    Datasets without official splits are cut by a hash too: this one is another.

    Raises:
        ValueError: `most` is less than 1.
    """
    import numpy as np

    if most < 1:
        raise ValueError(f"a sample of {most} texts, expected at least 1")
    keys = cutting_keys(keys_of(texts), _SEED)
    _, first = np.unique(keys, return_index=True)  # in the order of the keys, which is by chance
    return np.sort(first[:most])
