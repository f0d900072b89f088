"""Predictions of a run: every example's id, label and logits, in one Parquet file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.errors import IntegrityError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Predicted = tuple[Sequence[str], np.ndarray, np.ndarray]


def write_predictions(path: Path, splits: Mapping[str, Predicted]) -> None:
    """Write the ids, labels `(examples,)` and logits `(examples, outputs)` of each split, a row per example.

    Columns: `split`, `id`, `label` (class index, or score), `logits` (float32 list). Equal predictions are
    equal bytes, and every page has a check sum.

    Raises:
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables(_table(name, *predicted) for name, predicted in splits.items())
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    durable.write_file(path, sink.getvalue().to_pybytes())


def _table(split: str, ids: Sequence[str], labels: np.ndarray, logits: np.ndarray) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    columns = np.ascontiguousarray(logits, np.float32).reshape(len(ids), -1)
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * columns.shape[1]
    kind = np.float32 if np.issubdtype(labels.dtype, np.floating) else np.int64
    return pa.table(
        {
            "split": pa.array([split] * len(ids), pa.string()),
            "id": pa.array(ids, pa.string()),
            "label": pa.array(labels.astype(kind)),
            "logits": pa.ListArray.from_arrays(offsets, pa.array(columns.ravel())),
        }
    )


def read_predictions(path: Path) -> dict[str, tuple[list[str], np.ndarray, np.ndarray]]:
    """Ids, labels `(examples,)` and float32 logits `(examples, outputs)` of each split, in order.

    Raises:
        IntegrityError: the file is damaged.
        FileNotFoundError: there is no such file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = path.read_bytes()
    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        splits = table["split"].unique().to_pylist()
        return {split: _arrays(table.filter(pa.compute.equal(table["split"], split))) for split in splits}
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error


def read_split(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels `(examples,)` and float32 logits `(examples, outputs)` of one split, without the ids, which take longest.

    Raises:
        IntegrityError: the file is missing or damaged, or has no such split.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = pa.BufferReader(path.read_bytes())
        # Neither `read_table` nor `to_numpy`: both load pandas where it is installed, which takes longer than all else.
        file = pq.ParquetFile(data, page_checksum_verification=True, read_dictionary=["split"])
        table = file.read(["split", "label", "logits"])
        names, labels, logits = (column.combine_chunks() for column in table.columns)
        rows = np.from_dlpack(names.indices) == names.dictionary.to_pylist().index(split)
        scores = np.from_dlpack(logits.flatten()).reshape(len(rows), -1)
        return np.from_dlpack(labels)[rows], scores[rows]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise IntegrityError(
            f"{path} is damaged or missing: {error}; `tunebook run --fresh` makes it anew"
        ) from error


def _arrays(table: Any) -> tuple[list[str], np.ndarray, np.ndarray]:
    logits = table["logits"].combine_chunks().flatten().to_numpy()
    return table["id"].to_pylist(), table["label"].to_numpy(), logits.reshape(len(table), -1)
