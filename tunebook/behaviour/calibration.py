"""Whether confidence can be believed, and what one number, the temperature, mends of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tunebook import metrics
from tunebook.metrics import Classified

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

BOUNDS = (0.05, 20.0)
"""The smallest and the largest temperature that is looked for."""
_SCORES = ("accuracy", "log_loss", "brier", "ece")


def classified(logits: ArrayLike, labels: ArrayLike) -> Classified:
    """Logits `(examples, classes)` and class indices `(examples,)`, checked, as the metrics take them.

    Raises:
        ValueError: the shapes do not fit, there is no example or one class alone, a label is no class, or a logit is
            NaN or infinite.
    """
    import numpy as np

    array, truth = np.asarray(logits, np.float64), np.asarray(labels)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2 or truth.shape != array.shape[:1]:
        raise ValueError(
            f"logits have shape {array.shape} and labels {truth.shape}, expected (examples >= 1, classes >= 2) and "
            "(examples,)"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{int((~np.isfinite(array)).sum())} of {array.size} logits are NaN or infinite")
    if not 0 <= truth.min() <= truth.max() < array.shape[1]:
        raise ValueError(
            f"labels run from {truth.min()} to {truth.max()}, expected 0 to {array.shape[1] - 1}"
        )
    return Classified(truth.astype("int64"), array)


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The number by which dividing logits `(examples, classes)` gives the smallest log loss on labels `(examples,)`.

    Above 1 the model was too sure of itself, below 1 not sure enough. The log loss is convex in 1 / T, so the zero of
    its slope is looked for, which is found to more digits than the lowest point itself; 0.05 and 20 are the ends of
    what is looked at. Where every answer is right, the lower the better without end: that is 0.05, and says only that
    the examples were too few to tell. Where no temperature changes anything, as with equal logits, it is 1.

    Source: Guo et al. 2017, On calibration of modern neural networks, arXiv 1706.04599, section 4.2.

    Raises:
        ValueError: the shapes do not fit, there is no example, a label is no class, or a logit is NaN or infinite.

    Example:
        >>> round(temperature([[3, 0], [3, 0], [3, 0], [0, 3]], [0, 0, 1, 1]), 3)  # says 95 %, is right in 75 %
        2.731
    """
    import numpy as np
    from scipy.optimize import brentq

    found = classified(logits, labels)
    shifted = found.logits - found.logits.max(axis=1, keepdims=True)
    of_truth = float(shifted[np.arange(len(shifted)), found.labels].mean())

    def slope(logarithm: float) -> float:
        """How the mean log loss rises with 1 / T, at T = exp(logarithm)."""
        weights = np.exp(shifted / math.exp(logarithm))
        return float(((weights * shifted).sum(axis=1) / weights.sum(axis=1)).mean()) - of_truth

    low, high = (math.log(bound) for bound in BOUNDS)
    at_low, at_high = slope(low), slope(high)
    if at_low == at_high == 0:
        return 1.0
    if at_high >= 0:  # hotter is better still
        return BOUNDS[1]
    if at_low <= 0:  # colder is better still
        return BOUNDS[0]
    return math.exp(brentq(slope, low, high, xtol=1e-12))


def scaled(logits: ArrayLike, temperature: float) -> np.ndarray:
    """Logits `(examples, classes)` divided by a temperature above 0: other confidences, the same answers.

    Raises:
        ValueError: the temperature is not a number above 0.
    """
    import numpy as np

    if not 0 < temperature < math.inf:
        raise ValueError(f"the temperature is {temperature}, expected a number above 0")
    divided: np.ndarray = np.asarray(logits, np.float64) / temperature
    return divided


def summary(logits: ArrayLike, labels: ArrayLike) -> dict[str, float | int]:
    """How far the confidence of logits `(examples, classes)` can be believed, given labels `(examples,)`.

    `accuracy`, `log_loss` in nats, `brier` (summed over classes) and `ece` are those of `tunebook.metrics`; its
    calibration error has 15 bins of equally many examples, and is too high where examples are few: even of perfect
    confidence it is about 0.04 with 1,000. `confidence` is the mean probability of the answers; less the accuracy it
    says in which direction the model errs. `examples` is their number.

    Raises:
        ValueError: the shapes do not fit, there is no example, a label is no class, or a logit is NaN or infinite.
    """
    import numpy as np

    found, rows = classified(logits, labels), metrics.rows()
    return {
        "examples": len(found.labels),
        "confidence": float(np.exp(found.log_probabilities.max(axis=1)).mean()),
        **{name: float(rows[name].compute(found)) for name in _SCORES},
    }


def before_after(
    validation: tuple[ArrayLike, ArrayLike], test: tuple[ArrayLike, ArrayLike]
) -> dict[str, Any]:
    """The temperature fitted on validation, and test `before` and `after` it, each a `summary`.

    Both arguments are logits `(examples, classes)` and labels `(examples,)`. `is_at_bound` says that the temperature
    was not found but is an end of what was looked at: too few validation examples, or all of them right. Where
    validation chose the snapshot, its confidence is a little better than it will be, and the temperature a little low.

    Raises:
        ValueError: the shapes do not fit, there is no example, a label is no class, or a logit is NaN or infinite.
    """
    fitted = temperature(*validation)
    return {
        "temperature": fitted,
        "is_at_bound": fitted in BOUNDS,
        "validation_examples": len(classified(*validation).labels),
        "before": summary(*test),
        "after": summary(scaled(test[0], fitted), test[1]),
    }
