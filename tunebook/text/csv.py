"""Tables as CSV that a spreadsheet takes for values, not for formulae."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from tunebook.text.markdown import visible

_ACTING = tuple("=+-@＝＋－＠")  # noqa: RUF001
"""What a spreadsheet takes for the beginning of a formula, the last four where characters are wide."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of values: numbers in full, None as an empty cell, texts that could act as a formula behind a quote.

    Example:
        >>> print(table(["method", "mean"], [["=1+1", 0.5], ["full", None]]), end="")
        method,mean
        '=1+1,0.5
        full,
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.startswith(_ACTING) else shown
