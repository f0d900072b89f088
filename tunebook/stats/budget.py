"""What a tuning budget buys: the expected best score of so many trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.stats.checked import finite, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


def expected_maximum(values: ArrayLike) -> np.ndarray:
    """The expected best of 1, 2, ... trials, `(trials,)`, from the scores of all trials, `(trials,)`, larger is better.

    For each budget it is the mean best of all subsets of that size, which is unbiased; the estimate of Dodge et al.
    2019 draws with replacement and comes out too low.

    Source: Tang et al. 2020, Showing your work doesn't always work, arXiv 2004.13705.

    Raises:
        ValueError: there is no trial, or a score is NaN or infinite: give a diverged trial the worst score first.

    Example:
        >>> expected_maximum([0.5, 0.75, 0.25]).round(3).tolist()
        [0.5, 0.667, 0.75]
    """
    import numpy as np

    array = finite(values, "values", axes=("trials",), least=(1,))
    curve: np.ndarray = np.sort(array) @ _weights(len(array))
    return curve


def expected_maximum_interval(
    values: ArrayLike, confidence: float = 0.95, *, resamples: int = 2_000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of a bootstrap interval for each budget of `expected_maximum`, `(trials,)` each.

    They hold for one budget at a time. Near the whole budget they are too narrow, and end at the best score seen: no
    resample can hold a better one.

    Source: Efron 1979, Bootstrap methods; percentiles, as in Tang et al. 2020.

    Raises:
        ValueError: there is no trial, a score is NaN or infinite, the confidence is not between 0 and 1, or there are
            no resamples.

    Example:
        >>> low, high = expected_maximum_interval([0.5, 0.75, 0.25])
        >>> low.shape, bool((low <= high).all())
        ((3,), True)
    """
    import numpy as np

    array = np.sort(finite(values, "values", axes=("trials",), least=(1,)))
    tail = (1 - within(confidence, "confidence", 0, 1)) / 2
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, expected at least 1")
    drawn = np.random.default_rng(seed).integers(0, len(array), (resamples, len(array)))
    curves = np.sort(array[drawn], axis=1) @ _weights(len(array))
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    return low, high


def _weights(trials: int) -> np.ndarray:
    """How often the score of each rank (rows) is the best of a subset of each size (columns), `(trials, trials)`."""
    import numpy as np
    from scipy.special import gammaln

    def log_choose(of: np.ndarray, size: np.ndarray) -> np.ndarray:
        counts: np.ndarray = gammaln(of + 1) - gammaln(size + 1) - gammaln(np.maximum(of - size, 0) + 1)
        return counts

    rank, size = np.arange(1.0, trials + 1)[:, None], np.arange(1.0, trials + 1)
    logarithms = log_choose(rank - 1, size - 1) - log_choose(np.full(1, float(trials)), size)
    weights: np.ndarray = np.where(rank >= size, np.exp(logarithms), 0)
    return weights
