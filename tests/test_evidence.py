"""What runs show, example by example: scores as the statistics take them, and a reason where there are none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import results
from tests.results import Run, examples, fill, finish
from tunebook import evidence, stats, weighted
from tunebook.book import Book
from tunebook.book.predictions import read_predictions, read_split, write_predictions
from tunebook.errors import IntegrityError, UsageError
from tunebook.evidence import BySplit, Evidence, Nothing
from tunebook.run_object import as_object

OF = examples()


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "book")


def rows(book: Book) -> list[list[dict[str, Any]]]:
    """The runs of the book by point, points by their first folder."""
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in book.run_folders():
        run = as_object(folder)
        found.setdefault(run["point"], []).append(run)
    return list(found.values())


def gather(book: Book, metric: str = "accuracy", resamples: int = 400) -> list[Evidence | Nothing]:
    return evidence.gather(rows(book), book, metric=metric, split="test", resamples=resamples)


def drawn(skill: float, seeds: range = range(3)) -> list[np.ndarray]:
    """The logits that runs of a skill store."""
    return [results.answers(OF, skill, seed).astype(np.float32) for seed in seeds]


# --- scores -------------------------------------------------------------------------------------------------


def test_a_mean_is_scored_example_by_example(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(3))
    (found,) = gather(book)
    assert (
        isinstance(found, Evidence)
        and found.seeds == ((None, 0), (None, 1), (None, 2))
        and not found.is_fixed
    )
    right = [logits.argmax(axis=1) == OF.labels for logits in drawn(1.0)]
    direct = stats.by_example(right)
    assert np.array_equal(found.scores.columns, direct.columns)
    assert found.scores.parts() == direct.parts()
    assert found.right is not None and np.array_equal(found.right, right)


def test_any_other_metric_is_scored_on_resamples_that_all_rows_share(book: Book) -> None:
    fill(book, {"full": 1.0, "lora": 0.5}, seeds=range(3))
    full, lora = gather(book, "f1")
    for found, skill in ((full, 1.0), (lora, 0.5)):
        assert isinstance(found, Evidence)
        runs = [(OF.labels, logits) for logits in drawn(skill)]
        direct = stats.by_resample(
            weighted.values("f1", runs), weighted.replicates("f1", runs, resamples=400), examples=300
        )
        assert found.scores.values == pytest.approx(direct.values)
        assert np.array_equal(found.scores.columns, direct.columns)


def test_scores_have_no_right_and_wrong(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(2), examples=examples(classes=0))
    for metric in ("pearson", "mse", "spearman"):
        (found,) = gather(book, metric)
        assert isinstance(found, Evidence) and found.right is None and len(found.scores.values) == 2


def test_a_baseline_has_one_seed_however_often_it_was_run(book: Book) -> None:
    for seed in range(2):
        finish(book, Run(method="majority", seed=seed, logits=drawn(0.0)[0]))
    (found,) = gather(book)
    assert isinstance(found, Evidence) and found.is_fixed and found.seeds == ((None, 0),)


def test_some_seeds_are_taken_in_the_order_that_is_asked(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(3))
    (found,) = gather(book)
    assert isinstance(found, Evidence)
    of = found.of([(None, 2), (None, 0)])
    assert of.values.tolist() == found.scores.values[[2, 0]].tolist()
    assert np.array_equal(of.columns, found.scores.columns[[2, 0]])


# --- why there are none -------------------------------------------------------------------------------------


def why(found: Evidence | BySplit | Nothing) -> str:
    assert isinstance(found, Nothing), found
    return found.why


def test_what_is_not_finite_is_named_and_does_not_spoil_other_rows(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(3))
    alone = gather(book, "f1")
    broken = drawn(1.0)[0].copy()
    broken[7, 0] = np.nan
    infinite = drawn(1.0)[1].copy()
    infinite[7, 0] = -np.inf
    for seed, logits in enumerate((broken, infinite, drawn(1.0)[2])):
        finish(book, Run(method="lora", seed=seed, logits=logits))
    found = gather(book, "f1")
    assert why(found[1]) == "predictions of seeds 0, 1 are not finite"
    assert isinstance(found[0], Evidence) and isinstance(alone[0], Evidence)
    assert np.array_equal(found[0].scores.columns, alone[0].scores.columns)
    assert why(gather(book)[1]) == why(found[1]), "of accuracy too"


def test_an_undefined_metric_is_named_and_does_not_spoil_other_rows(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(2))
    always_negative = np.tile([1.0, 0.0], (300, 1))
    finish(book, Run(method="lora", seed=0, logits=always_negative))
    finish(book, Run(method="lora", seed=1, skill=1.0))
    finish(book, Run(method="majority", logits=always_negative))
    full, lora, majority = gather(book, "precision")
    assert isinstance(full, Evidence)
    assert why(lora) == "precision is undefined for seed 0"
    assert why(majority) == "precision is undefined for seed 0"
    assert all(isinstance(one, Evidence) for one in gather(book, "f1")), "f1 of a class never given is 0"


def test_a_metric_that_few_resamples_lack_is_compared_on_the_others(book: Book) -> None:
    """Of 300 texts 6 are of the rare class: one resample of 400 has none. With 3 it is one of 20."""
    of = examples(classes=3)
    for count, is_compared in ((6, True), (3, False)):
        of.labels[:] = np.arange(300) % 2
        of.labels[:count] = 2
        part = Book(book.root / str(count))
        fill(part, {"full": 1.0, "lora": 0.5}, seeds=range(2), examples=of)
        for found in gather(part, "recall", resamples=4000):
            if is_compared:
                assert isinstance(found, Evidence) and 3960 < found.scores.columns.shape[1] < 4000
            else:
                assert re.fullmatch(r"recall is undefined on [45]\.\d% of resampled test sets", why(found))


def test_one_example_is_too_few(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(2), examples=OF.first(1))
    assert why(gather(book)[0]) == "the split has a single example"


def test_no_rows_have_no_evidence(book: Book) -> None:
    assert evidence.gather([], book, metric="f1", split="test", resamples=10) == []
    assert evidence.over_splits([], book, metric="f1", split="test") == []


# --- the same examples --------------------------------------------------------------------------------------


def test_other_examples_are_refused_with_the_difference(book: Book) -> None:
    fewer = OF.first(200)
    fewer.labels[:3] = 1 - fewer.labels[:3]
    folders = fill(book, {"lora": 1.0}, seeds=[0], examples=fewer)
    folders += fill(book, {"full": 1.0}, seeds=[0])
    with pytest.raises(UsageError) as error:
        gather(book)
    assert str(error.value) == (
        f"{folders[1].name} and {folders[0].name} were measured on different examples of reviews (test): 300 and 200 "
        "texts, 200 of the same id, 3 of these under another label. Scores on different examples are not compared: "
        "give an experiment's file, whose runs have one dataset"
    )


@pytest.mark.parametrize("damage", ["missing", "cut", "another split", "no columns"])
def test_damaged_predictions_are_told_and_not_compared(book: Book, damage: str) -> None:
    (folder,) = fill(book, {"full": 1.0}, seeds=[0])
    path = folder / "predictions.parquet"
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "another split":
        write_predictions(path, {"validation": (OF.ids, OF.labels, drawn(1.0)[0])})
    else:
        pq.write_table(pa.table({"split": ["test"]}), path)
    with pytest.raises(
        IntegrityError, match=r"predictions\.parquet is damaged or missing: .*; `tunebook run --fre"
    ):
        gather(book)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_split_is_read_as_all_of_them_are(tmp_path: Path, classes: int) -> None:
    of, path = examples(50, classes=classes), tmp_path / "predictions.parquet"
    logits = results.answers(of, 1.0, 0)
    splits = {"validation": (of.ids[:20], of.labels[:20], logits[:20]), "test": (of.ids, of.labels, logits)}
    write_predictions(path, splits)
    for row_group_size in (None, 7):  # as a file of more than a million rows has several groups
        pq.write_table(pq.read_table(path), path, row_group_size=row_group_size)
        for split, (_, labels, scores) in read_predictions(path).items():
            found = read_split(path, split)
            assert np.array_equal(found[0], labels) and found[0].dtype == labels.dtype
            assert np.array_equal(found[1], scores) and found[1].dtype == np.float32


# --- cuts ---------------------------------------------------------------------------------------------------


def test_cuts_give_means_by_cut(book: Book) -> None:
    scores = {}
    for cut in (3, 1, 2):
        of = examples(30, seed=cut)
        for seed in range(2):
            run = Run(seed=seed, split_seed=cut, examples=of, train_size=100)
            scores[cut, seed] = as_object(finish(book, run))["metrics"]["test"]["accuracy"]
    (found,) = evidence.over_splits(rows(book), book, metric="accuracy", split="test")
    assert isinstance(found, BySplit)
    assert list(found.values) == [1, 2, 3]
    assert found.values == {cut: (scores[cut, 0] + scores[cut, 1]) / 2 for cut in (1, 2, 3)}
    assert (found.test_examples, found.train_examples) == (30, 100)


def test_a_cut_with_an_undefined_metric_is_named(book: Book) -> None:
    always_negative = np.tile([1.0, 0.0], (300, 1))
    finish(book, Run(split_seed=0))
    finish(book, Run(split_seed=1, logits=always_negative))
    (found,) = evidence.over_splits(rows(book), book, metric="precision", split="test")
    assert why(found) == "precision is undefined for seed 0"


def test_other_examples_of_a_cut_are_refused(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=[0], split_seed=1)
    fill(book, {"lora": 1.0}, seeds=[0], split_seed=1, examples=OF.first(200))
    with pytest.raises(
        UsageError, match=r"examples of reviews \(test\): 300 and 200 texts, 200 of the same id, 0 of"
    ):
        evidence.over_splits(rows(book), book, metric="accuracy", split="test")
