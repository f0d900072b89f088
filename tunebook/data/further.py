"""What else a dataset's files say of its rows: the columns that are neither text nor label, and where a row stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from tunebook.data.dataset import DataSource
from tunebook.data.delimited import clean_lines, even_rows, plain_fields, quoted_fields
from tunebook.data.faults import Faults
from tunebook.data.record import Column, find_column, take_header
from tunebook.errors import UsageError

POSITION = "position in the file"

Row = tuple[tuple[str, ...], dict[str, Any]]
"""The ids that a row may have in its dataset, and what else is said of it."""


TRAINED_ON = ("train", "validation")
"""The parts of a dataset that may be looked at before training."""


def further_columns(
    source: DataSource, wanted: Collection[str], *, parts: Collection[str] = TRAINED_ON
) -> dict[str, dict[str, Any]]:
    """By id, the further values of the rows whose ids are wanted, as the files of these parts have them.

    The values of columns are texts (of JSONL and Parquet whatever stands there), those that are lists or tables are
    left out. The position is the number of a row's line; files that hold one class each have no further columns.

    Raises:
        UsageError: the files are not there.
    """
    ids = frozenset(wanted)
    found: dict[str, dict[str, Any]] = {}
    for names, values in _of_own(source, parts) if source.name is None else _of_named(source, parts):
        for name in names:
            if name in ids:
                found[name] = values
                break
    return found


def _of_named(source: DataSource, parts: Collection[str]) -> Iterator[Row]:
    from tunebook.data import rows
    from tunebook.data.named import existing, find, prefix
    from tunebook.registry import lookup

    found = find(lookup(rows(), str(source.name), "dataset"), source)
    for name in parts:
        for file in found.form.parts.get(name, ()):
            path = existing(found.folder, file.path)
            if path is None or len(file.labels) == 1:
                continue
            encoding = source.encoding if source.encoding != "utf-8" else file.encoding
            options: Mapping[str, Any] = file.options
            if file.reader not in ("csv", "tsv"):
                yield from _positions(path, prefix(file.path), encoding)
                continue
            used = [*options["text"], options["label"], options.get("pair")]
            rows_of_file = _delimited(
                path,
                encoding,
                "," if file.reader == "csv" else "\t",
                quoted=file.reader == "csv",
                widths=options.get("widths") or ((options["width"],) if options.get("width") else ()),
                used=[column for column in used if column is not None],
                id_column=options.get("id"),
                prefix=prefix(file.path),
            )
            yield from rows_of_file


def _positions(path: Path, prefix: str, encoding: str) -> Iterator[Row]:
    for line, _ in clean_lines(path, encoding=encoding, faults=_all_bad()):
        yield (f"{prefix}{line}",), {POSITION: line}


def _of_own(source: DataSource, parts: Collection[str]) -> Iterator[Row]:
    assert source.path is not None
    given = source.validation if source.validation != "none" else None
    files = {
        "train": (source.path, "r"),
        "validation": (given, "validation-r"),
        "test": (source.test, "test-r"),
    }
    for path, prefix in (files[part] for part in parts):
        if path is not None:
            yield from _of_file(Path(path), source, prefix)


def _of_file(path: Path, source: DataSource, prefix: str) -> Iterator[Row]:
    used: list[Column] = [*(source.text or ("text",)), source.label or "label"]
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending in (".csv", ".tsv"):
        delimiter = "," if ending == ".csv" else "\t"
        yield from _delimited(
            path, source.encoding, delimiter, quoted=True, widths=(), used=used, id_column="id", prefix=prefix
        )
        return
    lines = _json_lines(path, source.encoding) if ending == ".jsonl" else _parquet(path, used)
    for line, values in lines:
        further = {
            key: value
            for key, value in values.items()
            if key not in used and not isinstance(value, list | dict)
        }
        own = values.get("id")
        yield _ids(own if "id" not in used else None, f"{prefix}{line}"), {**further, POSITION: line}


def _json_lines(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in clean_lines(path, encoding=encoding, faults=_all_bad()):
        try:
            values = json.loads(content) if content.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            yield line, values


def _parquet(path: Path, used: Collection[Column]) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    names = [name for name in file.schema_arrow.names if name not in used]
    batches = file.iter_batches(8192, columns=names) if names else iter(())
    yield from enumerate(chain.from_iterable(batch.to_pylist() for batch in batches), start=1)


def _delimited(
    path: Path,
    encoding: str,
    delimiter: str,
    *,
    quoted: bool,
    widths: tuple[int, ...],
    used: list[Column],
    id_column: Column | None,
    prefix: str,
) -> Iterator[Row]:
    faults = _all_bad()
    read = quoted_fields if quoted else plain_fields
    rows = read(path, encoding=encoding, delimiter=delimiter, faults=faults)
    header: list[str] | None = None
    if not widths:
        header, rows = take_header(rows, path=path)
        widths = (len(header),)
    names = header or [f"column {number}" for number in range(1, max(widths) + 1)]
    taken = {find_column(column, header) for column in used}
    own = _place(id_column, header)
    further = [place for place in range(min(widths)) if place not in taken]
    for line, fields in even_rows(rows, widths=widths, path=path, faults=faults):
        values: dict[str, Any] = {names[place]: fields[place] for place in further}
        values[POSITION] = line
        has_id = own is not None and own not in taken
        yield _ids(fields[own] if own is not None and has_id else None, f"{prefix}{line}"), values


def _place(column: Column | None, header: list[str] | None) -> int | None:
    """Where the owners' id stands, None where there is none."""
    try:
        return None if column is None else find_column(column, header)
    except UsageError:
        return None


def _ids(own: Any, place: str) -> tuple[str, ...]:
    return (place,) if own is None else (str(own), place)


def _all_bad() -> Faults:
    """Bad rows were counted, and allowed, when the dataset was read."""
    return Faults(allowed=sys.maxsize)
