"""The layout of a pack: every token in one place, and back again; a function of the lengths alone."""

from __future__ import annotations

import numpy as np
import pytest

from tunebook.models.packing import TOKEN_MULTIPLE, lay_out

LENGTHS = {
    "one text": [7],
    "one token": [1],
    "a filler longer than the texts": [2, 1],
    "tweets": sorted(np.random.default_rng(0).integers(3, 60, 64).tolist(), reverse=True),
    "long and short": [512, 512, 511, 100, 64, 63, 9, 1, 1, 1],
    "as many as fill up": [TOKEN_MULTIPLE] * 3,
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_every_token_has_its_place(lengths: list[int]) -> None:
    layout = lay_out(np.array(lengths))
    tokens = len(layout.positions)
    assert tokens % TOKEN_MULTIPLE == 0 and sum(lengths) <= tokens < sum(lengths) + TOKEN_MULTIPLE
    assert layout.num_texts == len(lengths)
    for text, (begin, length) in enumerate(zip(layout.first.tolist(), lengths, strict=False)):
        rows = slice(begin, begin + length)
        assert layout.positions[rows].tolist() == list(range(length))
        assert layout.owners[rows].tolist() == [text] * length
    assert layout.ends.tolist()[: len(lengths) + 1] == [0, *np.cumsum(lengths)]
    np.testing.assert_array_equal(layout.spread[layout.gather], np.arange(tokens))
    assert len(set(layout.gather.tolist())) == tokens


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_groups_are_rectangles_that_hold_their_texts(lengths: list[int]) -> None:
    layout = lay_out(np.array(lengths))
    sizes = layout.ends.diff().tolist()
    place = stop = 0
    for group in layout.groups:
        assert group.start == stop and group.places == place
        assert group.is_real.shape == (group.texts, group.width)
        assert group.is_real.sum(1).tolist() == sizes[group.start : group.stop]
        assert group.is_real[:, 0].all(), "no text is without a token"
        stop, place = group.stop, place + group.texts * group.width
    assert stop == len(sizes) and place == len(layout.spread)


def test_little_of_the_rectangles_is_empty_and_long_texts_come_in_small_groups() -> None:
    tweets = lay_out(np.array(LENGTHS["tweets"]))
    assert len(tweets.spread) < 1.5 * len(tweets.positions)
    assert max(group.texts * group.width**2 for group in lay_out(np.full(64, 512)).groups) <= 2**19
