"""A dataset as the rest of Tunebook sees it: splits of labelled texts in a fixed order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunebook.errors import Failure

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class DataSource:
    """Where texts come from: the name of a row, or the path of an own file with its columns.

    Own files are `.csv`, `.tsv`, `.jsonl` (each also `.gz`) or `.parquet`. `text` names one column, or two
    for a pair. `validation` and `test` are files with the same columns; `validation="none"` makes no
    validation split. `group` keeps the rows of one group on one side, `split_by` puts the newest last into
    test. `task` overrides what the labels look like. `train_size` takes a stratified subset of train that no
    seed changes. `split_seed` cuts otherwise what is cut by a hash: a number for each way to cut, None for the
    usual one. `keep_leaks` keeps rows of train that stand in another split (they are counted either way);
    up to `drop_bad` bad rows may be dropped. `files` is a folder to look in instead of `TUNEBOOK_DATA`'s.
    """

    name: str | None = None
    path: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    validation: str | None = None
    test: str | None = None
    group: str | None = None
    split_by: str | None = None
    task: str | None = None
    encoding: str = "utf-8"
    train_size: int | None = None
    split_seed: int | None = None
    keep_leaks: bool = False
    drop_bad: int = 0
    files: str | None = None


@dataclass(frozen=True)
class Split:
    """Texts with labels in a fixed order, in an Arrow table with columns id, text, [pair], label, [group].

    `fingerprint` is the sha256 of its rows (id, text, pair, label), 64 hex digits. A split that is sealed has the
    fingerprint of all its rows, and no column with labels.
    """

    name: str
    table: pa.Table
    fingerprint: str

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ids(self) -> list[str]:
        """The id of each row."""
        return list(self.table["id"].to_pylist())

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """The labels, `(rows,)`: int64 class numbers, or float32 scores.

        Raises:
            Failure: the split is sealed.
        """
        if "label" not in self.table.column_names:
            raise Failure(f"labels of {self.name} are sealed until training is")
        return self.table["label"].to_numpy()  # type: ignore[no-any-return]

    def texts(self) -> pa.ChunkedArray:
        """The texts, `(rows,)`."""
        return self.table["text"]

    def pairs(self) -> pa.ChunkedArray | None:
        """The second texts of pairs, `(rows,)`; None where there are none."""
        return self.table["pair"] if "pair" in self.table.column_names else None

    def sealed(self) -> Split:
        """The same texts and ids, without their labels."""
        return replace(self, table=self.table.drop_columns("label"))


@dataclass(frozen=True)
class Dataset:
    """A dataset with its splits and what was counted and decided while it was read.

    `task` is `classification` (labels are positions in `label_names`) or `regression`. `notes` are plain.
    """

    name: str
    task: str
    label_names: tuple[str, ...]
    splits: Mapping[str, Split]
    reader_version: int
    notes: Mapping[str, Any]
    redistributable: bool
    licence: str


def make_split(name: str, table: pa.Table) -> Split:
    """A split of a table, with its fingerprint."""
    return Split(name, table, fingerprint(table))


def fingerprint(table: pa.Table) -> str:
    """The sha256 of the rows of a table (id, text, pair, label); how Arrow lays them out does not matter.

    Example:
        >>> import pyarrow as pa
        >>> rows = pa.table({"id": ["a", "b"], "text": ["x", "y"], "label": [0, 1]})
        >>> fingerprint(rows) == fingerprint(pa.concat_tables([rows[:1], rows[1:]]))
        True
    """
    digest = hashlib.sha256()
    for name in ("id", "text", "pair", "label"):
        if name in table.column_names:
            digest.update(f"{name}:{table.num_rows};".encode())
            if name == "label":
                values = table[name].to_numpy()
                digest.update(f"{values.dtype.name};".encode())
                digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
            else:
                _add_texts(digest, table[name])
    return digest.hexdigest()


def _add_texts(digest: Any, column: pa.ChunkedArray) -> None:
    """First all lengths in bytes, then all bytes: no two columns of texts give the same sequence."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    digest.update(pc.binary_length(column).cast(pa.int64()).to_numpy().astype("<i8").tobytes())
    for chunk in column.cast(pa.large_string()).chunks:
        if len(chunk):
            _, places, content = chunk.buffers()
            offsets = np.frombuffer(places, dtype=np.int64)[chunk.offset :]
            digest.update(memoryview(content)[offsets[0] : offsets[len(chunk)]])
