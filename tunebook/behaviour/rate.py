"""A share of examples and a difference of shares, over seeds and examples, near 0 and 1 as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunebook import stats
from tunebook.stats.crossed import Scores

if TYPE_CHECKING:
    import numpy as np


def rate(scores: np.ndarray) -> dict[str, Any]:
    """The mean of scores from 0 to 1, `(seeds, examples)`, with its 95 % interval over new seeds and new examples.

    `value`, `low`, `high` and `covers`, which says whether one seed speaks for itself alone. The interval is that of
    the crossed t, counted with one more example at 0 and one at 1, without which a rate of 0 would have no spread.

    Source: Agresti and Caffo 2000, Simple and effective confidence intervals for proportions and differences of
    proportions.

    Raises:
        ValueError: there is no example, or a score is NaN or infinite.

    Example:
        >>> import numpy as np
        >>> found = rate(np.zeros((3, 50)))
        >>> found["value"], round(found["high"], 2)
        (0.0, 0.06)
    """
    estimate = stats.by_example(widened(scores)).parts().estimate()
    return {
        "value": float(scores.mean()),
        "low": max(0.0, estimate.low),
        "high": min(1.0, estimate.high),
        "covers": estimate.covers,
    }


def widened(scores: np.ndarray) -> np.ndarray:
    """Scores `(seeds, examples)` with one more example that is right and one that is wrong."""
    import numpy as np

    more = np.tile([1.0, 0.0], (len(scores), 1))
    return np.concatenate([scores, more], axis=1)


def difference(first: np.ndarray, second: np.ndarray) -> stats.Difference:
    """The difference of means of the same seeds on other examples, `(seeds, examples)` each: the first less the second.

    What each example adds to it is laid out as one row of scores: their mean over examples is the difference of a seed,
    and their variance, over the number of them, the sum of both sides' variances over theirs.
    """
    import numpy as np

    sides = [widened(side) for side in (first, second)]
    count = sum(side.shape[1] for side in sides)
    values = sides[0].mean(axis=1) - sides[1].mean(axis=1)
    columns = []
    for sign, side in zip((1, -1), sides, strict=True):
        size = side.shape[1]
        factor = sign * (count * (count - 1) / (size * (size - 1))) ** 0.5
        columns.append(values[:, None] + factor * (side - side.mean(axis=1, keepdims=True)))
    variances = [float(side.mean(axis=0).var(ddof=1)) / side.shape[1] for side in sides]
    if not sum(variances):  # every example is alike, and each seed says the same of all of them
        welch = float(count - 2)
    else:
        welch = sum(variances) ** 2 / sum(
            variance**2 / (side.shape[1] - 1) for variance, side in zip(variances, sides, strict=True)
        )
    row = Scores(values, np.concatenate(columns, axis=1), 1 / count, int(welch) + 1, False)
    nothing = Scores(np.zeros(1), np.zeros((1, count)), 1 / count, int(welch) + 1, True)
    return stats.paired(row, nothing)
