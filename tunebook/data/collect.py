"""Records into columns: empty texts dropped and counted, ids made unique, labels into numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.faults import Faults
from tunebook.data.normal import as_keys, text_key
from tunebook.data.record import Record

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tunebook.data.normal import Keys

_CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class Rows:
    """The rows of one part: an Arrow table (id, text, [pair], label, [group]) and each row's text key."""

    table: pa.Table
    keys: Keys
    read: int
    empty: int
    skipped: Mapping[str, int]

    def take(self, indices: np.ndarray[Any, Any]) -> Rows:
        """The rows at these positions, `(taken rows,)`, in this order."""
        return replace(self, table=self.table.take(indices), keys=self.keys[indices])


Encode = Callable[[Any], int | float | None]


class Collector:
    """Gathers the records of one part; memory stays near that of the Arrow table."""

    def __init__(self, *, faults: Faults, score: bool) -> None:
        self._faults = faults
        self._score = score
        self._chunks: list[pa.Table] = []
        self._keys: list[Keys] = []
        self._read = self._empty = 0
        self._skipped: Counter[str] = Counter()

    def add(
        self,
        records: Iterable[Record],
        *,
        path: Path,
        prefix: str,
        encode: Encode,
        expected: str,
        skipped: tuple[str, ...] = (),
    ) -> None:
        """Read the records of one file; `encode` gives a label's number, None for one that is not expected.

        `prefix` and the line make the id of a row to which its owners gave none.
        """
        batch = _Batch()
        for record in records:
            self._read += 1
            if is_empty(record):
                self._empty += 1
                continue
            label = encode(record.label)
            if label is None:
                self._refuse(record, path=path, expected=expected, skipped=skipped)
                continue
            batch.add(record, label, prefix)
            if len(batch.texts) == _CHUNK_ROWS:
                self._flush(batch)
                batch = _Batch()
        self._flush(batch)

    def _refuse(self, record: Record, *, path: Path, expected: str, skipped: tuple[str, ...]) -> None:
        if record.label in skipped:
            self._skipped[str(record.label)] += 1
        else:
            self._read -= 1
            self._faults.add_label(path, record.line, record.label, expected)

    def _flush(self, batch: _Batch) -> None:
        if batch.texts:
            self._chunks.append(batch.table(score=self._score))
            self._keys.append(as_keys(batch.digests))

    def rows(self) -> Rows:
        """All that was gathered.

        Raises:
            DataRejected: more rows are bad than may be dropped.
        """
        import numpy as np
        import pyarrow as pa

        self._faults.check(rows_read=self._read)
        chunks = self._chunks or [_Batch().table(score=self._score)]
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, dtype=np.uint64)
        return Rows(pa.concat_tables(chunks), keys, self._read, self._empty, dict(self._skipped))


def is_empty(record: Record) -> bool:
    """Whether a record's text, or one of its pair, has nothing but white space."""
    if not record.text or record.text.isspace():
        return True
    return record.pair is not None and not record.pair.strip()


class _Batch:
    """Some rows as lists, before they become an Arrow table."""

    def __init__(self) -> None:
        self.ids: list[str | None] = []
        self.places: list[str] = []
        self.texts: list[str] = []
        self.pairs: list[str | None] = []
        self.groups: list[str | None] = []
        self.labels: list[int | float] = []
        self.digests: list[bytes] = []

    def add(self, record: Record, label: int | float, prefix: str) -> None:
        self.ids.append(record.id)
        self.places.append(f"{prefix}{record.line}")
        self.texts.append(record.text)
        self.pairs.append(record.pair)
        self.groups.append(record.group)
        self.labels.append(label)
        self.digests.append(text_key(record.text, record.pair))

    def table(self, *, score: bool) -> pa.Table:
        import pyarrow as pa

        text = pa.large_string()
        columns = {
            "id": pa.array(self.ids, text),
            "place": pa.array(self.places, text),
            "text": pa.array(self.texts, text),
            "pair": pa.array(self.pairs, text),
            "label": pa.array(self.labels, pa.float32() if score else pa.int64()),
            "group": pa.array(self.groups, text),
        }
        return pa.table(columns)


def score_encoder(low: float, high: float) -> Encode:
    """An encoder of scores from `low` to `high`.

    Example:
        >>> score_encoder(0, 5)("2.5"), score_encoder(0, 5)("7")
        (2.5, None)
    """

    def encode(value: Any) -> float | None:
        try:
            score = float(value)
        except (TypeError, ValueError):
            return None
        return score if abs(score) < 3e38 and low <= score <= high else None

    return encode
