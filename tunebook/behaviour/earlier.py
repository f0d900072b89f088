"""What was found of rows before: it holds as long as they are the same runs, asked the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.behaviour.ground import Row
from tunebook.behaviour.robustness import MINIMUM

SCHEMA = 1
WHAT = {
    "robustness": ("robustness",),
    "plain tests": ("robustness",),
    "transfer": ("transfer",),
    "moved": ("moved", "forgetting"),
    "slices": ("slices", "worst"),
}
"""In which parts that stands which models, or texts, were needed for."""


class Earlier:
    """What was found of rows before, by `examine`: None, or with other settings or by another schema, is nothing."""

    def __init__(self, found: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> None:
        self._found: Mapping[str, Any] = {"rows": []}
        if found is not None and (found["schema"], found["settings"]) == (SCHEMA, settings):
            self._found = found

    def of(self, what: str, row: Row) -> list[tuple[str, dict[str, Any]]]:
        """What was found of a row when `what` was done, a key of `WHAT`, each with its part; empty where it was not."""
        if self._row(row) is None:
            return []
        return [
            (part, {key: value for key, value in one.items() if key not in row.key})
            for part in WHAT[what]
            for one in self._found[part]
            if row.is_of(one)
            and (part != "robustness" or (one["kind"] == MINIMUM) == (what == "plain tests"))
        ]

    def seconds(self, row: Row) -> Mapping[str, float]:
        """How long it took to ask its models, by what was asked."""
        before: Mapping[str, float] = (self._row(row) or {}).get("seconds", {})
        return before

    def _row(self, row: Row) -> Mapping[str, Any] | None:
        """The row as it was examined, if it had the same runs."""
        runs = [run["run"] for run in row.runs]
        return next((one for one in self._found["rows"] if row.is_of(one) and one["runs"] == runs), None)
