"""What differences a test can find: its power, and the smallest difference that it finds with a given power."""

from __future__ import annotations

import math

from tunebook.stats.checked import within

_HALVINGS = 60


def power(
    difference: float, standard_error: float, degrees_of_freedom: float, *, level: float = 0.05
) -> float:
    """The probability that a two-sided t test at `level` is significant if the true difference is this one.

    Source: Cohen 1988, Statistical power analysis for the behavioral sciences, chapter 2, by the noncentral t.

    Raises:
        ValueError: the standard error or the degrees of freedom are not above 0, or the level not between 0 and 1.

    Example:
        >>> round(power(0.02, 0.005, 4), 2)
        0.84
    """
    error = within(standard_error, "standard error", 0, math.inf)
    return _power(abs(difference) / error, degrees_of_freedom, level)


def detectable_difference(
    standard_error: float, degrees_of_freedom: float, *, power: float = 0.8, level: float = 0.05
) -> float:
    """The smallest true difference for which a two-sided t test at `level` is significant with probability `power`.

    Raises:
        ValueError: the standard error or the degrees of freedom are not above 0, the level is not between 0 and 1, or
            the power not between the level and 1.

    Example:
        >>> round(detectable_difference(0.005, 4), 4)
        0.0188
    """
    within(standard_error, "standard error", 0, math.inf)
    within(power, "power", within(level, "level", 0, 1), 1)
    low, high = 0.0, 1.0
    while _power(high, degrees_of_freedom, level) < power:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _power(middle, degrees_of_freedom, level) < power:
            low = middle
        else:
            high = middle
    return high * standard_error


def _power(standard_errors: float, degrees_of_freedom: float, level: float) -> float:
    """The power for a true difference of so many standard errors, 0 or more."""
    from scipy.special import nctdtr, stdtrit

    freedom = within(degrees_of_freedom, "degrees of freedom", 0, math.inf)
    quantile = float(stdtrit(freedom, 1 - within(level, "level", 0, 1) / 2))

    def below(statistic: float) -> float:
        probability = float(nctdtr(freedom, standard_errors, statistic))
        return 0.0 if math.isnan(probability) else probability  # its series ends without a value below 1e-15

    return 1 - below(quantile) + below(-quantile)
