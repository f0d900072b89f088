"""The area under the ROC curve with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_NORMAL_975 = 1.959963984540054


def auc(scores: Array, is_positive: Array, *, groups: Array | None = None) -> tuple[float, float, float]:
    """The area under the ROC curve of `scores` `(rows,)` against `is_positive` `(rows,)`, and its 95 % interval.

    It is the probability that a positive row has a higher score than a negative one, ties counted half. NaN where
    there are rows of one kind only. With `groups` `(rows,)` rows are compared within their group alone, and it is the
    mean of the groups that have rows of both kinds.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, computed from midranks as in Sun and Xu 2014, IEEE
    Signal Processing Letters 21.

    Example:
        >>> import numpy as np
        >>> [round(value, 3) for value in auc(np.array([1, 2, 3, 4]), np.array([False, True, False, True]))]
        [0.75, 0.057, 1.0]
    """
    import numpy as np

    places = (
        [np.arange(len(scores))]
        if groups is None
        else [np.flatnonzero(groups == one) for one in np.unique(groups)]
    )
    mixed = [rows for rows in places if 0 < is_positive[rows].sum() < len(rows)]
    if not mixed:
        return (float("nan"),) * 3
    parts = [_area(scores[rows], is_positive[rows]) for rows in mixed]
    area = sum(one for one, _ in parts) / len(parts)
    reach = _NORMAL_975 * sum(variance for _, variance in parts) ** 0.5 / len(parts)
    return area, max(0.0, area - reach), min(1.0, area + reach)


def _area(scores: Array, is_positive: Array) -> tuple[float, float]:
    """The area and its variance."""
    positive, negative = scores[is_positive], scores[~is_positive]
    ranks = _midranks(scores)
    above = (ranks[is_positive] - _midranks(positive)) / len(negative)
    below = 1 - (ranks[~is_positive] - _midranks(negative)) / len(positive)
    return float(above.mean()), sum(
        float(part.var(ddof=1)) / len(part) for part in (above, below) if len(part) > 1
    )


def _midranks(values: Array) -> Array:
    """Ranks from 1, equal values at the mean of theirs."""
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
