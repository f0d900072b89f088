"""Texts as sets of shingles (three characters in a row): MinHash signatures of many texts, and exact similarity.

Source: Broder 1997, On the resemblance and containment of documents; Leskovec, Rajaraman and Ullman 2014, Mining of
massive datasets, chapter 3 (shingles, MinHash, banding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

WIDTH = 3
"""Characters of a shingle: of a tweet of 75 characters with one other letter, nine tenths of the shingles stay."""
BANDS, ROWS = 10, 8
"""Two texts are compared where all 8 hashes of one of 10 bands agree: of pairs of Jaccard 0.9 all but 0.4 %, of pairs
of 0.3 one in 1,500."""
_HASHES = BANDS * ROWS
_SKETCH_BITS = 64
_AT_ONCE = 40_000
"""Shingles at a time: their hashes stay in a core's own memory."""


@dataclass(frozen=True)
class Signatures:
    """What stands for some texts: `bands` `(texts, 10)` uint64; `sketch` `(texts,)` uint64, of whose 64 bits the
    share that two texts have in common is near (1 + Jaccard) / 2; `has_any` `(texts,)`, false for texts shorter than
    a shingle."""

    bands: Array
    sketch: Array
    has_any: Array

    @classmethod
    def joined(cls, parts: Sequence[Signatures]) -> Signatures:
        """Those of texts of which one part stands after another."""
        import numpy as np

        return cls(
            np.concatenate([part.bands for part in parts]),
            np.concatenate([part.sketch for part in parts]),
            np.concatenate([part.has_any for part in parts]),
        )


@cache
def _multipliers() -> Array:
    import numpy as np

    return np.random.default_rng(20_141).integers(0, 2**32, _HASHES, dtype=np.uint32) | np.uint32(1)


def signatures(texts: Sequence[str]) -> Signatures:
    """The signatures of normalised texts, in their order."""
    import numpy as np

    bands = np.zeros((len(texts), BANDS), np.uint64)
    sketch = np.zeros(len(texts), np.uint64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    long_enough = np.flatnonzero(lengths >= WIDTH)
    ends = np.cumsum(lengths[long_enough])
    start = 0
    while start < len(long_enough):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
        rows = long_enough[start:stop]
        bands[rows], sketch[rows] = _signatures([texts[row] for row in rows.tolist()])
        start = stop
    return Signatures(bands, sketch, lengths >= WIDTH)


def _signatures(texts: Sequence[str]) -> tuple[Array, Array]:
    import numpy as np

    hashes, starts = _hashes(texts)
    product, multipliers = np.empty_like(hashes), _multipliers()
    bands = np.zeros((BANDS, len(texts)), np.uint64)
    sketch = np.zeros(len(texts), np.uint64)
    for number in range(_HASHES):
        np.multiply(hashes, multipliers[number], out=product)
        smallest = np.minimum.reduceat(product, starts).astype(np.uint64)
        band = bands[number // ROWS]
        band *= np.uint64(0x9E3779B97F4A7C15)
        band ^= smallest
        if number < _SKETCH_BITS:
            sketch |= (smallest >> np.uint64(7) & np.uint64(1)) << np.uint64(number)
    return bands.T, sketch


def _hashes(texts: Sequence[str]) -> tuple[Array, Array]:
    """A hash of each shingle, text after text, `(shingles,)` uint32, and where each text's begin, `(texts,)`."""
    import numpy as np

    points, is_whole, starts = _points(texts)
    mixed = points[:-2] * np.uint32(0x9E3779B1)
    mixed += points[1:-1] * np.uint32(0x85EBCA77)
    mixed += points[2:] * np.uint32(0xC2B2AE3D)
    mixed = mixed[is_whole]
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):  # a mixer of 32 bits, by Wellons
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    return mixed ^ (mixed >> np.uint32(16)), starts


def _points(texts: Sequence[str]) -> tuple[Array, Array, Array]:
    """The characters of texts that are long enough, end to end, `(characters,)`; whether a shingle that begins at one
    is of one text, `(characters - 2,)`; and the number of the first shingle of each text, `(texts,)`."""
    import numpy as np

    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths)
    is_whole = np.ones(len(points) - 2, bool)
    is_whole[ends[:-1] - 1] = is_whole[ends[:-1] - 2] = False
    return points, is_whole, ends - lengths - 2 * np.arange(len(texts))


def similarity(texts: Sequence[str], first: Array, second: Array) -> Array:
    """The Jaccard similarity of pairs of texts, `(pairs,)`, exactly: `first` and `second` `(pairs,)` are numbers of
    normalised texts, none shorter than a shingle.

    Example:
        >>> import numpy as np
        >>> similarity(["abcd", "abce", "abcd"], np.array([0, 0]), np.array([1, 2])).round(2).tolist()
        [0.33, 1.0]
    """
    import numpy as np

    points, is_whole, starts = _points(texts)
    wide = points.astype(np.uint64)  # 21 bits a character: no two shingles are one number
    codes = (wide[:-2] << np.uint64(42) | wide[1:-1] << np.uint64(21) | wide[2:])[is_whole]
    owners = np.repeat(np.arange(len(texts)), np.diff(np.append(starts, len(codes))))
    _, numbers = np.unique(codes, return_inverse=True)
    sets = np.sort(owners.astype(np.uint64) << np.uint64(32) | numbers.astype(np.uint64))
    sets = sets[np.insert(sets[1:] != sets[:-1], 0, True)]
    edges = np.searchsorted(sets, np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(32))
    shingles = sets & np.uint64(2**32 - 1)
    both = np.sort(np.concatenate([_of_pairs(shingles, edges, side) for side in (first, second)]))
    shared = both[1:][both[1:] == both[:-1]] >> np.uint64(32)
    common = np.bincount(shared.astype(np.int64), minlength=len(first))
    sizes = np.diff(edges)
    similar: Array = common / (sizes[first] + sizes[second] - common)
    return similar


def _of_pairs(shingles: Array, edges: Array, chosen: Array) -> Array:
    """The shingles of the chosen text of each pair, each with the number of its pair above it: `(shingles,)` uint64."""
    import numpy as np

    counts = (edges[1:] - edges[:-1])[chosen]
    pair = np.repeat(np.arange(len(chosen)), counts)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    found: Array = pair.astype(np.uint64) << np.uint64(32) | shingles[edges[chosen][pair] + within]
    return found
