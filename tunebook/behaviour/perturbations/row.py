"""A perturbation as a row, and the decorator that makes one of a function."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tunebook.behaviour.perturbations.tokens import keeps_characters

Expectation = Literal["same", "not_surer"]
"""What a classifier should do: keep its class, or not grow surer of the class that it predicted before."""

Change = Callable[[str, random.Random], str]

CAPABILITIES = (
    "typos", "case", "punctuation", "whitespace", "spelling", "contractions", "emoji and hashtags", "negation",
    "irrelevant clause", "names", "numbers", "order",
)  # fmt: skip
"""What the perturbations ask of a classifier, in the order in which tables show it."""


@dataclass(frozen=True)
class Perturbation:
    """A way to change a text a little.

    `function` takes the text and a source of randomness. `keeps_label` is true where a text's label holds for what
    comes out too, by the way the change is built; `source` says where the idea is from.
    """

    name: str
    capability: str
    expectation: Expectation
    keeps_label: bool
    source: str
    function: Change


def perturbation(
    *, capability: str, source: str, expectation: Expectation = "same", keeps_label: bool = True
) -> Callable[[Change], Perturbation]:
    """Make a function a row of the table, under its own name.

    The row's function gives the text back as it was where the change would leave it blank or break a character.
    """

    def make(function: Change) -> Perturbation:
        @functools.wraps(function)
        def guarded(text: str, generator: random.Random) -> str:
            changed = function(text, generator)
            return changed if changed.strip() and keeps_characters(text, changed) else text

        return Perturbation(function.__name__, capability, expectation, keeps_label, source, guarded)

    return make
