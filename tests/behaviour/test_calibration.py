"""Temperature against torch's fit and its own first-order condition, scores against other formulae."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from tunebook.behaviour import calibration


def drawn(
    seed: int, *, examples: int = 400, classes: int = 3, spread: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with just the probabilities that they give."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, spread, (examples, classes))
    sums = scipy.special.softmax(logits, axis=1).cumsum(axis=1)
    return logits, (draw.random((examples, 1)) > sums).sum(axis=1).clip(max=classes - 1)


def loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(-scipy.special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def fitted_by_torch(logits: np.ndarray, labels: np.ndarray) -> float:
    """As Guo et al. do it, by LBFGS; on the logarithm, for on the temperature itself it may step below 0."""
    value = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [value], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )
    given, truth = torch.tensor(logits), torch.tensor(labels)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        error = torch.nn.functional.cross_entropy(given / value.exp(), truth)
        error.backward()
        return error

    optimizer.step(closure)
    return float(value.detach().exp())


# --- the temperature ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_it_is_what_torch_finds(factor: float, classes: int) -> None:
    logits, labels = drawn(0, classes=classes)
    found = calibration.temperature(factor * logits, labels)
    assert found == pytest.approx(fitted_by_torch(factor * logits, labels), rel=1e-5)


def test_what_was_made_too_sure_is_made_right_again() -> None:
    logits, labels = drawn(1, examples=20_000)
    assert calibration.temperature(logits, labels) == pytest.approx(1, abs=0.03)
    assert calibration.temperature(2.5 * logits, labels) == pytest.approx(
        2.5 * calibration.temperature(logits, labels), rel=1e-8
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 4), st.floats(0.01, 30))
def test_no_other_temperature_within_bounds_is_better(
    seed: int, examples: int, classes: int, spread: float
) -> None:
    draw = np.random.default_rng(seed)
    logits, labels = draw.normal(0, spread, (examples, classes)), draw.integers(0, classes, examples)
    found = calibration.temperature(logits, labels)
    low, high = calibration.BOUNDS
    assert low <= found <= high
    best = loss(logits / found, labels)
    assert all(best <= loss(logits / other, labels) + 1e-9 for other in np.geomspace(low, high, 200))


def test_where_it_cannot_be_told() -> None:
    right = np.array([[2.0, 0], [0, 1], [3, 0]])
    assert (
        calibration.temperature(right, [0, 1, 0]) == calibration.BOUNDS[0]
    )  # all right: no end to being sure
    assert calibration.temperature(right, [1, 0, 1]) == calibration.BOUNDS[1]  # all wrong
    assert calibration.temperature(np.full((3, 2), 7.3), [0, 1, 1]) == 1.0
    assert calibration.temperature([[1e6, 0], [0, 1e6]], [0, 1]) == 1.0  # nothing is left to win
    assert calibration.temperature([[1, 0]], [0]) == calibration.BOUNDS[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 20))
def test_scaling_keeps_every_answer(seed: int, temperature: float) -> None:
    logits, labels = drawn(seed, examples=50)
    after = calibration.scaled(logits, temperature)
    assert (after.argmax(axis=1) == logits.argmax(axis=1)).all()
    accuracies = [calibration.summary(one, labels)["accuracy"] for one in (logits, after)]
    assert accuracies[0] == accuracies[1]


# --- the scores ---------------------------------------------------------------------------------------------


def error_by_hand(logits: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Equal mass, by cutting the sorted examples up; right where no confidences are equal."""
    shares = scipy.special.softmax(logits, axis=1)
    sure, is_right = shares.max(axis=1), shares.argmax(axis=1) == labels
    parts = np.array_split(np.argsort(sure), bins)
    return sum(len(part) * abs(sure[part].mean() - is_right[part].mean()) for part in parts) / len(labels)


def test_scores_are_those_of_other_formulae() -> None:
    logits, labels = drawn(2, examples=600)
    shares = scipy.special.softmax(logits, axis=1)
    found = calibration.summary(logits, labels)
    assert found["log_loss"] == pytest.approx(sklearn_log_loss(labels, shares))
    assert found["brier"] == pytest.approx(((shares - np.eye(3)[labels]) ** 2).sum(axis=1).mean())
    assert found["ece"] == pytest.approx(error_by_hand(logits, labels, 15))
    assert found["accuracy"] == (shares.argmax(axis=1) == labels).mean()
    assert found["confidence"] == pytest.approx(shares.max(axis=1).mean())
    assert found["examples"] == 600
    two, truth = drawn(3, classes=2)
    probability = scipy.special.softmax(two, axis=1)[:, 1]
    assert calibration.summary(two, truth)["brier"] == pytest.approx(2 * brier_score_loss(truth, probability))


def test_before_and_after() -> None:
    logits, labels = drawn(4, examples=4000)
    sharp = 3 * logits
    found = calibration.before_after((sharp[:2000], labels[:2000]), (sharp[2000:], labels[2000:]))
    assert found["temperature"] == calibration.temperature(sharp[:2000], labels[:2000])
    assert not found["is_at_bound"] and found["validation_examples"] == 2000
    assert found["before"] == calibration.summary(sharp[2000:], labels[2000:])
    assert found["after"] == calibration.summary(sharp[2000:] / found["temperature"], labels[2000:])
    for score in ("log_loss", "brier", "ece"):
        assert found["after"][score] < found["before"][score]
    assert found["after"]["accuracy"] == found["before"]["accuracy"]
    assert found["before"]["confidence"] - found["before"]["accuracy"] > 0.1
    sure = calibration.before_after(([[2, 0], [2, 0]], [0, 0]), (sharp, labels))
    assert sure["is_at_bound"] and math.isfinite(sure["after"]["log_loss"])


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([[1, 0]], [2], "labels run from 2 to 2, expected 0 to 1"),
        ([[1, 0]], [-1], "expected 0 to 1"),
        ([[1, math.inf]], [0], "1 of 2 logits are NaN or infinite"),
        ([[1, 0]], [0, 1], "labels (2,)"),
        ([[1]], [0], "(1, 1)"),
        (np.zeros((0, 2)), [], "(0, 2)"),
    ],
)
def test_what_is_refused(logits: object, labels: object, message: str) -> None:
    for function in (calibration.temperature, calibration.summary):
        with pytest.raises(ValueError) as error:
            function(logits, labels)  # type: ignore[arg-type]
        assert message in str(error.value)
    for bad in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="expected a number above 0"):
            calibration.scaled([[1, 0]], bad)
