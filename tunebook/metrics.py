"""Scores of predictions: one row per metric, and `evaluate`, which computes all rows of a task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Task = Literal["classification", "regression"]
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Classified:
    """Class indices `(texts,)` and float64 logits `(texts, classes)`, and what follows from them."""

    labels: np.ndarray
    logits: np.ndarray

    @cached_property
    def classes(self) -> np.ndarray:
        """The predicted class of each text, `(texts,)`; of equal logits the first one counts."""
        classes: np.ndarray = self.logits.argmax(axis=1)
        return classes

    @cached_property
    def is_right(self) -> np.ndarray:
        """Whether each text's predicted class is its label, `(texts,)`."""
        is_right: np.ndarray = self.classes == self.labels
        return is_right

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """Logarithms of the softmax of the logits, `(texts, classes)`."""
        import numpy as np

        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            logarithms: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return logarithms

    @cached_property
    def confusion(self) -> np.ndarray:
        """How many texts of each class (rows) were given each class (columns), `(classes, classes)`."""
        import numpy as np

        classes = self.logits.shape[1]
        cells = np.bincount(self.labels * classes + self.classes, minlength=classes**2)
        return cells.reshape(classes, classes)

    @cached_property
    def by_class(self) -> np.ndarray:
        """Precision, recall and F1 of each class, `(3, classes)`; NaN where undefined."""
        import numpy as np
        from sklearn.metrics import precision_recall_fscore_support as scores

        classes = range(self.logits.shape[1])
        found = scores(self.labels, self.classes, labels=classes, average=None, zero_division=np.nan)
        return np.stack(found[:3])


@dataclass(frozen=True)
class Scored:
    """True scores and predicted scores, both float64 of shape `(texts,)`."""

    labels: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Metric:
    """A way to score predictions. `compute` gives NaN, or anything not finite, where it is undefined.

    `bounds` are the smallest and the largest value it can take, None where there is no limit.
    """

    name: str
    task: Task
    larger_is_better: bool
    bounds: tuple[float | None, float | None]
    explanation: str
    source: str
    compute: Callable[[Any], float]


# --- classes ------------------------------------------------------------------------------------------------


def _micro_f1(found: Classified) -> float:
    from sklearn.metrics import f1_score

    classes = range(found.logits.shape[1])
    return float(f1_score(found.labels, found.classes, labels=classes, average="micro"))


def _mcc(found: Classified) -> float:
    from sklearn.metrics import matthews_corrcoef

    # scikit-learn answers 0 where the correlation is 0/0: all texts of one class, or all given one.
    if any((found.confusion.sum(axis=axis) > 0).sum() < 2 for axis in (0, 1)):
        return math.nan
    return float(matthews_corrcoef(found.labels, found.classes))


def _log_loss(found: Classified) -> float:
    # From logits rather than probabilities: scikit-learn's would be cut off where one rounds to 0.
    return float(-found.log_probabilities[range(len(found.labels)), found.labels].mean())


def _brier(found: Classified) -> float:
    import numpy as np

    truth = np.eye(found.logits.shape[1])[found.labels]
    return float(((np.exp(found.log_probabilities) - truth) ** 2).sum(axis=1).mean())


def _calibration_error(found: Classified) -> float:
    import numpy as np

    confidence = np.exp(found.log_probabilities.max(axis=1))
    # Equal confidences share a bin: told apart, a constant answer would look badly calibrated.
    edges = np.quantile(confidence, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1])
    bins = np.searchsorted(edges, confidence, side="right")
    gaps = np.bincount(bins, weights=confidence - found.is_right)
    return float(np.abs(gaps).sum()) / len(confidence)


# --- scores -------------------------------------------------------------------------------------------------


def _correlation(name: str) -> Callable[[Scored], float]:
    def correlate(found: Scored) -> float:
        import warnings

        from scipy import stats

        if len(set(found.labels)) < 2 or len(set(found.predicted)) < 2:
            return math.nan
        with warnings.catch_warnings():  # nearly constant scores: what comes of it is told by the number
            warnings.simplefilter("ignore", stats.NearConstantInputWarning)
            return float(getattr(stats, name)(found.labels, found.predicted).statistic)

    return correlate


def _mean_error(power: int) -> Callable[[Scored], float]:
    return lambda found: float((abs(found.predicted - found.labels) ** power).mean())


# --- the table ----------------------------------------------------------------------------------------------

_SKLEARN = "scikit-learn, User guide, Classification metrics"
_SKLEARN_SCORES = "scikit-learn, User guide, Regression metrics"
_ROWS = (
    Metric(
        "accuracy", "classification", True, (0, 1),
        "Share of texts that were given their class.",
        _SKLEARN, lambda found: float(found.is_right.mean()),
    ),
    Metric(
        "precision", "classification", True, (0, 1),
        "Of the texts given a class, the share that belongs to it; mean over all declared classes.",
        _SKLEARN, lambda found: float(found.by_class[0].mean()),
    ),
    Metric(
        "recall", "classification", True, (0, 1),
        "Of the texts of a class, the share that was given it; mean over all declared classes.",
        _SKLEARN, lambda found: float(found.by_class[1].mean()),
    ),
    Metric(
        "f1", "classification", True, (0, 1),
        "Harmonic mean of precision and recall; mean over all declared classes, also where there are two.",
        _SKLEARN, lambda found: float(found.by_class[2].mean()),
    ),
    Metric(
        "f1_micro", "classification", True, (0, 1),
        "F1 over all decisions together; with one class per text it equals accuracy.",
        _SKLEARN, _micro_f1,
    ),
    Metric(
        "mcc", "classification", True, (-1, 1),
        "Matthews correlation of given and true classes: 0 is chance, whatever the shares of the classes.",
        "Gorodkin 2004, Comparing two K-category assignments by a K-category correlation coefficient", _mcc,
    ),
    Metric(
        "log_loss", "classification", False, (0, None),
        "Mean negative logarithm, in nats, of the probability that the true class was given.",
        "Good 1952, Rational decisions; " + _SKLEARN, _log_loss,
    ),
    Metric(
        "ece", "classification", False, (0, 1),
        "Mean gap between confidence and share of right answers, over 15 bins of equally many texts.",
        "Naeini et al. 2015, Obtaining well calibrated probabilities using Bayesian binning; bins of equal "
        "mass as in Roelofs et al. 2022, Mitigating bias in calibration error estimation",
        _calibration_error,
    ),
    Metric(
        "brier", "classification", False, (0, 2),
        "Mean squared distance between the given probabilities and the true class, summed over classes.",
        "Brier 1950, Verification of forecasts expressed in terms of probability", _brier,
    ),
    Metric(
        "pearson", "regression", True, (-1, 1),
        "Linear correlation of predicted and true scores.",
        "scipy.stats.pearsonr", _correlation("pearsonr"),
    ),
    Metric(
        "spearman", "regression", True, (-1, 1),
        "Correlation of the ranks of predicted and true scores.",
        "scipy.stats.spearmanr", _correlation("spearmanr"),
    ),
    Metric(
        "mse", "regression", False, (0, None),
        "Mean squared difference of predicted and true scores.",
        _SKLEARN_SCORES, _mean_error(2),
    ),
    Metric(
        "mae", "regression", False, (0, None),
        "Mean absolute difference of predicted and true scores.",
        _SKLEARN_SCORES, _mean_error(1),
    ),
)  # fmt: skip


def rows() -> Mapping[str, Metric]:
    """Every metric by its name.

    Example:
        >>> rows()["log_loss"].larger_is_better
        False
    """
    return {row.name: row for row in _ROWS}


def usual(scores: Mapping[str, Any]) -> str:
    """The metric that is meant where none is named: accuracy of classes, Pearson's correlation of scores."""
    return "accuracy" if "accuracy" in scores else "pearson"


# --- evaluating ---------------------------------------------------------------------------------------------


def evaluate(
    logits: np.ndarray, labels: np.ndarray, *, label_names: tuple[str, ...], task: str
) -> dict[str, Any]:
    """All scores of some predictions as plain values, by the metrics' names.

    Classification takes logits `(texts, classes)` and class indices `(texts,)`, and adds `per_class` and the
    `confusion_matrix`, whose rows are the truth. Precision, recall and F1 are means over all `label_names`,
    also where there are two. Regression takes predicted scores `(texts,)` or `(texts, 1)` and true scores
    `(texts,)`.

    What is undefined is None, never 0, and so is a mean over classes that is undefined for one of them, such
    as the precision of a class that no text was given. When a prediction is NaN, all but counts is None.

    Raises:
        ValueError: the shapes do not fit, or a label is no class.

    Example:
        >>> import numpy as np
        >>> scores = evaluate(np.eye(2), np.array([0, 0]), label_names=("bad", "good"), task="classification")
        >>> scores["accuracy"], scores["recall"], scores["confusion_matrix"]
        (0.5, None, [[1, 1], [0, 0]])
    """
    import numpy as np

    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if task == "regression":
        return _scores("regression", _scored(logits, labels), is_defined=not np.isnan(logits).any())
    found = _classified(logits, labels, len(label_names))
    is_defined = not np.isnan(found.logits).any()
    return _scores("classification", found, is_defined=is_defined) | {
        "per_class": _per_class(found, label_names, is_defined=is_defined),
        "confusion_matrix": found.confusion.tolist() if is_defined else None,
    }


def _classified(logits: np.ndarray, labels: np.ndarray, num_classes: int) -> Classified:
    if logits.shape != (len(labels), num_classes):
        raise ValueError(f"logits have shape {logits.shape}, expected {(len(labels), num_classes)}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, expected 0 to {num_classes - 1}")
    return Classified(labels.astype("int64"), logits)


def _scored(logits: np.ndarray, labels: np.ndarray) -> Scored:
    if logits.shape not in ((len(labels),), (len(labels), 1)):
        raise ValueError(f"predicted scores have shape {logits.shape}, expected {(len(labels),)}")
    return Scored(labels.astype("float64"), logits.reshape(-1))


def _scores(task: Task, found: Classified | Scored, *, is_defined: bool) -> dict[str, Any]:
    import numpy as np

    is_defined = is_defined and len(found.labels) > 0
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            row.name: _finite(row.compute(found)) if is_defined else None for row in _ROWS if row.task == task
        }


def _per_class(found: Classified, label_names: tuple[str, ...], *, is_defined: bool) -> dict[str, Any]:
    import numpy as np

    is_defined = is_defined and len(found.labels) > 0
    scores = found.by_class if is_defined else np.full((3, len(label_names)), math.nan)
    supports = np.bincount(found.labels, minlength=len(label_names))
    names = ("precision", "recall", "f1")
    return {
        label: {name: _finite(float(score)) for name, score in zip(names, column, strict=True)}
        | {"support": int(support)}
        for label, column, support in zip(label_names, scores.T, supports, strict=True)
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
