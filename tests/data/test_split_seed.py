"""Other cuts of the same rows: a seed for what is cut by a hash, and nothing else changes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import owners
from tests.data.test_own import load_rows, reviews, save, sides
from tunebook.data import Dataset, DataSource, load
from tunebook.data.normal import as_keys, text_key
from tunebook.data.splitting import cut_by_threshold, cutting_keys
from tunebook.errors import UsageError

SEEDS = (None, 0, 1, 2)


def sizes(dataset: Dataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits.items()}


def fingerprints(dataset: Dataset) -> dict[str, str]:
    return {name: split.fingerprint for name, split in dataset.splits.items()}


def texts(dataset: Dataset, split: str) -> set[str]:
    return set(dataset.splits[split].texts().to_pylist())


# --- keys ---------------------------------------------------------------------------------------------------


def test_keys_are_others_and_equal_where_they_were() -> None:
    keys = as_keys([text_key(str(number % 5000)) for number in range(10_000)])
    assert cutting_keys(keys, None) is keys
    for seed in (0, 1, 2**31 - 1):
        mixed = cutting_keys(keys, seed)
        assert mixed.dtype == np.uint64 and (mixed[:5000] == mixed[5000:]).all()
        assert len(np.unique(mixed)) == len(np.unique(keys)) == 5000


def test_one_cut_says_nothing_about_another() -> None:
    """Of the texts that one seed tests on, another tests on a tenth, as drawing anew would."""
    keys = as_keys([text_key(str(number)) for number in range(40_000)])
    bands = [("train", 0.8), ("validation", 0.1), ("test", 0.1)]
    tests = [set(cut_by_threshold(cutting_keys(keys, seed), bands)["test"].tolist()) for seed in SEEDS]
    for number, first in enumerate(tests):
        assert 3700 < len(first) < 4300
        for second in tests[number + 1 :]:
            assert 330 < len(first & second) < 470


# --- own files ----------------------------------------------------------------------------------------------


def test_an_own_file_is_cut_anew(tmp_path: Path) -> None:
    cuts = [load_rows(tmp_path, reviews(2000), split_seed=seed) for seed in SEEDS]
    assert len({cut.splits["test"].fingerprint for cut in cuts}) == len(SEEDS)
    for cut in cuts:
        found = sizes(cut)
        assert sum(found.values()) == 2000
        assert 1540 < found["train"] < 1660 and 150 < found["validation"] < 250 and 150 < found["test"] < 250
    again = load_rows(tmp_path, reviews(2000), split_seed=1)
    assert fingerprints(again) == fingerprints(cuts[SEEDS.index(1)])
    usual = load_rows(tmp_path, reviews(2000))
    assert fingerprints(usual) == fingerprints(cuts[0]) and usual.notes == cuts[0].notes
    assert cuts[2].notes["split"] == (
        "by a hash of the normalised text, with split_seed 1: train 80%, validation 10%, test 10%"
    )


def test_with_a_test_file_validation_alone_is_cut_anew(tmp_path: Path) -> None:
    test = save(tmp_path / "test.csv", [row | {"body": f"other {i}"} for i, row in enumerate(reviews(20))])
    cuts = [load_rows(tmp_path, reviews(), test=test, split_seed=seed) for seed in SEEDS]
    assert len({cut.splits["test"].fingerprint for cut in cuts}) == 1
    assert len({cut.splits["validation"].fingerprint for cut in cuts}) == len(SEEDS)
    assert all(len(cut.splits["train"]) + len(cut.splits["validation"]) == len(reviews()) for cut in cuts)


def test_groups_still_stay_together(tmp_path: Path) -> None:
    cuts = [load_rows(tmp_path, reviews(400), group="author", split_seed=seed) for seed in SEEDS]
    for cut in cuts:
        groups = [set(split.table["group"].to_pylist()) for split in cut.splits.values()]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    assert len({cut.splits["test"].fingerprint for cut in cuts}) == len(SEEDS)


def test_the_same_text_is_still_on_one_side_and_leaks_are_dropped(tmp_path: Path) -> None:
    rows = reviews(200)
    twins = [row | {"body": f" {row['body'].upper()} "} for row in rows]
    where = sides(load_rows(tmp_path, rows + twins, split_seed=5))
    assert all(where[twin["body"]] == where[row["body"]] for row, twin in zip(rows, twins, strict=True))
    test = save(tmp_path / "test.csv", twins[:30])
    cut = load_rows(tmp_path, rows, test=test, split_seed=5)
    assert cut.notes["leaks"]["train"] + cut.notes["leaks"]["validation"] == 30
    assert sum(sizes(cut).values()) == 200


def test_a_subset_of_train_does_not_depend_on_the_seed(tmp_path: Path) -> None:
    """Texts that stand in train under both seeds are taken by both or by none, near the border of the subset apart."""
    whole = [load_rows(tmp_path, reviews(2000), split_seed=seed) for seed in (0, 1)]
    taken = [load_rows(tmp_path, reviews(2000), split_seed=seed, train_size=800) for seed in (0, 1)]
    assert [sizes(cut)["train"] for cut in taken] == [800, 800]
    both = texts(whole[0], "train") & texts(whole[1], "train")
    first, second = (texts(cut, "train") & both for cut in taken)
    assert len(first & second) > 0.9 * len(first | second)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "order": ({"split_by": "day"}, "but split_by = 'day' cuts along an order; leave it out"),
    "both": (
        {"validation": "none", "test": "test.csv"},
        "but validation and test are both given; leave it out",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_where_nothing_is_cut_by_a_hash_a_seed_is_refused(name: str, tmp_path: Path) -> None:
    options, message = REFUSED[name]
    with pytest.raises(UsageError, match=f"split_seed = 0 is for what is cut by a hash, {message}"):
        load_rows(tmp_path, reviews(), split_seed=0, **options)


# --- named datasets -----------------------------------------------------------------------------------------


def test_a_named_dataset_is_cut_anew_in_the_same_sizes() -> None:
    cuts = [load(DataSource(name="pocket", split_seed=seed)) for seed in SEEDS]
    assert all((sizes(cut)["validation"], sizes(cut)["test"]) == (90, 150) for cut in cuts)
    assert len({cut.splits["test"].fingerprint for cut in cuts}) == len(SEEDS)
    assert fingerprints(cuts[0]) == fingerprints(load(DataSource(name="pocket")))
    assert fingerprints(cuts[2]) == fingerprints(load(DataSource(name="pocket", split_seed=1)))
    assert "split" not in cuts[0].notes
    assert cuts[1].notes["split"] == "by rank of the text's hash, with split_seed 0"


def test_an_official_test_split_stays(tmp_path: Path) -> None:
    owners.WRITERS["imdb"](tmp_path)
    cuts = [load(DataSource(name="imdb", files=str(tmp_path), split_seed=seed)) for seed in SEEDS]
    assert len({cut.splits["test"].fingerprint for cut in cuts}) == 1
    assert len({cut.splits["validation"].fingerprint for cut in cuts}) > 1
    assert len({tuple(sizes(cut).items()) for cut in cuts}) == 1


@pytest.mark.parametrize(("name", "validation"), [("tweet_irony", None), ("imdb", "none")])
def test_official_splits_are_not_cut(name: str, validation: str | None, tmp_path: Path) -> None:
    owners.WRITERS[name](tmp_path)
    with pytest.raises(UsageError, match=f"the splits of '{name}' are its owners'; leave it out"):
        load(DataSource(name=name, files=str(tmp_path), validation=validation, split_seed=3))


# --- the cache ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["own", "named"])
def test_each_cut_has_its_place_in_the_cache(kind: str, tmp_path: Path) -> None:
    path = save(tmp_path / "reviews.csv", reviews())
    for seed in SEEDS:
        own = DataSource(path=path, text=("body",), label="stars", split_seed=seed)
        source = own if kind == "own" else DataSource(name="pocket", split_seed=seed)
        for _ in range(2):
            assert fingerprints(load(source, cache=tmp_path)) == fingerprints(load(source))
    assert len(list((tmp_path / "datasets").iterdir())) == len(SEEDS)
