"""Agreement of rows by plain loops, scikit-learn's kappa and every way to deal runs out; its tests under the null."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from tunebook.behaviour import agreement
from tunebook.behaviour.agreement import compare, contested


def predicted(
    seed: int, *, runs: int, labels: np.ndarray, noise: float, common: np.ndarray | None = None
) -> np.ndarray:
    """Runs that err on the examples `common` always, and on others now and then."""
    draw = np.random.default_rng(seed)
    found = np.tile(labels, (runs, 1))
    if common is not None:
        found[:, common] = (found[:, common] + 1) % 3
    flipped = draw.random(found.shape) < noise
    return np.where(flipped, (found + draw.integers(1, 3, found.shape)) % 3, found)


LABELS = np.random.default_rng(0).integers(0, 3, 200)


def excess(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    between = np.mean([(one != other).mean() for one in first for other in second])
    within = [
        np.mean([(one != other).mean() for one, other in itertools.combinations(row, 2)])
        for row in (first, second)
        if len(row) > 1
    ]
    return float(between - np.mean(within))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 3))
def test_everything_by_plain_loops(seed: int, one: int, other: int) -> None:
    first, second = (
        predicted(seed + place, runs=runs, labels=LABELS, noise=0.1)
        for place, runs in enumerate((one, other))
    )
    found = compare(LABELS, first, second)
    pairs = list(itertools.product(first, second))
    assert found["between"] == pytest.approx(np.mean([(a != b).mean() for a, b in pairs]))
    right = [((a == LABELS).mean(), ((a == LABELS) & (b == LABELS)).mean()) for a, b in pairs]
    assert found["where_they_differ"]["first"] == pytest.approx(np.mean([a - both for a, both in right]))
    assert sum(found["where_they_differ"].values()) == pytest.approx(found["between"])
    assert found["kappa"]["between"] == pytest.approx(np.mean([cohen_kappa_score(a, b) for a, b in pairs]))
    for place, row in enumerate((first, second)):
        inside = list(itertools.combinations(row, 2))
        expected = np.mean([(a != b).mean() for a, b in inside]) if inside else None
        assert found["within"][place] == (pytest.approx(expected) if inside else None)
    if max(one, other) == 1:
        assert found["excess"] is None
        return
    assert found["excess"]["value"] == pytest.approx(excess(list(first), list(second)))
    runs = [*first, *second]
    ways = []
    for members in itertools.combinations(range(len(runs)), one):
        rest = [run for place, run in enumerate(runs) if place not in members]
        ways.append(excess([runs[place] for place in members], rest))
    assert found["excess"]["p"] == pytest.approx(np.mean(np.array(ways) >= ways[0] - 1e-12))
    assert found["excess"]["smallest_p"] <= found["excess"]["p"] <= 1


@pytest.mark.parametrize(
    ("sizes", "smallest"),
    [((3, 3), 1 / 10), ((2, 2), 1 / 3), ((3, 2), 1 / 10), ((1, 4), 1 / 5), ((5, 5), 1 / 126)],
)
def test_the_smallest_p_is_reached_by_rows_that_differ(sizes: tuple[int, int], smallest: float) -> None:
    first = predicted(1, runs=sizes[0], labels=LABELS, noise=0.05)
    second = predicted(2, runs=sizes[1], labels=LABELS, noise=0.05, common=np.arange(60))
    found = compare(LABELS, first, second)["excess"]
    assert found["p"] == found["smallest_p"] == pytest.approx(smallest)
    assert found["splits"] == round(1 / smallest) and found["low"] > 0.15


def test_many_runs_are_dealt_out_at_random() -> None:
    first = predicted(1, runs=9, labels=LABELS, noise=0.05)
    second = predicted(2, runs=9, labels=LABELS, noise=0.05, common=np.arange(60))
    found = compare(LABELS, first, second)["excess"]
    assert found["splits"] == agreement.MOST_SPLITS
    assert found["smallest_p"] == 1 / (agreement.MOST_SPLITS + 1)
    assert found["p"] < 5 * found["smallest_p"]  # among the draws may be the rows themselves
    same = compare(LABELS, first, predicted(3, runs=9, labels=LABELS, noise=0.05))["excess"]
    assert (
        same["p"] > 0.05
        and same == compare(LABELS, first, predicted(3, runs=9, labels=LABELS, noise=0.05))["excess"]
    )


def test_rows_that_do_not_differ_are_seldom_told_apart() -> None:
    """At 3 and 3 runs p is at most 0.1 in a tenth of all cases."""
    draw, small = np.random.default_rng(5), 0
    repeats = 400
    for _ in range(repeats):
        runs = predicted(int(draw.integers(1 << 30)), runs=6, labels=LABELS[:80], noise=0.1)
        small += agreement._permuted(runs, (3, 3))["p"] <= 0.1
    assert 0.05 < small / repeats < 0.15


def test_the_interval_covers_over_new_examples() -> None:
    """The excess of the same runs on endlessly many examples, here all of them, lies inside 95 % of intervals."""
    draw = np.random.default_rng(6)
    labels = draw.integers(0, 3, 20_000)
    first = predicted(1, runs=2, labels=labels, noise=0.1)
    second = predicted(2, runs=2, labels=labels, noise=0.1, common=np.arange(2000))
    truth, inside = excess(list(first), list(second)), 0
    for _ in range(200):
        some = draw.choice(20_000, 300)
        found = compare(labels[some], first[:, some], second[:, some])["excess"]
        inside += found["low"] <= truth <= found["high"]
    assert 0.9 <= inside / 200 <= 0.99


def test_a_row_against_itself_and_what_is_undefined() -> None:
    runs = predicted(1, runs=2, labels=LABELS, noise=0.1)
    same = compare(LABELS, runs[:1], runs[:1])
    assert same["between"] == 0 and same["kappa"]["between"] == pytest.approx(1) and same["excess"] is None
    constant = np.zeros((2, len(LABELS)))
    found = compare(LABELS, constant, constant)
    assert found["kappa"] == {"between": None, "within": [None, None]}
    assert found["excess"]["p"] == 1 and found["excess"]["value"] == 0


def test_results_are_plain() -> None:
    first, second = (predicted(seed, runs=2, labels=LABELS, noise=0.1) for seed in (1, 2))
    for found in (compare(LABELS, first, second), contested(first == LABELS, second == LABELS)):
        assert json.loads(json.dumps(found)) == found


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (3, 12)), arrays(bool, (2, 12)))
def test_contested_examples_by_plain_loops(first: np.ndarray, second: np.ndarray) -> None:
    found = contested(first, second, most=5)
    assert np.sum(found["counts"]) == 12
    assert np.arange(4) @ np.array(found["counts"]).sum(axis=1) == first.sum()
    leads = first.mean(axis=0) - second.mean(axis=0)
    expected = sorted(
        (place for place in range(12) if leads[place] > 0), key=lambda place: (-leads[place], place)
    )
    assert [one["example"] for one in found["first"]] == expected[:5]
    for one in found["first"]:
        assert one["right"] == first[:, one["example"]].sum()
        assert one["other_right"] == second[:, one["example"]].sum()
    swapped = contested(second, first, most=5)
    assert swapped["second"] == found["first"] and np.array(swapped["counts"]).T.tolist() == found["counts"]


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="labels are of 2 examples, predictions of 3 and 3"):
        compare([0, 1], [[0, 1, 1]], [[0, 1, 1]])
    with pytest.raises(ValueError, match="rows have 2 and 1 examples"):
        contested([[1, 0]], [[1]])
    with pytest.raises(ValueError, match="seeds >= 1"):
        compare([0], np.zeros((0, 1)), [[0]])
