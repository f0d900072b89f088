"""Tests of differences on one test set: what they find holds for its examples and perhaps for no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunebook.stats.checked import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

EXACT_SEEDS = 20
_DRAWS = 10_000


@dataclass(frozen=True)
class FixedSetTest:
    """A two-sided `p`, and the smallest one that so few numbers could have given.

    `discordant` are examples that only the first, and that only the second had right, where the test counts them.
    """

    p: float
    smallest_p: float
    discordant: tuple[int, int] | None = None

    def can_reach(self, level: float) -> bool:
        """Whether the test could have been significant at a level at all.

        Example:
            >>> sign_flip([0.01, 0.02, 0.03]).can_reach(0.05)
            False
        """
        return self.smallest_p <= level


def seeds_t(differences: ArrayLike) -> FixedSetTest:
    """Student's paired t test of differences by seed, `(seeds,)`: for new seeds, on these very examples.

    Source: Student 1908, The probable error of a mean.

    Raises:
        ValueError: there are fewer than 2 seeds, or a difference is NaN or infinite.

    Example:
        >>> round(seeds_t([0.01, 0.02, 0.03]).p, 3)
        0.074
    """
    from scipy.special import stdtr

    array = finite(differences, "differences", axes=("seeds",), least=(2,))
    error = float(array.std(ddof=1)) / len(array) ** 0.5
    mean = float(array.mean())
    p = 2 * float(stdtr(len(array) - 1, -abs(mean) / error)) if error else float(mean == 0)
    return FixedSetTest(p, 0.0)


def sign_flip(differences: ArrayLike) -> FixedSetTest:
    """How many of the ways to swap the two rows within seeds give a mean as far from 0: differences `(seeds,)`.

    Up to 20 seeds all ways are looked at, beyond them 10,000 at random, always the same ones. A seed without a
    difference tells nothing; of N others the smallest p is 2 / 2**N, so that five seeds cannot give 0.05.

    Source: Fisher 1935, The design of experiments, section 21.

    Raises:
        ValueError: there is no seed, or a difference is NaN or infinite.

    Example:
        >>> sign_flip([0.01, 0.02, 0.03, 0.01, 0.02, 0.01])
        FixedSetTest(p=0.03125, smallest_p=0.03125, discordant=None)
    """
    import numpy as np

    array = finite(differences, "differences", axes=("seeds",), least=(1,))
    # Sizes in order: the same ways, whatever the order of seeds and whichever row comes first.
    sizes = np.sort(np.abs(array[array != 0]))
    smallest = min(1.0, 2.0 ** (1 - len(sizes)))
    is_exact = len(sizes) <= EXACT_SEEDS
    sums = _all_sums(sizes) if is_exact else _drawn_sums(sizes)
    observed = abs(float(np.sort(array).sum()))
    extreme = int((np.abs(sums) >= observed - 1e-12 * sizes.sum()).sum())
    if is_exact:
        return FixedSetTest(extreme / len(sums), smallest)
    return FixedSetTest((extreme + 1) / (_DRAWS + 1), 1 / (_DRAWS + 1))


def _all_sums(sizes: np.ndarray) -> np.ndarray:
    """The sums under all signs of some sizes, `(2 ** sizes,)`."""
    import numpy as np

    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums


def _drawn_sums(sizes: np.ndarray) -> np.ndarray:
    """The sums under signs drawn at random, `(draws,)`."""
    import numpy as np

    signs = np.random.default_rng(0).integers(0, 2, (_DRAWS, len(sizes)))
    sums: np.ndarray = (2 * signs - 1) @ sizes
    return sums


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> FixedSetTest:
    """McNemar's exact test of whether each example was given its class, `(examples,)`: for new examples, for two runs.

    It knows nothing of seeds: that one run beats another is no sign that its method beats the other.

    Source: McNemar 1947, Note on the sampling error of the difference between correlated proportions; exact by the
    binomial of the discordant examples.

    Raises:
        ValueError: the shapes differ, there is no example, or a value is neither 0 nor 1.

    Example:
        >>> mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 1, 1])
        FixedSetTest(p=0.375, smallest_p=0.0625, discordant=(4, 1))
    """
    from scipy.special import bdtr

    first, second = _is_right(first_right), _is_right(second_right)
    if first.shape != second.shape:
        raise ValueError(f"answers are of {len(first)} and of {len(second)} examples, expected the same ones")
    ours, theirs = int((first & ~second).sum()), int((second & ~first).sum())
    count = ours + theirs
    p = min(1.0, 2 * float(bdtr(min(ours, theirs), count, 0.5))) if count else 1.0
    return FixedSetTest(p, min(1.0, 2.0 ** (1 - count)), (ours, theirs))


def _is_right(answers: ArrayLike) -> np.ndarray:
    array = finite(answers, "answers", axes=("examples",), least=(1,))
    if not ((array == 0) | (array == 1)).all():
        raise ValueError(
            f"answers run from {array.min()} to {array.max()}, expected 1 for right and 0 for wrong"
        )
    is_right: np.ndarray = array == 1
    return is_right
