"""Whether intervals cover what they say and tests find no more than they may, on new seeds and new examples each time.

An example is answered rightly where a sum of normal effects is above 0: its difficulty, shared by both methods; how it
lies to a method, whatever the seed; the seed; and chance. What is repeated is the whole: seeds and examples are new.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import ndtr, ndtri, stdtrit

from tunebook import stats, weighted

REPEATS, EXAMPLES, ACCURACY = 2_000, 500, 0.8
SEEDS = (3, 5, 10)
LARGEST_SIZE = 0.07
COVERAGE = (0.925, 0.98)


@dataclass(frozen=True)
class World:
    """Standard deviations of the effects; that of difficulty is 1."""

    interaction: float
    seed: float
    chance: float

    @property
    def deviation(self) -> float:
        return math.sqrt(1 + self.interaction**2 + self.seed**2 + self.chance**2)


WORLDS = {
    "seeds": World(interaction=0.4, seed=0.2, chance=0.5),
    "examples": World(interaction=1.0, seed=0.02, chance=0.5),
    "mixed": World(interaction=0.7, seed=0.1, chance=0.7),
}
CELLS = [(world, seeds) for world in WORLDS for seeds in SEEDS]
cells = pytest.mark.parametrize(("world", "seeds"), CELLS)


def draw_right(
    world: str, *, seeds: int, repeats: int, accuracies: tuple[float, ...], key: int, examples: int = EXAMPLES
) -> Iterator[np.ndarray]:
    """For each repeat, whether each method of so many true accuracies was right, `(methods, seeds, examples)`."""
    effects = WORLDS[world]
    generator = np.random.default_rng([list(WORLDS).index(world), seeds, key])
    means = effects.deviation * ndtri(np.array(accuracies))[:, None, None]
    methods = len(accuracies)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype=np.float32)

    for _ in range(repeats):
        latent = effects.chance * normal(methods, seeds, examples) + effects.seed * normal(methods, seeds, 1)
        latent += effects.interaction * normal(methods, 1, examples) + normal(examples)
        yield latent > -means


def share(events: list[bool]) -> float:
    return sum(events) / len(events)


# --- the null and a planted difference ----------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What some repeats of a cell gave."""

    paired: list[stats.Difference]
    unshared: list[stats.Difference]
    rows: list[stats.Estimate]
    parts: list[stats.Parts]
    rights: list[np.ndarray]


@cache
def null(world: str, seeds: int) -> Found:
    """Two methods that are equally good."""
    found = Found([], [], [], [], [])
    for right in draw_right(world, seeds=seeds, repeats=REPEATS, accuracies=(ACCURACY, ACCURACY), key=0):
        first, second = (stats.by_example(method) for method in right)
        found.paired.append(stats.paired(first, second))
        found.unshared.append(stats.unshared_seeds(first, second))
        found.rows.append(first.parts().estimate())
        found.parts.append(stats.by_example(right[0].astype(float) - right[1]).parts())
        found.rights.append(right)
    return found


def mean_parts(parts: list[stats.Parts]) -> stats.Parts:
    """The parts as they are on average, which is without bias."""
    means = {
        name: float(np.mean([getattr(part, name) for part in parts])) for name in ("seed", "example", "error")
    }
    return stats.Parts(value=0.0, seeds=parts[0].seeds, examples=parts[0].examples, **means)


@cells
def test_no_more_differences_are_found_than_the_level_allows(world: str, seeds: int) -> None:
    found = null(world, seeds)
    assert share([one.p < 0.05 for one in found.paired]) <= LARGEST_SIZE
    assert share([one.p < 0.05 for one in found.unshared]) <= LARGEST_SIZE


@cells
def test_intervals_cover_the_true_mean_and_the_true_difference(world: str, seeds: int) -> None:
    found = null(world, seeds)
    for name, kind, truth in (
        ("row", found.rows, ACCURACY),
        ("paired", found.paired, 0.0),
        ("unshared", found.unshared, 0.0),
    ):
        coverage = share([one.low <= truth <= one.high for one in kind])
        assert COVERAGE[0] <= coverage <= COVERAGE[1], name


@cells
def test_the_variance_is_that_of_repeating_it_all(world: str, seeds: int) -> None:
    found = null(world, seeds)
    empirical = np.std([one.value for one in found.paired])
    assert mean_parts(found.parts).total().standard_error == pytest.approx(empirical, rel=0.06)


@cells
def test_power_is_what_theory_says(world: str, seeds: int) -> None:
    """For a difference that is found in 80 of 100 times."""
    expected = mean_parts(null(world, seeds).parts).total()
    truth = stats.detectable_difference(expected.standard_error, expected.degrees_of_freedom)
    accuracies = (ACCURACY + truth / 2, ACCURACY - truth / 2)
    found, parts = [], []
    for right in draw_right(world, seeds=seeds, repeats=REPEATS, accuracies=accuracies, key=1):
        first, second = (stats.by_example(method) for method in right)
        found.append(stats.paired(first, second))
        parts.append(stats.by_example(right[0].astype(float) - right[1]).parts())
    true = mean_parts(parts).total()
    theory = stats.power(truth, true.standard_error, true.degrees_of_freedom)
    assert share([one.p < 0.05 for one in found]) == pytest.approx(theory, abs=0.05)
    coverage = share([one.low <= truth <= one.high for one in found])
    assert COVERAGE[0] <= coverage <= COVERAGE[1]


@pytest.mark.parametrize("world", WORLDS)
def test_unequal_numbers_of_seeds_other_examples_and_baselines(world: str) -> None:
    rights = null(world, 10).rights
    rows = [[stats.by_example(method) for method in right] for right in rights]
    few = [
        stats.unshared_seeds(stats.by_example(right[0][:3]), row[1])
        for right, row in zip(rights, rows, strict=True)
    ]
    apart = [stats.independent(row[0].parts(), other[1].parts()) for row, other in pairwise(rows)]
    for found in (few, apart):
        assert share([one.p < 0.05 for one in found]) <= LARGEST_SIZE
        assert COVERAGE[0] <= share([one.low <= 0 <= one.high for one in found]) <= COVERAGE[1]


def test_a_baseline_has_one_seed_and_no_luck() -> None:
    """What it answers is a function of the example; a lucky seed of something random passed off as one is not."""
    draw = np.random.default_rng(0)
    fixed, lucky = [], []
    for right in null("mixed", 5).rights:
        row = stats.by_example(right[0])
        baselines = draw.random((1, EXAMPLES)) < ACCURACY, right[1][:1]
        for found, baseline in zip((fixed, lucky), baselines, strict=True):
            found.append(stats.paired(row, stats.by_example(baseline, is_deterministic=True)))
    assert COVERAGE[0] <= share([one.low <= 0 <= one.high for one in fixed]) <= COVERAGE[1]
    assert share([one.p < 0.05 for one in lucky]) > LARGEST_SIZE


# --- what is not good enough --------------------------------------------------------------------------------


def test_one_seed_and_mcnemar_find_too_much() -> None:
    found = [stats.mcnemar(right[0, 0], right[1, 0]) for right in null("seeds", 3).rights]
    assert share([test.p < 0.05 for test in found]) > 0.4


def test_seeds_alone_find_too_much_where_examples_matter() -> None:
    for seeds, least in ((3, 0.1), (5, 0.2), (10, 0.4)):
        rights = null("examples", seeds).rights
        found = [stats.seeds_t(right[0].mean(axis=1) - right[1].mean(axis=1)) for right in rights]
        assert share([test.p < 0.05 for test in found]) > least


def test_examples_alone_find_too_much_where_seeds_matter() -> None:
    rights = null("mixed", 3).rights
    rows = [stats.by_example((right[0].mean(axis=0) - right[1].mean(axis=0))[None]) for right in rights]
    covered = [abs(row.values[0]) <= 1.96 * math.sqrt(row.example_part) for row in rows]
    assert 1 - share(covered) > LARGEST_SIZE


# --- degrees of freedom -------------------------------------------------------------------------------------


def sizes(seeds: int, seed_share: float) -> tuple[float, float]:
    """How often nothing is taken for something, by our degrees of freedom and plainly by Satterthwaite's."""
    repeats, examples = 20_000, 500
    draw = np.random.default_rng(seeds)
    seed = seed_share * draw.chisquare(seeds - 1, repeats) / (seeds - 1)
    example = (1 - seed_share) * draw.chisquare(examples - 1, repeats) / (examples - 1)
    values = np.abs(draw.standard_normal(repeats))
    ours = [
        stats.Parts(0.0, one, other, 0.0, seeds, examples).total()
        for one, other in zip(seed.tolist(), example.tolist(), strict=True)
    ]
    errors = np.sqrt(seed + example)
    freedom = np.array([total.degrees_of_freedom for total in ours])
    assert np.allclose(errors, [total.standard_error for total in ours])
    plain = errors**4 / (seed**2 / (seeds - 1) + example**2 / (examples - 1))
    return tuple(float((values > stdtrit(each, 0.975) * errors).mean()) for each in (freedom, plain))


@pytest.mark.parametrize(("seeds", "worst_share", "plain"), [(2, 0.95, 0.12), (3, 0.9, 0.07), (5, 0.8, 0.05)])
def test_few_seeds_need_fewer_degrees_of_freedom_than_satterthwaites(
    seeds: int, worst_share: float, plain: float
) -> None:
    found = sizes(seeds, worst_share)
    assert found[0] <= LARGEST_SIZE and found[1] >= plain
    assert all(0.01 <= sizes(seeds, share_of_seeds)[0] <= LARGEST_SIZE for share_of_seeds in (0.3, 0.6, 0.98))


# --- metrics that are no mean over examples -----------------------------------------------------------------

F1_REPEATS, F1_EXAMPLES, RESAMPLES, PREVALENCE = 1_000, 300, 100, 0.3


def true_f1(world: str) -> float:
    """The mean over seeds of macro F1 on all examples that there could be."""
    effects = WORLDS[world]
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    rest = math.sqrt(effects.deviation**2 - effects.seed**2)
    right = ndtr((effects.deviation * ndtri(ACCURACY) + effects.seed * nodes) / rest)
    f1 = [
        2 * part * right / (part + part * right + (1 - part) * (1 - right))
        for part in (PREVALENCE, 1 - PREVALENCE)
    ]
    return float(np.mean(f1, axis=0) @ weights / weights.sum())


def macro_f1(labels: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Of labels `(examples,)` and given classes `(runs, examples)`; the metric's own function takes a millisecond."""
    both = [((given == one) & (labels == one)).sum(axis=1) for one in (0, 1)]
    return np.mean(
        [2 * both[one] / ((given == one).sum(axis=1) + (labels == one).sum()) for one in (0, 1)], axis=0
    )


@cache
def null_f1(
    world: str, seeds: int
) -> tuple[list[stats.Difference], list[stats.Difference], list[stats.Estimate]]:
    draw = np.random.default_rng(seeds)
    paired, unshared, estimates = [], [], []
    for right in draw_right(
        world, seeds=seeds, repeats=F1_REPEATS, accuracies=(ACCURACY, ACCURACY), key=2, examples=F1_EXAMPLES
    ):
        labels = (draw.random(F1_EXAMPLES) < PREVALENCE).astype(int)
        given = np.where(right, labels, 1 - labels).reshape(-1, F1_EXAMPLES)
        runs = [(labels, np.eye(2)[classes]) for classes in given]
        replicates = weighted.replicates("f1", runs, resamples=RESAMPLES).reshape(2, seeds, RESAMPLES)
        values = macro_f1(labels, given).reshape(2, seeds)
        rows = [stats.by_resample(*row, examples=F1_EXAMPLES) for row in zip(values, replicates, strict=True)]
        paired.append(stats.paired(rows[0], rows[1]))
        unshared.append(stats.unshared_seeds(rows[0], rows[1]))
        estimates.append(rows[0].parts().estimate())
    assert values.ravel() == pytest.approx(weighted.values("f1", runs))
    return paired, unshared, estimates


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seeds", [3, 5])
def test_resamples_are_as_honest_as_scores_of_examples(world: str, seeds: int) -> None:
    paired, unshared, estimates = null_f1(world, seeds)
    for found in (paired, unshared):
        assert share([one.p < 0.05 for one in found]) <= LARGEST_SIZE
        assert COVERAGE[0] <= share([one.low <= 0 <= one.high for one in found]) <= COVERAGE[1]
    truth = true_f1(world)
    assert COVERAGE[0] <= share([one.low <= truth <= one.high for one in estimates]) <= COVERAGE[1]
