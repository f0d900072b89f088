"""Rows of delimited text: CSV with quotes, and TSV as the owners of benchmarks write it, without."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tunebook.data.faults import Faults
from tunebook.data.lines import decoded_lines

_LONGEST_QUOTE_LINES = 1000

NumberedFields = tuple[int, list[str]]


def quoted_fields(path: Path, *, encoding: str, delimiter: str, faults: Faults) -> Iterator[NumberedFields]:
    """The fields of each record of a CSV file with the line on which it starts; empty lines are left out.

    A quote that is not closed within 1,000 lines, text after a closing quote, a bare carriage return outside
    quotes and a NUL byte make a bad row; reading goes on at the line after it.
    """
    csv.field_size_limit(sys.maxsize)  # the default refuses fields over 131,072 characters
    lines = _Lines(decoded_lines(path, encoding=encoding))
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            start = lines.start
            faults.add(path, start, lines.diagnose(error))
            continue
        if lines.has_nul:
            lines.has_nul = False
            faults.add(path, lines.start, "a NUL byte")
        elif fields:
            yield lines.start, fields


class _Lines:
    """The lines of a file for `csv.reader`: those of the record in hand are kept, and can be put back."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._again: list[str] = []
        self._number = 0
        self._ended = False
        self.record: list[str] = []
        self.has_nul = False

    @property
    def start(self) -> int:
        """The number of the line on which the record in hand starts, from 1."""
        return self._number - len(self.record) + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.record) > _LONGEST_QUOTE_LINES:
            raise csv.Error("swallowed")
        if self._again:
            line = self._again.pop()
        else:
            try:
                line = next(self._source)
            except StopIteration:
                self._ended = True
                raise
        self._number += 1
        self.record.append(line)
        if "\0" in line:
            self.has_nul = True
        return line

    def diagnose(self, error: csv.Error) -> str:
        """What is wrong with the record in hand; after an unclosed quote, all but its first line go back."""
        self.has_nul = False
        if len(self.record) > _LONGEST_QUOTE_LINES:
            self._put_back()
            return f"a quote that is not closed within {_LONGEST_QUOTE_LINES} lines"
        if self._ended:
            self._put_back()
            return "a quote that is not closed before the end of the file"
        if "new-line character" in str(error):
            return "a bare carriage return outside quotes"
        return f"{error}; a quote inside a quoted field is written twice"

    def _put_back(self) -> None:
        after_first = self.record[1:]
        self._again.extend(reversed(after_first))
        self._number -= len(after_first)
        self._ended = False


def plain_fields(path: Path, *, encoding: str, delimiter: str, faults: Faults) -> Iterator[NumberedFields]:
    """The fields of each line of a file without quoting: a quote is a character like any other."""
    for number, content in clean_lines(path, encoding=encoding, faults=faults):
        if content:
            yield number, content.split(delimiter)


def clean_lines(path: Path, *, encoding: str, faults: Faults) -> Iterator[tuple[int, str]]:
    """The lines of a file without their newlines, empty ones too, with their numbers from 1."""
    for number, line in enumerate(decoded_lines(path, encoding=encoding), start=1):
        content = line.removesuffix("\n").removesuffix("\r")
        if reason := _unclean(content):
            faults.add(path, number, reason)
        else:
            yield number, content


def _unclean(content: str) -> str:
    if "\0" in content:
        return "a NUL byte"
    return "a bare carriage return" if "\r" in content else ""


def even_rows(
    rows: Iterable[NumberedFields], *, widths: tuple[int, ...], path: Path, faults: Faults
) -> Iterator[NumberedFields]:
    """The rows that have one of the expected numbers of fields; the others are counted as bad."""
    expected = " or ".join(map(str, widths))
    for line, fields in rows:
        if len(fields) in widths:
            yield line, fields
        else:
            faults.add(path, line, f"{len(fields)} fields where {expected} are expected")
