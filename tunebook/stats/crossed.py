"""How far a mean over seeds and test examples can be trusted: both are samples, and both count.

A score is y[s, i] = mean + seed[s] + example[i] + rest[s, i], with independent random effects. The variance of the
mean over all of them is the sum of what seeds and what examples contribute, less what both contain twice.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tunebook.stats.checked import finite, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

Covers = Literal["seeds and examples", "examples only", "splits"]


@dataclass(frozen=True)
class Summary:
    """Mean, sample standard deviation (None for one seed), smallest and largest of some values."""

    mean: float
    deviation: float | None
    smallest: float
    largest: float


def summary(values: ArrayLike) -> Summary:
    """How the values of some seeds, `(seeds,)`, lie; it says nothing about other seeds or other examples.

    Raises:
        ValueError: there is no value, or one is NaN or infinite.

    Example:
        >>> summary([0.75, 0.25, 0.5])
        Summary(mean=0.5, deviation=0.25, smallest=0.25, largest=0.75)
    """
    found = finite(values, "values", axes=("seeds",), least=(1,)).tolist()
    deviation = statistics.stdev(found) if len(found) > 1 else None
    return Summary(statistics.fmean(found), deviation, min(found), max(found))


# --- what was measured --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scores:
    """What one row of a table scored, by seed, and how that varies with the examples; `by_example` and
    `by_resample` make it.

    `values` `(seeds,)` are the metric on all examples. The variance over the `columns` `(seeds, columns)`, times
    `share`, is the variance of the metric over test sets of so many `examples`.
    """

    values: np.ndarray
    columns: np.ndarray
    share: float
    examples: int
    is_deterministic: bool

    @property
    def seed_part(self) -> float | None:
        """The variance of the mean that seeds contribute; None where there is one seed of many."""
        if self.is_deterministic:
            return 0.0
        return float(self.values.var(ddof=1)) / len(self.values) if len(self.values) > 1 else None

    @property
    def example_part(self) -> float:
        """The variance of the mean that examples contribute."""
        return self.share * float(self.columns.mean(axis=0).var(ddof=1))

    @property
    def error_part(self) -> float:
        """The variance of the mean that both other parts contain; 0 where one seed cannot tell it."""
        if len(self.values) == 1:
            return 0.0
        rest = self.columns - self.columns.mean(axis=0)
        return self.share * float(rest.var(axis=1, ddof=1).mean()) / (len(self.values) - 1)

    def parts(self) -> Parts:
        """The variance of the mean, taken apart."""
        return Parts(
            value=float(self.values.mean()),
            seed=self.seed_part,
            example=self.example_part,
            error=self.error_part,
            seeds=len(self.values),
            examples=self.examples,
        )


def by_example(scores: ArrayLike, *, is_deterministic: bool = False) -> Scores:
    """Scores `(seeds, examples)` of a metric that is their mean, such as 1 and 0 for right and wrong, or losses.

    A method without anything random in it, such as a baseline, `is_deterministic`: it has one seed.

    Raises:
        ValueError: the shape is another one, there are fewer than 2 examples, or a score is NaN or infinite.

    Example:
        >>> by_example([[1, 0, 1, 1], [1, 0, 0, 1]]).parts().value
        0.625
    """
    array = finite(scores, "scores", axes=("seeds", "examples"), least=(1, 2))
    _require_one_seed(len(array), is_deterministic)
    return Scores(array.mean(axis=1), array, 1 / array.shape[1], array.shape[1], is_deterministic)


def by_resample(
    values: ArrayLike, replicates: ArrayLike, *, examples: int, is_deterministic: bool = False
) -> Scores:
    """Scores of any metric: `values` `(seeds,)` on all examples, `replicates` `(seeds, resamples)` on resampled ones.

    A resample draws the examples with replacement, and is the same one for all seeds, and for all rows that are
    compared. It is the bootstrap over seeds and examples of Sellam et al. 2022, with the seeds' part computed instead
    of drawn: drawing 3 seeds of 3 gives 2/3 of their variance, and percentiles of it cover far too little.
    The variance over test sets is N / (N - 1) times that over resamples of N examples.

    Source: Sellam et al. 2022, The MultiBERTs: BERT reproductions for robustness analysis.

    Raises:
        ValueError: shapes do not fit, there are fewer than 2 examples or resamples, or something is NaN or infinite
            (a metric that is undefined on some resamples: leave those out, for all rows alike).
    """
    array = finite(values, "values", axes=("seeds",), least=(1,))
    columns = finite(replicates, "replicates", axes=("seeds", "resamples"), least=(1, 2))
    if len(columns) != len(array):
        raise ValueError(f"replicates have shape {columns.shape}, expected ({len(array)}, resamples)")
    if examples < 2:
        raise ValueError(f"examples is {examples}, expected at least 2")
    _require_one_seed(len(array), is_deterministic)
    return Scores(array, columns, examples / (examples - 1), examples, is_deterministic)


def _require_one_seed(seeds: int, is_deterministic: bool) -> None:
    if is_deterministic and seeds != 1:
        raise ValueError(f"what is deterministic has {seeds} seeds, expected 1")


# --- what follows -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval; `covers` says what was a sample: other seeds, or these alone."""

    value: float
    standard_error: float
    degrees_of_freedom: float
    low: float
    high: float
    covers: Covers


@dataclass(frozen=True)
class Parts:
    """A mean over seeds and examples, and the variance of it by where it comes from.

    `seed` is None where it is unknown, that is for one seed of a method that has many.
    """

    value: float
    seed: float | None
    example: float
    error: float
    seeds: int
    examples: int

    @property
    def covers(self) -> Covers:
        """What the estimate's interval is about."""
        return "examples only" if self.seed is None else "seeds and examples"

    def total(self) -> Variance:
        """The variance of the mean."""
        return total([self], self.example)

    def estimate(self, confidence: float = 0.95) -> Estimate:
        """The mean with the interval for it over new seeds and new examples, or over new examples only.

        Raises:
            ValueError: the confidence is not between 0 and 1.

        Example:
            >>> found = by_example([[1, 0, 1, 1, 0, 1], [1, 0, 0, 1, 1, 1]]).parts().estimate()
            >>> round(found.value, 2), found.covers
            (0.67, 'seeds and examples')
        """
        variance = self.total()
        low, high = variance.interval(self.value, confidence)
        return Estimate(
            self.value, variance.standard_error, variance.degrees_of_freedom, low, high, self.covers
        )


@dataclass(frozen=True)
class Variance:
    """The variance of an estimate, and the degrees of freedom that it was estimated with."""

    variance: float
    degrees_of_freedom: float

    @property
    def standard_error(self) -> float:
        """Its square root."""
        return float(self.variance**0.5)

    def interval(self, value: float, confidence: float) -> tuple[float, float]:
        """The interval of t around a value.

        Raises:
            ValueError: the confidence is not between 0 and 1.
        """
        from scipy.special import stdtrit

        quantile = stdtrit(self.degrees_of_freedom, (1 + within(confidence, "confidence", 0, 1)) / 2)
        half = float(quantile) * self.standard_error
        return value - half, value + half


def total(rows: Sequence[Parts], example: float) -> Variance:
    """The variance of a mean, or of a difference of rows, and its degrees of freedom; `example` is the examples' part.

    Where the seed part of a row is unknown, the examples' is all there is. Degrees of freedom are those of
    Satterthwaite, who weights a part by the square of its share of the variance. That is too little where it comes from
    very few seeds: whenever they lie close together by chance, the interval is short. In simulations at a level of 5 %
    up to 12.7, 7.8, 6.4 and 5.8 % of differences that were none were then found with 2, 3, 4 and 5 seeds. So the power
    of the share is half the degrees of freedom of the seeds, and 2 at most: up to 6.5, 5.8, 5.7 and 5.8 %; from five
    seeds on it is Satterthwaite's. Where rows have few and many seeds, their degrees of freedom together are at most
    twice those of the few: up to 7.0 % for 3 seeds against 10 (without it 7.3 %), 9.4 % for 2 against 10 (12.0 %).

    Source: Satterthwaite 1946, An approximate distribution of estimates of variance components.
    """
    fixed = min(row.examples for row in rows) - 1
    seed_parts = [row.seed for row in rows if row.seed is not None]
    if len(seed_parts) < len(rows):
        return Variance(example, fixed)
    seeds = sum(seed_parts)
    # Both parts contain the error, so it is taken off once; what is left can be below either by chance only.
    variance = max(seeds + example - sum(row.error for row in rows), seeds, example)
    if not seeds:
        return Variance(variance, fixed)
    estimated = [(part, row.seeds - 1) for part, row in zip(seed_parts, rows, strict=True) if row.seeds > 1]
    welch = seeds**2 / sum(part**2 / freedom for part, freedom in estimated)
    freedom = min(welch, 2 * min(freedom for _, freedom in estimated))
    weight = (seeds / variance) ** min(2, freedom / 2)
    return Variance(variance, 1 / (weight / freedom + (1 - weight) / fixed))
