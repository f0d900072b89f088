"""How far a difference of two rows can be trusted: seeds and examples shared, examples shared, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunebook.stats.checked import finite
from tunebook.stats.crossed import Covers, Parts, Scores, Variance, total

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Difference:
    """The first value less the second, with its interval, and `p` of the two-sided test that there is none."""

    value: float
    standard_error: float
    degrees_of_freedom: float
    low: float
    high: float
    p: float
    covers: Covers


def paired(first: Scores, second: Scores, *, confidence: float = 0.95) -> Difference:
    """The difference of two rows that share their examples and were run with the same seeds, seed by seed.

    One of them may be deterministic: it stands against every seed of the other.

    Raises:
        ValueError: the rows do not have the same examples or seeds, or the confidence is not between 0 and 1.

    Example:
        >>> from tunebook.stats import by_example
        >>> found = paired(by_example([[1, 1, 0, 1], [1, 1, 1, 1]]), by_example([[1, 0, 0, 1], [1, 0, 1, 0]]))
        >>> found.value, round(found.p, 2), found.covers
        (0.375, 0.3, 'seeds and examples')
    """
    _require_same_examples(first, second)
    seeds = {len(row.values) for row in (first, second) if not row.is_deterministic}
    if len(seeds) > 1:
        raise ValueError(
            f"rows have {len(first.values)} and {len(second.values)} seeds, expected the same ones: "
            "compare them with unshared_seeds"
        )
    difference = Scores(
        values=first.values - second.values,
        columns=first.columns - second.columns,
        share=first.share,
        examples=first.examples,
        is_deterministic=first.is_deterministic and second.is_deterministic,
    ).parts()
    return _difference(difference.value, difference.total(), difference.covers, confidence)


def unshared_seeds(first: Scores, second: Scores, *, confidence: float = 0.95) -> Difference:
    """The difference of two rows that share their examples but not their seeds, of which each may have its own number.

    Each row's seed part is estimated with its own degrees of freedom; the examples' is that of the differences of the
    rows' means on each example.

    Source: Welch 1938, The significance of the difference between two means when the population variances are unequal.

    Raises:
        ValueError: the rows do not have the same examples, or the confidence is not between 0 and 1.

    Example:
        >>> from tunebook.stats import by_example
        >>> first = by_example([[1, 1, 0, 1], [1, 1, 1, 1]])
        >>> unshared_seeds(first, by_example([[1, 0, 0, 1]])).covers
        'examples only'
    """
    _require_same_examples(first, second)
    means = first.columns.mean(axis=0) - second.columns.mean(axis=0)
    rows = (first.parts(), second.parts())
    variance = total(rows, first.share * float(means.var(ddof=1)))
    return _difference(rows[0].value - rows[1].value, variance, _covers(*rows), confidence)


def independent(first: Parts, second: Parts, *, confidence: float = 0.95) -> Difference:
    """The difference of two rows that share nothing: other seeds on other examples.

    Source: Welch 1947, The generalization of "Student's" problem when several different population variances are
    involved.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    variance = total((first, second), first.example + second.example)
    return _difference(first.value - second.value, variance, _covers(first, second), confidence)


def resampled_t(
    differences: ArrayLike, *, test_examples: int, train_examples: int, confidence: float = 0.95
) -> Difference:
    """The difference of two methods over random splits of one dataset, `(splits,)`, trained and tested anew on each.

    Splits overlap, so their differences are no independent sample: for K splits the variance of the mean is taken
    as 1/K + test / train examples times that of a difference, which is an approximation that was found to hold.

    Source: Nadeau and Bengio 2003, Inference for the generalization error.

    Raises:
        ValueError: there are fewer than 2 splits, no examples, or a difference is NaN or infinite.

    Example:
        >>> found = resampled_t([0.02, 0.01, 0.03, 0.02], test_examples=100, train_examples=400)
        >>> round(found.value, 3), round(found.standard_error, 4), round(found.p, 3)
        (0.02, 0.0058, 0.041)
    """
    array = finite(differences, "differences", axes=("splits",), least=(2,))
    if min(test_examples, train_examples) < 1:
        raise ValueError(
            f"test and train examples are {test_examples} and {train_examples}, expected at least 1"
        )
    factor = 1 / len(array) + test_examples / train_examples
    variance = Variance(factor * float(array.var(ddof=1)), len(array) - 1)
    return _difference(float(array.mean()), variance, "splits", confidence)


def probability_larger(difference: Difference) -> float:
    """The probability that the true difference is above 0, if every difference was as likely before.

    That is the posterior of a flat prior; 0.5 is no knowledge. It equals 1 - p / 2 where the value is above 0.

    Source: Box and Tiao 1973, Bayesian inference in statistical analysis.

    Example:
        >>> found = resampled_t([0.02, 0.01, 0.03, 0.02], test_examples=100, train_examples=400)
        >>> round(probability_larger(found), 3)
        0.98
    """
    is_positive = difference.value > 0
    return 1 - difference.p / 2 if is_positive else difference.p / 2


def _require_same_examples(first: Scores, second: Scores) -> None:
    shapes = [(row.examples, row.columns.shape[1], row.share) for row in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"rows have {first.examples} examples in {first.columns.shape[1]} columns and {second.examples} in "
            f"{second.columns.shape[1]}, expected the same examples, both by example or both by the same resamples"
        )


def _covers(first: Parts, second: Parts) -> Covers:
    return first.covers if first.covers == "examples only" else second.covers


def _difference(value: float, variance: Variance, covers: Covers, confidence: float) -> Difference:
    from scipy.special import stdtr

    error, freedom = variance.standard_error, variance.degrees_of_freedom
    low, high = variance.interval(value, confidence)
    # Without any variance, a difference of 0 is no difference, and another one certain.
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error else float(value == 0)
    return Difference(value, error, freedom, low, high, p, covers)
