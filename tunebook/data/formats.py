"""Readers of own files: CSV, TSV, JSONL (plain or gzipped) and Parquet, with the columns a user names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.data.delimited import clean_lines, even_rows, quoted_fields
from tunebook.data.faults import Faults
from tunebook.data.record import Columns, Record, find_column, take_header
from tunebook.errors import DataRejected, UsageError

_BATCH_ROWS = 8192


@dataclass(frozen=True)
class OwnColumns:
    """The columns of an own file: text, second text, label, and what rows are grouped or ordered by."""

    text: str
    label: str
    pair: str | None = None
    group: str | None = None

    def wanted(self) -> list[str]:
        """The columns that have to be there."""
        return [name for name in (self.text, self.label, self.pair, self.group) if name is not None]

    def id_in(self, header: list[str]) -> str | None:
        """`id` where there is such a column and it is nothing else."""
        return "id" if "id" in header and "id" not in self.wanted() else None

    def record(self, line: int, row: Mapping[str, Any], id_column: str | None) -> Record:
        """A record of a row with its columns' names."""
        group = row[self.group] if self.group else None
        row_id = row.get(id_column) if id_column else None
        return Record(
            line,
            row[self.text] or "",
            row[self.label],
            None if self.pair is None else row[self.pair] or "",
            None if group is None else str(group),
            None if row_id is None else str(row_id),
        )


def own_records(path: Path, columns: OwnColumns, *, encoding: str, faults: Faults) -> Iterator[Record]:
    """The records of an own file; the format is what its ending says.

    Raises:
        UsageError: the ending is not known, the file is not there, or lacks a column (those it has are told).
        DataRejected: the file is empty or damaged.
    """
    ending = Path(path.name.lower().removesuffix(".gz")).suffix.removeprefix(".")
    is_packed_parquet = ending == "parquet" and path.suffix == ".gz"
    if ending not in FORMATS or is_packed_parquet:
        raise UsageError(
            f"{path} has an ending that is not known: .csv, .tsv, .jsonl (each also .gz) and .parquet are; "
            "save the file as one of these"
        )
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    return FORMATS[ending](path, columns, encoding=encoding, faults=faults)


def _delimited(delimiter: str) -> Callable[..., Iterator[Record]]:
    def read(path: Path, columns: OwnColumns, *, encoding: str, faults: Faults) -> Iterator[Record]:
        rows = quoted_fields(path, encoding=encoding, delimiter=delimiter, faults=faults)
        header, rows = take_header(rows, path=path)
        pick = Columns(
            text=(columns.text,),
            label=columns.label,
            pair=columns.pair,
            group=columns.group,
            id=columns.id_in(header),
        ).picker(header)
        for line, fields in even_rows(rows, widths=(len(header),), path=path, faults=faults):
            yield pick(line, fields)

    return read


def _json_lines(path: Path, columns: OwnColumns, *, encoding: str, faults: Faults) -> Iterator[Record]:
    is_first = True
    for line, content in clean_lines(path, encoding=encoding, faults=faults):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
            content.encode()
        except (ValueError, RecursionError) as error:
            faults.add(path, line, f"no JSON ({str(error)[:80]})")
            continue
        if is_first and isinstance(row, dict):
            for name in columns.wanted():
                find_column(name, list(row))
            is_first = False
        if reason := _wrong_object(row, columns):
            faults.add(path, line, reason)
        else:
            yield columns.record(line, row, columns.id_in(list(row)))


def _wrong_object(row: Any, columns: OwnColumns) -> str:
    """Why an object of a JSONL file is no row, or nothing."""
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__} where an object is expected"
    if missing := [name for name in columns.wanted() if name not in row]:
        return f"no {missing[0]!r}"
    for name in filter(None, (columns.text, columns.pair)):
        value = row[name]
        if not isinstance(value, str | None):
            return f"{name!r} is a {type(value).__name__} where a text is expected"
        if value and any("\ud800" <= character <= "\udfff" for character in value):
            return f"{name!r} has half a character (a lone surrogate)"
    return ""


def _parquet(path: Path, columns: OwnColumns, *, encoding: str, faults: Faults) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        header = file.schema_arrow.names
        for name in columns.wanted():
            find_column(name, header)
        for name in filter(None, (columns.text, columns.pair)):
            _check_text_type(file.schema_arrow.field(name))
        id_column = columns.id_in(header)
        wanted = columns.wanted() + [id_column] * (id_column is not None)
        line = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
            for row in batch.to_pylist():
                line += 1
                yield columns.record(line, row, id_column)
    except (pa.ArrowException, OSError) as error:
        raise DataRejected(f"{path} is no whole Parquet file ({str(error)[:120]}); write it again") from error


def _check_text_type(field: Any) -> None:
    import pyarrow as pa

    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise DataRejected(
            f"column {field.name!r} holds {field.type} where texts are expected; convert it, or name another"
        )


FORMATS: Mapping[str, Callable[..., Iterator[Record]]] = {
    "csv": _delimited(","),
    "tsv": _delimited("\t"),
    "jsonl": _json_lines,
    "parquet": _parquet,
}
