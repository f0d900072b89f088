"""Metrics that follow from an order of examples: ranks and bins of equal mass, found anew under the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunebook.metrics import CALIBRATION_BINS, Classified, Scored

if TYPE_CHECKING:
    import numpy as np

    from tunebook.weighted.resamples import Prepare, Weigh

_BLOCK_ELEMENTS = 2**14
"""How many weights are sorted and summed up at a time. Arrays of 128 KiB are what the allocator keeps: larger ones were
fetched from the system again and again, which took twice as long.
"""


def _in_blocks(weigh: Weigh) -> Weigh:
    def weigh_blocks(weights: np.ndarray) -> np.ndarray:
        import numpy as np

        size = max(1, _BLOCK_ELEMENTS // weights.shape[1])
        starts = range(0, len(weights), size)
        return np.concatenate([weigh(weights[start : start + size]) for start in starts])

    return weigh_blocks


# --- ranks --------------------------------------------------------------------------------------------------


def _spearman(runs: Sequence[Scored]) -> Weigh:
    import numpy as np

    label_ranks, rankings = _ranking(runs[0].labels), [_ranking(run.predicted) for run in runs]

    def weigh(weights: np.ndarray) -> np.ndarray:
        labels = label_ranks(weights)
        weighted = weights * labels
        variance = (weighted * labels).sum(axis=1)

        def correlate(scores: np.ndarray) -> np.ndarray:
            correlation: np.ndarray = (weighted * scores).sum(axis=1) / np.sqrt(
                variance * (weights * scores**2).sum(axis=1)
            )
            return correlation

        return np.stack([correlate(ranks(weights)) for ranks in rankings], axis=1)

    return _in_blocks(weigh)


def _ranking(values: np.ndarray) -> Weigh:
    """From weights to the rank of each example less the mean rank, both `(resamples, examples)`.

    Equal values share the middle one of their ranks.
    """
    import numpy as np

    _, places = np.unique(values, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))

    def rank(weights: np.ndarray) -> np.ndarray:
        counts = np.add.reduceat(weights[:, order], starts, axis=1).astype(np.float64)
        ranks = counts.cumsum(axis=1) - (counts - 1) / 2 - (len(values) + 1) / 2
        centred: np.ndarray = ranks[:, places]
        return centred

    return rank


# --- calibration --------------------------------------------------------------------------------------------


def _calibration_error(runs: Sequence[Classified]) -> Weigh:
    import numpy as np

    errors = [_gaps(run) for run in runs]
    return _in_blocks(lambda weights: np.stack([error(weights) for error in errors], axis=1))


def _gaps(run: Classified) -> Weigh:
    """From weights to the calibration error of one run, `(resamples,)`, in bins of equally many resampled examples."""
    import numpy as np

    confidence = np.exp(run.log_probabilities.max(axis=1))
    order = np.argsort(confidence, kind="stable")
    confidence, gaps = confidence[order], (confidence - run.is_right)[order]

    def weigh(weights: np.ndarray) -> np.ndarray:
        ordered = weights[:, order].astype(np.float64)
        splits = np.searchsorted(confidence, _edges(confidence, ordered.cumsum(axis=1)), side="left")
        ends = np.pad(splits, ((0, 0), (1, 1)), constant_values=((0, 0), (0, len(gaps))))
        sums = np.pad((ordered * gaps).cumsum(axis=1), ((0, 0), (1, 0)))
        of_bins = np.diff(np.take_along_axis(sums, ends, axis=1), axis=1)
        error: np.ndarray = np.abs(of_bins).sum(axis=1) / len(gaps)
        return error

    return weigh


def _edges(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The edges of bins of equal mass, `(resamples, bins - 1)`: quantiles as numpy interpolates them.

    `values` are sorted, `counts` `(resamples, examples)` how many resampled examples each and those before it are.
    """
    import numpy as np

    examples = len(values)
    position = (examples - 1) * np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    # Rows are shifted beyond each other, so that one search goes through all of them.
    row = np.arange(len(counts))[:, None]
    shifted = (counts + (examples + 1) * row).ravel()

    def at(rank: np.ndarray) -> np.ndarray:
        found = np.searchsorted(shifted, (rank + (examples + 1) * row).ravel(), side="right")
        ranked: np.ndarray = values[found.reshape(len(counts), -1) - examples * row]
        return ranked

    whole = np.floor(position)
    part = position - whole
    below, above = at(whole), at(np.minimum(whole + 1, examples - 1))
    # Both forms, as numpy has them: a rounding of the edge would put an example into another bin.
    near_below, near_above = below + (above - below) * part, above - (above - below) * (1 - part)
    edges: np.ndarray = np.where(part < 0.5, near_below, near_above)
    return edges


PREPARE: Mapping[str, Prepare] = {"spearman": _spearman, "ece": _calibration_error}
"""By metric, what weighs it."""
