"""Texts that are nearly the same, within splits and across them: candidates by MinHash, each verified exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunebook.gate.shingles import BANDS, Signatures, similarity

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEAST_SIMILARITY = 0.9
_NEIGHBOURS = 8
_LEAST_COMMON_BITS = 52
"""Of the sketches' 64: where the Jaccard similarity is 0.9, 61 agree, with a standard deviation of 1.7."""
_CHARACTERS_AT_ONCE = 1_000_000
_PAIRS_AT_ONCE = 20_000
_EXAMPLES = 5

Texts = Callable[["Array"], Sequence[str]]
"""The normalised texts of some rows, `(rows,)`."""


@dataclass
class Near:
    """What was found: `rows` `(rows, splits)`, whether a text that is nearly a row's, and not the same, is in a
    split; and `examples` by two splits, pairs of rows with their similarity."""

    rows: Array
    examples: dict[tuple[int, int], list[tuple[int, int, float]]] = field(default_factory=dict)


def find(keys: Array, split_of: Array, signatures: Signatures, *, texts: Texts, characters: Array) -> Near:
    """The rows, of all splits together, of which another text is nearly the same: Jaccard similarity of at least 0.9.

    `keys` `(rows,)` stand for the normalised texts, `split_of` `(rows,)` are the splits' numbers from 0, `characters`
    `(rows,)` the lengths of normalised texts. Rows of the same text count as one text, so they are not near. A row
    is compared with a bounded number of others in each band, so that thousands of rows of one pattern cost no more
    than others; each finds a near one, not all of them. Texts shorter than three characters are near to none.
    """
    import numpy as np

    _, first_row, text_of = np.unique(keys, return_index=True, return_inverse=True)
    member = np.zeros((len(first_row), int(split_of.max(initial=0)) + 1), bool)
    member[text_of, split_of] = True
    near = np.zeros_like(member)
    examples: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    usable = np.flatnonzero(signatures.has_any[first_row])
    for band in range(BANDS):
        for pairs in _candidates(signatures.bands[first_row[usable], band], usable, member):
            likely = pairs[_is_likely(pairs, first_row, signatures.sketch)]
            for part in _parts(_open(likely, member, near), characters[first_row]):
                left, right, similar = _verified(part, first_row, texts)
                np.logical_or.at(near, left, member[right])
                np.logical_or.at(near, right, member[left])
                _add_examples(examples, left, right, similar, member)

    def row(text: int, split: int) -> int:
        return int(np.flatnonzero((text_of == text) & (split_of == split))[0])

    shown = {
        (one, other): [(row(left, one), row(right, other), similar) for left, right, similar in pairs]
        for (one, other), pairs in sorted(examples.items())
        if pairs
    }
    return Near(near[text_of], shown)


def _candidates(values: Array, names: Array, member: Array) -> Iterator[Array]:
    """Pairs of texts with the same value in a band, `(pairs, 2)`: neighbours first, then each with the first of every
    split.

    Nearest neighbours come first and alone: what they settle is not asked again.
    """
    import numpy as np

    if not len(values):
        return
    order = np.argsort(values, kind="stable")
    same = values[order][1:] == values[order][:-1]
    shares = np.append(same, False) | np.insert(same, 0, False)
    members, group = names[order[shares]], np.cumsum(~np.insert(same, 0, False)[shares])
    for step in range(1, min(_NEIGHBOURS + 1, len(members))):
        together = group[step:] == group[:-step]
        yield np.stack([members[:-step][together], members[step:][together]], axis=1)
    for split in range(member.shape[1] if len(members) else 0):
        is_in = np.flatnonzero(member[members, split])
        if len(is_in):
            groups, first = np.unique(group[is_in], return_index=True)
            place = np.minimum(np.searchsorted(groups, group), len(groups) - 1)
            has = groups[place] == group
            pairs = np.stack([members[is_in[first[place[has]]]], members[has]], axis=1)
            yield pairs[pairs[:, 0] != pairs[:, 1]]


def _is_likely(pairs: Array, first_row: Array, sketch: Array) -> Array:
    import numpy as np

    left, right = sketch[first_row[pairs[:, 0]]], sketch[first_row[pairs[:, 1]]]
    return np.bitwise_count(~(left ^ right)) >= _LEAST_COMMON_BITS


def _open(pairs: Array, member: Array, near: Array) -> Array:
    """The pairs that would tell something new of one of their texts."""
    left, right = pairs[:, 0], pairs[:, 1]
    news = (member[right] & ~near[left]) | (member[left] & ~near[right])
    return pairs[news.any(axis=1)]


def _parts(pairs: Array, characters: Array) -> Iterator[Array]:
    """The pairs in parts whose texts have a bounded number of characters."""
    import numpy as np

    ends = np.cumsum(characters[pairs].sum(axis=1)) if len(pairs) else np.zeros(0)
    start = 0
    while start < len(pairs):
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + _CHARACTERS_AT_ONCE, side="right"))
        stop = min(max(start + 1, stop), start + _PAIRS_AT_ONCE)
        yield pairs[start:stop]
        start = stop


def _verified(pairs: Array, first_row: Array, texts: Texts) -> tuple[Array, Array, Array]:
    import numpy as np

    named, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(pairs.shape)
    similar = similarity(texts(first_row[named]), places[:, 0], places[:, 1])
    kept = similar >= LEAST_SIMILARITY
    return pairs[kept, 0], pairs[kept, 1], similar[kept]


def _add_examples(
    examples: dict[tuple[int, int], list[tuple[int, int, float]]],
    left: Array,
    right: Array,
    similar: Array,
    member: Array,
) -> None:
    """Keep the first pairs of texts of every two splits."""
    import numpy as np

    for one in range(member.shape[1]):
        for other in range(one, member.shape[1]):
            kept = examples.setdefault((one, other), [])
            fits = member[left, one] & member[right, other]
            turned = member[left, other] & member[right, one] & ~fits
            for pair in np.flatnonzero(fits | turned)[: _EXAMPLES - len(kept)].tolist():
                ends = (left[pair], right[pair]) if fits[pair] else (right[pair], left[pair])
                kept.append((int(ends[0]), int(ends[1]), float(similar[pair])))
