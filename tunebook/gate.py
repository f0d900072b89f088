"""What is wrong or odd in a dataset before anything is trained on it: lengths, balance, duplicates, leaks.

It counts and takes nothing away. The labels of test are counted too; nothing that selects reads the findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tunebook import methods, metrics
from tunebook.data.dataset import Dataset, Split
from tunebook.data.normal import as_keys, text_key

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class Spread:
    """Smallest, median, 95th percentile and largest of some numbers."""

    smallest: float
    median: float
    percentile_95: float
    largest: float


@dataclass(frozen=True)
class SplitFindings:
    """The counts of one split.

    `duplicates` are rows whose normalised text stands in an earlier row of the split, `contradictions` are
    texts that stand in it under more than one label. Lengths of a pair are those of both texts together.
    `balance` has the rows of each class; scores have their spread instead.
    """

    rows: int
    characters: Spread
    words: Spread
    balance: Mapping[str, int] | None
    scores: Spread | None
    duplicates: int
    contradictions: int


@dataclass(frozen=True)
class Overlap:
    """Texts in two splits: rows of `first` whose text is in `second`, and texts that differ in label."""

    first: str
    second: str
    rows: int
    contradictions: int


@dataclass(frozen=True)
class Findings:
    """All counts of a dataset, and its notes: what was decided and dropped while it was read."""

    dataset: str
    task: str
    label_names: tuple[str, ...]
    splits: Mapping[str, SplitFindings]
    overlaps: tuple[Overlap, ...]
    notes: Mapping[str, Any]

    def as_object(self) -> dict[str, Any]:
        """The findings as nested plain values, ready for JSON; overlaps go by the names of both splits."""
        found = asdict(self)
        found["overlaps"] = {
            f"{one.first} in {one.second}": {"rows": one.rows, "contradictions": one.contradictions}
            for one in self.overlaps
        }
        return found


def check(dataset: Dataset) -> Findings:
    """Count what a dataset holds: lengths, balance, duplicates within and across splits, contradictions.

    Two texts are the same when they are so after NFKC, case folding and white space taken as one space.
    """
    keys = {name: _keys(split) for name, split in dataset.splits.items()}
    return Findings(
        dataset=dataset.name,
        task=dataset.task,
        label_names=dataset.label_names,
        splits={name: _split(split, keys[name], dataset) for name, split in dataset.splits.items()},
        overlaps=tuple(
            _overlap(dataset.splits[first], dataset.splits[second], keys)
            for first, second in combinations(dataset.splits, 2)
        ),
        notes=dict(dataset.notes),
    )


def baselines(dataset: Dataset) -> dict[str, Any]:
    """What can be had without a Transformer: the scores of every baseline, fitted on train.

    They are measured on validation, on test only where there is no validation split; `split` says which.
    """
    measured = dataset.splits["validation" if "validation" in dataset.splits else "test"]
    found: dict[str, Any] = {"split": measured.name}
    for row in methods.rows().values():
        if not row.needs_checkpoint:
            score = row.function(dataset.splits["train"], len(dataset.label_names))
            scores = metrics.evaluate(
                score(measured), measured.labels, label_names=dataset.label_names, task=dataset.task
            )
            found[row.name] = {name: value for name, value in scores.items() if name in metrics.rows()}
    return found


def _texts(split: Split) -> Iterator[tuple[str, str | None]]:
    """The texts and second texts of a split, a chunk of rows in memory at a time."""
    for start in range(0, len(split), _CHUNK_ROWS):
        texts = split.texts().slice(start, _CHUNK_ROWS).to_pylist()
        pairs = split.pairs()
        second = [None] * len(texts) if pairs is None else pairs.slice(start, _CHUNK_ROWS).to_pylist()
        yield from zip(texts, second, strict=True)


def _keys(split: Split) -> Array:
    return as_keys([text_key(text, pair) for text, pair in _texts(split)])


def _split(split: Split, keys: Array, dataset: Dataset) -> SplitFindings:
    import numpy as np

    characters, words = [], []
    for text, pair in _texts(split):
        whole = text if pair is None else f"{text} {pair}"
        characters.append(len(text) + len(pair or ""))
        words.append(len(whole.split()))
    is_scored = dataset.task == "regression"
    counts = None if is_scored else np.bincount(split.labels, minlength=len(dataset.label_names)).tolist()
    return SplitFindings(
        rows=len(split),
        characters=_spread(np.array(characters)),
        words=_spread(np.array(words)),
        balance=None if counts is None else dict(zip(dataset.label_names, counts, strict=True)),
        scores=_spread(split.labels) if is_scored else None,
        duplicates=len(keys) - len(np.unique(keys)),
        contradictions=_contradictions(keys, split.labels),
    )


def _overlap(first: Split, second: Split, keys: Mapping[str, Array]) -> Overlap:
    import numpy as np

    in_second = np.isin(keys[first.name], keys[second.name])
    in_first = np.isin(keys[second.name], keys[first.name])
    shared = np.concatenate([keys[first.name][in_second], keys[second.name][in_first]])
    labels = np.concatenate([first.labels[in_second], second.labels[in_first]])
    return Overlap(first.name, second.name, int(in_second.sum()), _contradictions(shared, labels))


def _contradictions(keys: Array, labels: Array) -> int:
    """How many texts stand under more than one label."""
    import numpy as np

    _, codes = np.unique(labels, return_inverse=True)
    distinct = np.unique(np.stack([keys, codes.astype(np.uint64)], axis=1), axis=0)
    _, times = np.unique(distinct[:, 0], return_counts=True)
    return int((times > 1).sum())


def _spread(values: Array) -> Spread:
    import numpy as np

    return Spread(*(float(value) for value in np.percentile(values, [0, 50, 95, 100])))
