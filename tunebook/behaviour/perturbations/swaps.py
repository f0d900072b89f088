"""One detail exchanged for another of its kind: a name, a place, a number, the order of two sentences."""

from __future__ import annotations

import functools
import itertools
import re
from random import Random

from tunebook.behaviour.perturbations.row import perturbation
from tunebook.behaviour.perturbations.tokens import edited, found, is_lower, lists, one_of

_CHECKLIST = "CheckList (Ribeiro et al. 2020), arXiv:2005.04118"


@functools.cache
def _groups(kind: str) -> tuple[tuple[str, ...], ...]:
    """The groups of a list within which names are exchanged, such as cities and countries."""
    return tuple(
        tuple(name.strip() for name in re.split("[,\n]", group) if name.strip()) for group in lists()[kind]
    )


@functools.cache
def _pattern(kind: str, small: bool) -> str:
    names = sorted((name for group in _groups(kind) for name in group), key=len, reverse=True)
    either = "|".join(re.escape(name.lower() if small else name).replace(r"\ ", " ") for name in names)
    return rf"(?<![\w'\u2019-])(?:{either})(?![\w-])"


def _swapped(text: str, kind: str, generator: Random) -> str:
    """One name of a kind, wherever it stands in the text, becomes another one of its group."""
    small = is_lower(text)
    matches = [match for match in found(_pattern(kind, small), text) if _stands_first(match, text)]
    if not matches:
        return text
    old = one_of(sorted({match.group() for match in matches}), generator)
    (group,) = (group for group in _groups(kind) if old.lower() in map(str.lower, group))
    lower = text.lower()
    new = one_of([name for name in group if name.lower() not in lower] or [old], generator)
    new = new.lower() if small else new
    return edited(text, [(*match.span(), new) for match in matches if match.group() == old])


@perturbation(capability="names", source=f"{_CHECKLIST} (names); Prabhakaran et al. 2019, arXiv:1910.04210")
def person_swapped(text: str, generator: Random) -> str:
    """One first name becomes another that is given to the same gender, wherever it stands; the rest stays.

    Names that are also words or places (Grace, Will, Paris) are not on the list. In a text without capitals names are
    found, and given, without them.
    """
    return _swapped(text, "people", generator)


@perturbation(capability="names", source=f"{_CHECKLIST} (locations)")
def place_swapped(text: str, generator: Random) -> str:
    """One city becomes another city, or one country another country, wherever it stands; the rest stays.

    Names that are also words, persons or wars (Turkey, Jordan, Vietnam) are not on the list.
    """
    return _swapped(text, "places", generator)


_BEFORE = re.compile(r"(?:\b[A-Z][a-z]+|\b[Aa]n?|\bnew) $")
"""What makes a name part of a longer one ("Debby Ryan", "New Delhi"), or an article that may not fit another name."""


def _stands_first(match: re.Match[str], text: str) -> bool:
    before = _BEFORE.search(text[max(0, match.start() - 20) : match.start()])
    return before is None or before.group() in ("In ", "The ", "And ", "But ", "With ", "From ")


_UNITS = (
    r"minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|months?|years?|yrs?|people|persons|friends|kids|children|dollars|bucks"
    r"|miles|km|pages|chapters|episodes|seasons|songs|tracks|scenes|players|students|employees|books|films|movies|stories"
)
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNT = r"(?<![\w.,:;/$£€%\#+*'\u2019-])(?P<number>[1-9]\d{0,5})(?P<joint> |-)"
_NUMBER = rf"(?:{_COUNT}|\b(?P<word>{'|'.join(_WORDS)}) )(?:{_UNITS})\b"
_RATES = re.compile(
    r"\b(?:rat(?:e|es|ed|ing)|scor(?:e|es|ed|ing)|grade[ds]?|vot(?:e|es|ed)|stars?|points?|marks?|scale|top|best|worst)\b"
    r"|\bout of|/ ?\d|\d ?/|%",
    re.IGNORECASE,
)


@perturbation(capability="numbers", source=f"{_CHECKLIST} (numbers)")
def number_changed(text: str, generator: Random) -> str:
    """One count of things or of time ("90 minutes", "two days") becomes a near one: by one, or by up to a tenth.

    Only a number from 2 before a unit that measures no worth is changed: ratings ("10/10", "5 stars", "3 out of 10"),
    prices, percentages, ranks, years and lone numbers stay, and so does any number within 25 characters of such words.
    """
    matches = [match for match in found(_NUMBER, text) if _is_a_count(match, text)]
    if not matches:
        return text
    match = one_of(matches, generator)
    kind = "number" if match["number"] else "word"
    new = _near(int(match["number"]), generator) if match["number"] else _near_word(match["word"], generator)
    return edited(text, [(*match.span(kind), new)])


def _is_a_count(match: re.Match[str], text: str) -> bool:
    around = text[max(0, match.start() - 25) : match.end() + 25]
    follows = re.match(r" ?(?:-|to|or) ?\d", text[match.end() : match.end() + 6])
    return match["number"] != "1" and not follows and _RATES.search(around) is None


def _near(number: int, generator: Random) -> str:
    """A number of as many digits within a tenth, at least one away, and never below two."""
    reach = max(1, number // 10)
    choices = [one for one in range(number - reach, number + reach + 1) if one > 1 and one != number]
    choices = [one for one in choices if _wants_an(one) == _wants_an(number)]
    same_length = [one for one in choices if len(str(one)) == len(str(number))]
    return str(one_of(same_length or choices or [number], generator))


def _wants_an(number: int) -> bool:
    """Whether a number is spoken with a vowel first, so that "an" stands before it: 8, 11, 18, 80 ..."""
    return str(number).startswith("8") or number in (11, 18) or number // 1000 in (11, 18)


def _near_word(word: str, generator: Random) -> str:
    place = _WORDS.index(word)
    near = [_WORDS[there] for there in (place - 1, place + 1) if 0 <= there < len(_WORDS)]
    return one_of([one for one in near if (one == "eight") == (word == "eight")] or [word], generator)


_END = re.compile(r"(?<=[^.!?\s])(?: ?)(?<!\b[A-Za-z])(?<!\b(?:Mr|Ms|Dr|St|vs|Jr|Sr))(?<!\bMrs)[.!](?= )")


@perturbation(
    capability="order", source="NL-Augmenter (Dhole et al. 2021), arXiv:2112.02721 (sentence reordering)"
)
def sentences_swapped(text: str, generator: Random) -> str:
    """Two neighbouring sentences of a text of three or more change places; the last one, often the verdict, stays.

    Only plain statements of four words or more that do not begin with what points back (but, so, this, it, he ...) and
    hold no question, quotation or list.
    """
    ends = [0, *(match.end() + 1 for match in _END.finditer(text))]
    sentences = [text[start:stop] for start, stop in itertools.pairwise(ends)]
    pairs = [
        place for place in range(len(sentences) - 1) if all(map(_stands_alone, sentences[place : place + 2]))
    ]
    # What follows the pair must not point back either: it would then point to the other sentence.
    pairs = [place for place in pairs if not _points_back(text[ends[place + 2] : ends[place + 2] + 40])]
    if not is_lower(text):  # else "etc. are bad" would pass for a sentence's end
        pairs = [
            place for place in pairs if all(text[end : end + 1].isupper() for end in ends[place : place + 2])
        ]
    if not pairs:
        return text
    place = one_of(pairs, generator)
    first, second = sentences[place : place + 2]
    return edited(text, [(ends[place], ends[place + 2], second + first)])


def _points_back(sentence: str) -> bool:
    first = re.match(r"\W*([\w'\u2019]*)", sentence)
    return first is not None and first.group(1).lower() in lists()["points_back"].split()


def _stands_alone(sentence: str) -> bool:
    return (
        len(sentence) <= 400
        and len(sentence.split()) >= 4
        and re.search(r"[?\"“”()<>*…\n\\`@#:;]|\.\.|\b(?:also|etc)\b", sentence) is None
        and not _points_back(sentence)
    )
