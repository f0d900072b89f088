"""Which method to take: from the dataset's own results or the most similar ones, within the budget, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import here
from tests.cli.conftest import reviews
from tests.results import Run, examples, fill, finish
from tunebook import recommendation
from tunebook.book import Book, open_book
from tunebook.recommendation import Shape
from tunebook.spec import DatasetSpec


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return open_book(tmp_path / "book")


@pytest.fixture
def asked(tmp_path: Path) -> DatasetSpec:
    file = tmp_path / "reviews.csv"
    file.write_text(reviews())
    return DatasetSpec(path=str(file), text=["body"], label="stars")


def test_a_clear_answer_names_the_best_and_how_sure(book: Book, asked: DatasetSpec) -> None:
    fill(book, {"full": 2.0, "lora": 0.5, "majority": 0.0})
    found = recommendation.recommend(asked, book)
    assert found["verdict"] == "clear" and found["from"]["is_the_same"]
    assert [row["method"] for row in found["ranking"]] == ["full", "lora", "majority"]
    assert found["ranking"][0]["probability_best_beats_it"] is None
    assert all(row["probability_best_beats_it"] > 0.9 for row in found["ranking"][1:])


def test_a_tie_names_the_cheapest_of_those_that_are_not_clearly_worse(book: Book, asked: DatasetSpec) -> None:
    fill(book, {"full": 1.0}, seconds=100.0)
    fill(book, {"lora": 1.0}, seeds=range(7, 12), seconds=20.0)
    assert recommendation.recommend(asked, book)["verdict"] == "tied"
    done = here("which", asked.path, "--text", "body", "--label", "stars", "--root", book.root)
    assert "No clear winner" in done.out and "probability 0." in done.out
    assert "The cheapest of those that are not clearly worse is minilm-l6 with lora." in done.out


def test_a_budget_leaves_out_what_costs_more_and_what_was_not_measured(
    book: Book, asked: DatasetSpec
) -> None:
    fill(book, {"full": 2.0}, seconds=100.0, weights_bytes=9_000_000)
    fill(book, {"lora": 1.0, "ia3": 0.5}, seconds=20.0)
    by_time = recommendation.recommend(asked, book, seconds=30)
    by_memory = recommendation.recommend(asked, book, memory_bytes=2 * 10**9)
    for found in (by_time, by_memory):
        assert [row["method"] for row in found["ranking"]] == ["lora", "ia3"]
    assert recommendation.recommend(asked, book, seconds=5)["verdict"] == "not enough evidence"


def test_another_dataset_stands_in_where_it_is_like_it(book: Book, asked: DatasetSpec) -> None:
    fill(book, {"full": 2.0, "lora": 0.5}, dataset="tweets")
    fill(book, {"full": 2.0, "lora": 0.5}, dataset="larger", train_size=10**6)
    found = recommendation.recommend(asked, book)
    assert found["from"]["dataset"] == "tweets" and not found["from"]["is_the_same"]
    done = here("which", asked.path, "--text", "body", "--label", "stars", "--root", book.root)
    assert "The book has no such results on reviews: tweets is the most like it, 2." in done.out
    assert "From 1,000 texts of train, measured on 300 of test" in done.out
    assert (
        done.out.startswith("Take minilm-l6 with full (")
        and ": on tweets it beats minilm-l6 with lora" in done.out
    )


@pytest.mark.parametrize("filled", [
    {}, {"seeds": range(2)}, {"dataset": "scores", "examples": examples(classes=0)},
    {"dataset": "huge", "train_size": 10**8},
], ids=["an empty book", "too few seeds", "another task", "far too large"])  # fmt: skip
def test_not_enough_evidence_is_said(book: Book, asked: DatasetSpec, filled: dict[str, Any]) -> None:
    if filled:
        fill(book, {"full": 2.0, "lora": 0.5}, **filled)
    assert recommendation.recommend(asked, book)["ranking"] == []
    done = here("which", asked.path, "--text", "body", "--label", "stars", "--root", book.root)
    assert done.code == 0 and done.out.startswith("Not enough evidence: the book has no two rows on reviews")


def test_what_cannot_be_tested_is_no_answer(book: Book, asked: DatasetSpec) -> None:
    import numpy as np

    of = examples()
    broken = np.full((len(of.labels), 2), np.nan)
    broken[:, 0] = 1.0
    fill(book, {"full": 2.0})
    for seed in range(3):
        finish(book, Run(method="lora", seed=seed, logits=broken))
    found = recommendation.recommend(asked, book)
    assert found["verdict"] == "not enough evidence"


def test_distances_are_in_doublings() -> None:
    one = Shape(classes=2, train=1000, words=10)
    assert (
        one.distance(one) == 0
        and one.distance(Shape(2, 4000, 10)) == 1
        and one.distance(Shape(2, 1000, 20)) == 1
    )
    assert one.distance(Shape(2, 1000, 10, is_pair=True)) == float("inf")
    assert one.distance(Shape(3, 1000, 10)) == 1 and one.distance(Shape(0, 1000, 10)) == float("inf")


@pytest.mark.parametrize(("words", "text"), [
    (("--time", "soon"), "--time: expected a number with one of s, m, h, got 'soon'"),
    (("--memory", "4TB"), "--memory: expected a number with one of kb, mb, gb, got '4TB'"),
])  # fmt: skip
def test_a_budget_that_is_none_is_refused(words: tuple[str, str], text: str) -> None:
    done = here("which", "pocket", *words)
    assert done.code == 2 and text in done.err


def test_an_unknown_dataset_is_refused() -> None:
    done = here("which", "pockett")
    assert done.code == 2 and "did you mean 'pocket'?" in done.err
