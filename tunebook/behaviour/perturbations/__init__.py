"""Small changes of a text that a classifier should take calmly: rows by name, and `perturb`, which makes one.

A change with the expectation `same` should leave the predicted class as it is; one with `not_surer` should not raise
the probability of the class that was predicted before. `keeps_label` says whether the label of the text stays true by
the way the change is built. What a change cannot be made on comes back as it was.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from hashlib import sha256

from tunebook.behaviour.perturbations.row import CAPABILITIES, Expectation, Perturbation
from tunebook.registry import lookup, scan

__all__ = ["CAPABILITIES", "Expectation", "Perturbation", "perturb", "rows"]


@functools.cache
def rows() -> Mapping[str, Perturbation]:
    """Every perturbation by name, found in this folder, in the order of `CAPABILITIES` and, within one, of its file.

    Example:
        >>> rows()["swapped_letters"].capability
        'typos'
    """
    found = [
        row for module in scan(__name__) for row in vars(module).values() if isinstance(row, Perturbation)
    ]
    return {row.name: row for row in sorted(found, key=lambda row: CAPABILITIES.index(row.capability))}


def perturb(name: str, text: str, *, seed: int) -> str:
    """The text with one perturbation made on it: a function of the three arguments alone, on any machine.

    Never gives an empty or blank text for one that was not, and never breaks a character that is made of several code
    points; where that or the text itself leaves nothing to do, the text comes back unchanged.

    Raises:
        UsageError: there is no perturbation of this name; the message names the nearest ones.

    Example:
        >>> perturb("contractions_expanded", "It's a film I can't forget.", seed=0)
        'It is a film I cannot forget.'
    """
    row = lookup(rows(), name, "perturbation")
    digest = sha256(f"{name}\0{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()
    return row.function(text, random.Random(int.from_bytes(digest)))
