"""Whether two rows answer differently by more than their seeds do, who is right where they differ, and on what."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tunebook.stats.checked import finite
from tunebook.weighted.resamples import draw_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike

    Pairs = Sequence[tuple[int, int]]

MOST_SPLITS = 10_000
"""Up to so many ways to deal the runs out to two rows all are looked at, beyond them as many at random."""
RESAMPLES = 2000


def compare(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> dict[str, Any]:
    """How far two rows agree, given labels `(examples,)` and the classes that each run predicted, `(seeds, examples)`.

    Numbers are means over pairs of runs. `between` is the share of examples on which a run of one row and one of the
    other differ, `within` that of two runs of the same row (None where a row has one run). `kappa` of all three is
    Cohen's: 1 is always the same, 0 what chance would give. `where_they_differ` divides `between` into the examples
    that only the `first` or only the `second` has right, and those that `neither` has.

    `excess` is `between` less the mean of what is known of `within`: `value`; `low` and `high`, its 95 % interval over
    examples (2,000 resampled test sets, for these runs); `p`, how many of the ways to deal all runs out to two rows of
    these sizes give as large an excess or larger, `smallest_p` the smallest that so few runs can give: 3 and 3 runs
    make 10 different ways, and no p below 0.1. None where neither row has two runs. Runs that share their seed may be
    more alike for it, which makes p too large rather than too small. A deterministic row is one run: what it differs by
    is compared with the seeds of the other.

    Source: Cohen 1960, A coefficient of agreement for nominal scales; Fisher 1935, The design of experiments, section
    21; Efron 1979, Bootstrap methods: another look at the jackknife.

    Raises:
        ValueError: the shapes do not fit, there is no run or no example, or a prediction is NaN or infinite.

    Example:
        >>> found = compare([0, 1, 1, 0], [[0, 1, 1, 1], [0, 1, 1, 0]], [[0, 0, 0, 1], [0, 0, 1, 1]])
        >>> found["between"], found["within"], found["where_they_differ"]["first"]
        (0.5, [0.25, 0.25], 0.5)
        >>> round(found["excess"]["value"], 3), round(found["excess"]["smallest_p"], 3)
        (0.25, 0.333)
    """
    import numpy as np

    truth, rows = _checked(labels, first, second)
    runs, sizes = np.concatenate(rows), (len(rows[0]), len(rows[1]))
    across, inside = _pairs(sizes)
    right = runs == truth
    return {
        "examples": len(truth),
        "runs": list(sizes),
        "between": _differing(runs, across),
        "within": [_differing(runs, pairs) if pairs else None for pairs in inside],
        "kappa": {
            "between": _kappa(runs, across),
            "within": [_kappa(runs, pairs) if pairs else None for pairs in inside],
        },
        "where_they_differ": {
            "first": float(np.mean([(right[i] & ~right[j]).mean() for i, j in across])),
            "second": float(np.mean([(right[j] & ~right[i]).mean() for i, j in across])),
            "neither": float(
                np.mean([((runs[i] != runs[j]) & ~right[i] & ~right[j]).mean() for i, j in across])
            ),
        },
        "excess": _excess(runs, sizes) if max(sizes) > 1 else None,
    }


def contested(correct_a: ArrayLike, correct_b: ArrayLike, *, most: int = 50) -> dict[str, Any]:
    """The examples that one row has right more often than the other: which answers are right, `(seeds, examples)` each.

    `first` lists at most `most` examples, those first that most runs of the first row have right and most runs of the
    second wrong: `example` (its index), `right` of the first row's runs and `other_right` of the second's. `second`
    likewise the other way round. `counts[i][j]` is how many examples i runs of the first and j of the second have
    right.

    Raises:
        ValueError: the shapes do not fit, or there is no run or no example.

    Example:
        >>> found = contested([[1, 1, 0], [1, 0, 0]], [[0, 0, 1]])
        >>> found["first"]
        [{'example': 0, 'right': 2, 'other_right': 0}, {'example': 1, 'right': 1, 'other_right': 0}]
        >>> found["counts"]
        [[0, 1], [1, 0], [1, 0]]
    """
    import numpy as np

    rows = [
        finite(one, "answers", axes=("seeds", "examples"), least=(1, 1)) > 0 for one in (correct_a, correct_b)
    ]
    if rows[0].shape[1] != rows[1].shape[1]:
        raise ValueError(f"rows have {rows[0].shape[1]} and {rows[1].shape[1]} examples, expected the same")
    right, shares = [one.sum(axis=0) for one in rows], [one.mean(axis=0) for one in rows]
    counts = np.zeros((len(rows[0]) + 1, len(rows[1]) + 1), int)
    np.add.at(counts, tuple(right), 1)

    def ahead(row: int) -> list[dict[str, int]]:
        lead = shares[row] - shares[1 - row]
        order = np.argsort(-lead, kind="stable")[:most]
        return [
            {"example": int(one), "right": int(right[row][one]), "other_right": int(right[1 - row][one])}
            for one in order
            if lead[one] > 0
        ]

    return {"first": ahead(0), "second": ahead(1), "counts": counts.tolist()}


# --- what runs differ by ------------------------------------------------------------------------------------


def _checked(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    truth = finite(labels, "labels", axes=("examples",), least=(1,))
    one, other = (
        finite(row, "predictions", axes=("seeds", "examples"), least=(1, 1)) for row in (first, second)
    )
    if not len(truth) == one.shape[1] == other.shape[1]:
        raise ValueError(
            f"labels are of {len(truth)} examples, predictions of {one.shape[1]} and {other.shape[1]}, "
            "expected the same"
        )
    return truth, (one, other)


def _pairs(sizes: tuple[int, int]) -> tuple[Pairs, tuple[Pairs, Pairs]]:
    """Which runs make a pair across rows, and which within either; the first row's come first."""
    first, second = range(sizes[0]), range(sizes[0], sum(sizes))
    across = [(i, j) for i in first for j in second]
    return across, (list(combinations(first, 2)), list(combinations(second, 2)))


def _differing(runs: np.ndarray, pairs: Pairs) -> float:
    import numpy as np

    return float(np.mean([(runs[i] != runs[j]).mean() for i, j in pairs]))


def _kappa(runs: np.ndarray, pairs: Pairs) -> float | None:
    """Mean kappa of pairs; None where one is undefined, as both runs give all examples the same class."""
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    if any(len(np.unique(runs[[i, j]])) < 2 for i, j in pairs):
        return None
    return float(np.mean([cohen_kappa_score(runs[i], runs[j]) for i, j in pairs]))


# --- more than seeds explain --------------------------------------------------------------------------------


def _excess(runs: np.ndarray, sizes: tuple[int, int]) -> dict[str, Any]:
    import numpy as np

    across, inside = _pairs(sizes)
    known = [pairs for pairs in inside if pairs]
    by_example = _mean_differing(runs, across)
    for pairs in known:
        by_example -= _mean_differing(runs, pairs) / len(known)
    drawn = np.concatenate(
        [weights @ by_example for _, weights in draw_weights(len(by_example), RESAMPLES, 0)]
    )
    low, high = np.quantile(drawn / len(by_example), [0.025, 0.975])
    return {
        "value": float(by_example.mean()),
        "low": float(low),
        "high": float(high),
        **_permuted(runs, sizes),
    }


def _mean_differing(runs: np.ndarray, pairs: Pairs) -> np.ndarray:
    """On each example the share of pairs that differ, `(examples,)`."""
    import numpy as np

    total = np.zeros(runs.shape[1])
    for i, j in pairs:
        total += runs[i] != runs[j]
    return total / len(pairs)


def _permuted(runs: np.ndarray, sizes: tuple[int, int]) -> dict[str, Any]:
    """The p of the excess over ways to deal runs out, its smallest value, and how many ways were looked at."""
    import numpy as np

    count = sum(sizes)
    distances = np.array([[(runs[i] != runs[j]).mean() for j in range(count)] for i in range(count)])
    ways = math.comb(count, sizes[0])
    is_exact = ways <= MOST_SPLITS
    chosen = _all_ways(count, sizes[0]) if is_exact else _drawn_ways(count, sizes[0])
    observed = np.zeros((1, count))
    observed[0, : sizes[0]] = 1
    found, value = _excess_of(distances, chosen), float(_excess_of(distances, observed)[0])
    extreme = int((found >= value - 1e-12).sum())
    # Rows of equal size can be swapped, which changes nothing: two of the ways are always alike.
    least = (2 if sizes[0] == sizes[1] else 1) / ways
    p = extreme / ways if is_exact else (extreme + 1) / (MOST_SPLITS + 1)
    return {
        "p": p,
        "smallest_p": least if is_exact else 1 / (MOST_SPLITS + 1),
        "splits": round(1 / least) if is_exact else MOST_SPLITS,
    }


def _all_ways(count: int, size: int) -> np.ndarray:
    """Every choice of the first row's runs, as 1 and 0, `(ways, runs)`."""
    import numpy as np

    members = np.array(list(combinations(range(count), size)))
    chosen = np.zeros((len(members), count))
    np.put_along_axis(chosen, members, 1, axis=1)
    return chosen


def _drawn_ways(count: int, size: int) -> np.ndarray:
    import numpy as np

    draw = np.random.default_rng(0)
    first = np.concatenate([np.ones(size), np.zeros(count - size)])
    return draw.permuted(np.tile(first, (MOST_SPLITS, 1)), axis=1)


def _excess_of(distances: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The excess for each choice of the first row's runs, `(ways,)`, from distances `(runs, runs)`."""
    import numpy as np

    def mean(one: np.ndarray, other: np.ndarray, pairs: int) -> np.ndarray:
        total: np.ndarray = ((one @ distances) * other).sum(axis=1)
        return total / pairs

    rest = 1 - chosen
    sizes = int(chosen[0].sum()), int(rest[0].sum())
    between = mean(chosen, rest, sizes[0] * sizes[1])
    within = [
        mean(one, one, size * (size - 1)) for one, size in zip((chosen, rest), sizes, strict=True) if size > 1
    ]
    excess: np.ndarray = between - np.mean(within, axis=0)
    return excess
