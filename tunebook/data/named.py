"""A named dataset: find the files of one of its forms, read them, split them as its row says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.data.assemble import Identity, assemble, drop_leaks, with_ids
from tunebook.data.cache import cached, dataset_key
from tunebook.data.collect import Collector, Encode, Rows, score_encoder
from tunebook.data.dataset import Dataset, DataSource
from tunebook.data.faults import Faults
from tunebook.data.readers import READERS
from tunebook.data.record import NoColumn
from tunebook.data.rows import DatasetRow, File, Form
from tunebook.data.splitting import cut_by_rank, cutting_keys
from tunebook.errors import DataRejected, UsageError
from tunebook.registry import lookup

_UNLABELLED = "-1"


@dataclass(frozen=True)
class Found:
    """A form of a dataset and the folder in which all its files are."""

    row: DatasetRow
    form: Form
    folder: Path

    def files(self) -> Iterator[Path]:
        """Every file (folders opened) from which the dataset is read, in a fixed order."""
        for part in self.form.parts.values():
            for file in part:
                for name in filter(None, (file.path, file.beside)):
                    path = existing(self.folder, name)
                    if path is not None and path.is_dir():
                        yield from sorted(path.iterdir())
                    elif path is not None:
                        yield path


def check_options(source: DataSource) -> None:
    """Refuse options that only own files have.

    Raises:
        UsageError: a column, a file or a task is given beside the name of a dataset.
    """
    own = ("text", "label", "test", "group", "split_by", "task")
    given = [option for option in own if getattr(source, option)]
    if source.validation not in (None, "none"):
        given.append("validation")
    if given:
        raise UsageError(
            f"{', '.join(given)}: not for the named dataset {source.name!r}, whose columns and splits are "
            'fixed (only validation = "none" is possible); give the path of a file instead of the name'
        )


def find(row: DatasetRow, source: DataSource) -> Found:
    """The first form of the dataset whose files are all there.

    Raises:
        UsageError: no form is complete; the message says which files to fetch and where to put them.
    """
    folders = _folders(row, source)
    for form in row.forms:
        for folder in folders:
            for root in [folder, folder / form.unpacked] if form.unpacked else [folder]:
                if not _missing(form, root):
                    return Found(row, form, root)
    raise UsageError(_how_to_get(row, folders))


def _folders(row: DatasetRow, source: DataSource) -> list[Path]:
    if source.files is not None:
        return [Path(source.files)]
    if row.embedded:
        return [Path(__file__).parent]
    root = os.environ.get("TUNEBOOK_DATA")
    return [Path(root) / folder for folder in row.folders] if root else []


def existing(root: Path, name: str) -> Path | None:
    """The file or folder of a name, or that file gzipped; None where there is neither."""
    for path in (root / name, root / f"{name}.gz"):
        if path.exists():
            return path
    return None


def _missing(form: Form, root: Path) -> list[str]:
    required = [file for part, files in form.parts.items() if part not in form.optional for file in files]
    names = [name for file in required for name in (file.path, file.beside) if name]
    return [name for name in names if existing(root, name) is None]


def _how_to_get(row: DatasetRow, folders: list[Path]) -> str:
    places = [str(folder) for folder in folders] or [f"<TUNEBOOK_DATA>/{row.folders[0]}"]
    lines = [f"dataset {row.name!r} is not there: fetch one of these forms from {row.homepage}"]
    for form in row.forms:
        absent = min((_missing(form, folder) for folder in folders), key=len, default=_missing(form, Path()))
        lines.append(f"  {form.name}: {', '.join(absent)} (each plain or .gz)")
    lines.append(f"and put its files into {' or '.join(places)}")
    if not folders:
        lines.append("TUNEBOOK_DATA is not set: let it name the folder that holds the datasets' folders")
    return "\n".join(lines)


def load_named(row: DatasetRow, source: DataSource, *, cache: Path | None) -> Dataset:
    """The dataset of a row, from the cache where it was read before.

    Raises:
        UsageError: its files are not there, or an option is given that only own files have.
    """
    check_options(source)
    found = find(row, source)
    if source.split_seed is not None and not _cut_sizes(found.form, source):
        raise UsageError(
            f"split_seed = {source.split_seed} is for what is cut by a hash, but the splits of {row.name!r} are its "
            "owners'; leave it out"
        )
    options = {
        "name": row.name,
        "form": repr(found.form),
        "encoding": source.encoding,
        "validation": source.validation,
        "train_size": source.train_size,
        "split_seed": source.split_seed,
        "keep_leaks": source.keep_leaks,
        "drop_bad": source.drop_bad,
    }
    key = dataset_key(found.files(), options=options) if cache is not None else ""
    return cached(cache, key, lambda: load_row(found, source))


def load_row(found: Found, source: DataSource) -> Dataset:
    """The dataset of a row, read from the files that were found.

    Raises:
        DataRejected: bad rows, unknown labels or wrong bytes (see `Faults` and `decoded_lines`).
    """
    row, form = found.row, found.form
    faults = Faults(allowed=source.drop_bad)
    parts: dict[str, Rows] = {}
    absent = []
    for name in form.parts:
        if name == "validation" and source.validation == "none":
            continue
        rows = _read_part(found, name, source=source, faults=faults)
        if rows is None:
            absent.append(name)
        else:
            parts[name] = rows
    notes: dict[str, Any] = {
        "form": form.name,
        "rows_read": {name: rows.read for name, rows in parts.items()},
        "empty_dropped": {name: rows.empty for name, rows in parts.items()},
        "bad_dropped": faults.count,
        "skipped": {name: dict(rows.skipped) for name, rows in parts.items() if rows.skipped},
        "not_offered": absent,
    }
    if source.split_seed is not None:
        notes["split"] = f"by rank of the text's hash, with split_seed {source.split_seed}"
    parts = with_ids(parts)
    if not source.keep_leaks:  # before the cut, so that validation has its exact size
        parts, notes["leaks"] = drop_leaks(parts, keep=False)
    splits = _cut(parts, form, source)
    identity = Identity(row.name, row.task, row.label_names, row.redistributable, row.licence)
    return assemble(splits, identity=identity, source=source, notes=notes)


def _cut_sizes(form: Form, source: DataSource, rows: int | None = None) -> dict[str, int]:
    """How many rows of the train part (its usual number, or `rows`) go to each split that is cut from it."""
    if form.cut is None:
        return {}
    sizes = form.cut.sizes(form.cut.of if rows is None else rows)
    return {
        name: size
        for name, size in sizes.items()
        if size and (name, source.validation) != ("validation", "none")
    }


def _cut(parts: Mapping[str, Rows], form: Form, source: DataSource) -> dict[str, Rows]:
    splits = dict(parts)
    if form.cut is not None:
        train = splits.pop("train")
        sizes = _cut_sizes(form, source, train.table.num_rows)
        keys = cutting_keys(train.keys, source.split_seed)
        splits |= {name: train.take(rows) for name, rows in cut_by_rank(keys, sizes).items()}
    return splits


def _read_part(found: Found, name: str, *, source: DataSource, faults: Faults) -> Rows | None:
    """The rows of one part; None where it is optional and absent or unlabelled."""
    row, optional = found.row, name in found.form.optional
    collector = Collector(faults=faults, score=row.task == "regression")
    for file in found.form.parts[name]:
        path = existing(found.folder, file.path)
        if path is None:
            return None
        options = dict(file.options)
        if file.beside:
            options["beside"] = existing(found.folder, file.beside)
        encoding = source.encoding if source.encoding != "utf-8" else file.encoding
        records = lookup(READERS, file.reader, "reader")(path, encoding=encoding, faults=faults, **options)
        encode, expected = _encoder(row, file)
        try:
            collector.add(
                records,
                path=path,
                prefix=prefix(file.path),
                encode=encode,
                expected=expected,
                skipped=(*file.skipped, _UNLABELLED) if optional else file.skipped,
            )
        except NoColumn:
            if optional:
                return None
            raise
    rows = collector.rows()
    if rows.read == 0:
        raise DataRejected(f"split {name!r} of {row.name} has no rows in {found.folder}; fetch it again")
    return None if optional and rows.skipped.get(_UNLABELLED) == rows.read else rows


def _encoder(row: DatasetRow, file: File) -> tuple[Encode, str]:
    if row.task == "regression":
        low, high = row.label_range or (float("-inf"), float("inf"))
        return score_encoder(low, high), f"a number from {low:g} to {high:g}"
    numbers = {raw: row.label_names.index(name) for raw, name in file.labels.items()}
    return numbers.get, "one of " + ", ".join(repr(raw) for raw in file.labels)


def prefix(path: str) -> str:
    """The start of a row's id where the owners give none: the file without its ending, as `train-`.

    Example:
        >>> prefix("blitzer/books/negative.review")
        'blitzer-books-negative-'
    """
    return re.sub(r"\.(csv|tsv|txt|review)$", "", path).replace("/", "-") + "-"
