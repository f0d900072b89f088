"""Changes between words: punctuation, whitespace, emoji and the signs of hashtags."""

from __future__ import annotations

import re
from random import Random

from tunebook.behaviour.perturbations.row import perturbation
from tunebook.behaviour.perturbations.tokens import (
    LINKS,
    Edit,
    characters,
    edited,
    ends_kept,
    found,
    is_emoji,
    is_tokenised,
    lists,
    some_of,
)

_MARKS = ".,;:!?…。؟،؛\uff01\uff1f\uff0c\uff1b\uff1a"
_CHECKLIST = "CheckList (Ribeiro et al. 2020), arXiv:2005.04118"
_FLINT = "TextFlint (Wang et al. 2021), arXiv:2103.11441"
_AUGMENTER = "NL-Augmenter (Dhole et al. 2021), arXiv:2112.02721"


@perturbation(capability="punctuation", source=f"{_CHECKLIST}; {_AUGMENTER}")
def punctuation_removed(text: str, generator: Random) -> str:
    """All full stops, commas, colons, exclamation and question marks go that have a space or the end behind them.

    Those inside words, numbers, links and emoticons stay, as do quotes, brackets, dashes and apostrophes, and the
    comma after "no" or "not", which says what is denied.
    """
    marks = re.escape(_MARKS)
    pattern = rf"(?<![{marks}])[{marks}]++(?=[\s<\"'”\u2019)\]]|$)"
    after_no = re.compile(r"(?:\b(?:no|not|never|nope)|n['\u2019]t) ?$", re.IGNORECASE)
    edits: list[Edit] = []
    for match in found(pattern, text):
        start, end = match.span()
        if not after_no.search(text[max(0, start - 8) : start]):
            edits.append((start - (text[start - 1 : start] == " "), end, ""))
    return edited(text, edits)


@perturbation(capability="punctuation", source=_CHECKLIST)
def final_punctuation_changed(text: str, generator: Random) -> str:
    """The mark at the very end: a full stop goes, exclamation marks become one full stop, and none becomes one.

    Question marks and dots of omission stay; nothing is put after an emoji, a link or another script than Latin.
    """
    body = text.rstrip()
    rest, space = text[len(body) :], " " if is_tokenised(text) else ""
    if ends_kept(body):
        return text
    if marks := re.search(r"(?<![!?.])( ?)!+$", body[-100:]):
        return body[: len(body) - len(marks.group())] + marks.group(1) + "." + rest
    if re.search(r"(?<![.!?]) ?[.。]$", body[-3:]) and not re.search(r"[.!?] \.$", body[-3:]):
        return body[:-1].rstrip(" ") + rest
    if body and (body[-1].isascii() and body[-1].isalnum()):
        return body + space + "." + rest
    return text


def _gaps(text: str) -> list[re.Match[str]]:
    return found(r"(?<=\S) (?=\S)", text)


@perturbation(capability="whitespace", source=_AUGMENTER)
def spaces_doubled(text: str, generator: Random) -> str:
    """One space between words in five is doubled, at least one."""
    return edited(text, [(*gap.span(), "  ") for gap in some_of(_gaps(text), 5, generator)])


@perturbation(capability="whitespace", source=_AUGMENTER)
def spaces_stretched(text: str, generator: Random) -> str:
    """One space between words in ten becomes four to eight spaces, a tab or a line break, at least one."""
    wide = ["\t", "\n", *(" " * width for width in range(4, 9))]
    gaps = some_of(_gaps(text), 10, generator)
    return edited(text, [(*gap.span(), wide[int(generator.random() * len(wide))]) for gap in gaps])


def _emoji(text: str) -> list[tuple[int, str]]:
    """Every emoji of a text with the place where it begins."""
    places, place = [], 0
    for character in [] if text.isascii() else characters(text):
        if is_emoji(character):
            places.append((place, character))
        place += len(character)
    return places


def _is_neutral(emoji: str) -> bool:
    """Whether an emoji shows a flag of a country, or a thing or sign of the list of those that show no feeling."""
    return _is_flag(emoji) or emoji.replace("\ufe0f", "") in lists()["neutral_emoji"].split()


def _is_flag(emoji: str) -> bool:
    return len(emoji) == 2 and all(map(_is_letter_of_flags, emoji))


def _is_letter_of_flags(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


@perturbation(capability="emoji and hashtags", source=f"{_AUGMENTER} (emoji)")
def neutral_emoji_removed(text: str, generator: Random) -> str:
    """All emoji go that show no feeling: flags of countries, clocks, telephones, vehicles, pointers and the like.

    Faces, hearts, hands, people, animals, weather and whatever else may praise or blame stay, and so do flags in a
    row, with which some people spell words.
    """
    edits: list[Edit] = []
    for start, emoji in _emoji(text):
        end = start + len(emoji)
        spells = _is_flag(emoji) and any(
            map(_is_letter_of_flags, (text[start - 1 : start], text[end : end + 1]))
        )
        if _is_neutral(emoji) and not spells:
            spaced = text[start - 1 : start] == " " and text[end : end + 1] in ("", " ")
            edits.append((start - spaced, end, ""))
    return edited(text, edits)


@perturbation(
    capability="emoji and hashtags", source="own; after TweetEval (Barbieri et al. 2020), arXiv:2010.12421"
)
def emoji_run_shortened(text: str, generator: Random) -> str:
    """An emoji that stands several times in a row, with a space between or not, stands there once; all such rows."""
    edits: list[Edit] = []
    end, last = -1, ""
    for start, emoji in _emoji(text):
        if emoji == last and text[end:start] in ("", " "):
            edits.append((end, start + len(emoji), ""))
        end, last = start + len(emoji), emoji
    return edited(text, edits)


@perturbation(capability="emoji and hashtags", source=f"{_FLINT} (twitter)")
def hashtag_sign_removed(text: str, generator: Random) -> str:
    """The sign of every hashtag goes and its words stay: "#sunny day" becomes "sunny day".

    Tags that are themselves a comment on the text keep it (#not, #irony, #sarcasm), as does "#1".
    """
    comments = set(lists()["tags_that_comment"].split())
    tags = found(r"(?<![\w&\#])\#(?=[^\W\d_])\w++", text, kept=LINKS)
    return edited(
        text, [(tag.start(), tag.start() + 1, "") for tag in tags if tag.group()[1:].lower() not in comments]
    )
