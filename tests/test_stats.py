"""Statistics against scipy and statsmodels, against brute force, and by what must not matter."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import contingency_tables, multitest
from statsmodels.stats import power as oracle_power

from tunebook import stats

DRAW = np.random.default_rng(0)
SCORES = DRAW.normal(size=(4, 50)) + DRAW.normal(size=(4, 1)) + DRAW.normal(size=50)
OTHERS = SCORES + 0.3 + DRAW.normal(size=(4, 50))


def resampled(scores: np.ndarray, resamples: int = 4000, **options: Any) -> stats.Scores:
    """The same scores as a bootstrap tells them."""
    examples = scores.shape[1]
    counts = np.random.default_rng(1).multinomial(examples, np.full(examples, 1 / examples), resamples)
    means = scores.mean(axis=1)
    return stats.by_resample(means, scores @ counts.T / examples, examples=examples, **options)


def test_importing_it_is_cheap() -> None:
    code = "import sys, tunebook.stats; print(sorted({'numpy', 'scipy', 'scipy.stats'} & set(sys.modules)))"
    code += "\ntunebook.stats.seeds_t([1, 2, 4]); print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


# --- one row ------------------------------------------------------------------------------------------------


def test_summary() -> None:
    found = stats.summary([3.0, 1.0, 2.0])
    assert (found.mean, found.deviation, found.smallest, found.largest) == (2, 1, 1, 3)
    assert stats.summary([0.5]).deviation is None


def test_parts_are_the_mean_squares_of_the_table() -> None:
    seeds, examples = SCORES.shape
    by_seed, by_example = SCORES.mean(axis=1), SCORES.mean(axis=0)
    rest = SCORES - by_seed[:, None] - by_example + SCORES.mean()
    mean_squares = (
        examples * by_seed.var(ddof=1),
        seeds * by_example.var(ddof=1),
        (rest**2).sum() / ((seeds - 1) * (examples - 1)),
    )
    found = stats.by_example(SCORES).parts()
    assert [part * SCORES.size for part in (found.seed or 0, found.example, found.error)] == pytest.approx(
        mean_squares
    )
    assert found.value == pytest.approx(SCORES.mean()) and (found.seeds, found.examples) == (4, 50)
    total = found.total()
    assert total.variance * SCORES.size == pytest.approx(mean_squares[0] + mean_squares[1] - mean_squares[2])


def test_from_five_seeds_on_degrees_of_freedom_are_satterthwaites() -> None:
    parts = stats.Parts(value=0, seed=3.0, example=2.0, error=0.5, seeds=6, examples=10**9)
    assert parts.total().degrees_of_freedom == pytest.approx(4.5**2 / (3.0**2 / 5))
    few = stats.Parts(value=0, seed=3.0, example=2.0, error=0.5, seeds=3, examples=10**9)
    assert few.total().degrees_of_freedom == pytest.approx(4.5 / (3.0 / 2))


def test_seeds_alone_and_examples_alone_are_students_t() -> None:
    only_seeds = stats.by_example(SCORES.mean(axis=1)[:, None].repeat(50, axis=1)).parts().estimate(0.9)
    expected = scipy.stats.t.interval(0.9, 3, SCORES.mean(), scipy.stats.sem(SCORES.mean(axis=1)))
    assert (only_seeds.low, only_seeds.high) == pytest.approx(expected)
    same = stats.by_example(SCORES[:1].repeat(4, axis=0)).parts().estimate()
    one = stats.by_example(SCORES[:1], is_deterministic=True).parts().estimate()
    expected = scipy.stats.t.interval(0.95, 49, SCORES[0].mean(), scipy.stats.sem(SCORES[0]))
    for found in (same, one):
        assert (found.low, found.high) == pytest.approx(expected)
        assert found.covers == "seeds and examples" and found.degrees_of_freedom == pytest.approx(49)


def test_one_seed_of_many_covers_examples_only() -> None:
    found = stats.by_example(SCORES[:1]).parts()
    assert found.seed is None and found.estimate().covers == "examples only"
    assert stats.by_example(SCORES[:1], is_deterministic=True).parts().seed == 0


def test_a_variance_is_never_below_that_of_seeds_or_of_examples() -> None:
    found = stats.Parts(value=0, seed=1.0, example=2.0, error=5.0, seeds=3, examples=100).total()
    assert found.variance == 2.0


def test_scores_that_never_vary_have_an_interval_of_no_length() -> None:
    found = stats.by_example(np.ones((3, 5))).parts().estimate()
    assert (found.value, found.standard_error, found.low, found.high) == (1, 0, 1, 1)


# --- differences --------------------------------------------------------------------------------------------


def test_paired_is_one_row_of_differences() -> None:
    found = stats.paired(stats.by_example(OTHERS), stats.by_example(SCORES), confidence=0.9)
    expected = stats.by_example(OTHERS - SCORES).parts().estimate(0.9)
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert found.covers == "seeds and examples"


def test_paired_over_seeds_or_over_examples_alone_is_the_paired_t_test() -> None:
    first, second = OTHERS.mean(axis=1), SCORES.mean(axis=1)
    found = stats.paired(*(stats.by_example(row[:, None].repeat(9, axis=1)) for row in (first, second)))
    assert found.p == pytest.approx(scipy.stats.ttest_rel(first, second).pvalue)
    assert stats.seeds_t(first - second).p == pytest.approx(scipy.stats.ttest_rel(first, second).pvalue)
    rows = [stats.by_example(row[:1]) for row in (OTHERS, SCORES)]
    expected = scipy.stats.ttest_rel(OTHERS[0], SCORES[0]).pvalue
    for compare in (stats.paired, stats.unshared_seeds):
        found = compare(*rows)
        assert found.p == pytest.approx(expected) and found.covers == "examples only"


def test_a_deterministic_row_stands_against_every_seed() -> None:
    fixed = stats.by_example(SCORES[:1], is_deterministic=True)
    found = stats.paired(stats.by_example(OTHERS), fixed)
    expected = stats.paired(stats.by_example(OTHERS), stats.by_example(SCORES[:1].repeat(4, axis=0)))
    assert found == expected
    unshared = stats.unshared_seeds(stats.by_example(OTHERS), fixed)
    assert (unshared.value, unshared.standard_error) == pytest.approx((found.value, found.standard_error))


def test_unshared_seeds_and_independent_rows_are_welchs_test_where_examples_do_not_matter() -> None:
    first, second = DRAW.normal(size=7), 1.5 + 2 * DRAW.normal(size=6)
    rows = [stats.by_example(row[:, None].repeat(9, axis=1)) for row in (first, second)]
    expected = scipy.stats.ttest_ind(first, second, equal_var=False)
    independent = stats.independent(*(row.parts() for row in rows))
    for found in (stats.unshared_seeds(rows[0], rows[1]), independent):
        assert found.p == pytest.approx(expected.pvalue)
        assert found.degrees_of_freedom == pytest.approx(expected.df)


def test_independent_rows_add_their_variances() -> None:
    parts = stats.by_example(SCORES).parts(), stats.by_example(OTHERS[:, :30]).parts()
    found = stats.independent(*parts)
    assert found.standard_error**2 == pytest.approx(sum(part.total().variance for part in parts))
    one = stats.by_example(SCORES[:1]).parts()
    assert stats.independent(one, parts[1]).covers == "examples only"


@pytest.mark.parametrize("compare", [stats.paired, stats.unshared_seeds])
def test_resamples_tell_what_scores_of_examples_tell(compare: Callable[..., stats.Difference]) -> None:
    exact = compare(stats.by_example(OTHERS), stats.by_example(SCORES))
    found = compare(resampled(OTHERS), resampled(SCORES))
    assert found.value == pytest.approx(exact.value)
    assert found.standard_error == pytest.approx(exact.standard_error, rel=0.03)
    fixed = resampled(SCORES[:1], is_deterministic=True)
    assert stats.paired(resampled(OTHERS), fixed).covers == "seeds and examples"


def test_a_difference_without_variance_is_certain_or_none() -> None:
    ones, zeros = stats.by_example(np.ones((3, 5))), stats.by_example(np.zeros((3, 5)))
    assert stats.paired(ones, ones).p == 1 and stats.paired(ones, zeros).p == 0
    assert stats.probability_larger(stats.paired(ones, ones)) == 0.5


def test_probability_larger_is_the_posterior_of_a_flat_prior() -> None:
    for first, second in ((SCORES, OTHERS), (OTHERS, SCORES)):
        found = stats.paired(stats.by_example(first), stats.by_example(second))
        expected = scipy.stats.t.cdf(found.value / found.standard_error, found.degrees_of_freedom)
        assert stats.probability_larger(found) == pytest.approx(expected)


def test_resampled_t_is_students_t_with_a_larger_variance() -> None:
    differences = DRAW.normal(0.5, 1, 10)
    found = stats.resampled_t(differences, test_examples=100, train_examples=900)
    plain = scipy.stats.ttest_1samp(differences, 0)
    statistic = plain.statistic * math.sqrt((1 / 10) / (1 / 10 + 1 / 9))
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(abs(statistic), 9))
    assert (found.degrees_of_freedom, found.covers) == (9, "splits")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_seeds_and_of_examples_does_not_matter(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows, columns = draw.permutation(4), draw.permutation(50)
    first, second = (scores[rows][:, columns] for scores in (OTHERS, SCORES))
    for compare in (stats.paired, stats.unshared_seeds):
        before = compare(stats.by_example(OTHERS), stats.by_example(SCORES))
        after = compare(stats.by_example(first), stats.by_example(second))
        swapped = compare(stats.by_example(second), stats.by_example(first))
        for name in ("value", "standard_error", "degrees_of_freedom", "low", "high", "p"):
            assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-12, abs=1e-12), name
        assert (swapped.low, swapped.p) == pytest.approx((-after.high, after.p), rel=1e-12)
    differences = draw.normal(size=25)
    shuffled = draw.permutation(differences)
    for test in (stats.seeds_t, stats.sign_flip, lambda some: stats.sign_flip(some[:9])):
        several = [differences, -differences] if test is not stats.seeds_t else [differences]
        assert len({test(one).p for one in several}) == 1
    assert stats.sign_flip(shuffled) == stats.sign_flip(differences)
    assert stats.seeds_t(shuffled).p == pytest.approx(stats.seeds_t(differences).p, rel=1e-12)
    assert stats.expected_maximum(shuffled) == pytest.approx(stats.expected_maximum(differences), rel=1e-12)
    assert np.array_equal(
        stats.expected_maximum_interval(shuffled), stats.expected_maximum_interval(differences)
    )


# --- on this test set ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [1, 2, 5, 10])
def test_sign_flip_looks_at_all_signs(seeds: int) -> None:
    differences = np.random.default_rng(seeds).normal(0.5, 1, seeds)
    sums = [np.dot(signs, differences) for signs in itertools.product((-1, 1), repeat=seeds)]
    expected = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-9)
    found = stats.sign_flip(differences)
    assert found.p == pytest.approx(expected) and found.smallest_p == min(1, 2 / 2**seeds)
    assert stats.sign_flip(np.abs(differences)).p == found.smallest_p


def test_sign_flip_of_many_seeds_is_drawn() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 21)
    exact = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=40_000, rng=np.random.default_rng(0)
    ).pvalue
    found = stats.sign_flip(differences)
    assert found.p == pytest.approx(exact, abs=0.015) and found == stats.sign_flip(differences)
    assert stats.sign_flip(np.ones(25)).p == stats.sign_flip(np.ones(25)).smallest_p == 1 / 10_001


def test_seeds_without_a_difference_tell_nothing() -> None:
    assert stats.sign_flip([0, 0.1, 0, 0.2]) == stats.sign_flip([0.1, 0.2])
    assert stats.sign_flip([0, 0]).p == stats.sign_flip([0, 0]).smallest_p == 1
    assert stats.seeds_t([0, 0]).p == 1 and stats.seeds_t([0.1, 0.1]).p == 0


def test_can_reach() -> None:
    assert not stats.sign_flip([1, 2, 3, 4, 5]).can_reach(0.05)
    assert stats.sign_flip([1, 2, 3, 4, 5, 6]).can_reach(0.05)
    assert stats.seeds_t([1, 2]).can_reach(1e-9)
    assert not stats.mcnemar([1, 1, 0], [1, 1, 1]).can_reach(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_is_that_of_statsmodels(seed: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = draw.random(60) < 0.8, draw.random(60) < 0.6
    table = [[np.sum((first == i) & (second == j)) for j in (1, 0)] for i in (1, 0)]
    found = stats.mcnemar(first, second)
    assert found.p == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue)
    assert found.discordant == (table[0][1], table[1][0])
    assert found.smallest_p == pytest.approx(2 / 2 ** sum(found.discordant))
    assert stats.mcnemar(first, first) == stats.FixedSetTest(1.0, 1.0, (0, 0))


# --- several ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_p_values_are_those_of_statsmodels(seed: int) -> None:
    p_values = (np.random.default_rng(seed).random(12) ** 3).round(2).tolist()
    assert stats.holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])
    assert stats.benjamini_hochberg(p_values) == pytest.approx(
        multitest.multipletests(p_values, method="fdr_bh")[1]
    )
    assert stats.holm([]) == stats.benjamini_hochberg([]) == []


def test_groups_of_ties() -> None:
    def groups(pairs: set[str], order: str = "abcd") -> list[int]:
        return stats.tie_groups(order, lambda i, j: f"{i}{j}" in pairs)

    assert groups(set()) == [1, 1, 1, 1] and groups(set(), "") == []
    assert groups({"ab", "ac", "ad", "bc", "bd", "cd"}) == [1, 2, 3, 4]
    assert groups({"ac", "ad"}) == [1, 1, 2, 2]
    # The best is known better than the second alone, which forms a group of its own behind the others.
    assert groups({"ab"}) == [1, 2, 1, 1]
    # A row belongs to the first group whose best it cannot be told from, even if it is known worse than another in it.
    assert groups({"bd", "ac"}) == [1, 1, 2, 1]


# --- power --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [2, 3, 5, 10, 200])
@pytest.mark.parametrize("level", [0.01, 0.05])
def test_power_is_that_of_statsmodels(seeds: int, level: float) -> None:
    for effect in (0.1, 0.5, 1.0, 2.0):
        expected = oracle_power.TTestPower().power(effect, seeds, level, alternative="two-sided")
        assert stats.power(effect, 1 / math.sqrt(seeds), seeds - 1, level=level) == pytest.approx(
            expected, abs=1e-6
        )


@pytest.mark.parametrize("freedom", [1.0, 1.7, 4.0, 30.0, 1e6])
def test_the_detectable_difference_has_the_power_asked_for(freedom: float) -> None:
    for power in (0.5, 0.8, 0.99):
        found = stats.detectable_difference(0.02, freedom, power=power)
        assert stats.power(found, 0.02, freedom) == pytest.approx(power, abs=1e-6)
        assert stats.power(-found, 0.02, freedom) == pytest.approx(power, abs=1e-6)
    assert stats.power(0, 0.02, freedom) == pytest.approx(0.05, abs=1e-6)
    large = stats.detectable_difference(1.0, 1e6)
    assert large == pytest.approx(scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8), rel=1e-3)


# --- budgets ------------------------------------------------------------------------------------------------


def test_the_expected_maximum_is_that_of_all_subsets() -> None:
    values = DRAW.normal(size=7)
    expected = [
        np.mean([max(subset) for subset in itertools.combinations(values, size)]) for size in range(1, 8)
    ]
    assert stats.expected_maximum(values) == pytest.approx(expected)
    many = DRAW.random(2000)
    curve = stats.expected_maximum(many)
    assert curve[0] == pytest.approx(many.mean()) and curve[-1] == many.max()
    assert (np.diff(curve) >= -1e-12).all()


def test_the_expected_maximum_is_unbiased_where_drawing_with_replacement_is_not() -> None:
    values = np.random.default_rng(0).random((4000, 10))
    found = np.mean([stats.expected_maximum(one)[4] for one in values])
    biased = np.mean(np.sort(values) @ np.diff((np.arange(11) / 10) ** 5))
    assert found == pytest.approx(5 / 6, abs=0.006) and biased < 5 / 6 - 0.02


def test_the_interval_of_the_expected_maximum() -> None:
    values = np.random.default_rng(0).random(40)
    low, high = stats.expected_maximum_interval(values, 0.9, resamples=4000)
    curve = stats.expected_maximum(values)
    assert (low <= curve).all() and (curve <= high + 1e-12).all() and high.max() <= values.max() + 1e-12
    # For a budget of one it is the bootstrap of the mean.
    assert high[0] - low[0] == pytest.approx(2 * 1.645 * values.std() / math.sqrt(40), rel=0.05)
    again = stats.expected_maximum_interval(values, 0.9, resamples=4000)
    assert np.array_equal((low, high), again)


# --- what is refused ----------------------------------------------------------------------------------------

BAD = [
    (lambda: stats.summary([]), r"values have shape \(0,\), expected \(seeds >= 1\)"),
    (
        lambda: stats.summary([1, math.nan]),
        "1 of 2 values are NaN or infinite, expected numbers: leave out or rep",
    ),
    (lambda: stats.by_example([1, 2]), r"scores have shape \(2,\), expected \(seeds >= 1, examples >= 2\)"),
    (lambda: stats.by_example([[1]]), r"scores have shape \(1, 1\), expected \(seeds >= 1, examples >= 2\)"),
    (lambda: stats.by_example([[1, math.inf]]), "1 of 2 scores are NaN or infinite"),
    (
        lambda: stats.by_example(SCORES, is_deterministic=True),
        "what is deterministic has 4 seeds, expected 1",
    ),
    (lambda: stats.by_resample([1, 2], [[1, 2]], examples=9), r"shape \(1, 2\), expected \(2, resamples\)"),
    (lambda: stats.by_resample([1], [[1, 2]], examples=1), "examples is 1, expected at least 2"),
    (lambda: stats.by_resample([1], [[1, math.nan]], examples=9), "1 of 2 replicates are NaN or infinite"),
    (
        lambda: stats.paired(stats.by_example(SCORES), stats.by_example(SCORES[:2])),
        "rows have 4 and 2 seeds, expected the same ones: compare them with unshared_seeds",
    ),
    (
        lambda: stats.unshared_seeds(stats.by_example(SCORES), stats.by_example(SCORES[:, :30])),
        "rows have 50 examples in 50 columns and 30 in 30, expected the same examples",
    ),
    (
        lambda: stats.paired(stats.by_example(SCORES), resampled(SCORES)),
        "rows have 50 examples in 50 columns and 50 in 4000, expected the same examples, both by example or both by",
    ),
    (lambda: stats.by_example(SCORES).parts().estimate(1.0), "confidence is 1.0, expected between 0 and 1"),
    (lambda: stats.resampled_t([1], test_examples=1, train_examples=1), r"expected \(splits >= 2\)"),
    (
        lambda: stats.resampled_t([1, 2], test_examples=0, train_examples=9),
        "test and train examples are 0 and 9, expected at least 1",
    ),
    (lambda: stats.seeds_t([1]), r"differences have shape \(1,\), expected \(seeds >= 2\)"),
    (lambda: stats.sign_flip([]), r"differences have shape \(0,\), expected \(seeds >= 1\)"),
    (lambda: stats.mcnemar([1, 0], [1]), "answers are of 2 and of 1 examples, expected the same ones"),
    (
        lambda: stats.mcnemar([1, 2], [1, 0]),
        "answers run from 1.0 to 2.0, expected 1 for right and 0 for wrong",
    ),
    (lambda: stats.holm([0.1, None]), "1 of 2 p values are NaN or infinite"),  # type: ignore[list-item]
    (lambda: stats.benjamini_hochberg([math.nan]), "1 of 1 p values are NaN or infinite"),
    (lambda: stats.holm([0.1, 1.5]), "p values run from 0.1 to 1.5, expected 0 to 1"),
    (lambda: stats.power(0.1, 0, 5), "standard error is 0, expected above 0"),
    (lambda: stats.power(0.1, 1, math.nan), "degrees of freedom is nan, expected above 0"),
    (lambda: stats.detectable_difference(1, 5, power=0.04), "power is 0.04, expected between 0.05 and 1"),
    (lambda: stats.detectable_difference(1, 5, level=0), "level is 0, expected between 0 and 1"),
    (lambda: stats.expected_maximum([0.5, -math.inf]), "1 of 2 values are NaN or infinite"),
    (lambda: stats.expected_maximum_interval([]), r"values have shape \(0,\), expected \(trials >= 1\)"),
    (lambda: stats.expected_maximum_interval([1, 2], resamples=0), "resamples is 0, expected at least 1"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_does_not_fit_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
