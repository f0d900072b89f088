"""When two texts count as the same: after NFKC, case folding, and with any white space as one space."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Keys = np.ndarray[tuple[int], np.dtype[np.uint64]]

_KEY_BYTES = 8
_BETWEEN_PAIR = "\x1f"


def normalise(text: str) -> str:
    """The text in the form in which duplicates are looked for.

    Example:
        >>> normalise("  GREAT\\n film ")
        'great film'
    """
    if text.isascii():
        return " ".join(text.lower().split())  # four times as fast, and the same for ASCII
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def text_key(text: str, pair: str | None = None) -> bytes:
    """8 bytes that stand for the normalised text (or pair): equal texts have equal keys.

    Two of 1.6 million different texts share a key with probability 7e-8.

    Example:
        >>> text_key("Great film") == text_key("great  FILM")
        True
    """
    content = normalise(text) if pair is None else normalise(text) + _BETWEEN_PAIR + normalise(pair)
    return hashlib.blake2b(content.encode(), digest_size=_KEY_BYTES).digest()


def as_keys(digests: Sequence[bytes]) -> Keys:
    """Digests of 8 bytes as unsigned integers, spread evenly over 0 to 2^64."""
    import numpy as np

    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
