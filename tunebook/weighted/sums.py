"""Metrics that follow from sums over examples: matrix products with the weights give them for many runs at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.metrics import Classified, Scored

if TYPE_CHECKING:
    import numpy as np

    from tunebook.weighted.resamples import Prepare, Weigh

# --- means --------------------------------------------------------------------------------------------------


def _right(found: Classified) -> np.ndarray:
    return found.is_right.astype("float64")


def _log_loss(found: Classified) -> np.ndarray:
    losses: np.ndarray = -found.log_probabilities[range(len(found.labels)), found.labels]
    return losses


def _brier(found: Classified) -> np.ndarray:
    import numpy as np

    truth = np.eye(found.logits.shape[1])[found.labels]
    distances: np.ndarray = ((np.exp(found.log_probabilities) - truth) ** 2).sum(axis=1)
    return distances


def _error(power: int) -> Callable[[Scored], np.ndarray]:
    def error(found: Scored) -> np.ndarray:
        errors: np.ndarray = abs(found.predicted - found.labels) ** power
        return errors

    return error


PER_EXAMPLE: Mapping[str, Callable[[Any], np.ndarray]] = {
    "accuracy": _right,
    "f1_micro": _right,
    "log_loss": _log_loss,
    "brier": _brier,
    "mse": _error(2),
    "mae": _error(1),
}
"""By metric, how each example of a run scores, `(examples,)`; the metric is the mean."""


def _means(score: Callable[[Any], np.ndarray]) -> Prepare:
    def prepare(runs: Sequence[Any]) -> Weigh:
        import numpy as np

        scores = np.stack([score(run) for run in runs], axis=1)
        is_undefined = ~np.isfinite(scores)
        scores[is_undefined] = 0
        means = scores.mean(axis=0)
        # Float32 then rounds what resamples differ in, not the metric itself.
        deviations, undefined = (scores - means).astype(np.float32), is_undefined.astype(np.float32)

        def weigh(weights: np.ndarray) -> np.ndarray:
            values: np.ndarray = weights @ deviations / len(deviations) + means
            if is_undefined.any():
                values[weights @ undefined > 0] = math.nan
            return values

        return weigh

    return prepare


# --- counts -------------------------------------------------------------------------------------------------


def _counts(formula: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Prepare:
    """A metric by its formula: how many examples were given each class rightly, how many were given it, and how many
    belong to it, all broadcast to `(resamples, runs, classes)`, give `(resamples, runs)`.
    """

    def prepare(runs: Sequence[Classified]) -> Weigh:
        import numpy as np

        classes = np.arange(runs[0].logits.shape[1])
        belongs = (runs[0].labels[:, None] == classes).astype(np.float32)
        given = np.concatenate([run.classes[:, None] == classes for run in runs], axis=1).astype(np.float32)
        right = given * np.tile(belongs, len(runs))

        def weigh(weights: np.ndarray) -> np.ndarray:
            def count(columns: np.ndarray) -> np.ndarray:
                counts = weights @ columns  # exact: float32 holds whole numbers up to 2**24
                by_class: np.ndarray = counts.reshape(len(weights), -1, len(classes)).astype(np.float64)
                return by_class

            return formula(count(right), count(given), count(belongs))

        return weigh

    return prepare


def _precision(right: np.ndarray, given: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    precision: np.ndarray = (right / given).mean(axis=2)
    return precision


def _recall(right: np.ndarray, given: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    recall: np.ndarray = (right / belongs).mean(axis=2)
    return recall


def _f1(right: np.ndarray, given: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    f1: np.ndarray = (2 * right / (given + belongs)).mean(axis=2)
    return f1


def _mcc(right: np.ndarray, given: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    import numpy as np

    examples = belongs.sum(axis=2)
    covariance = right.sum(axis=2) * examples - (given * belongs).sum(axis=2)
    variance_given = examples**2 - (given**2).sum(axis=2)
    correlation: np.ndarray = covariance / np.sqrt(variance_given * (examples**2 - (belongs**2).sum(axis=2)))
    return correlation


# --- correlation --------------------------------------------------------------------------------------------


def _pearson(runs: Sequence[Scored]) -> Weigh:
    import numpy as np

    labels = _standardised(runs[0].labels)[:, None]
    predicted = np.stack([_standardised(run.predicted) for run in runs], axis=1)
    columns = np.concatenate([labels, labels**2, predicted, predicted**2, labels * predicted], axis=1)
    ends = np.cumsum([1, 1, len(runs), len(runs)])

    def weigh(weights: np.ndarray) -> np.ndarray:
        means = np.split(weights.astype(np.float64) @ columns / len(columns), ends, axis=1)
        label, label_square, score, score_square, product = means
        variances = label_square - label**2, score_square - score**2
        correlation: np.ndarray = (product - label * score) / np.sqrt(variances[0] * variances[1])
        # Rounding leaves about 1e-16 of the variance of a constant.
        correlation[(variances[0] < 1e-12) | (variances[1] < 1e-12)] = math.nan
        return correlation

    return weigh


def _standardised(values: np.ndarray) -> np.ndarray:
    """With mean 0 and, unless they are constant, variance 1, so that sums of squares lose no digits."""
    centred: np.ndarray = values - values.mean()
    return centred / (centred.std() or 1)


PREPARE: Mapping[str, Prepare] = {
    **{name: _means(score) for name, score in PER_EXAMPLE.items()},
    "precision": _counts(_precision),
    "recall": _counts(_recall),
    "f1": _counts(_f1),
    "mcc": _counts(_mcc),
    "pearson": _pearson,
}
"""By metric, what weighs it."""
