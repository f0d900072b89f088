"""Many comparisons at once: p values that allow for their number, and groups of rows that cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from tunebook.stats.checked import finite

if TYPE_CHECKING:
    import numpy as np

Row = TypeVar("Row")


def holm(p_values: Sequence[float]) -> list[float]:
    """P values that are below a level with no more than its probability if not one difference is real.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.

    Raises:
        ValueError: a p value is None, NaN or not from 0 to 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    import numpy as np

    array, order = _sorted(p_values)
    count = len(array)
    return _back(np.maximum.accumulate(array * np.arange(count, 0, -1)), order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """P values of which those below a level hold, on average, no larger share of false findings than that level.

    Source: Benjamini and Hochberg 1995, Controlling the false discovery rate.

    Raises:
        ValueError: a p value is None, NaN or not from 0 to 1.

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03])
        [0.03, 0.04, 0.04]
    """
    import numpy as np

    array, order = _sorted(p_values)
    count = len(array)
    scaled = array * count / np.arange(1, count + 1)
    return _back(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _sorted(p_values: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """P values from the smallest on, and where each came from."""
    import numpy as np

    array = finite(p_values, "p values", axes=("tests",), least=(0,))
    if len(array) and not 0 <= array.min() <= array.max() <= 1:
        raise ValueError(f"p values run from {array.min()} to {array.max()}, expected 0 to 1")
    order = np.argsort(array, kind="stable")
    return array[order], order


def _back(adjusted: np.ndarray, order: np.ndarray) -> list[float]:
    """Values of p at most 1, in the order in which they came."""
    import numpy as np

    placed = np.empty(len(order))
    placed[order] = np.minimum(adjusted, 1)
    return [float(value) for value in placed]


def tie_groups(order: Sequence[Row], separable: Callable[[Row, Row], bool]) -> list[int]:
    """The group of each row of a best-first list, in place of a rank: 1 for the best and all not separable from it.

    The next group begins with the best of the rest and takes those of the rest that cannot be told from it, and so on.
    A row of a later group can stand before one of an earlier group, if it is known better.

    Example:
        >>> tie_groups([0.9, 0.88, 0.8, 0.79], lambda better, worse: better - worse > 0.05)
        [1, 1, 2, 2]
    """
    groups = [0] * len(order)
    group = 0
    while 0 in groups:
        group += 1
        best = groups.index(0)
        for place in range(best, len(order)):
            if groups[place] == 0 and (place == best or not separable(order[best], order[place])):
                groups[place] = group
    return groups
