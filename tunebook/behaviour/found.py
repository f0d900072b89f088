"""What is found while runs are examined: rows by part, what is missing and why, and the time that it took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tunebook.behaviour.earlier import Earlier, told
from tunebook.behaviour.ground import Row
from tunebook.errors import UsageError

PARTS = (
    "robustness", "calibration", "coverage", "slices", "worst", "moved", "forgetting", "agreement", "transfer",
)  # fmt: skip
"""What is found, each a list of rows under these names."""


class Findings:
    """What was found, by part, and what is `missing` and why.

    `earlier` is what was found before: it stays for rows that cannot be asked any more.
    """

    def __init__(self, earlier: Earlier) -> None:
        self._earlier = earlier
        self.parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
        self.missing: list[dict[str, str]] = []
        self._shared_seconds: dict[str, float] = defaultdict(float)
        self._seconds: dict[tuple[Any, ...], dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, part: str, row: Row, found: Mapping[str, Any]) -> None:
        """Something found of a row."""
        self.parts[part].append({**row.key, **found})

    def lack(self, what: str, why: str) -> None:
        """Something that could not be found out."""
        if {"what": what, "why": why} not in self.missing:
            self.missing.append({"what": what, "why": why})

    @contextmanager
    def measured(self, what: str, row: Row | None = None) -> Iterator[None]:
        """Count the seconds that something took, of a row or of what rows share."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = self._seconds[row.name] if row else self._shared_seconds
            spent[what] += time.perf_counter() - start

    @contextmanager
    def tried(self, what: str, row: Row) -> Iterator[None]:
        """Count the seconds of something that may be missing of a row: then what was found of it earlier stays."""
        with self.measured(what, row):
            try:
                yield
            except UsageError as error:
                if not self.keep(what, row):
                    self.lack(told(what, row.key), str(error))

    def keep(self, what: str, row: Row) -> bool:
        """Let stay what was found earlier; whether anything was."""
        kept = self.known(what, row)
        for part, found in kept:
            self.add(part, row, found)
        for one in self._earlier.missing(what, row):
            self.lack(one["what"], one["why"])
        return bool(kept)

    def known(self, what: str, row: Row) -> list[tuple[str, dict[str, Any]]]:
        """What was found earlier, each with its part."""
        return self._earlier.of(what, row)

    def seconds_of(self, row: Row) -> dict[str, float]:
        """What was done with a row, and how long it took: when it was done, and not when it was read again."""
        now, before = self._seconds[row.name], self._earlier.seconds(row)
        return {what: max(now.get(what, 0.0), before.get(what, 0.0)) for what in {**before, **now}}

    def seconds(self, rows: list[Row]) -> dict[str, float]:
        """How long everything took together."""
        total = defaultdict(float, self._shared_seconds)
        for row in rows:
            for what, spent in self.seconds_of(row).items():
                total[what] += spent
        return dict(total)
