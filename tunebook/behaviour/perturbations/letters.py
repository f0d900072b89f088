"""Changes inside words: slips of the fingers, capitals, letters held too long."""

from __future__ import annotations

import functools
from collections.abc import Callable
from random import Random

from tunebook.behaviour.perturbations.row import perturbation
from tunebook.behaviour.perturbations.tokens import (
    NEGATORS,
    Edit,
    characters,
    edited,
    found,
    lists,
    one_of,
    shuffled,
    some_of,
    words,
)

ONE_WORD_IN = 10
"""Typos and stretched words: one word in so many, at least one."""

SHORTEST, LONGEST = 4, 20
"""Characters of a word that a typo may fall on."""

_NOISE = "Belinkov and Bisk 2018, arXiv:1711.02173"
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@functools.cache
def _words_to_avoid() -> frozenset[str]:
    return frozenset(lists()["slips"].split())


@functools.cache
def _neighbouring_keys() -> dict[str, str]:
    """The letters around each letter of an American keyboard, each row shifted by half a key."""
    around: dict[str, str] = {}
    for row, keys in enumerate(_KEYS):
        for column, key in enumerate(keys):
            places = [(0, -1), (0, 1), (-1, 0), (-1, 1), (1, 0), (1, -1)]
            near = [(row + down, column + right) for down, right in places]
            around[key] = "".join(_KEYS[r][c] for r, c in near if 0 <= r < 3 and 0 <= c < len(_KEYS[r]))
    return around


def _slipped(text: str, generator: Random, slip: Callable[[list[str], int], list[str]]) -> str:
    """One slip inside each of some words; never on the first or last letter, a negation, or into another word."""
    spans = [
        (start, end)
        for start, end in words(text)
        if end - start >= SHORTEST and text[start:end] not in NEGATORS
    ]
    wanted, edits = max(1, len(spans) // ONE_WORD_IN), list[Edit]()
    for start, end in shuffled(spans, generator):
        if len(edits) == wanted:
            break
        new = _slipped_word(text[start:end], generator, slip)
        if new is not None:
            edits.append((start, end, new))
    return edited(text, edits)


def _slipped_word(word: str, generator: Random, slip: Callable[[list[str], int], list[str]]) -> str | None:
    """The word after a slip; None for words that are too short or long, negations, and slips that make a word."""
    letters = characters(word)
    if not SHORTEST <= len(letters) <= LONGEST or word.lower() in NEGATORS:
        return None
    for place in shuffled(range(1, len(letters) - 1), generator):
        new = "".join(slip(letters, place))
        if new != word and new.lower() not in _words_to_avoid():
            return new
    return None


@perturbation(capability="typos", source=f"{_NOISE} (swap); CheckList, arXiv:2005.04118")
def swapped_letters(text: str, generator: Random) -> str:
    """Two neighbouring letters change places, in one word in ten of at least four letters, in at least one.

    First and last letters stay, words of negation stay, and no slip makes another common English word of one.
    """

    def slip(letters: list[str], place: int) -> list[str]:
        if place + 2 >= len(letters):
            return letters
        return [*letters[:place], letters[place + 1], letters[place], *letters[place + 2 :]]

    return _slipped(text, generator, slip)


@perturbation(capability="typos", source="TextFlint (Wang et al. 2021), arXiv:2103.11441")
def dropped_letter(text: str, generator: Random) -> str:
    """A letter is missing in one word in ten of at least four letters, in at least one.

    First and last letters stay, words of negation stay, and no slip makes another common English word of one.
    """
    return _slipped(text, generator, lambda letters, place: [*letters[:place], *letters[place + 1 :]])


@perturbation(capability="typos", source=f"{_NOISE} (keyboard typo)")
def neighbouring_key(text: str, generator: Random) -> str:
    """A letter becomes its neighbour on the keyboard in one word in ten of at least four letters, in at least one.

    English letters only. First and last letters stay, words of negation stay, and no slip makes another common
    English word of one.
    """

    def slip(letters: list[str], place: int) -> list[str]:
        near = _neighbouring_keys().get(letters[place].lower())
        if near is None:
            return letters
        key = one_of(near, generator)
        return [*letters[:place], key.upper() if letters[place].isupper() else key, *letters[place + 1 :]]

    return _slipped(text, generator, slip)


def _recased(text: str, change: Callable[[str], str], back: Callable[[str], str]) -> str:
    """The whole text in another case, but for letters that would not come back from it, and spans left alone."""

    def letter(one: str) -> str:
        new = change(one)
        return new if len(new) == 1 and back(new) == one else one

    return edited(
        text, [(*match.span(), "".join(map(letter, match.group()))) for match in found(r"[^\W\d_]+", text)]
    )


@perturbation(capability="case", source="NL-Augmenter (Dhole et al. 2021), arXiv:2112.02721")
def lower_case(text: str, generator: Random) -> str:
    """All capitals become small letters, in the whole text but links, mentions, hashtags, HTML and emoticons."""
    return _recased(text, str.lower, str.upper)


@perturbation(capability="case", source="NL-Augmenter (Dhole et al. 2021), arXiv:2112.02721")
def upper_case(text: str, generator: Random) -> str:
    """All letters become capitals, in the whole text but links, mentions, hashtags, HTML and emoticons.

    Letters whose capital is two letters, or that of another one too (German ß, Greek final ς), stay small.
    """
    return _recased(text, str.upper, str.lower)


@perturbation(capability="spelling", source="NL-Augmenter (Dhole et al. 2021), arXiv:2112.02721")
def repeated_letters(text: str, generator: Random) -> str:
    """A vowel is held ("sooooo good"): the first one inside an emphatic word, four to six times.

    In one such word in ten, in at least one. The words are those that people hold (so, really, good, awful, love); none
    becomes another word by it, as "god" or "lose" would.
    """
    emphatic = set(lists()["emphatic"].split())
    spans = [span for span in words(text) if text[slice(*span)].lower() in emphatic]
    edits: list[Edit] = []
    for start, end in some_of(spans, ONE_WORD_IN, generator):
        places = [place for place in range(start + 1, end) if text[place] in "aeiouAEIOU"]
        place = places[0] if places else start
        held = text[place] if text[place + 1 : end].isupper() else text[place].lower()
        edits.append((place + 1, place + 1, held * (3 + int(generator.random() * 3))))
    return edited(text, edits)
