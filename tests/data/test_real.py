"""The real datasets, where they are: the counts that their owners and readers have published."""

from __future__ import annotations

import pytest

from tunebook.data import Dataset, DataSource, load
from tunebook.data.normal import normalise
from tunebook.gate import check

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("real_data")]

SIZES = {
    "ag_news": (4_000, 1_000, 1_000),
    "amazon_polarity": (3_500, 500, 1_000),
    "amazon_reviews": (4_200, 600, 1_200),
    "cola": (7_685, 850, 1_043),
    "customer_reviews": (2_638, 378, 755),
    "imdb": (22_377, 2_500, 24_999),
    "movie_reviews": (7_464, 1_066, 2_132),
    "mrpc": (3_668, 408, 1_725),
    "rte": (2_240, 250, 277),
    "sentiment140": (13_000, 1_000, 6_000),
    "sst2": (66_348, 1_000, 872),
    "stsb": (5_734, 1_498, 1_379),
    "subjectivity": (7_000, 1_000, 2_000),
    "trec": (4_941, 500, 500),
    "tweet_emotion": (3_257, 374, 1_421),
    "tweet_irony": (2_862, 955, 784),
}


def whole(name: str) -> Dataset:
    """Everything that was read: nothing dropped, no validation cut from train."""
    return load(DataSource(name=name, validation="none", keep_leaks=True))


@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_the_splits(name: str) -> None:
    dataset = load(DataSource(name=name))
    assert tuple(len(dataset.splits[split]) for split in ("train", "validation", "test")) == SIZES[name]
    assert dataset.notes["bad_dropped"] == 0


def test_ag_news_loses_the_rows_that_stand_in_its_validation() -> None:
    dataset = load(DataSource(name="ag_news"))
    assert dataset.notes["rows_read"]["train"] == 5_000 and dataset.notes["leaks"]["train"] == 1_000
    assert len(load(DataSource(name="ag_news", keep_leaks=True)).splits["train"]) == 5_000


def test_sst2_has_duplicates_contradictions_and_one_leak() -> None:
    found = check(whole("sst2"))
    train = found.splits["train"]
    assert (train.rows, train.duplicates, train.contradictions) == (67_349, 371, 5)
    assert [overlap.rows for overlap in found.overlaps] == [0, 1, 0]
    assert found.splits["test_labelled"].rows == 1_821


def test_imdb_has_reviews_in_both_halves() -> None:
    dataset = whole("imdb")
    assert dataset.notes["leaks"] == {"train": 123} and len(dataset.splits["train"]) == 25_000
    assert any("<br />" in text for text in dataset.splits["test"].texts().slice(0, 20).to_pylist())


def test_sentiment140s_sample() -> None:
    dataset = load(DataSource(name="sentiment140", validation="none"))
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 14_000,
        "test": 6_000,
        "test_manual": 359,
    }
    balance = check(dataset).splits
    counted = [balance[name].balance or {} for name in ("train", "test")]
    assert sum(one["negative"] for one in counted) == 9_942
    assert balance["test_manual"].balance == {"negative": 177, "positive": 182}


def test_subsets_do_not_change_test() -> None:
    subset = load(DataSource(name="sentiment140", train_size=8_000))
    assert len(subset.splits["train"]) == 8_000
    test = load(DataSource(name="sentiment140")).splits["test"]
    assert subset.splits["test"].fingerprint == test.fingerprint
    assert abs(float(subset.splits["train"].labels.mean()) - 0.5) < 0.01


def test_trec_has_ten_questions_of_test_in_train() -> None:
    train, test = (whole("trec").splits[name].texts().to_pylist() for name in ("train", "test"))
    assert len({*train} & {*test}) == 10
    assert len({*map(normalise, train)} & {*map(normalise, test)}) == 11  # one differs in capitals only


def test_most_of_sst2_stands_in_movie_reviews() -> None:
    films = {
        "".join(normalise(text).split())
        for split in load(DataSource(name="movie_reviews")).splits.values()
        for text in split.texts().to_pylist()
    }
    sentences = [
        "".join(normalise(text).split())
        for name in ("test", "test_labelled")
        for text in load(DataSource(name="sst2")).splits[name].texts().to_pylist()
    ]
    assert 0.74 < sum(sentence in films for sentence in sentences) / len(sentences) < 0.8


def test_blitzers_reviews_repeat() -> None:
    found = check(whole("amazon_reviews"))
    assert sum(split.duplicates for split in found.splits.values()) == 125
    assert sum(overlap.rows for overlap in found.overlaps) == 0  # ranks keep the same texts together


def test_stsb_has_scores() -> None:
    labels = load(DataSource(name="stsb")).splits["test"].labels
    assert labels.dtype == "float32" and labels.min() == 0 and labels.max() == 5
