"""Metrics under weights against metrics.evaluate on test sets that were resampled one by one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from tunebook import metrics, weighted
from tunebook.errors import UsageError
from tunebook.weighted import resamples as resampling
from tunebook.weighted import sorting

Run = tuple[Any, Any]
CLASSIFICATION = [name for name, row in metrics.rows().items() if row.task == "classification"]
MEANS = {"accuracy", "f1_micro", "log_loss", "brier", "mse", "mae"}


def classified(runs: int, *, examples: int = 120, classes: int = 3, seed: int = 0) -> list[Run]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, examples)
    truth = np.eye(classes)[labels]
    return [(labels, (truth + draw.normal(size=truth.shape)).astype(np.float32)) for _ in range(runs)]


def scored(runs: int, *, examples: int = 120, seed: int = 0) -> list[Run]:
    draw = np.random.default_rng(seed)
    labels = draw.uniform(0, 5, examples).round(1)  # with ties, as people score
    return [(labels, (labels + draw.normal(size=examples)).round(1)[:, None]) for _ in range(runs)]


def made(name: str, runs: int, **options: Any) -> list[Run]:
    return classified(runs, **options) if name in CLASSIFICATION else scored(runs, **options)


def evaluate(labels: Any, logits: Any) -> dict[str, float]:
    is_scored = logits.ndim == 1 or logits.shape[1] == 1
    names = () if is_scored else tuple(f"c{index}" for index in range(logits.shape[1]))
    task = "regression" if is_scored else "classification"
    found = metrics.evaluate(logits, labels, label_names=names, task=task)
    return {
        name: math.nan if found[name] is None else found[name] for name in metrics.rows() if name in found
    }


def all_weights(examples: int, count: int, seed: int) -> np.ndarray:
    return np.concatenate([weights for _, weights in resampling.draw_weights(examples, count, seed)])


def expected(runs: list[Run], count: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Every metric of the task by metrics.evaluate on the examples that each resample holds, `(runs, resamples)`."""
    places = np.arange(len(runs[0][0]))
    held = [np.repeat(places, row.astype(int)) for row in all_weights(len(places), count, seed)]
    found = [[evaluate(labels[rows], logits[rows]) for rows in held] for labels, logits in runs]
    return {name: np.array([[one[name] for one in run] for run in found]) for name in found[0][0]}


def assert_replicates_are_exact(runs: list[Run], count: int, *, seed: int = 0) -> None:
    for name, exact in expected(runs, count, seed=seed).items():
        found = weighted.replicates(name, runs, resamples=count, seed=seed)
        assert found.shape == (len(runs), count) and found.dtype == np.float64
        np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("examples", [1, 2, 7, 120])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_replicates_of_classes_are_the_metrics_on_resampled_examples(examples: int, classes: int) -> None:
    assert_replicates_are_exact(classified(2, examples=examples, classes=classes), 20, seed=1)


@pytest.mark.parametrize("examples", [1, 2, 7, 120])
def test_replicates_of_scores_are_the_metrics_on_resampled_examples(examples: int) -> None:
    assert_replicates_are_exact(scored(3, examples=examples), 40, seed=1)


def test_every_metric_is_computed_in_both_ways() -> None:
    known = expected(classified(1), 1) | expected(scored(1), 1)
    assert set(known) == set(metrics.rows())


@pytest.mark.parametrize("name", metrics.rows())
def test_values_are_the_metric_and_the_mean_of_the_examples(name: str) -> None:
    runs = made(name, 3)
    exact = [evaluate(*run)[name] for run in runs]
    assert weighted.values(name, runs).tolist() == exact
    single = weighted.per_example(name, *runs[0])
    assert (single is not None) == (name in MEANS)
    if single is not None:
        assert single.shape == runs[0][0].shape and single.mean() == pytest.approx(exact[0], rel=1e-12)


def test_undefined_resamples_are_nan_as_evaluate_says() -> None:
    labels = np.array([0, 0, 0, 0, 1])
    runs = [(labels, np.eye(2)[labels]), (labels, np.eye(2)[[0, 0, 0, 0, 0]])]
    assert_replicates_are_exact(runs, 40)
    assert 0 < np.isnan(weighted.replicates("recall", runs, resamples=40)[0]).sum() < 40
    assert np.isnan(weighted.replicates("precision", runs, resamples=40)[1]).all()


def test_constant_scores_have_no_correlation() -> None:
    labels = np.array([1.0, 2.0, 3.0])
    runs = [(labels, np.array([1.0, 1.0, 5.0])), (labels, np.full(3, 0.1))]
    assert_replicates_are_exact(runs, 80)
    for name in ("pearson", "spearman"):
        found = weighted.replicates(name, runs, resamples=80)
        assert 0 < np.isnan(found[0]).sum() < 80 and np.isnan(found[1]).all()


def test_what_is_not_finite_spoils_the_resamples_that_hold_it() -> None:
    labels = np.array([0, 1, 1, 0, 1, 0])
    logits = np.eye(2)[labels]
    logits[0] = [-math.inf, 0]
    assert_replicates_are_exact([(labels, logits)], 40)
    found = weighted.replicates("log_loss", [(labels, logits)], resamples=40)
    assert np.isnan(found).any() and not np.isnan(found).all()
    single = weighted.per_example("log_loss", labels, logits)
    assert single is not None and single[0] == math.inf
    assert np.isnan(weighted.values("log_loss", [(labels, logits)])).all()


@pytest.mark.parametrize("name", metrics.rows())
def test_a_run_with_a_nan_has_no_value_and_leaves_the_others_alone(name: str) -> None:
    runs = made(name, 3)
    alone = weighted.replicates(name, [runs[0], runs[2]], resamples=10)
    runs[1][1][4, 0] = math.nan
    found = weighted.replicates(name, runs, resamples=10)
    assert np.isnan(found[1]).all() and np.isnan(weighted.values(name, runs)[1])
    np.testing.assert_allclose(found[[0, 2]], alone, rtol=1e-6)


@pytest.mark.parametrize("name", metrics.rows())
def test_little_memory_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = made(name, 5)
    whole = weighted.replicates(name, runs, resamples=30)
    monkeypatch.setattr(resampling, "ELEMENTS", 500)
    monkeypatch.setattr(weighted, "ELEMENTS", 500)
    monkeypatch.setattr(sorting, "_BLOCK_ELEMENTS", 250)
    np.testing.assert_allclose(weighted.replicates(name, runs, resamples=30), whole, rtol=1e-6)


def test_weights_are_multinomial_and_the_same_in_every_call() -> None:
    weights = all_weights(50, 4000, 3)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.1)
    assert weights.var(axis=0).mean() == pytest.approx(1 - 1 / 50, rel=0.02)
    assert np.corrcoef(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(-1 / 49, abs=0.05)
    assert (all_weights(50, 10, 3) == weights[:10]).all()
    assert (all_weights(50, 10, 4) != weights[:10]).any()


def test_runs_are_paired_within_and_across_calls() -> None:
    runs = classified(2)
    both = weighted.replicates("f1", runs, resamples=50)
    single = [weighted.replicates("f1", [run], resamples=50)[0] for run in runs]
    assert both.tolist() == np.stack(single).tolist()
    assert np.corrcoef(weighted.replicates("f1", [runs[0], runs[0]], resamples=50))[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_new_metric_needs_no_more_than_its_row(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = metrics.rows()["f1" if task == "classification" else "pearson"]
    new = dataclasses.replace(source, name="new")
    monkeypatch.setattr(metrics, "_ROWS", (*metrics.rows().values(), new))
    runs = made(source.name, 2)
    found = weighted.replicates("new", runs, resamples=20)
    np.testing.assert_allclose(found, weighted.replicates(source.name, runs, resamples=20), rtol=1e-6)
    assert weighted.per_example("new", *runs[0]) is None


def test_what_does_not_fit_is_refused() -> None:
    labels, logits = classified(1)[0]
    with pytest.raises(UsageError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        weighted.replicates("acuracy", [(labels, logits)])
    with pytest.raises(UsageError, match="unknown metric"):
        weighted.per_example("acuracy", labels, logits)
    with pytest.raises(ValueError, match="there are no runs, expected at least one"):
        weighted.replicates("f1", [])
    with pytest.raises(ValueError, match="resamples is 0, expected at least 1"):
        weighted.replicates("f1", [(labels, logits)], resamples=0)
    with pytest.raises(
        ValueError, match=r"shapes \(119,\) and \(120, 3\), expected \(examples,\) and \(examples, cl"
    ):
        weighted.replicates("f1", [(labels[1:], logits)])
    with pytest.raises(
        ValueError, match=r"scores have shapes \(120,\) and \(120, 3\), expected \(examples,\) of both"
    ):
        weighted.per_example("mse", labels, logits)
    with pytest.raises(ValueError, match="labels run from 0 to 3, expected 0 to 2"):
        weighted.values("f1", [(np.where(labels == 2, 3, labels), logits)])
    with pytest.raises(
        ValueError, match="run 1 has other labels than run 0, expected the same examples in the same"
    ):
        weighted.replicates("f1", [(labels, logits), (labels[::-1], logits)])
