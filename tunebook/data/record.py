"""One text with its label as a reader hands it over, and which columns it is taken from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from tunebook.errors import DataRejected, UsageError
from tunebook.registry import nearest

Column = int | str


class NoColumn(UsageError):
    """A wanted column is not in a file."""


class Record(NamedTuple):
    """A text with its label as the file has it, its second text (pairs), group, owners' id and line."""

    line: int
    text: str
    label: Any
    pair: str | None = None
    group: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Columns:
    """Where a record's values stand: column numbers from 0, or header names (`"sentence|content"`: either).

    Several text columns are joined by `join` to one text; `pair` is the second text of a pair.
    """

    text: tuple[Column, ...]
    label: Column
    pair: Column | None = None
    group: Column | None = None
    id: Column | None = None
    join: str = " "

    def picker(self, header: Sequence[str] | None) -> Callable[[int, Sequence[str]], Record]:
        """A function that makes a record of a line number and its fields.

        Raises:
            UsageError: a wanted column is not in the header.
        """
        text = [itemgetter(find_column(column, header)) for column in self.text]
        label = itemgetter(find_column(self.label, header))
        optional = [
            None if column is None else itemgetter(find_column(column, header))
            for column in (self.pair, self.group, self.id)
        ]
        if len(text) == 1 and not any(optional):
            only = text[0]
            return lambda line, fields: Record(line, only(fields), label(fields))
        join = self.join.join

        def pick(line: int, fields: Sequence[str]) -> Record:
            return Record(
                line,
                join([get(fields) for get in text]),
                label(fields),
                *[None if get is None else get(fields) for get in optional],
            )

        return pick


def find_column(column: Column, header: Sequence[str] | None) -> int:
    """The position of a column in a header.

    Raises:
        NoColumn: it is not there; the columns that are stand in the message.

    Example:
        >>> find_column("sentence|content", ["label", "content"])
        1
    """
    if isinstance(column, int):
        return column
    assert header is not None, f"column {column!r} is named but the file has no header"
    for name in (column, *column.split("|")):
        if name in header:
            return header.index(name)
    near = [f"did you mean {name!r}? " for name in nearest(column, header)[:1]]
    shown = ", ".join(repr(name) for name in header[:30])
    hint = "are these values of the first row? Then the file lacks its header line"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|,"):
        hint = "is it one? .csv is separated by commas, .tsv by tabs: save the file as one of them"
    raise NoColumn(f"there is no column {column!r}; {''.join(near)}The columns are: {shown} ({hint})")


def take_header(
    rows: Iterable[tuple[int, list[str]]], *, path: Path
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header of a table and the rows after it.

    Raises:
        DataRejected: the file is empty, or two columns have the same name.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        raise DataRejected(f"{path} is empty: a header line and rows are expected")
    header = [name.strip() for name in first[1]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataRejected(f"{path}: two columns have the same name {twice[0]!r}; rename one of them")
    return header, remaining
