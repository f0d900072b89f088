"""What a change may touch: words, characters as a reader sees them, and the spans that are left alone."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

Item = TypeVar("Item")
Edit = tuple[int, int, str]
"""Where a part of the text begins and ends, and what stands there afterwards."""

# No alternative can run over a long text more than once: runs are possessive or bounded, and begin at an edge.
LINKS = r"""
    (?:https?://|(?<![\w.])www\.)[^\s<>]++                                   # addresses
  | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,60}(?:\.[\w-]{1,60}){0,4}              # addresses of people
  | (?<![\w.-])[A-Za-z0-9-]{1,40}\.(?:com|org|net|co\.uk|ly|tv|fm|io|de)\b(?:/[^\s<>]*+)?
  | @\w++
  | </?[A-Za-z][^<>]{0,200}>                                                 # HTML
  | &\#?\w{1,10};
  | (?<![\w])[<>]?[:;=][-'^o*]?[()\[\]{}dDpPoOsSxX/\\|3*$@]++(?!\w)          # emoticons
  | (?<=[A-Za-z])[:;=]-?[()]++(?!\w)
  | (?<!\w)(?:[xX]D++|D:|[oO]_[oO]|T_T|\^_*\^|-_+-|8-?[)]|[(]-?[:;=])(?!\w)
  | </?3++
"""
"""Links, mentions, HTML and emoticons: no change looks inside them."""

HASHTAGS = r"(?<![\w&])\#\w++"

NEGATORS = frozenset(
    ("no", "not", "never", "nothing", "nobody", "none", "neither", "nor", "nowhere", "without", "hardly", "barely",
     "scarcely", "cannot", "nope")
)  # fmt: skip


@functools.cache
def lists() -> dict[str, Any]:
    """The words that the perturbations need, from `lists.toml`: strings of words, and lists of phrases."""
    return tomllib.loads((Path(__file__).parent / "lists.toml").read_text(encoding="utf-8"))


@functools.cache
def _compiled(pattern: str, kept: str) -> re.Pattern[str]:
    ours = pattern.replace(" ", r"\ ")
    return re.compile(f"(?P<kept>{kept})|(?P<ours>{ours})", re.VERBOSE)


def found(pattern: str, text: str, *, kept: str = f"{LINKS}|{HASHTAGS}") -> list[re.Match[str]]:
    """Where a pattern of the `re` module occurs outside the spans that are left alone; `#` in it is escaped.

    Example:
        >>> [match.group() for match in found("o+", "so good @zoo http://o.example")]
        ['o', 'oo']
    """
    return [match for match in _compiled(pattern, kept).finditer(text) if match.lastgroup != "kept"]


def ends_kept(text: str) -> bool:
    """Whether the text ends in a span that is left alone, such as a link."""
    kept = [match.end() for match in re.compile(f"{LINKS}|{HASHTAGS}", re.VERBOSE).finditer(text)]
    return bool(kept) and kept[-1] == len(text)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap, in whatever order they come."""
    pieces, end = [], 0
    for start, stop, new in sorted(edits):
        pieces += [text[end:start], new]
        end = stop
    return "".join([*pieces, text[end:]])


# --- choices ------------------------------------------------------------------------------------------------
# Python promises the same numbers in every version from `random()` alone, so all choices are made of it.


def one_of(items: Sequence[Item], generator: Random) -> Item:
    """One of some items, each as likely as another."""
    return items[int(generator.random() * len(items))]


def shuffled(items: Sequence[Item], generator: Random) -> list[Item]:
    """The items in a random order."""
    return [items[index] for _, index in sorted((generator.random(), index) for index in range(len(items)))]


def some_of(items: Sequence[Item], one_in: int, generator: Random) -> list[Item]:
    """One in so many of the items, rounded down, but at least one where there is any."""
    return shuffled(items, generator)[: max(1, len(items) // one_in)]


# --- characters and words -----------------------------------------------------------------------------------


@functools.cache
def _unicode() -> tuple[Any, Any, Any]:
    import regex  # type: ignore[import-untyped]

    letter = r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}\p{Hebrew}\p{Arabic}]\p{M}*+"
    word = rf"(?<![\p{{L}}\p{{M}}\p{{N}}_'\u2019-])(?:{letter})++(?![\p{{L}}\p{{M}}\p{{N}}_'\u2019-])"
    emoji = r"\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|\u20e3"
    return regex.compile(r"\X"), regex.compile(word), regex.compile(emoji)


def characters(text: str) -> list[str]:
    """The text as a reader's characters: a letter with its accents, an emoji of several code points, are one.

    Example:
        >>> [len(character) for character in characters("e\\u0301👩‍👧🇩🇪")]
        [2, 3, 2]
    """
    if text.isascii() and "\r" not in text:
        return list(text)
    found_characters: list[str] = _unicode()[0].findall(text)
    return found_characters


def is_emoji(character: str) -> bool:
    """Whether a reader's character is an emoji: a picture, a flag or a keycap, whatever it is joined of."""
    return not character.isascii() and _unicode()[2].search(character) is not None


def keeps_characters(text: str, changed: str) -> bool:
    """Whether all that is made of several code points, or is no letter, in the changed text was in the text.

    Plain letters, ASCII and case are not looked at: what a change adds is made of these.
    """
    return changed.isascii() or _fragile(changed) <= _fragile(text)


def _fragile(text: str) -> set[str]:
    return {
        character.lower()
        for character in set(characters(text))
        if not character.isascii() and (len(character) > 1 or not character.isalpha())
    }


def words(text: str) -> list[tuple[int, int]]:
    """Begin and end of every word of letters of an alphabet that stands free of digits, hyphens and apostrophes.

    Words inside spans that are left alone do not count, nor does writing without letters such as Chinese.
    """
    kept = [match.span() for match in re.compile(f"{LINKS}|{HASHTAGS}", re.VERBOSE).finditer(text)]
    spans, index = [], 0
    for match in _unicode()[1].finditer(text):
        start, end = match.span()
        while index < len(kept) and kept[index][1] <= start:
            index += 1
        inside = index < len(kept) and kept[index][0] < end
        if not inside and all(unicodedata.category(letter)[0] in "LM" for letter in match.group()):
            spans.append((start, end))
    return spans


# --- how a text is written ----------------------------------------------------------------------------------


def is_tokenised(text: str) -> bool:
    """Whether a text has its marks set apart by spaces, as in SST-2.

    Example:
        >>> is_tokenised("it 's not good ."), is_tokenised("It's not good.")
        (True, False)
    """
    if re.search(r"\w (?:n't|'s|'re|'ve|'ll|'m)(?: |$)", text):
        return True
    joined = re.search(r"\w{4}[.,!?](?:\s|$)|\w['\u2019](?:[smt]|re|ve|ll)\b", text)
    return is_lower(text) and joined is None and re.search(r"\w [.,!?](?: |$)", text) is not None


def is_lower(text: str) -> bool:
    """Whether a text has letters, and none of them is a capital."""
    return text.islower()


def is_latin(text: str) -> bool:
    """Whether at least four in five of a text's letters are those of the English alphabet."""
    letters = [letter for letter in text if letter.isalpha()]
    return bool(letters) and 5 * sum(letter.isascii() for letter in letters) >= 4 * len(letters)
