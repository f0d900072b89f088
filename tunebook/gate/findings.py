"""What the gate found, as plain values: counts by split, by two splits, by column, and a few examples of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Examples = Mapping[str, tuple[tuple[str, ...], ...]]
"""By what they are examples of: the ids of a row, or of the rows that belong together."""


@dataclass(frozen=True)
class Spread:
    """Smallest, median, 95th percentile and largest of some numbers."""

    smallest: float
    median: float
    percentile_95: float
    largest: float


@dataclass(frozen=True)
class SplitFindings:
    """The counts of one split, in rows.

    `duplicates` are rows whose normalised text stands in an earlier row of the split, `identical` those that do as
    they are, `near_duplicates` rows of which another text of the split is nearly the same, `contradictions` texts
    that stand in it under more than one label (None where labels may not be read). Lengths of a pair are those of
    both texts together. `balance` has the rows of each class; scores have their spread instead. `overlong` are texts
    of over 400 words, `wordless` those without a letter or digit. `decoding` counts what is odd in the characters.
    `examples` have ids by count.
    """

    rows: int
    characters: Spread
    words: Spread
    balance: Mapping[str, int] | None
    scores: Spread | None
    duplicates: int
    identical: int
    near_duplicates: int
    contradictions: int | None
    overlong: int
    wordless: int
    decoding: Mapping[str, int]
    examples: Examples


@dataclass(frozen=True)
class Overlap:
    """Texts in two splits.

    `rows` of `first` whose text is in `second`, `rows_of_second` the other way round; `near` and `near_of_second`
    count rows of which a text that is nearly the same, and not the same, is in the other split. `contradictions` are
    texts that differ in label, None where labels may not be read.
    """

    first: str
    second: str
    rows: int
    rows_of_second: int
    near: int
    near_of_second: int
    contradictions: int | None
    examples: Examples

    def as_object(self) -> dict[str, Any]:
        """Its counts and examples; both names are the key that it stands under."""
        plain = asdict(self)
        return {key: value for key, value in plain.items() if key not in ("first", "second")}


@dataclass(frozen=True)
class Predictive:
    """How well a column beside the text tells the label: the area under the ROC curve, from 0.5 (not at all) to 1.

    `low` and `high` are its 95 % interval after DeLong. `how` it was read: by the `order` of its numbers or dates, by
    `ranges` of them, or by `values`; the last two by rates that were learned on other rows. `label` is the class that
    it tells from the rest, of several the one told best.
    """

    column: str
    how: str
    label: str
    auc: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Known:
    """Another dataset that shares texts with this one: why, who says so, and by split how many rows of how many are
    in it as measured here (None where the other one is not on this machine)."""

    other: str
    why: str
    source: str
    measured: Mapping[str, Mapping[str, int]] | None


@dataclass(frozen=True)
class Findings:
    """All counts of a dataset, and its notes: what was decided and dropped while it was read.

    `overlaps` are of the splits as they are; `as_distributed` of the splits before rows were dropped from train because
    they stand elsewhere (none where nothing was dropped, or where nobody looked).
    """

    dataset: str
    task: str
    label_names: tuple[str, ...]
    splits: Mapping[str, SplitFindings]
    overlaps: tuple[Overlap, ...]
    notes: Mapping[str, Any]
    metadata: tuple[Predictive, ...] = ()
    known: tuple[Known, ...] = ()
    as_distributed: tuple[Overlap, ...] = field(default=())

    def as_object(self) -> dict[str, Any]:
        """The findings as nested plain values, ready for JSON; overlaps go by the names of both splits."""
        found: dict[str, Any] = _plain(asdict(self))
        for key in ("overlaps", "as_distributed"):
            found[key] = {
                f"{one.first} in {one.second}": _plain(one.as_object()) for one in getattr(self, key)
            }
        return found


def _plain(value: Any) -> Any:
    """Lists in place of tuples, so that what was stored and read again is equal."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
