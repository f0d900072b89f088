"""Cuts by rank, threshold and order; leaks; subsets: exact, stable, and a function of the texts alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tunebook.data.normal import as_keys, normalise, text_key
from tunebook.data.rows import Cut
from tunebook.data.splitting import (
    cut_by_order,
    cut_by_rank,
    cut_by_threshold,
    largest_remainder,
    stratified_subset,
)

BANDS = [("train", 0.8), ("validation", 0.1), ("test", 0.1)]
keys = st.lists(st.integers(0, 2**64 - 1), max_size=60).map(lambda values: np.array(values, dtype=np.uint64))


def test_texts_are_the_same_after_normalising() -> None:
    assert normalise("\uff21\uff22\u00a0Straße\n") == normalise("ab strasse") == "ab strasse"
    assert text_key("a", "b") != text_key("a b") == text_key("a\x1fb ")
    assert text_key("a", "b") == text_key(" A", "B")


@given(st.text(st.characters(max_codepoint=127)))
def test_the_fast_way_for_ascii_is_the_slow_one(text: str) -> None:
    assert normalise(text) == normalise(text + "é").removesuffix("é").rstrip()


@given(keys, st.integers(0, 20), st.integers(0, 20))
def test_ranks_give_exact_sizes_and_every_row_once(values: np.ndarray, test: int, validation: int) -> None:
    if test + validation > len(values):
        return
    splits = cut_by_rank(values, {"test": test, "validation": validation})
    assert len(splits["test"]) == test and len(splits["validation"]) == validation
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(values)))


@given(keys, keys)
def test_thresholds_give_every_row_once_and_the_same_side_after_adding(
    values: np.ndarray, more: np.ndarray
) -> None:
    splits = cut_by_threshold(values, BANDS)
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(values)))
    after = cut_by_threshold(np.concatenate([values, more]), BANDS)
    if all(
        (values_of >= edge * 2**64).any()
        for edge, values_of in ((0.9, values), (0.8, values[splits["validation"]]))
    ):
        for name in splits:
            assert set(splits[name]) <= set(after[name])


@given(st.integers(3, 200))
def test_an_order_fills_every_split(rows: int) -> None:
    splits = cut_by_order(np.arange(rows), BANDS)
    assert all(len(split) for split in splits.values())
    assert list(np.concatenate(list(splits.values()))) == list(range(rows))
    merged = cut_by_order(np.arange(rows), [("train", 0.8), ("validation", 0.1), ("train", 0.1)])
    assert sum(map(len, merged.values())) == rows and set(merged) == {"train", "validation"}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.data())
def test_subsets_are_exact_and_keep_the_shares(labels: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(labels)))
    digests = as_keys([text_key(str(index)) for index in range(len(labels))])
    chosen = stratified_subset(digests, np.array(labels), size)
    assert len(set(chosen)) == size
    counts = np.bincount(labels)
    taken = np.bincount(np.array(labels)[chosen], minlength=len(counts))
    assert np.all(np.abs(taken - counts * size / len(labels)) < 1)


def test_subsets_of_scores_and_growing_subsets() -> None:
    digests = as_keys([text_key(str(index)) for index in range(1000)])
    scores = np.linspace(0, 5, 1000).astype(np.float32)
    small, large = (set(stratified_subset(digests, scores, size)) for size in (100, 300))
    assert len(small) == 100 and small < large


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any), st.integers(0, 50))
def test_largest_remainders_sum_exactly(counts: list[int], size: int) -> None:
    assert sum(largest_remainder(np.array(counts), size)) == size


def test_a_smaller_file_is_cut_in_the_same_shares() -> None:
    cut = Cut(of=1_600_000, train=140_000, validation=10_000, test=60_000)
    assert cut.sizes(1_600_000) == {"test": 60_000, "validation": 10_000, "train": 140_000}
    assert cut.sizes(1_599_990) == cut.sizes(1_600_000)
    assert cut.sizes(1_600) == {"test": 60, "validation": 10, "train": 140}
