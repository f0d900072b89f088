"""Datasets: rows by family, strict readers, fixed splits and the token store.

`load` reads a named dataset or an own file, `tokenise` makes its token ids, `rows` lists what has a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache as _once
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.dataset import Dataset, DataSource, Split
from tunebook.data.rows import DatasetRow
from tunebook.errors import UsageError
from tunebook.registry import lookup, scan

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore, tokenise

__all__ = [
    "DataSource",
    "Dataset",
    "DatasetRow",
    "Split",
    "TokenStore",
    "load",
    "rows",
    "split_table",
    "tokenise",
]


@_once
def rows() -> Mapping[str, DatasetRow]:
    """Every dataset that has a name, by name.

    Example:
        >>> rows()["imdb"].label_names
        ('negative', 'positive')
    """
    found = [row for module in scan("tunebook.data.families") for row in module.ROWS]
    return {row.name: row for row in sorted(found, key=lambda row: str(row.name))}


def split_table() -> str:
    """The Markdown table of the splits of all named datasets.

    Example:
        >>> "| `sentiment140` |" in split_table()
        True
    """
    from tunebook.data.table import split_table as of_rows

    return of_rows(rows())


def load(source: DataSource, *, cache: Path | None = None) -> Dataset:
    """The dataset that a source names, from the cache where it was read before.

    Raises:
        UsageError: the name is unknown, files or columns are not there, or options contradict one another.
        DataRejected: bytes, rows or labels are not what is declared.
    """
    if (source.name is None) == (source.path is None):
        raise UsageError("give a dataset's name or the path of a file, one of them")
    if source.name is not None:
        from tunebook.data.named import load_named

        return load_named(lookup(rows(), source.name, "dataset"), source, cache=cache)
    from tunebook.data.own import load_own

    return load_own(source, cache=cache)


def __getattr__(name: str) -> Any:
    """Names of the token store, imported when they are asked for: the command line starts without them."""
    if name in ("TokenStore", "tokenise"):
        from tunebook.data import tokens

        return getattr(tokens, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
