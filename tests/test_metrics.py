"""Metrics against scikit-learn and scipy, by hand, and where they are undefined."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tunebook import metrics

TWO = ("bad", "good")
THREE = ("a", "b", "c")


def classify(logits: Any, labels: Any, names: tuple[str, ...] = TWO) -> dict[str, Any]:
    return metrics.evaluate(np.array(logits), np.array(labels), label_names=names, task="classification")


def score(predicted: Any, labels: Any) -> dict[str, Any]:
    return metrics.evaluate(np.array(predicted), np.array(labels), label_names=(), task="regression")


def random_predictions(seed: int, texts: int = 500, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, texts)
    return draw.normal(size=(texts, classes)).astype(np.float32) + np.eye(classes)[labels], labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_scores_of_classes_are_those_of_scikit_learn(classes: int) -> None:
    logits, labels = random_predictions(classes, classes=classes)
    given_classes, probabilities = logits.argmax(1), scipy.special.softmax(logits, axis=1)
    found = classify(logits, labels, tuple(f"c{index}" for index in range(classes)))
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, given_classes),
        "precision": sklearn.metrics.precision_score(labels, given_classes, average="macro"),
        "recall": sklearn.metrics.recall_score(labels, given_classes, average="macro"),
        "f1": sklearn.metrics.f1_score(labels, given_classes, average="macro"),
        "f1_micro": sklearn.metrics.f1_score(labels, given_classes, average="micro"),
        "mcc": sklearn.metrics.matthews_corrcoef(labels, given_classes),
        "log_loss": sklearn.metrics.log_loss(labels, probabilities),
        "brier": sklearn.metrics.brier_score_loss(
            labels, probabilities, labels=range(classes), scale_by_half=False
        ),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert found["confusion_matrix"] == sklearn.metrics.confusion_matrix(labels, given_classes).tolist()
    recalls = sklearn.metrics.recall_score(labels, given_classes, average=None)
    assert [row["recall"] for row in found["per_class"].values()] == pytest.approx(list(recalls))


def test_scores_of_scores_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    labels = draw.uniform(0, 5, 200).astype(np.float32)
    predicted = labels + draw.normal(size=200).astype(np.float32)
    expected = {
        "pearson": scipy.stats.pearsonr(labels, predicted).statistic,
        "spearman": scipy.stats.spearmanr(labels, predicted).statistic,
        "mse": sklearn.metrics.mean_squared_error(labels, predicted),
        "mae": sklearn.metrics.mean_absolute_error(labels, predicted),
    }
    assert score(predicted, labels) == pytest.approx(expected, rel=1e-6)
    assert score(predicted[:, None], labels) == score(predicted, labels)


def test_by_hand() -> None:
    found = classify([[0, 2], [0, 1], [3, 0], [0, 1]], [1, 0, 0, 1])
    assert found["accuracy"] == 0.75
    assert found["per_class"]["bad"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }
    assert found["per_class"]["good"]["precision"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert found["confusion_matrix"] == [[1, 1], [0, 2]]


def test_calibration_by_hand() -> None:
    """30 texts given `good` with probability 0.9, of which 18 are: one bin, off by 0.9 - 0.6."""
    logits = [[0, math.log(9)]] * 30
    assert classify(logits, [1] * 18 + [0] * 12)["ece"] == pytest.approx(0.3)
    assert classify(logits[:20], [1] * 18 + [0, 0])["ece"] == pytest.approx(0, abs=1e-12)
    sure = [[0, 3.0]] * 10 + [[0, 1.0]] * 10
    gaps = abs(10 / (1 + math.exp(-3)) - 5) + abs(10 / (1 + math.exp(-1)) - 10)
    assert classify(sure, [1, 0] * 5 + [1] * 10)["ece"] == pytest.approx(gaps / 20)
    assert classify([[50, 0]] * 40, [0] * 40)["ece"] == pytest.approx(0, abs=1e-12)


def test_a_mean_over_an_undefined_class_is_undefined() -> None:
    """Nobody is given class c: its precision is 0/0, while its recall is 0 and its F1 too."""
    found = classify(np.eye(3)[[0, 1, 0]], [0, 1, 2], THREE)
    assert found["precision"] is None and found["per_class"]["c"]["precision"] is None
    assert found["recall"] == pytest.approx(2 / 3) and found["per_class"]["c"]["recall"] == 0.0
    assert found["f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["accuracy"] == found["f1_micro"] == pytest.approx(2 / 3)


def test_a_class_that_is_nowhere_is_not_worth_zero() -> None:
    found = classify(np.eye(3)[[0, 1]], [0, 1], THREE)
    assert found["per_class"]["c"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert (found["precision"], found["recall"], found["f1"]) == (None, None, None)
    assert found["mcc"] == 1.0
    assert len(found["confusion_matrix"]) == 3


@pytest.mark.parametrize("labels, given_class", [([0, 0, 0], 0), ([0, 1, 1], 1), ([1, 1], 0)])
def test_correlation_with_one_class_is_undefined(labels: list[int], given_class: int) -> None:
    assert classify(np.eye(2)[[given_class] * len(labels)], labels)["mcc"] is None


def test_nothing_to_score() -> None:
    found = classify(np.zeros((0, 2)), np.zeros(0, np.int64))
    assert {value for name, value in found.items() if name not in ("per_class", "confusion_matrix")} == {None}
    assert found["confusion_matrix"] == [[0, 0], [0, 0]]
    assert set(score(np.zeros(0), np.zeros(0)).values()) == {None}


def test_one_text() -> None:
    assert classify([[1, 0]], [0])["accuracy"] == 1.0
    found = score([1.0], [2.0])
    assert (found["pearson"], found["spearman"], found["mse"], found["mae"]) == (None, None, 1.0, 1.0)


@pytest.mark.parametrize("labels, predicted", [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [2, 2, 2])])
def test_correlation_with_a_constant_is_undefined(labels: list[float], predicted: list[float]) -> None:
    found = score(predicted, labels)
    assert (found["pearson"], found["spearman"]) == (None, None)
    assert found["mse"] is not None


def test_a_prediction_that_is_nan_leaves_no_score() -> None:
    found = classify([[math.nan, 0], [1, 0]], [0, 0])
    assert found["accuracy"] is None and found["confusion_matrix"] is None
    assert found["per_class"]["bad"] == {"precision": None, "recall": None, "f1": None, "support": 2}
    assert set(score([math.nan, 1], [0, 1]).values()) == {None}


def test_a_true_class_thought_impossible_has_no_log_loss() -> None:
    found = classify([[0, -math.inf]], [1])
    assert found["log_loss"] is None and found["accuracy"] == 0.0 and found["brier"] == 2.0


def test_log_loss_is_not_cut_off_where_a_probability_rounds_to_zero() -> None:
    assert classify([[0.0, -1000.0]], [1])["log_loss"] == pytest.approx(1000.0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(2, 3\)"):
        classify(np.zeros((2, 2)), [0, 1], THREE)
    with pytest.raises(ValueError, match="from -1 to 1, expected 0 to 1"):
        classify(np.zeros((2, 2)), [-1, 1])
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(2,\)"):
        score(np.zeros((2, 2)), [0, 1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), texts=st.integers(1, 60), classes=st.integers(1, 5))
def test_the_order_of_texts_and_of_classes_does_not_matter(seed: int, texts: int, classes: int) -> None:
    logits, labels = random_predictions(seed, texts, classes)
    draw = np.random.default_rng(seed)
    order, renamed = draw.permutation(texts), draw.permutation(classes)
    names = tuple(f"c{index}" for index in range(classes))
    before = classify(logits, labels, names)
    moved = np.argsort(renamed)
    after = classify(logits[order][:, moved], renamed[labels[order]], tuple(names[index] for index in moved))
    assert set(after["per_class"]) == set(before["per_class"])
    for name in metrics.rows().keys() & before.keys():
        assert after[name] == pytest.approx(before[name], abs=1e-9), name
    for name, row in before["per_class"].items():
        assert after["per_class"][name] == pytest.approx(row), name


FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), texts=st.integers(0, 12), classes=st.integers(1, 4))
def test_any_logits_give_values_within_bounds(data: st.DataObject, texts: int, classes: int) -> None:
    logits = data.draw(hnp.arrays(np.float32, (texts, classes), elements=FLOATS))
    labels = data.draw(hnp.arrays(np.int64, texts, elements=st.integers(0, classes - 1)))
    found = classify(logits, labels, tuple(f"c{index}" for index in range(classes)))
    json.dumps(found, allow_nan=False)
    assert_bounds(found)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), texts=st.integers(0, 12))
def test_any_scores_give_values_within_bounds(data: st.DataObject, texts: int) -> None:
    predicted, labels = (data.draw(hnp.arrays(np.float32, texts, elements=FLOATS)) for _ in range(2))
    found = score(predicted, labels)
    json.dumps(found, allow_nan=False)
    assert_bounds(found)


def assert_bounds(found: dict[str, Any]) -> None:
    for name, row in metrics.rows().items():
        value = found.get(name)
        if value is not None:
            low, high = row.bounds
            assert low is None or value >= low - 1e-9, name
            assert high is None or value <= high + 1e-9, name


@pytest.mark.parametrize("name", metrics.rows())
def test_every_row_is_complete_and_computed(name: str) -> None:
    row = metrics.rows()[name]
    assert row.explanation.endswith(".") and row.source
    found = classify(*random_predictions(0), THREE) if row.task == "classification" else score([1, 2], [1, 3])
    assert isinstance(found[name], float)


@pytest.mark.parametrize("name", metrics.rows())
def test_larger_is_better_says_which_way(name: str) -> None:
    row = metrics.rows()[name]
    if row.task == "classification":
        logits, labels = random_predictions(1)
        good, bad = classify(10 * np.eye(3)[labels], labels, THREE), classify(-logits, labels, THREE)
    else:
        good, bad = score([1, 2, 3.1], [1, 2, 3]), score([3, 2, 0], [1, 2, 3])
    assert (good[name] > bad[name]) == row.larger_is_better
