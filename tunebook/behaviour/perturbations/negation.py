"""A negation put into a text: what was said then is denied, and a classifier should not be surer of it."""

from __future__ import annotations

import re
from random import Random

from tunebook.behaviour.perturbations.row import perturbation
from tunebook.behaviour.perturbations.tokens import edited, found

LONGEST_SENTENCE = 600
"""Code points; what is longer is hardly one sentence, and is left alone."""

_FEELINGS = "love|like|enjoy|recommend|hate|dislike|admire|adore|appreciate"
_PAST = {
    "loved": "love", "liked": "like", "enjoyed": "enjoy", "recommended": "recommend", "hated": "hate",
    "disliked": "dislike", "admired": "admire", "adored": "adore", "appreciated": "appreciate",
}  # fmt: skip
_ADVERBS = r"(?:really|absolutely|just|always|truly|highly|completely|totally) "
_PLACES = (
    rf"\b(?P<subject>(?i:i|we|you|they)) (?P<adverb>{_ADVERBS})?(?P<now>{_FEELINGS})\b"
    rf"|\b(?P<who>(?i:i|we|you|they|he|she)) (?P<then_adverb>{_ADVERBS})?(?P<past>{'|'.join(_PAST)})\b"
    r"|(?P<verb>\b(?:is|are|was|were)"
    r"|\b(?i:it|that|he|she) ?['\u2019]s|\b(?i:you|we|they) ?['\u2019]re|\b(?i:i) ?['\u2019]m)"
    r"\b(?= (?!(?:already|also|still|even)\b)[^\W\d_])"
)
_DENIES = re.compile(
    r"\b(?:not|never|no|none|nothing|nobody|neither|nor|hardly|barely|without|only|if|unless|until|than|too|wish)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\b(?:who|which|that|whose|when|where|while|because|although|though|as|what|why|how|but|whether|since|after|before)\b",
    re.IGNORECASE,
)
_INVERTED = re.compile(r"(?:is|are|was|were)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?…\n]++|<br ?/?>")


@perturbation(
    capability="negation",
    expectation="not_surer",
    keeps_label=False,
    source="CheckList (Ribeiro et al. 2020), arXiv:2005.04118 (negation, direction test)",
)
def negation_added(text: str, generator: Random) -> str:
    """The main clause of one sentence is denied: "it is good" becomes "it is not good", "I love" "I do not love".

    The first sentence that has such a clause before any subordinate one, and no negation, condition, comparison or
    question. What the text says as a whole may change or not; it should not be said more surely.
    """
    ends = [match.span() for match in _SENTENCE_END.finditer(text)] + [(len(text), len(text))]
    start, index = 0, 0
    for match in found(_PLACES, text):
        while ends[index][1] <= match.start():
            start, index = ends[index][1], index + 1
        if _may_be_denied(text, start, match.start(), ends[index]):
            return edited(text, [(*match.span(), _denied(match))])
    return text


def _may_be_denied(text: str, start: int, place: int, end: tuple[int, int]) -> bool:
    """Whether a verb at `place` is the main one of a plain statement from `start` to `end`."""
    if end[0] - start > LONGEST_SENTENCE:
        return False
    before = text[start:place].strip()
    asks = "?" in text[slice(*end)] or (not before and _INVERTED.match(text, place) is not None)
    if asks or _DENIES.search(text[start : end[0]]):
        return False
    return _SUBORDINATE.search(before) is None or before.lower() == "that"


def _denied(match: re.Match[str]) -> str:
    if match["verb"]:
        return f"{match.group()} not"
    if match["now"]:
        return f"{match['subject']} do not {match['adverb'] or ''}{match['now']}"
    return f"{match['who']} did not {match['then_adverb'] or ''}{_PAST[match['past']]}"
