"""An experiment's finished runs examined: by predictions that are stored, and by what they answer to other texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tunebook import comparison, judgement
from tunebook.behaviour import agreement, models, stored
from tunebook.behaviour.earlier import SCHEMA, WHAT, Earlier
from tunebook.behaviour.found import PARTS, Findings
from tunebook.behaviour.ground import Ground, Row, Settings
from tunebook.durable import canonical_json
from tunebook.errors import TunebookError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from tunebook.book import Book
    from tunebook.sources import Run

_CONTESTED = 3
"""So many examples are kept that one of two rows has right and the other wrong."""


def examine(
    runs: Sequence[Run],
    book: Book,
    *,
    settings: Settings,
    transfers: bool | Mapping[str, str] = False,
    earlier: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """How the finished runs among `runs` behave, as plain values: rows for each of `PARTS`, and what is missing.

    `transfers` asks for the other datasets of the same label space too, or says what the labels mean there. `earlier`
    is what this function found before: where runs cannot be asked any more, because their weights or the texts are
    gone, it stays as far as it is of the same runs under the same settings. `tell` is called with a line for each row.

    Raises:
        UsageError: there is nothing to examine, the labels cannot be mapped to other datasets', or a column to slice by
            is none.
        IntegrityError: predictions or weights are damaged.
        NoSpace: the disk or a quota is full.
    """
    asked = {
        "texts": settings.texts,
        "transfer_texts": settings.transfer_texts,
        "seed": settings.seed,
        "by": list(settings.by),
    }
    found = Findings(Earlier(earlier, asked))
    rows = list(_rows(runs, found))
    if not rows:
        raise UsageError(
            "nothing is finished that gives classes: behaviour is examined of finished classifiers"
        )
    grounds = _grounds(rows, book, settings)
    for ground, _ in grounds:
        if transfers:
            ground.require_meanings(transfers)
        _open(ground, found, tell)
    for ground, members in grounds:
        _examine_ground(ground, members, found, bool(transfers), tell)
    return {
        "schema": SCHEMA,
        "settings": asked,
        "missing": found.missing,
        "rows": [
            {**row.key, "runs": [run["run"] for run in row.runs], "seconds": _tenths(found.seconds_of(row))}
            for row in rows
        ],
        "seconds": _tenths(found.seconds(rows)),
        **{part: [_rounded(row) for row in found.parts[part]] for part in PARTS},
    }


def _rows(runs: Sequence[Run], found: Findings) -> Iterator[Row]:
    """The rows of finished classifiers, a cut of a dataset apart from the others; a majority has no behaviour."""
    by_hash = {run["run"]: run for run in runs}
    for row in comparison.table(runs):
        members = sorted((by_hash[one] for one in row["runs"]), key=lambda run: run["seed"])
        if row["metric"] != "accuracy":
            found.lack(f"{row['method']} on {row['dataset']}", "it gives scores, not classes")
        elif members[0]["method"] != "majority":
            cuts: dict[str, list[Run]] = {}
            for run in members:
                cuts.setdefault(run["splits"]["test"], []).append(run)
            for part in cuts.values():
                key = {name: row[name] for name in ("dataset", "train_size", "checkpoint", "method")}
                if len(cuts) > 1:
                    key["method"] += f" [cut {part[0]['split_seed']}]"
                yield Row({**key, "seeds": len(part)}, part)


def _grounds(rows: Sequence[Row], book: Book, settings: Settings) -> list[tuple[Ground, list[Row]]]:
    """The rows by what they stand on: the same dataset, in the same splits, under the same labels."""
    places: dict[str, list[Row]] = {}
    for row in rows:
        run = row.runs[0]
        labels = book.document(run, "run.json")["dataset"]["label_names"]
        key = canonical_json([run["dataset"], run["splits"], run["train_size"], labels])
        places.setdefault(key, []).append(row)
    return [(Ground(members, book, settings), members) for members in places.values()]


def _open(ground: Ground, found: Findings, tell: Callable[[str], None]) -> None:
    """Read a ground's texts, and find out before any work what cannot be asked of it.

    Raises:
        UsageError: a column to slice by is none of the data's.
    """
    try:
        _ = ground.texts
    except TunebookError as error:
        tell(str(error))
        ground.is_open = False
        return
    ground.require_columns()
    if ground.is_pair:
        found.lack(f"robustness on {ground.name}", "its texts are pairs: a change of one is another pair")
    elif not ground.suite:
        found.lack(f"plain tests on {ground.name}", "its labels are not known to be those of sentiment")


def _examine_ground(
    ground: Ground, rows: Sequence[Row], found: Findings, transfers: bool, tell: Callable[[str], None]
) -> None:
    read = {id(row): stored.read(ground, row) for row in rows}
    for number, row in enumerate(rows, start=1):
        tell(f"{ground.name}: {row.key['method']} ({number} of {len(rows)})")
        labels, logits = read[id(row)]
        with found.measured("stored predictions"):
            stored.of_row(ground, row, labels, logits, found)
        if not ground.is_open:
            if not any([found.keep(what, row) for what in WHAT]):
                found.lack(f"texts of {ground.name}", "they are not on this machine, or are others than then")
        elif row.has_model:
            models.of_row(ground, row, labels, logits, found, transfers=transfers)
    with found.measured("stored predictions"):
        for first, second in combinations(rows, 2):
            labels, said = read[id(first)][0], [read[id(row)][1].argmax(axis=2) for row in (first, second)]
            told = agreement.compare(labels, *said) | {"contested": _contested(ground, labels, *said)}
            key = {name: first.key[name] for name in ("dataset", "train_size")}
            names = [judgement.name(row.key) for row in (first, second)]
            found.parts["agreement"].append({**key, "first": names[0], "second": names[1], **told})


def _contested(ground: Ground, labels: np.ndarray, *said: np.ndarray) -> dict[str, Any]:
    """A few examples on which two rows differ most, with their labels."""
    found = agreement.contested(*(one == labels for one in said), most=_CONTESTED)
    for side in ("first", "second"):
        found[side] = [
            ground.named(place := one.pop("example"))
            | {"label": ground.label_names[int(labels[place])], **one}
            for one in found[side]
        ]
    return found


def _tenths(seconds: Mapping[str, float]) -> dict[str, float]:
    return {what: round(spent, 1) for what, spent in sorted(seconds.items())}


def _rounded(value: Any) -> Any:
    """The value with numbers of six digits, which is more than any of them is known to."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
