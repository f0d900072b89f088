"""Values as literal text: what comes from data never acts as markup, formula or command where it is shown."""

from collections.abc import Callable, Iterable, Sequence

from tunebook.text import csv, latex, markdown

_TABLES: dict[str, Callable[[Sequence[str], Iterable[Sequence[object]]], str]] = {
    "markdown": markdown.table,
    "csv": csv.table,
    "latex": latex.table,
}


def table(format: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in one of the formats markdown, csv and latex.

    Example:
        >>> print(table("csv", ["split", "f1"], [["test", 0.5]]), end="")
        split,f1
        test,0.5
    """
    return _TABLES[format](header, rows)
