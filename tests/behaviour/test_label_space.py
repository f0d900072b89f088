"""What labels mean in other datasets: by the dataset's row, by their names, or as it is declared; else refused."""

from __future__ import annotations

import pytest

from tunebook import data
from tunebook.behaviour.label_space import SPACES, datasets_of, meanings
from tunebook.errors import UsageError


def test_every_row_of_a_space_has_its_classes() -> None:
    for row in data.rows().values():
        if row.label_space is not None:
            assert sorted(row.label_names) == sorted(SPACES[row.label_space]), row.name


def test_sentiment_has_the_datasets_that_name_the_same() -> None:
    assert datasets_of("sentiment") == [
        "amazon_polarity", "amazon_reviews", "customer_reviews", "imdb", "movie_reviews", "pocket", "sentiment140",
        "sst2",
    ]  # fmt: skip


def test_own_labels_of_these_names_need_no_mapping() -> None:
    assert meanings("mine.csv", ["positive", "negative"]) == ("sentiment", ["positive", "negative"])


def test_a_declared_mapping_counts() -> None:
    declared = {"1": "negative", "5": "positive"}
    assert meanings("mine.csv", ["1", "5"], declared) == ("sentiment", ["negative", "positive"])


def test_a_declared_mapping_leaves_other_datasets_their_own_names() -> None:
    assert (
        meanings("sst2", ["negative", "positive"], {"bad": "negative", "good": "positive"})[0] == "sentiment"
    )


def test_an_own_file_that_is_called_like_a_dataset_is_none() -> None:
    assert meanings("ag_news", ["negative", "positive"], is_named=False)[0] == "sentiment"


@pytest.mark.parametrize(
    ("dataset", "names", "declared"),
    [
        ("mine.csv", ["1", "5"], None),
        ("mine.csv", ["1", "5"], {"1": "negative"}),
        ("mine.csv", ["1", "5"], {"1": "negative", "5": "negative"}),
        ("mine.csv", ["1", "5"], {"1": "negative", "5": "great"}),
        ("ag_news", ["world", "sports", "business", "tech"], None),
        ("subjectivity", ["objective", "subjective"], None),
        ("stsb", [], None),
    ],
)
def test_what_cannot_be_mapped_is_refused_with_the_mapping_that_is_needed(
    dataset: str, names: list[str], declared: dict[str, str] | None
) -> None:
    with pytest.raises(UsageError, match=r"transfer = \{.*sentiment has negative, positive") as caught:
        meanings(dataset, names, declared)
    assert all(repr(name) in str(caught.value) for name in names)
