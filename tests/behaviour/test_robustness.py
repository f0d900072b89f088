"""Failures are counted as they are defined: on made-up answers whose failures are known."""

from __future__ import annotations

import numpy as np

from tunebook.behaviour import perturbations, robustness
from tunebook.behaviour.templates import Example

TEXTS = ["The film was good.", "I can't stand it!", "ok", "A great phone, and it didn't cost much.", "..."]


def logits(classes: list[int], *, sure: float = 2.0) -> np.ndarray:
    """Logits of one seed, `(1, texts, 2)`, that give these classes."""
    found = np.zeros((1, len(classes), 2))
    found[0, np.arange(len(classes)), classes] = sure
    return found


def test_a_text_that_is_left_as_it_was_is_counted_and_not_asked() -> None:
    for one in robustness.perturbed(TEXTS, seed=0):
        assert len(one.places) + one.unchanged == len(TEXTS)
        assert all(text != TEXTS[place] for place, text in zip(one.places, one.texts, strict=True))
        assert one.question(list("abcde")).ids == [("abcde")[place] for place in one.places]


def test_another_class_is_a_failure_of_invariance() -> None:
    failed = robustness.failures("upper_case", logits([0, 1, 1]), logits([0, 0, 1]))
    assert failed.tolist() == [[False, True, False]]


def test_growing_surer_is_a_failure_of_direction_and_changing_sides_is_not() -> None:
    before = logits([1, 1, 1], sure=0.5)
    after = np.concatenate([logits([1], sure=2.0), logits([1], sure=0.6), logits([0], sure=3.0)], axis=1)
    assert robustness.failures("negation_added", before, after).tolist() == [[True, False, False]]


def test_a_row_for_each_change_and_for_each_capability() -> None:
    changed = robustness.perturbed(TEXTS, seed=0)
    before = np.repeat(logits([1, 0, 1, 1, 0]), 3, axis=0)
    after = {one.name: before[:, one.places] * 1.01 for one in changed}
    after["lower_case"] = before[:, _places(changed, "lower_case")]  # which the model does not see
    after["upper_case"] = after["upper_case"][..., ::-1]  # every text changes sides
    rows = robustness.judge_changes(changed, before, after, np.array([1, 0, 1, 1, 0]))
    by_test = {row["test"]: row for row in rows if row["test"]}
    assert set(by_test) == set(perturbations.rows())
    assert by_test["upper_case"]["value"] == 1
    assert (by_test["upper_case"]["accuracy_before"], by_test["upper_case"]["accuracy_after"]) == (1, 0)
    assert by_test["swapped_letters"]["value"] == 0 < by_test["swapped_letters"]["high"]
    assert "value" not in by_test["neutral_emoji_removed"], "it changed none of these texts"
    case = next(row for row in rows if row["capability"] == "case" and not row["test"])
    assert case["value"] == 1, "what is not seen is not judged"
    assert "value" not in by_test["lower_case"]
    assert by_test["lower_case"]["unseen"] == len(_places(changed, "lower_case")) > 0
    assert by_test["lower_case"]["texts"] == 0
    assert "accuracy_before" not in by_test["negation_added"], "its label is not kept"


def _places(changed: list[robustness.Perturbed], name: str) -> list[int]:
    return next(one.places.tolist() for one in changed if one.name == name)


def test_the_suite_by_capability() -> None:
    examples = [Example(str(number), "positive", "ab"[number % 2], str(number)) for number in range(20)]
    right = np.ones((2, 20), bool)
    right[:, 1::2] = False
    rows = robustness.judge_suite(examples, right)
    assert [(row["capability"], row["value"], row["texts"]) for row in rows] == [
        ("a", 0.0, 10),
        ("b", 1.0, 10),
    ]


def test_texts_of_one_template_count_once_for_the_interval() -> None:
    """Ten texts of each of four templates, all right or all wrong: that is four answers, not forty."""
    examples = [Example(str(number), "positive", "a", str(number // 10)) for number in range(40)]
    right = np.tile(np.arange(40) >= 20, (3, 1))
    (row,) = robustness.judge_suite(examples, right)
    assert (row["value"], row["templates"], row["texts"]) == (0.5, 4, 40)
    assert row["high"] - row["low"] > 0.7
