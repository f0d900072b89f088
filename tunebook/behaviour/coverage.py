"""What a model gains by keeping silent where it is unsure: risk against coverage, and the area under that curve."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tunebook.behaviour.calibration import classified
from tunebook.stats.checked import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

MOST_POINTS = 101
LEVELS = (0.8, 0.9)
"""The coverages at which accuracy is told."""


def risks(confidence: ArrayLike, right: ArrayLike) -> np.ndarray:
    """The share of wrong answers among the 1, 2, ... surest, `(examples,)`.

    Takes how sure the model is of each example, `(examples,)`, and whether it is right, `(examples,)`. Of equally
    sure examples none comes first: the value is the mean over all orders of them.

    Source: El-Yaniv and Wiener 2010, On the foundations of noise-free selective classification, JMLR 11.

    Raises:
        ValueError: the shapes differ, there is no example, a value is NaN or infinite, or `right` is neither 0 nor 1.

    Example:
        >>> risks([0.9, 0.6, 0.6, 0.5], [1, 1, 0, 0]).round(3).tolist()
        [0.0, 0.25, 0.333, 0.5]
    """
    import numpy as np

    sure, is_right = _checked(confidence, right)
    _, group, sizes = np.unique(-sure, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=1 - is_right)
    # Each place of a group holds any of its examples equally often.
    expected = np.repeat(wrong / sizes, sizes)
    shares: np.ndarray = np.cumsum(expected) / np.arange(1, len(sure) + 1)
    return shares


def curve(confidence: ArrayLike, right: ArrayLike) -> dict[str, Any]:
    """Risk against coverage as plain values, of confidences `(examples,)` and of who is right `(examples,)`.

    `points` are at most 101: the `coverage` (share of examples answered, the surest first), the `risk` (share of
    wrong answers among them), and the `threshold`, the confidence of the last one answered. `aurc` is the mean risk
    over all coverages of 1/n to 1, `excess_aurc` how much that is more than if every wrong answer were less sure than
    every right one: unlike `aurc` it does not fall merely because accuracy is higher. `accuracy_at` has the accuracy of
    the surest 80 % and 90 % (rounded up to whole examples).

    Source: Geifman and El-Yaniv 2017, Selective classification for deep neural networks, arXiv 1705.08500; Geifman et
    al. 2019, Bias-reduced uncertainty estimation for deep neural classifiers, arXiv 1805.08206, for both areas.

    Raises:
        ValueError: the shapes differ, there is no example, a value is NaN or infinite, or `right` is neither 0 nor 1.

    Example:
        >>> found = curve([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1])
        >>> found["accuracy_at"], round(found["aurc"], 4), round(found["excess_aurc"], 4)
        ({'0.8': 0.75, '0.9': 0.75}, 0.1458, 0.0833)
    """
    import numpy as np

    sure, is_right = _checked(confidence, right)
    shares, ordered, count = risks(sure, is_right), np.sort(sure)[::-1], len(sure)
    places = np.unique(np.linspace(1, count, min(count, MOST_POINTS)).round().astype(int))
    area, wrong = float(shares.mean()), round(count * (1 - float(is_right.mean())))
    answered = np.arange(1, count + 1)
    best = float((np.maximum(answered - (count - wrong), 0) / answered).mean())
    return {
        "examples": count,
        "accuracy": float(is_right.mean()),
        "aurc": area,
        "excess_aurc": area - best,
        "accuracy_at": {str(level): 1 - float(shares[_answered(level, count) - 1]) for level in LEVELS},
        "points": [
            {
                "coverage": int(place) / count,
                "risk": float(shares[place - 1]),
                "threshold": float(ordered[place - 1]),
            }
            for place in places
        ],
    }


def of_logits(logits: ArrayLike, labels: ArrayLike) -> dict[str, Any]:
    """The `curve` of logits `(examples, classes)` and labels `(examples,)`, by the largest probability.

    With two classes a temperature changes the thresholds alone; with more it changes the order too.

    Raises:
        ValueError: the shapes do not fit, there is no example, a label is no class, or a logit is NaN or infinite.
    """
    import numpy as np

    found = classified(logits, labels)
    return curve(np.exp(found.log_probabilities.max(axis=1)), found.is_right)


def _answered(level: float, count: int) -> int:
    """How many of `count` examples are at least that share; 0.9 of 10 is 9, whatever floats make of it."""
    return max(1, math.ceil(level * count - 1e-9))


def _checked(confidence: ArrayLike, right: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    sure = finite(confidence, "confidences", axes=("examples",), least=(1,))
    is_right = finite(right, "answers", axes=("examples",), least=(1,))
    if sure.shape != is_right.shape:
        raise ValueError(f"{len(sure)} confidences for {len(is_right)} answers, expected one each")
    if not ((is_right == 0) | (is_right == 1)).all():
        raise ValueError(
            f"answers run from {is_right.min()} to {is_right.max()}, expected 1 for right and 0 for wrong"
        )
    return sure, is_right
