"""Anybody's own file as a dataset: what its labels are is decided and announced, splits are by hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.assemble import Identity, assemble, with_ids
from tunebook.data.cache import cached, dataset_key
from tunebook.data.collect import Collector, Rows
from tunebook.data.dataset import Dataset, DataSource
from tunebook.data.faults import Faults
from tunebook.data.formats import OwnColumns, own_records
from tunebook.data.labels import Decision, class_name, decide, label_text
from tunebook.data.normal import as_keys
from tunebook.data.record import Record
from tunebook.data.splitting import Bands, cut_by_order, cut_by_threshold, cutting_keys
from tunebook.errors import DataRejected, UsageError
from tunebook.names import slug

if TYPE_CHECKING:
    from tunebook.data.splitting import Indices

_FEWEST_ROWS = 3
_SMALL = ("validation", "test")
_OTHER_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*|(\d{1,2}\.? )?"
    r"(mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ ,.].*",
    re.IGNORECASE,
)


def load_own(source: DataSource, *, cache: Path | None) -> Dataset:
    """The dataset of an own file, and of the test and validation files that stand beside it.

    Raises:
        UsageError: a file or column is not there, or options contradict one another.
        DataRejected: rows, labels or bytes are wrong, there are too few rows, or train lacks a class.
    """
    assert source.path is not None
    columns = _columns(source)
    paths = {"train": Path(source.path)}
    for split in _SMALL:
        given = getattr(source, split)
        if given is not None and (split, given) != ("validation", "none"):
            paths[split] = Path(given)
    if source.group is not None and len(paths) > 1:
        raise UsageError(
            f"group = {source.group!r} keeps groups apart within one file; with {', '.join(list(paths)[1:])} of its "
            "own file that cannot be promised: leave one of them out"
        )
    _check_split_seed(source)
    for path in paths.values():
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    name = slug(re.sub(r"\.(csv|tsv|jsonl|parquet)(\.gz)?$", "", Path(source.path).name, flags=re.IGNORECASE))
    options = {
        key: value for key, value in asdict(source).items() if key not in ("path", "validation", "test")
    }
    options |= {"name": name, "splits": list(paths), "validation": source.validation == "none"}
    key = dataset_key(paths.values(), options=options) if cache is not None else ""
    return cached(cache, key, lambda: _read(source, columns, paths, name))


def read_columns(path: Path, columns: Sequence[str], *, encoding: str = "utf-8") -> list[tuple[str, ...]]:
    """The texts of one column, or the pairs of two, of an own file: every row in order, empty texts too.

    Raises:
        UsageError: there is no such file, format or column, or not one or two columns are asked for.
        DataRejected: a row is bad; none is left out, because the answers are counted by row.
    """
    if not 1 <= len(columns) <= 2:
        raise UsageError(f"{len(columns)} columns are given; one is a text, two are a pair")
    faults = Faults()
    wanted = OwnColumns(columns[0], label=columns[0], pair=columns[1] if len(columns) == 2 else None)
    records = list(own_records(path, wanted, encoding=encoding, faults=faults))
    faults.check(rows_read=len(records))
    return [(one.text,) if one.pair is None else (one.text, one.pair) for one in records]


def _columns(source: DataSource) -> OwnColumns:
    if source.group is not None and source.split_by is not None:
        raise UsageError("group and split_by both say how to split; give one of them")
    text = source.text or ("text",)
    if len(text) > 2:
        raise UsageError(f"text names {len(text)} columns; one is a text, two are a pair")
    pair = text[1] if len(text) == 2 else None
    return OwnColumns(text[0], source.label or "label", pair, source.group or source.split_by)


def _check_split_seed(source: DataSource) -> None:
    """Refuse a seed for cutting where nothing is cut by a hash."""
    reason = None
    if source.split_by is not None:
        reason = f"split_by = {source.split_by!r} cuts along an order"
    elif all(getattr(source, split) is not None for split in _SMALL):
        reason = "validation and test are both given"
    if source.split_seed is not None and reason is not None:
        raise UsageError(
            f"split_seed = {source.split_seed} is for what is cut by a hash, but {reason}; leave it out"
        )


def _read(source: DataSource, columns: OwnColumns, paths: dict[str, Path], name: str) -> Dataset:
    faults = Faults(allowed=source.drop_bad)
    rows, decision = _read_main(source, columns, paths["train"], faults)
    others = {
        split: _read_other(source, columns, split, path, decision, faults)
        for split, path in paths.items()
        if split != "train"
    }
    given = with_ids({"train": rows, **others})
    bands = [("train", 0.8)]
    bands += [(split if getattr(source, split) is None else "train", 0.1) for split in _SMALL]
    cut = _cut(given["train"], source, bands)
    splits = given | {split: given["train"].take(indices) for split, indices in cut.items()}
    splits = {split: _without_values(part, source) for split, part in splits.items()}
    notes: dict[str, Any] = {
        "form": "own file",
        "decided": decision.sentence,
        "split": _split_sentence(source, bands),
        "rows_read": {split: part.read for split, part in given.items()},
        "empty_dropped": {split: part.empty for split, part in given.items()},
        "bad_dropped": faults.count,
    }
    identity = Identity(name, decision.task, decision.label_names, False, "not known: an own file")
    return assemble(splits, identity=identity, source=source, notes=notes)


def _read_main(source: DataSource, columns: OwnColumns, path: Path, faults: Faults) -> tuple[Rows, Decision]:
    """The rows of the main file, their labels decided once all were seen."""
    codes: dict[str, int] = {}

    def provisional(value: Any) -> int | None:
        text = label_text(value)
        return None if text is None else codes.setdefault(text, len(codes))

    collector = Collector(faults=faults, score=False)
    records = own_records(path, columns, encoding=source.encoding, faults=faults)
    if source.split_by is not None:
        records = _ordered(records, source.split_by, path, faults)
    collector.add(records, path=path, prefix="r", encode=provisional, expected="a value")
    rows = collector.rows()
    if rows.table.num_rows < _FEWEST_ROWS:
        raise DataRejected(
            f"{path} has {rows.table.num_rows} rows with a text and a label; train, validation and test need "
            f"at least {_FEWEST_ROWS}, and some hundreds to learn from; give more rows"
        )
    decision = decide(list(codes), column=columns.label, task=source.task)
    return _relabelled(rows, list(codes), decision), decision


def _relabelled(rows: Rows, values: list[str], decision: Decision) -> Rows:
    """Rows whose provisional numbers are replaced by those that were decided on."""
    import numpy as np
    import pyarrow as pa

    if decision.task == "regression":
        final = np.array([float(value) for value in values], dtype=np.float32)
    else:
        places = {name: index for index, name in enumerate(decision.label_names)}
        final = np.array([places[class_name(value)] for value in values], dtype=np.int64)
    labels = final[rows.table["label"].to_numpy()]
    place = rows.table.column_names.index("label")
    return replace(rows, table=rows.table.set_column(place, "label", pa.array(labels)))


def _read_other(
    source: DataSource, columns: OwnColumns, split: str, path: Path, decision: Decision, faults: Faults
) -> Rows:
    encode, expected = decision.encoder()

    def strict(value: Any) -> int | float | None:
        text = label_text(value)
        return None if text is None else encode(text)

    collector = Collector(faults=faults, score=decision.task == "regression")
    records = own_records(path, replace(columns, group=None), encoding=source.encoding, faults=faults)
    collector.add(records, path=path, prefix=f"{split}-r", encode=strict, expected=expected)
    return collector.rows()


def _ordered(records: Iterator[Record], column: str, path: Path, faults: Faults) -> Iterator[Record]:
    """The records that have a value in the column that orders them; the others are counted as bad."""
    for record in records:
        if not (record.group or "").strip():
            faults.add(path, record.line, f"no value in column {column!r}")
        else:
            yield record


def _cut(rows: Rows, source: DataSource, bands: Bands) -> dict[str, Indices]:
    if source.split_by is not None:
        return cut_by_order(_order(rows.table["group"].to_pylist(), source.split_by), bands)
    if source.group is None:
        return cut_by_threshold(cutting_keys(rows.keys, source.split_seed), bands)
    ids = rows.table["id"].to_pylist()
    groups = [group or own for group, own in zip(rows.table["group"].to_pylist(), ids, strict=True)]
    keys = as_keys([_group_key(group) for group in groups])
    return cut_by_threshold(cutting_keys(keys, source.split_seed), bands)


def _group_key(group: str) -> bytes:
    return hashlib.blake2b(group.encode(), digest_size=8).digest()


def _order(values: list[str], column: str) -> Indices:
    """The rows from oldest to newest: numbers as numbers, anything else as text (so dates must be ISO).

    Raises:
        DataRejected: values are dates that do not sort as text, such as 31.12.2024.
    """
    import numpy as np

    if any(_OTHER_DATE.fullmatch(value.strip()) for value in values):
        wrong = next(value for value in values if _OTHER_DATE.fullmatch(value.strip()))
        raise DataRejected(
            f"column {column!r} has {wrong!r}, which does not sort by date; write it as 2024-12-31"
        )
    try:
        numbers = [float(value) for value in values]
        return np.argsort(np.array(numbers), kind="stable")
    except ValueError:
        return np.array(sorted(range(len(values)), key=lambda row: values[row].strip()), dtype=np.int64)


def _without_values(rows: Rows, source: DataSource) -> Rows:
    """Rows that say which belong together but not to whom: groups as hashes, dates not at all."""
    import pyarrow as pa

    values = [None] * rows.table.num_rows if source.split_by else rows.table["group"].to_pylist()
    hidden = [None if value is None else _group_key(value).hex() for value in values]
    place = rows.table.column_names.index("group")
    return replace(rows, table=rows.table.set_column(place, "group", pa.array(hidden, pa.large_string())))


def _split_sentence(source: DataSource, bands: Bands) -> str:
    how = "by a hash of the normalised text"
    if source.group is not None:
        how = f"by a hash of column {source.group!r}, whose rows stay together"
    if source.split_by is not None:
        how = f"by column {source.split_by!r}, newest last"
    if source.split_seed is not None:
        how += f", with split_seed {source.split_seed}"
    shares: dict[str, float] = {}
    for name, share in bands:
        shares[name] = shares.get(name, 0) + share
    return f"{how}: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
