"""Metrics example by example and on resampled test sets, of many runs on the same examples at once.

A run is its labels and its logits. Metrics that are means over examples have scores of single examples; for all others
the bootstrap tells how they vary with the examples. What both are good for is in `tunebook.stats`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tunebook import metrics
from tunebook.metrics import Classified, Metric, Scored
from tunebook.registry import lookup
from tunebook.weighted import sorting, sums
from tunebook.weighted.resamples import ELEMENTS, draw_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    from tunebook.weighted.resamples import Prepare, Weigh

__all__ = ["MOST_UNDEFINED", "per_example", "replicates", "values"]
MOST_UNDEFINED = 0.01
"""The share of resamples that a metric may be undefined on, as where a rare class was not drawn."""


def per_example(metric_name: str, labels: ArrayLike, logits: ArrayLike) -> np.ndarray | None:
    """The score of each example, `(examples,)`, whose mean is the metric; None where the metric is no such mean.

    Takes class indices `(examples,)` and logits `(examples, classes)`, or true scores `(examples,)` and predicted ones,
    `(examples,)` or `(examples, 1)`. A score can be NaN or infinite, as the log loss of a class thought impossible is.

    Raises:
        UsageError: there is no such metric.
        ValueError: the shapes do not fit, there is no example, or a label is no class.

    Example:
        >>> per_example("accuracy", [0, 1, 1], [[2, 1], [1, 2], [2, 1]]).tolist()
        [1.0, 1.0, 0.0]
        >>> per_example("mcc", [0, 1, 1], [[2, 1], [1, 2], [2, 1]]) is None
        True
    """
    import numpy as np

    (found,) = _found(lookup(metrics.rows(), metric_name, "metric"), [(labels, logits)])
    if metric_name not in sums.PER_EXAMPLE:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        return sums.PER_EXAMPLE[metric_name](found)


def values(metric_name: str, runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> np.ndarray:
    """A metric of each run on all examples, `(runs,)`, as `metrics.evaluate` gives it, but NaN where it is undefined.

    Raises:
        UsageError: there is no such metric.
        ValueError: as for `replicates`.

    Example:
        >>> values("recall", [([0, 1, 1, 0], [[2, 1], [1, 2], [2, 1], [2, 1]])]).tolist()
        [0.75]
    """
    import numpy as np

    row = lookup(metrics.rows(), metric_name, "metric")
    with np.errstate(over="ignore", invalid="ignore"):
        found = [row.compute(run) if _is_defined(run) else math.nan for run in _found(row, runs)]
    return np.where(np.isfinite(found), found, math.nan)


def replicates(
    metric_name: str,
    runs: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> np.ndarray:
    """A metric of each run on resampled test sets, `(runs, resamples)`, the same ones for all runs.

    A run is its labels `(examples,)` and logits `(examples, classes)`, or true scores and predicted ones, `(examples,)`
    or `(examples, 1)`; all runs have the same examples in the same order. A resample draws as many examples as there
    are, with replacement: which ones depends on their number, `resamples` and the seed alone, so that two calls are
    paired too.

    A value is NaN where the metric is undefined on a resample, such as recall without an example of some class, and
    everywhere for a run with a NaN among its logits. What to do about them is the caller's decision.

    Source: Efron 1979, Bootstrap methods: another look at the jackknife.

    Raises:
        UsageError: there is no such metric.
        ValueError: there are no runs, no examples or no resamples, shapes or labels do not fit, or a label is no class.

    Example:
        >>> labels = [0, 1, 1, 0]
        >>> worse, better = [[2, 1], [1, 2], [2, 1], [2, 1]], [[2, 1], [1, 2], [1, 2], [2, 1]]
        >>> found = replicates("accuracy", [(labels, worse), (labels, better)], resamples=100)
        >>> found.shape, bool((found[0] <= found[1]).all())
        ((2, 100), True)
    """
    import numpy as np

    row = lookup(metrics.rows(), metric_name, "metric")
    found = _found(row, runs)
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, expected at least 1")
    prepare = sums.PREPARE.get(metric_name) or sorting.PREPARE.get(metric_name) or _by_compute(row)
    replicate = np.full((len(found), resamples), math.nan)
    for places in _groups(found):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            weigh = prepare([found[place] for place in places])
            for part, weights in draw_weights(len(found[0].labels), resamples, seed):
                replicate[places, part] = weigh(weights).T
    replicate[~np.isfinite(replicate)] = math.nan
    return replicate


def _groups(found: Sequence[Classified | Scored]) -> list[list[int]]:
    """The places of runs without a NaN, in groups of which the memory holds what the weights are multiplied with."""
    defined = [place for place, run in enumerate(found) if _is_defined(run)]
    columns = found[0].logits.size if isinstance(found[0], Classified) else len(found[0].labels)
    size = max(1, ELEMENTS // columns)
    return [defined[start : start + size] for start in range(0, len(defined), size)]


def _by_compute(row: Metric) -> Prepare:
    """A metric that nobody wrote a faster way for: computed on each resample."""

    def prepare(runs: Sequence[Any]) -> Weigh:
        import numpy as np

        def compute(run: Any, counts: np.ndarray) -> float:
            examples = np.repeat(np.arange(len(counts)), counts.astype(np.int64))
            return row.compute(type(run)(*(getattr(run, field.name)[examples] for field in fields(run))))

        return lambda weights: np.array([[compute(run, counts) for run in runs] for counts in weights])

    return prepare


# --- what came ----------------------------------------------------------------------------------------------


def _is_defined(run: Classified | Scored) -> bool:
    import numpy as np

    return not np.isnan(run.logits if isinstance(run, Classified) else run.predicted).any()


def _found(row: Metric, runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> list[Classified | Scored]:
    import numpy as np

    if not runs:
        raise ValueError("there are no runs, expected at least one")
    make = _scored if row.task == "regression" else _classified
    found = [make(np.asarray(labels), np.asarray(logits, np.float64)) for labels, logits in runs]
    for place, run in enumerate(found):
        if not np.array_equal(run.labels, found[0].labels):
            raise ValueError(
                f"run {place} has other labels than run 0, expected the same examples in the same order"
            )
    return found


def _classified(labels: np.ndarray, logits: np.ndarray) -> Classified | Scored:
    if labels.ndim != 1 or not len(labels) or logits.ndim != 2 or len(logits) != len(labels):
        raise ValueError(
            f"labels and logits have shapes {labels.shape} and {logits.shape}, "
            "expected (examples,) and (examples, classes)"
        )
    if not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, expected 0 to {logits.shape[1] - 1}"
        )
    return Classified(labels.astype("int64"), logits)


def _scored(labels: np.ndarray, predicted: np.ndarray) -> Classified | Scored:
    if labels.ndim != 1 or not len(labels) or predicted.shape not in (labels.shape, (len(labels), 1)):
        raise ValueError(
            f"true and predicted scores have shapes {labels.shape} and {predicted.shape}, expected (examples,) of both"
        )
    return Scored(labels.astype("float64"), predicted.reshape(-1))
