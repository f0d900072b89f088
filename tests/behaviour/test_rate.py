"""A rate and a difference of rates, held against plain formulae and against drawing again."""

from __future__ import annotations

import numpy as np
import pytest

from tunebook import stats
from tunebook.behaviour.rate import difference, rate


def test_a_rate_of_none_or_all_still_has_an_interval() -> None:
    for value in (0.0, 1.0):
        found = rate(np.full((3, 40), value))
        assert found["value"] == value
        assert 0.05 < found["high"] - found["low"] < 0.2
        assert 0 <= found["low"] <= value <= found["high"] <= 1


def test_a_rate_is_the_crossed_one_where_there_is_much_of_it() -> None:
    draw = np.random.default_rng(0)
    scores = (draw.random((5, 4000)) < 0.3).astype(float)
    found, plain = rate(scores), stats.by_example(scores).parts().estimate()
    assert found["low"] == pytest.approx(plain.low, abs=1e-3)
    assert found["high"] == pytest.approx(plain.high, abs=1e-3)
    assert found["covers"] == "seeds and examples"
    assert rate(scores[:1])["covers"] == "examples only"


def test_a_rate_covers_the_truth() -> None:
    """Seeds and examples both vary; 95 % intervals hold the true rate in at least 92 of 100 draws."""
    draw, hits = np.random.default_rng(1), 0
    for _ in range(300):
        seed, example = draw.normal(0, 0.2, (3, 1)), draw.normal(0, 1, (1, 200))
        scores = (seed + example + draw.normal(0, 1, (3, 200)) > 1.5).astype(float)
        found = rate(scores)
        truth = 1 - _normal(1.5 / (0.2**2 + 2) ** 0.5)
        hits += found["low"] <= truth <= found["high"]
    assert hits / 300 > 0.92


def _normal(value: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(value))


def test_a_difference_is_that_of_means_with_the_variance_of_both_sides() -> None:
    draw = np.random.default_rng(2)
    first, second = (draw.random((1, 3000)) < 0.8).astype(float), (draw.random((1, 1000)) < 0.6).astype(float)
    found = difference(first, second)
    assert found.value == pytest.approx(first.mean() - second.mean(), abs=1e-3)
    plain = (first.var() / 3000 + second.var() / 1000) ** 0.5
    assert found.standard_error == pytest.approx(plain, rel=0.01)


def test_a_difference_of_what_never_varies_is_finite() -> None:
    found = difference(np.ones((3, 50)), np.ones((3, 50)))
    assert found.value == 0
    assert found.low < 0 < found.high
