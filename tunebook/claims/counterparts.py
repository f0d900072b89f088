"""What of ours a claim is about: which split, how many texts of train, which checkpoint and method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tunebook import data
from tunebook.claims.ledger import Claim
from tunebook.comparison import method_of
from tunebook.models.rows import rows as checkpoint_rows

Row = Mapping[str, Any]
"""A row of a judged family, as `judgement.judge` gives it."""
GLUE_HIDES = ("cola", "rte", "sst2")
"""Datasets whose labels of test GLUE does not publish."""
_NEAR_SIZE = (0.9, 1.15)
"""Which shares of a size of train count as that size: leaks are dropped, and validation is cut or is not."""


@dataclass(frozen=True)
class Counterpart:
    """Which of our splits stands for the one that a claim is on, which has so many `examples`.

    Where `is_same`, ours are the same examples if they are as many. Others are compared with only where the split
    `is_one_draw_of_many`, ours being another one.
    """

    split: str
    examples: int | None
    is_same: bool = True
    is_one_draw_of_many: bool = False


_COUNTERPARTS = {
    ("amazon_polarity", "test"): Counterpart("test", 400_000, is_one_draw_of_many=True),
    ("cola", "validation"): Counterpart("test", 1_043),
    ("imdb", "test"): Counterpart("test", 25_000),
    ("mrpc", "test"): Counterpart("test", 1_725),
    ("mrpc", "validation"): Counterpart("test", 408, is_same=False, is_one_draw_of_many=True),
    ("rte", "validation"): Counterpart("test", 277),
    ("sst2", "test"): Counterpart("test_labelled", 1_821),
    ("sst2", "validation"): Counterpart("test", 872),
    ("stsb", "test"): Counterpart("test", 1_379),
    ("stsb", "validation"): Counterpart("test", 1_500),
}
"""Official splits by how the rows of datasets read them. A `test` that is not here is one draw of many."""


def counterpart(claim: Claim) -> Counterpart | None:
    """Which of our splits a claim is compared on; None where none has its examples, or others drawn like them."""
    if (claim.dataset, claim.split) in _COUNTERPARTS:
        return _COUNTERPARTS[claim.dataset, claim.split]
    if claim.dataset not in data.rows() or claim.split != "test" or claim.dataset in GLUE_HIDES:
        return None
    return Counterpart("test", claim.test_examples, is_same=False, is_one_draw_of_many=True)


def canonical(checkpoint: str) -> str:
    """The name of a checkpoint's row where it has one, by name or alias."""
    row = checkpoint_rows().get(checkpoint)
    return row.name if row else checkpoint


def train_texts(claim: Claim) -> int | None:
    """On how many texts a run has to be trained to be about the claim: those it names, or the whole of train."""
    return claim.train_size or whole_train(claim.dataset)


def whole_train(dataset: str) -> int | None:
    """How many texts the largest form of a dataset trains on as it is declared; None where that is not declared."""
    cuts = [form.cut for form in data.rows()[dataset].forms if form.cut] if dataset in data.rows() else []
    sizes = [cut.of - cut.validation - cut.test if cut.train is None else cut.train for cut in cuts]
    return max(sizes, default=None)


def is_near(size: int | None, wanted: int | None) -> bool:
    """Whether a size of train counts as the wanted one; any does where none is."""
    return wanted is None or (size is not None and _NEAR_SIZE[0] * wanted <= size <= _NEAR_SIZE[1] * wanted)


def alike(claim: Claim, rows: Iterable[Row]) -> list[Row]:
    """The rows of a claim's dataset, split, metric and method: of its checkpoint, or of the first comparable one, that
    has any trained on as many texts; else those that were trained on others."""
    there = counterpart(claim)
    of_it = [
        row
        for row in rows
        if (row["dataset"], row["metric"], method_of(row["method"]))
        == (claim.dataset, claim.metric, claim.method)
        if there is not None and row["split"] == there.split
    ]
    by_name = [
        [row for row in of_it if canonical(row["checkpoint"]) == canonical(name)]
        for name in (claim.checkpoint, *claim.comparable)
    ]
    for found in by_name:
        if any(is_near(row["train_size"], train_texts(claim)) for row in found):
            return found
    return next(filter(None, by_name), [])
