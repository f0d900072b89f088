"""A sample depends on texts alone: not on their order, their number of copies, or what else is there."""

from __future__ import annotations

import pytest

from tunebook.behaviour.sample import hash_sample, keys_of

TEXTS = [f"text number {number}" for number in range(200)]


def test_the_same_texts_in_any_order() -> None:
    chosen = {TEXTS[place] for place in hash_sample(TEXTS, 50)}
    backwards = TEXTS[::-1]
    assert len(chosen) == 50
    assert {backwards[place] for place in hash_sample(backwards, 50)} == chosen


def test_a_smaller_sample_is_part_of_a_larger_one() -> None:
    small, large = (set(hash_sample(TEXTS, count).tolist()) for count in (20, 80))
    assert small < large


def test_copies_are_taken_once_and_places_are_in_order() -> None:
    places = hash_sample([*TEXTS, *TEXTS], 400).tolist()
    assert places == sorted(places) == list(range(200))


def test_case_and_spaces_make_no_other_text() -> None:
    assert keys_of(["A  text"])[0] == keys_of(["a text"])[0] != keys_of(["another"])[0]


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        hash_sample(TEXTS, 0)
