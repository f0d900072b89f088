"""What is found while runs are examined: rows by part, what is missing and why, and the time that parts took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tunebook.behaviour.ground import Row
from tunebook.errors import UsageError

PARTS = (
    "robustness", "calibration", "coverage", "slices", "worst", "moved", "forgetting", "agreement", "transfer",
)  # fmt: skip
"""What is found, each a list of rows under these names."""


@dataclass
class Findings:
    """What was found, by part; what is `missing` and why; and `seconds` by part."""

    parts: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {part: [] for part in PARTS})
    missing: list[dict[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, part: str, row: Row, found: Mapping[str, Any]) -> None:
        """Something found of a row."""
        self.parts[part].append({**row.key, **found})

    def lack(self, what: str, why: str) -> None:
        """Something that could not be found out."""
        if {"what": what, "why": why} not in self.missing:
            self.missing.append({"what": what, "why": why})

    @contextmanager
    def measured(self, part: str) -> Iterator[None]:
        """Count the seconds of a part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start

    @contextmanager
    def tried(self, part: str, row: Row) -> Iterator[None]:
        """Count the seconds of a part, which may be missing of a row while the others are there."""
        with self.measured(part):
            try:
                yield
            except UsageError as error:
                self.lack(f"{part} of {row.key['method']} on {row.key['dataset']}", str(error))
