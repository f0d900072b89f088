"""From rows in their splits to a dataset: leaks dropped, the subset taken, ids unique, columns in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunebook.data.collect import Rows
from tunebook.data.dataset import Dataset, DataSource, make_split
from tunebook.data.splitting import leaking, stratified_subset
from tunebook.errors import DataRejected, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

READER_VERSION = 1


@dataclass(frozen=True)
class Identity:
    """What a dataset is called and what its labels are."""

    name: str
    task: str
    label_names: tuple[str, ...]
    redistributable: bool
    licence: str


def drop_leaks(splits: Mapping[str, Rows], *, keep: bool) -> tuple[dict[str, Rows], dict[str, int]]:
    """Splits without the rows of validation that stand in test, and of train that stand in any other split.

    Also how many rows that were; with `keep` they are counted and kept.
    """
    import numpy as np

    cleaned = dict(splits)
    counts: dict[str, int] = {}
    for name in ("validation", "train"):
        others = [rows.keys for other, rows in cleaned.items() if other not in (name, "train")]
        if name in cleaned and others:
            leaks = leaking(cleaned[name].keys, np.concatenate(others))
            counts[name] = int(leaks.sum())
            if counts[name] and not keep:
                cleaned[name] = cleaned[name].take(np.flatnonzero(~leaks))
    return cleaned, counts


def assemble(
    splits: Mapping[str, Rows], *, identity: Identity, source: DataSource, notes: Mapping[str, Any]
) -> Dataset:
    """The dataset of rows that stand in their splits.

    Raises:
        DataRejected: train lacks a class, or a split has no rows.
        UsageError: `train_size` is more than there is.
    """
    cleaned, leaks = drop_leaks(splits, keep=source.keep_leaks)
    _check_not_empty(cleaned)
    if source.train_size is not None:
        cleaned["train"] = _subset(cleaned["train"], source.train_size)
    if identity.task == "classification":
        _check_classes(cleaned["train"], identity.label_names)
    tables = _tables({name: cleaned[name] for name in sorted(cleaned, key=_place)})
    before = notes.get("leaks", {})
    counted = {name: count + before.get(name, 0) for name, count in leaks.items()}
    return Dataset(
        name=identity.name,
        task=identity.task,
        label_names=identity.label_names,
        splits={name: make_split(name, table) for name, table in tables.items()},
        reader_version=READER_VERSION,
        notes={**notes, "leaks": counted, "leaks_kept": source.keep_leaks},
        redistributable=identity.redistributable,
        licence=identity.licence,
    )


def _place(split: str) -> tuple[int, str]:
    """Train, validation and test first, then what else there is."""
    usual = ("train", "validation", "test")
    return (usual.index(split) if split in usual else len(usual), split)


def _check_not_empty(splits: Mapping[str, Rows]) -> None:
    for name, rows in splits.items():
        if not rows.table.num_rows:
            raise DataRejected(
                f"split {name!r} has no rows: too few rows, or all of them were empty or stand in another "
                "split; give more rows, or the splits as files of their own"
            )


def _subset(train: Rows, size: int) -> Rows:
    if not 0 < size <= train.table.num_rows:
        raise UsageError(f"train_size = {size} is not possible: train has {train.table.num_rows} rows")
    return train.take(stratified_subset(train.keys, train.table["label"].to_numpy(), size))


def _check_classes(train: Rows, label_names: tuple[str, ...]) -> None:
    import numpy as np

    present = set(np.unique(train.table["label"].to_numpy()).tolist())
    missing = [name for index, name in enumerate(label_names) if index not in present]
    if missing:
        shown = ", ".join(repr(name) for name in missing[:5])
        raise DataRejected(
            f"train has no row of {len(missing)} of its {len(label_names)} classes: {shown}; "
            "give more rows of them, merge them into another class, or leave them out of the file"
        )


def with_ids(parts: Mapping[str, Rows]) -> dict[str, Rows]:
    """Parts whose rows have unique ids: the owners' where no other row has it, else file and line.

    It looks at all rows that were read, so that a row's id does not depend on which rows are chosen.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pa.chunked_array([chunk for rows in parts.values() for chunk in rows.table["id"].chunks])
    counted = pc.value_counts(ids)
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    named = {}
    for name, rows in parts.items():
        own, place = rows.table["id"], rows.table["place"]
        is_unique = pc.and_(pc.is_valid(own), pc.invert(pc.is_in(own, value_set=repeated)))
        table = rows.table.set_column(0, "id", pc.if_else(is_unique, own, place)).drop_columns("place")
        named[name] = replace(rows, table=table)
    return named


def _tables(splits: Mapping[str, Rows]) -> dict[str, pa.Table]:
    """Tables with columns id, text, [pair], label, [group]: the last and the pair where any row has them."""
    columns = ["id", "text", "pair", "label", "group"]
    for optional in ("pair", "group"):
        if all(rows.table[optional].null_count == rows.table.num_rows for rows in splits.values()):
            columns.remove(optional)
    return {name: rows.table.select(columns) for name, rows in splits.items()}
