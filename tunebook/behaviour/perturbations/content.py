"""Something added that says nothing of the matter: a neutral sentence, a link."""

from __future__ import annotations

from random import Random

from tunebook.behaviour.perturbations.row import perturbation
from tunebook.behaviour.perturbations.tokens import (
    ends_kept,
    is_latin,
    is_lower,
    is_tokenised,
    lists,
    one_of,
)

_STRESS = "stress test (Naik et al. 2018), arXiv:1806.00692"
_CLOSING = (".", "!", "?", "…", '"', "'", "”", "\u2019", ")", ">")


@perturbation(
    capability="irrelevant clause", source=f"{_STRESS}; AddSent (Jia and Liang 2017), arXiv:1707.07328"
)
def neutral_sentence_added(text: str, generator: Random) -> str:
    """One sentence without any feeling, such as "I am writing this at my desk.", stands before or after the text.

    After it only where the text ends in a mark; in small letters, and with its mark set apart, where the text does so.
    Texts in another script than Latin stay as they are.
    """
    if not is_latin(text):
        return text
    sentence = one_of(lists()["neutral_sentences"], generator)
    sentence = sentence.lower() if is_lower(text) else sentence
    sentence = f"{sentence[:-1]} ." if is_tokenised(text) else sentence
    body = text.strip()
    goes_last = (body.endswith(_CLOSING) or ends_kept(body)) and generator.random() < 0.5
    return f"{text.rstrip()} {sentence}" if goes_last else f"{sentence} {text.lstrip()}"


@perturbation(
    capability="irrelevant clause", source="CheckList (Ribeiro et al. 2020), arXiv:2005.04118 (URL)"
)
def link_added(text: str, generator: Random) -> str:
    """A link of no meaning, to a page whose name is six digits, stands behind the text."""
    page = "".join(one_of("0123456789", generator) for _ in range(6))
    return f"{text.rstrip()} https://example.org/{page}" if text.strip() else text
