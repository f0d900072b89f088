"""Slices of texts by example, and where a row is worse: false alarms, planted faults and coverage by simulation."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from tunebook import stats
from tunebook.behaviour.rate import difference, widened
from tunebook.behaviour.slices import NONE_WORSE, _drawn_p, judge, slices, words, worst

# --- what can be named --------------------------------------------------------------------------------------

NAMED = {
    "negation": (
        [
            "It is not bad",
            "I don't know",
            "I don\u2019t know",
            "dont go",
            "NEVER again",
            "Cannot say",
            "no-one",
        ],
        ["A knot in a rope", "notable", "They know", "the nob", "ant"],
    ),
    "question": (["Why?", "really ?!"], ["see https://a.org/?q=1", "no question"]),
    "emoji": (
        ["nice \U0001f600", "\u2764", "flag \U0001f1f3\U0001f1f4", "\u231a now"],
        ["\u00a9 2020", "#1 :)", "\u4f60\u597d"],
    ),
    "mention": (["@user hello", "so @User_1!"], ["mail me@example.org", "@ home", "@@"]),
    "link": (
        ["see https://a.org", "www.a.org", "HTTP://A.ORG", "look http"],
        ["https is a protocol name", "the httpd"],
    ),
    "hashtag": (["so #happy", "#2nd place"], ["we are #1", "it&#39;s", "C# is", "a#b"]),
    "capitals": (
        ["this is GREAT", "\u00c9T\u00c9S"],
        ["OK I am", "#WOW @USER", "B2B4C", "https://A.ORG/ABC", "NaN"],
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_predicates(name: str) -> None:
    held, other = NAMED[name]
    if name == "link":
        other = other[1:]
        assert slices(["https is a protocol name"])[
            "link"
        ].all()  # told alike where only "http" is left of a link
    found = slices([*held, *other])[name]
    assert [text for text, one in zip([*held, *other], found, strict=True) if one] == held


def test_quarters_are_by_words_and_equal_counts_stay_together() -> None:
    texts = [" ".join(["word"] * count) for count in range(1, 101)]
    found = slices(texts)
    sizes = [found[f"words, {quarter} quarter"].sum() for quarter in ("lowest", "second", "third", "highest")]
    assert sizes == [25, 25, 25, 25]
    assert found["words, lowest quarter"].nonzero()[0].tolist() == list(range(25))
    same = slices(["one word"] * 10)
    assert same["words, lowest quarter"].all() and not same["words, highest quarter"].any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=30))
def test_quarters_divide_the_texts_whatever_they_are(texts: list[str]) -> None:
    found = slices(texts, train_words={"a": 2})
    for kind in ("words", "rare words"):
        parts = [held for name, held in found.items() if name.startswith(f"{kind}, ")]
        assert len(parts) == 4 and np.sum(parts, axis=0).tolist() == [1] * len(texts)
    assert all(held.dtype == bool and held.shape == (len(texts),) for held in found.values())


def test_rare_words_are_those_train_seldom_has() -> None:
    train = Counter({f"w{number}": 5000 - number for number in range(3000)})
    texts = [f"w1 w2 w3 {'w2500 ' * count}" for count in range(8)]
    found = slices(texts, train_words=train)
    assert found["rare words, lowest quarter"].tolist() == [True] * 2 + [False] * 6
    assert found["rare words, highest quarter"].tolist() == [False] * 6 + [True] * 2
    assert "rare words, lowest quarter" not in slices(texts)
    tied = [Counter(dict.fromkeys(names, 1)) for names in (words("b a c"), words("c b a"))]
    one, other = (slices(["a b", "c d"], train_words=counts) for counts in tied)
    assert all((one[name] == other[name]).all() for name in one)  # not by the order in which words came


def test_groups_and_columns() -> None:
    texts = ["a text"] * 12
    numbers = list(range(12))
    columns = {"is_old": [True, False] * 6, "stars": [1, 2, 3] * 4, "age": numbers}
    found = slices(texts, groups=["films", "shops", "films"] * 4, columns=columns)
    assert found["group=films"].tolist() == [True, False, True] * 4
    assert found["is_old"].tolist() == [True, False] * 6
    assert found["stars=2"].tolist() == [False, True, False] * 4
    assert found["age, lowest quarter"].nonzero()[0].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="group has 2 values for 12 texts"):
        slices(texts, groups=["a", "b"])
    with pytest.raises(ValueError, match="id has 60 different values, expected at most 50"):
        slices(["a"] * 60, columns={"id": [f"x{number}" for number in range(60)]})


# --- the statistics -----------------------------------------------------------------------------------------


def draw_world(seed: int, *, seeds: int, examples: int, accuracy: float, spread: float = 0.0) -> np.ndarray:
    """Answers of seeds that differ, on examples of which some are hard for all of them.

    `spread` is how much more or less right each seed is on the first half of the examples alone.
    """
    draw = np.random.default_rng(seed)
    effects = (
        draw.normal(0, 1, examples)
        + draw.normal(0, 0.15, (seeds, 1))
        + draw.normal(0, 0.7, (seeds, examples))
    )
    effects[:, : examples // 2] += draw.normal(0, spread, (seeds, 1))
    return effects + math.sqrt(1 + 0.15**2 + 0.7**2) * ndtri(accuracy) > 0


def draw_slices(seed: int, examples: int, count: int = 12) -> dict[str, np.ndarray]:
    """Overlapping slices of all sizes, small ones too."""
    draw = np.random.default_rng([seed, 1])
    return {
        f"s{place}": draw.random(examples) < draw.choice([0.04, 0.1, 0.25, 0.5]) for place in range(count)
    }


@pytest.mark.parametrize(("seeds", "accuracy"), [(1, 0.95), (3, 0.95), (3, 0.75), (5, 0.9)])
def test_at_most_one_table_in_twenty_has_a_false_alarm(seeds: int, accuracy: float) -> None:
    alarms = 0
    for repeat in range(400):
        correct = draw_world(repeat, seeds=seeds, examples=600, accuracy=accuracy)
        rows = judge(correct, draw_slices(repeat, 600))
        alarms += any(row["p_adjusted"] is not None and row["p_adjusted"] <= 0.05 for row in rows)
    assert alarms / 400 <= 0.05


def test_seeds_that_differ_on_a_slice_are_no_finding() -> None:
    """Each seed is better or worse on one half by chance; over new seeds there is no difference."""
    found, naive = 0, 0
    for repeat in range(200):
        correct = draw_world(repeat, seeds=3, examples=2000, accuracy=0.8, spread=0.3)
        half = np.arange(2000) < 1000
        found += judge(correct, {"half": half})[0]["p"] <= 0.05
        naive += _drawn_p(correct, half) <= 0.05
    assert found / 200 <= 0.09 < 0.3 < naive / 200


def test_a_planted_slice_is_found_and_named() -> None:
    hits, false = 0, 0
    for repeat in range(100):
        parts = draw_slices(repeat, 1000, count=9) | {"planted": np.arange(1000) % 8 == 0}
        correct = draw_world(repeat, seeds=3, examples=1000, accuracy=0.9)
        broken = np.random.default_rng([repeat, 2]).random(1000) < 0.3
        correct &= ~(parts["planted"] & broken)
        found = worst(judge(correct, parts))
        hits += found["slice"] == "planted"
        false += found["slice"] not in (None, "planted")
    assert hits >= 95 and false <= 5


def intervals(repeats: int) -> Iterator[tuple[dict[str, object], float, float]]:
    """Rows of a slice that is easier than the rest, with the true accuracy and the true difference."""
    width = math.sqrt(1 + 0.15**2 + 0.7**2)
    for repeat in range(repeats):
        correct = draw_world(repeat, seeds=5, examples=400, accuracy=0.8)
        easier = draw_world(repeat, seeds=5, examples=400, accuracy=0.95)
        held = np.arange(400) < 50
        truth = float(scipy.stats.norm.cdf(width * ndtri(0.95) / width))
        yield judge(np.where(held, easier, correct), {"easy": held})[0], truth, truth - 0.8


def test_intervals_cover() -> None:
    inside, differences = 0, 0
    for row, accuracy, gap in intervals(400):
        inside += row["low"] <= accuracy <= row["high"]  # type: ignore[operator]
        differences += row["difference_low"] <= gap <= row["difference_high"]  # type: ignore[operator]
    assert inside / 400 >= 0.925 and differences / 400 >= 0.925
    assert inside / 400 <= 0.995 and differences / 400 <= 0.995


def test_one_seed_is_welch_and_fisher() -> None:
    draw = np.random.default_rng(0)
    right, held = draw.random(300) < 0.8, draw.random(300) < 0.3
    (row,) = judge([right], {"some": held})
    sides = [np.append(right[held], [1, 0]), np.append(right[~held], [1, 0])]
    test = scipy.stats.ttest_ind(*sides, equal_var=False)
    found = difference(right[None, held] * 1.0, right[None, ~held] * 1.0)
    assert found.value == pytest.approx(sides[0].mean() - sides[1].mean())
    assert found.standard_error == pytest.approx(found.value / test.statistic)
    assert found.p == pytest.approx(test.pvalue, rel=0.01)  # degrees of freedom are rounded down
    assert row["difference"] == pytest.approx(right[held].mean() - right[~held].mean())
    interval = test.confidence_interval()
    assert (row["difference_low"], row["difference_high"]) == pytest.approx(
        (interval.low, interval.high), rel=0.01
    )
    assert row["covers"] == "examples only"
    table = [[right[held].sum(), (~right[held]).sum()], [right[~held].sum(), (~right[~held]).sum()]]
    expected = held.sum() * right.mean()
    masses = scipy.stats.hypergeom(300, right.sum(), held.sum())
    extreme = [k for k in range(301) if abs(k - expected) >= abs(table[0][0] - expected) - 1e-9]
    assert _drawn_p(right[None] * 1.0, held) == pytest.approx(sum(masses.pmf(extreme)))
    assert row["p"] == (max(found.p, _drawn_p(right[None] * 1.0, held)) if found.p <= 0.1 else found.p)
    (low,) = judge([held & right], {"some": held})
    assert low["p"] >= _drawn_p(held[None] & right, held) and low["p"] < 1e-4


def test_several_seeds_are_the_parts_of_the_variance() -> None:
    """The seeds' part is that of the differences seed by seed, the examples' the sum of both sides'."""
    correct = draw_world(3, seeds=4, examples=500, accuracy=0.8).astype(float)
    held = np.arange(500) % 5 == 0
    found = difference(correct[:, held], correct[:, ~held])
    sides = [stats.by_example(widened(correct[:, part])) for part in (held, ~held)]
    by_seed = sides[0].values - sides[1].values
    parts = [side.parts() for side in sides]
    example, error = (sum(getattr(part, name) for part in parts) for name in ("example", "error"))
    seed = by_seed.var(ddof=1) / 4
    assert found.value == pytest.approx(by_seed.mean())
    assert found.standard_error**2 == pytest.approx(max(seed + example - error, seed, example), rel=1e-6)
    assert found.covers == "seeds and examples"


def test_drawing_at_random_is_what_permuting_gives() -> None:
    correct = draw_world(4, seeds=3, examples=120, accuracy=0.8).astype(float)
    held = np.arange(120) % 4 == 0
    held[np.flatnonzero(correct.all(axis=0))[:6]] = False
    score, draw = correct.sum(axis=0), np.random.default_rng(5)
    sums = np.array([score[draw.permutation(120)[: held.sum()]].sum() for _ in range(20_000)])
    expected = held.mean() * score.sum()
    share = (np.abs(sums - expected) >= abs(score[held].sum() - expected) - 1e-9).mean()
    assert _drawn_p(correct, held) == pytest.approx(share, abs=0.025)
    assert _drawn_p(correct, held) == _drawn_p(correct, held)


def test_what_is_too_small_is_listed_and_not_tested() -> None:
    correct = draw_world(1, seeds=2, examples=100, accuracy=0.8)
    parts = {
        "few": np.arange(100) < 19,
        "enough": np.arange(100) < 20,
        "nearly all": np.arange(100) >= 19,
        "all": np.ones(100, bool),
        "none": np.zeros(100, bool),
    }
    rows = {row["slice"]: row for row in judge(correct, parts)}
    assert {name for name, row in rows.items() if row["p_adjusted"] is not None} == {"enough"}
    assert rows["enough"]["p_adjusted"] == rows["enough"]["p"]  # one test, so nothing to correct for
    assert rows["few"]["why"] == "not tested: the slice has 19 examples, fewer than 20"
    assert rows["nearly all"]["why"] == "not tested: the rest has 19 examples, fewer than 20"
    assert rows["all"]["accuracy"] == pytest.approx(correct.mean()) and rows["all"]["difference"] is None
    assert rows["none"]["accuracy"] is None and rows["none"]["examples"] == 0
    assert rows["few"]["difference"] == pytest.approx(correct[:, :19].mean() - correct[:, 19:].mean())
    assert json.loads(json.dumps(list(rows.values()))) == list(rows.values())


def test_p_values_are_corrected_for_the_slices_tested_alone() -> None:
    correct = draw_world(2, seeds=3, examples=600, accuracy=0.8)
    parts = draw_slices(2, 600, count=6)
    rows = judge(correct, parts)
    tested = [row for row in rows if row["p"] is not None]
    assert [row["p_adjusted"] for row in tested] == stats.holm([row["p"] for row in tested])
    assert [row["slice"] for row in rows] == list(parts)


@pytest.mark.parametrize("size", [20, 60, 200])
def test_a_slice_that_is_all_right_is_not_certain(size: int) -> None:
    correct = np.random.default_rng(1).random((3, 1000)) < 0.9
    held = np.arange(1000) < size
    correct[:, held] = True
    (row,) = judge(correct, {"all right": held})
    assert row["accuracy"] == 1 and row["low"] < 1 == row["high"]
    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_a_slice_that_is_all_right_is_no_surer_than_drawing_one() -> None:
    """Of 60 examples none wrong where 10 % are elsewhere: drawing such a slice is rare, for t it is a wonder."""
    right, held = np.arange(1000) % 10 > 0, np.arange(1000) < 60
    right[held] = True
    (row,) = judge(right[None], {"all right": held})
    drawn = _drawn_p(right[None] * 1.0, held)
    assert row["p"] == drawn > 10 * difference(right[None, held] * 1.0, right[None, ~held] * 1.0).p


def row_of(name: str, accuracy: float, difference: float, p_adjusted: float | None) -> dict[str, object]:
    return {"slice": name, "accuracy": accuracy, "difference": difference, "p_adjusted": p_adjusted}


def test_the_worst_is_shown_to_be_worse() -> None:
    rows = [
        row_of("better", 0.95, 0.1, 0.001),
        row_of("bad", 0.7, -0.15, 0.01),
        row_of("worse", 0.65, -0.2, 0.05),
        row_of("by chance", 0.5, -0.35, 0.2),
        row_of("tiny", 0.2, -0.6, None),
    ]
    assert worst(rows)["slice"] == "worse"
    assert worst(rows)["says"] == "worse: 65.0% right, 20.0% less than the rest"
    assert worst(rows, level=0.02)["slice"] == "bad"
    assert worst([rows[0], rows[3], rows[4]]) == {"slice": None, "says": NONE_WORSE} == worst([])


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"slice 'x' has shape \(3,\), expected \(4,\)"):
        judge(np.ones((2, 4)), {"x": [1, 0, 1]})
    with pytest.raises(ValueError, match="expected answers of 1"):
        judge(np.full((2, 4), 0.5), {})
