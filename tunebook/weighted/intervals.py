"""How far the scores of one run could be others on other examples: 95 % intervals, metric by metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunebook import metrics, stats
from tunebook.weighted import MOST_UNDEFINED, per_example, replicates, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

RESAMPLES = 1000
_SHARES = ("accuracy", "f1_micro")
"""With one class for each text both are the share of right answers."""


def of_splits(
    scored: Mapping[str, tuple[Any, np.ndarray, np.ndarray]], *, task: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """The intervals of every split but validation, by which training may have chosen: of that they would be too good.

    `scored` has ids, labels `(examples,)` and logits `(examples, outputs)` of each split.
    """
    return {
        name: intervals(labels, logits, task=task)
        for name, (_, labels, logits) in scored.items()
        if name != "validation"
    }


def intervals(labels: ArrayLike, logits: ArrayLike, *, task: str) -> dict[str, dict[str, Any]]:
    """The 95 % interval of each metric of a task: its `low` and `high` end, None where there is none, and `how`.

    Takes labels `(examples,)` and logits `(examples, classes)`, or true and predicted scores. It is over examples:
    other seeds of the same run vary too, and of them it says nothing. Shares of right answers have Wilson's interval,
    the rest the 2.5 % and 97.5 % points of 1,000 resampled test sets, always the same ones.

    Source: Wilson 1927, JASA 22; Efron 1979, Bootstrap methods: another look at the jackknife.

    Raises:
        ValueError: the shapes do not fit, there is no example, or a label is no class.

    Example:
        >>> found = intervals([0, 1, 1, 0], [[2, 1], [1, 2], [2, 1], [2, 1]], task="classification")
        >>> round(found["accuracy"]["low"], 2), found["ece"]["how"]
        (0.3, 'no interval: resampled test sets look worse calibrated than the set itself')
    """
    return {
        row.name: _interval(row.name, labels, logits) for row in metrics.rows().values() if row.task == task
    }


def _interval(name: str, labels: ArrayLike, logits: ArrayLike) -> dict[str, Any]:
    import numpy as np

    if np.isnan(values(name, [(labels, logits)])[0]):
        return _none("the score is undefined")
    if name in _SHARES:
        is_right = per_example("accuracy", labels, logits)
        assert is_right is not None
        low, high = stats.wilson(int(is_right.sum()), len(is_right))
        return {"low": low, "high": high, "how": "Wilson"}
    if (
        name == "ece"
    ):  # a mean of gaps grows with their noise: its percentiles often leave out the score itself
        return _none("resampled test sets look worse calibrated than the set itself")
    return _percentiles(replicates(name, [(labels, logits)], resamples=RESAMPLES)[0])


def _percentiles(drawn: np.ndarray) -> dict[str, Any]:
    """The interval by the scores of resampled test sets, `(resamples,)`, NaN where they are undefined."""
    import numpy as np

    is_defined = np.isfinite(drawn)
    if is_defined.mean() < 1 - MOST_UNDEFINED:
        return _none("undefined on many resampled test sets")
    low, high = (float(end) for end in np.quantile(drawn[is_defined], (0.025, 0.975)))
    if high - low <= 1e-12:
        return _none("resampled test sets give the same score")
    return {"low": low, "high": high, "how": "bootstrap"}


def _none(why: str) -> dict[str, Any]:
    return {"low": None, "high": None, "how": f"no interval: {why}"}
