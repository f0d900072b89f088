"""What stands beside a score: how a row behaves, in a few numbers, for tables that are about something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tunebook.behaviour.robustness import KINDS, MINIMUM

COLUMNS = {
    "invariance": "changed texts", "direction": "denials", "minimum": "plain tests", "ece": "ECE",
    "ece_scaled": "scaled", "at_80": "surest 80 %", "drop": "drop elsewhere", "worst": "worst slice",
}  # fmt: skip
"""What `of_row` tells, with headings: failure rates, means over capabilities; calibration error before and after
temperature scaling; accuracy on the surest 80 %; the mean drop of accuracy on other datasets; the worst slice."""


def of_row(found: Mapping[str, Any], run: str) -> dict[str, Any] | None:
    """How the row behaves that a run is of, by its hash, from an experiment's findings; None where it is in none.

    `examined` are the hashes of the runs that were: more may have been made since.
    """
    row = next((row for row in found["rows"] if run in row["runs"]), None)
    if row is None:
        return None
    own = {
        part: rows_of(found[part], row)
        for part in ("robustness", "calibration", "coverage", "worst", "transfer")
    }
    rates = {kind: _mean(_values(own["robustness"], kind)) for kind in (*KINDS.values(), MINIMUM)}
    return {
        "examined": row["runs"],
        "invariance": rates[KINDS["same"]],
        "direction": rates[KINDS["not_surer"]],
        "minimum": rates[MINIMUM],
        "ece": _mean([one["before"]["ece"] for one in own["calibration"]]),
        "ece_scaled": _mean([one["after"]["ece"] for one in own["calibration"]]),
        "at_80": own["coverage"][0]["accuracy_at"]["0.8"],
        "drop": _mean(
            [one["drop"] for one in own["transfer"] if not one["group"] and one["drop"] is not None]
        ),
        "worst": own["worst"][0]["slice"] if own["worst"] else None,
    }


def rows_of(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the rows of a part those that are about a row of the experiment."""
    keys = ("dataset", "train_size", "checkpoint", "method")
    return [one for one in rows if all(one[key] == row[key] for key in keys)]


def _values(rows: Sequence[Mapping[str, Any]], kind: str) -> list[float]:
    """The failure rates of a kind's capabilities."""
    return [
        one["value"]
        for one in rows
        if one["kind"] == kind and not one["test"] and one.get("value") is not None
    ]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
