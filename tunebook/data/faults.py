"""Bad rows: counted, the first ones remembered, and refused unless so many may be dropped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tunebook.errors import DataRejected

_SHOWN = 5


class Fault(NamedTuple):
    """One bad row: its file, the line on which it starts (from 1), and what is wrong."""

    path: Path
    line: int
    reason: str


class Faults:
    """The bad rows of one dataset; up to `allowed` of them may be dropped.

    Example:
        >>> faults = Faults(allowed=1)
        >>> faults.add(Path("reviews.csv"), 3, "2 fields where 4 are expected")
        >>> faults.check(rows_read=9)
        >>> faults.count
        1
    """

    def __init__(self, *, allowed: int = 0) -> None:
        self.allowed = allowed
        self.count = 0
        self.first: list[Fault] = []
        self.labels: Counter[str] = Counter()

    def add(self, path: Path, line: int, reason: str) -> None:
        """Count a bad row."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(Fault(path, line, reason))

    def add_label(self, path: Path, line: int, label: object, expected: str) -> None:
        """Count a row whose label is not one of those expected."""
        self.labels[repr(label)] += 1
        self.add(path, line, f"label {label!r} where {expected} is expected")

    def check(self, *, rows_read: int) -> None:
        """Refuse the data when more rows are bad than may be dropped.

        Raises:
            DataRejected: over `allowed` bad rows; the message has their count and the first lines.
        """
        if self.count <= self.allowed:
            return
        lines = [f"  {fault.path} line {fault.line}: {fault.reason}" for fault in self.first]
        if self.labels:
            top = ", ".join(f"{label} ({count} times)" for label, count in self.labels.most_common(_SHOWN))
            lines.append(f"  labels not expected, most frequent first: {top}")
        raise DataRejected(
            f"{self.count} bad {'row' if self.count == 1 else 'rows'} of {rows_read + self.count}, "
            f"at most {self.allowed} may be dropped:\n" + "\n".join(lines) + "\n"
            f"mend the file, or drop them: drop_bad = {self.count}"
        )
