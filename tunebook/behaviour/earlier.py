"""What was found of rows before: it holds as long as they are the same runs, asked the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.behaviour.ground import Row
from tunebook.behaviour.robustness import MINIMUM
from tunebook.behaviour.summary import rows_of

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
    """What was found of rows before, by `examine`: None, or with other settings or by another schema, is nothing.

    A row is known again by its runs: what it is called depends on what else was finished then.
    """

    def __init__(self, found: Any, settings: Mapping[str, Any]) -> None:
        is_alike = isinstance(found, Mapping) and (found.get("schema"), found.get("settings")) == (
            SCHEMA,
            settings,
        )
        self._found: Mapping[str, Any] = found if is_alike else {"rows": [], "missing": []}

    def of(self, what: str, row: Row) -> list[tuple[str, dict[str, Any]]]:
        """What was found of a row when `what` was done, a key of `WHAT`, each with its part; empty where it was not."""
        if (before := self._row(row)) is None:
            return []
        return [
            (part, {key: value for key, value in one.items() if key not in row.key})
            for part in WHAT[what]
            for one in rows_of(self._found[part], before)
            if part != "robustness" or (one["kind"] == MINIMUM) == (what == "plain tests")
        ]

    def missing(self, what: str, row: Row) -> list[Mapping[str, str]]:
        """Of which seeds it could not be found out, and why."""
        before = self._row(row)
        return [
            one
            for one in self._found["missing"]
            if before and one["what"].startswith(f"{told(what, before)}, seed ")
        ]

    def seconds(self, row: Row) -> Mapping[str, float]:
        """How long it took to ask its models, by what was asked."""
        before: Mapping[str, float] = (self._row(row) or {}).get("seconds", {})
        return before

    def _row(self, row: Row) -> Mapping[str, Any] | None:
        """The row as it was examined, if it had the same runs."""
        runs = [run["run"] for run in row.runs]
        return next((one for one in self._found["rows"] if one["runs"] == runs), None)


def told(what: str, key: Mapping[str, Any]) -> str:
    """Something that was done with a row, in words."""
    return f"{what} of {key['method']} on {key['dataset']}"
