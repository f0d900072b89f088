"""Which rows go to which split: exact sizes by rank, thresholds, leaks, subsets; by hash, never by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from tunebook.data.normal import Keys

    Indices = np.ndarray[tuple[int], np.dtype[np.int64]]

Bands = Sequence[tuple[str, float]]

_SUBSET_SALT = 0x9E3779B97F4A7C15


def cutting_keys(keys: Keys, seed: int | None) -> Keys:
    """The keys `(rows,)` that rows are cut by: their own, or with a seed others, equal where their own are equal.

    They are for cutting alone: whether two texts are the same is asked of their own keys.

    Source: Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators (the mixer of SplitMix64, which
    maps no two keys to one).
    """
    import numpy as np

    if seed is None:
        return keys
    start = hashlib.blake2b(f"split_seed {seed}".encode(), digest_size=8).digest()
    mixed = keys ^ np.uint64(int.from_bytes(start))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def cut_by_rank(keys: Keys, sizes: Mapping[str, int]) -> dict[str, Indices]:
    """Splits of exact sizes: rows in the order of their keys, the first name's first; the rest is `train`.

    Rows of the same text are neighbours in that order, so at most one text per border stands on both sides.
    Where `sizes` names `train`, the rows over are left out.
    """
    import numpy as np

    order = np.argsort(keys, kind="stable")
    splits, start = {}, 0
    for name, size in sizes.items():
        splits[name] = np.sort(order[start : start + size])
        start += size
    if "train" not in splits:
        splits["train"] = np.sort(order[start:])
    return splits


def cut_by_threshold(keys: Keys, bands: Bands) -> dict[str, Indices]:
    """Splits by fixed bands of the key (name and share, in order): a row's split depends on its key alone.

    Where a small file leaves a split empty, the rows of the nearest key are taken from train.
    """
    import numpy as np

    shares = (keys >> np.uint64(11)).astype(np.float64) / 2.0**53
    edges = np.cumsum([share for _, share in bands])
    place = np.minimum(np.searchsorted(edges, shares, side="right"), len(bands) - 1)
    names = np.array([name for name, _ in bands])[place]
    for name, _ in reversed(bands):
        donors = np.flatnonzero(names == "train")
        if len(donors) and not (names == name).any():
            names[keys == keys[donors].max()] = name
    return {name: np.flatnonzero(names == name) for name in dict(bands)}


def cut_by_order(order: Indices, bands: Bands) -> dict[str, Indices]:
    """Splits along an order (oldest first) by shares of 1; every split of three rows or more gets a row."""
    import numpy as np

    edges = [round(edge * len(order)) for edge in np.cumsum([share for _, share in bands])]
    for index in range(len(bands) - 2, -1, -1):
        edges[index] = max(0, min(edges[index], edges[index + 1] - 1))
    splits: dict[str, Indices] = {}
    for (name, _), start, end in zip(bands, [0, *edges[:-1]], edges, strict=True):
        splits[name] = np.sort(np.concatenate([splits.get(name, order[:0]), order[start:end]]))
    return splits


def leaking(keys: Keys, others: Keys) -> np.ndarray[Any, Any]:
    """For each row, whether its text stands among the others: booleans, `(rows,)`."""
    import numpy as np

    return np.isin(keys, others)


def stratified_subset(keys: Keys, labels: np.ndarray[Any, Any], size: int) -> Indices:
    """`size` rows with the classes in the same shares (largest remainder), chosen by a hash of the text.

    `keys` and `labels` are `(rows,)`, the positions given back `(size,)`. No seed plays a part. Scores count
    as one class.
    """
    import numpy as np

    mixed = (keys ^ np.uint64(_SUBSET_SALT)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(31)
    classes, members = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "f":
        classes, members = classes[:1], np.zeros(len(labels), dtype=np.int64)
    wanted = largest_remainder(np.bincount(members, minlength=len(classes)), size)
    chosen = []
    for index, count in enumerate(wanted):
        rows = np.flatnonzero(members == index)
        chosen.append(rows[np.argsort(mixed[rows], kind="stable")[:count]])
    return np.sort(np.concatenate(chosen))


def largest_remainder(counts: np.ndarray[Any, Any], size: int) -> list[int]:
    """`size` shared out in proportion to `counts`, `(classes,)`, as whole numbers that sum to it exactly.

    Example:
        >>> import numpy as np
        >>> largest_remainder(np.array([2, 1]), 2)
        [1, 1]
    """
    import numpy as np

    exact = counts * (size / counts.sum())
    shares = np.floor(exact).astype(int)
    remainders = np.argsort(-(exact - shares), kind="stable")
    shares[remainders[: size - shares.sum()]] += 1
    return [int(share) for share in shares]
