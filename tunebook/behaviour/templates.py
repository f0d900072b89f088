"""Minimum-functionality tests of sentiment: short texts with a plain label, some for each thing to be grasped.

The sentences and the words that fill them are `templates.toml`. A template has a wording for each label, so that a
capability is balanced; sarcasm is the exception, and negative only. Two ambiguous kinds are left out: complaints that
are denied ("not bad" says anything from fine to good), and comparisons that do not say which of the two is judged.

Source: CheckList (Ribeiro et al. 2020), arXiv:2005.04118, section 2; the texts are our own.
"""

from __future__ import annotations

import functools
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

Label = Literal["positive", "negative"]
LABELS: tuple[Label, ...] = ("negative", "positive")

PER_TEMPLATE = 5
"""Texts of each template and label: 50 of a capability with five templates and both labels, 35 of sarcasm."""

_ATTEMPTS = 50
"""Draws for each text that is wanted, before a template counts as used up."""

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Example:
    """A text of a test, with its label (`positive` or `negative`), what it tests, and the template it is made of."""

    text: str
    label: str
    capability: str
    template: str


def suite(*, seed: int = 0, per_template: int = PER_TEMPLATE) -> tuple[Example, ...]:
    """All tests, in the order of their file: up to `per_template` texts of each template and label, no text twice.

    The words are drawn by `seed`, as a function of it alone. A template with fewer fillings than asked for gives
    those that it has, and as many of either label.

    Raises:
        ValueError: `per_template` is below one.

    Example:
        >>> suite(per_template=1)[0].capability
        'vocabulary'
    """
    if per_template < 1:
        raise ValueError(f"per_template must be at least 1, not {per_template}")
    return tuple(
        example for template in _file()["template"] for example in _examples(template, seed, per_template)
    )


@functools.cache
def _file() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "templates.toml").read_text(encoding="utf-8"))


def _examples(template: dict[str, str], seed: int, wanted: int) -> Iterator[Example]:
    """The texts of one template, the same number for each label that it has."""
    texts = {label: _filled(template[label], seed, wanted) for label in LABELS if label in template}
    number = min(map(len, texts.values()))
    for label, filled in texts.items():
        for text in filled[:number]:
            yield Example(text, label, template["capability"], template[label])


def _filled(wording: str, seed: int, wanted: int) -> list[str]:
    """Up to so many different texts of a wording, by a generator that the wording and the seed give."""
    digest = sha256(f"{seed}\0{wording}".encode()).digest()
    generator = random.Random(int.from_bytes(digest))
    texts: dict[str, None] = {}
    for _ in range(_ATTEMPTS * wanted):
        if len(texts) == wanted:
            break
        texts[_fill(wording, generator)] = None
    return list(texts)


def _fill(wording: str, generator: random.Random) -> str:
    """A wording with a word in each slot, none of them twice; "a" becomes "an" where it must."""
    used: set[str] = set()

    def word(slot: re.Match[str]) -> str:
        choices = [word for word in _file()["words"][slot.group(1)] if word not in used]
        # Of `random()` alone, whose numbers Python promises not to change.
        chosen: str = choices[int(generator.random() * len(choices))]
        used.add(chosen)
        return chosen

    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", _SLOT.sub(word, wording))
    return text[0].upper() + text[1:]
