"""Risk against coverage by brute force over all orders of equally sure examples, and by what must hold of areas."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from tunebook.behaviour import coverage

Answers = list[tuple[float, bool]]
answers = st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.9]), st.booleans()), min_size=1, max_size=6)


def over_all_orders(given: Answers) -> np.ndarray:
    """The mean risk at each coverage over all orders in which nobody stands before a surer one."""
    found = []
    for order in itertools.permutations(given):
        if all(one[0] >= other[0] for one, other in itertools.pairwise(order)):
            wrong = [not right for _, right in order]
            found.append([sum(wrong[:count]) / count for count in range(1, len(wrong) + 1)])
    return np.mean(found, axis=0)


@settings(max_examples=80, deadline=None)
@given(answers)
def test_ties_are_the_mean_over_all_orders(given: Answers) -> None:
    sure, right = zip(*given, strict=True)
    assert coverage.risks(sure, right) == pytest.approx(over_all_orders(given))


@settings(max_examples=60, deadline=None)
@given(answers, st.randoms())
def test_the_order_of_examples_is_nothing(given: Answers, random: object) -> None:
    sure, right = zip(*given, strict=True)
    mixed = list(given)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    others = coverage.curve(*zip(*mixed, strict=True))
    assert coverage.curve(sure, right) == others


@settings(max_examples=60, deadline=None)
@given(answers)
def test_areas_have_their_bounds(given: Answers) -> None:
    sure, right = zip(*given, strict=True)
    found = coverage.curve(sure, right)
    assert found["excess_aurc"] >= -1e-12
    best = coverage.curve(np.arange(len(given)), sorted(right))
    assert best["excess_aurc"] == pytest.approx(0) and best["aurc"] <= found["aurc"] + 1e-12
    assert found["points"][-1]["risk"] == pytest.approx(1 - found["accuracy"])
    assert found["aurc"] - found["excess_aurc"] == pytest.approx(best["aurc"])


def test_without_ties_it_is_what_sorting_says() -> None:
    draw = np.random.default_rng(0)
    sure, right = draw.random(1000), draw.random(1000) < 0.8
    ordered = right[np.argsort(-sure)]
    found = coverage.curve(sure, right)
    assert found["aurc"] == pytest.approx(np.mean([1 - ordered[:k].mean() for k in range(1, 1001)]))
    assert found["accuracy_at"] == pytest.approx({"0.8": ordered[:800].mean(), "0.9": ordered[:900].mean()})
    for point in found["points"]:
        count = round(point["coverage"] * 1000)
        assert point["risk"] == pytest.approx(1 - ordered[:count].mean())
        assert (sure >= point["threshold"]).sum() == count


def test_who_is_equally_sure_of_everything_gains_nothing() -> None:
    found = coverage.curve(np.full(40, 0.7), np.arange(40) % 4 > 0)
    assert found["accuracy_at"] == pytest.approx({"0.8": 0.75, "0.9": 0.75})
    assert [point["risk"] for point in found["points"]] == pytest.approx([0.25] * 40)


@pytest.mark.parametrize("examples", [1, 2, 10, 101, 102, 5000])
def test_what_is_stored_is_short_and_plain(examples: int) -> None:
    found = coverage.curve(np.linspace(0, 1, examples), np.ones(examples))
    assert len(found["points"]) == min(examples, coverage.MOST_POINTS)
    assert found["points"][0]["coverage"] == 1 / examples and found["points"][-1]["coverage"] == 1
    assert json.loads(json.dumps(found)) == found


def test_a_share_is_of_whole_examples() -> None:
    right = [1] * 8 + [0] * 2
    found = coverage.curve(np.arange(10, 0, -1), right)["accuracy_at"]
    assert found == pytest.approx({"0.8": 1.0, "0.9": 8 / 9})
    assert coverage.curve([0.9], [1])["accuracy_at"] == {"0.8": 1.0, "0.9": 1.0}
    for count in range(1, 300):  # 0.9 * 10 and the like: never one more for a rounding error
        assert coverage._answered(0.9, count) == -(-9 * count // 10)


def test_of_logits_goes_by_the_largest_probability() -> None:
    draw = np.random.default_rng(1)
    logits, labels = draw.normal(size=(50, 3)), draw.integers(0, 3, 50)
    sure = softmax(logits, axis=1).max(axis=1)
    expected = coverage.curve(sure, logits.argmax(axis=1) == labels)
    found = coverage.of_logits(logits, labels)
    assert found["aurc"] == pytest.approx(expected["aurc"])
    assert coverage.of_logits(logits + draw.normal(size=(50, 1)), labels)["aurc"] == pytest.approx(
        found["aurc"]
    )


@pytest.mark.parametrize(
    ("sure", "right", "message"),
    [
        ([0.5], [0.5], "expected 1 for right and 0 for wrong"),
        ([0.5, 0.6], [1], "2 confidences for 1 answers"),
        ([math.nan], [1], "NaN"),
        ([], [], "examples >= 1"),
    ],
)
def test_what_is_refused(sure: list[float], right: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        coverage.curve(sure, right)
