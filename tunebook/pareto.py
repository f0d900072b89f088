"""The front of quality against a cost: rows that no other one beats on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook import metrics
from tunebook.errors import UsageError

COSTS = {
    "time": "train_seconds",
    "memory": "peak_memory_bytes",
    "parameters": "parameters",
    "bytes": "weights_bytes",
}
"""Costs by the word that asks for them, and the column of a row that holds their mean over seeds."""


def mark(family: Mapping[str, Any], cost: str) -> None:
    """Put to each row of a judged family whether it is `on_front`; None where its cost is unknown.

    A row is on the front unless another one is better on both beyond their intervals: its score is separable from the
    row's and better, and the interval of its cost lies below.

    Raises:
        UsageError: there is no such cost.
    """
    if cost not in COSTS:
        raise UsageError(f"unknown cost {cost!r}; expected one of {', '.join(COSTS)}")
    rows, column, beaten = family["rows"], COSTS[cost], set()
    by_name = {row["name"]: row for row in rows}
    for pair in family["pairs"]:
        if pair["is_separable"]:
            names = (pair["first"], pair["second"])
            better, worse = names if _first_wins(pair, family["metric"]) else reversed(names)
            if _is_cheaper(by_name[better], by_name[worse], column):
                beaten.add(worse)
    for row in rows:
        row["on_front"] = None if row[column] is None else row["name"] not in beaten


def _first_wins(pair: Mapping[str, Any], metric: str) -> bool:
    return bool((pair["value"] > 0) == metrics.rows()[metric].larger_is_better)


def _is_cheaper(other: Mapping[str, Any], row: Mapping[str, Any], column: str) -> bool:
    """Whether the other's cost lies below by more than both spread over seeds."""
    interval = f"{column}_interval"
    if other[interval] is None or row[interval] is None:
        return False
    return bool(other[interval][1] < row[interval][0])
