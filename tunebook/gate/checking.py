"""A whole dataset looked at: every text once, then each split, every two of them, further columns, other datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import data
from tunebook.data.dataset import Dataset, DataSource, Split
from tunebook.gate import known, metadata, near
from tunebook.gate.findings import Findings, Overlap, SplitFindings, Spread
from tunebook.gate.scan import Scanned, normal_texts, scan
from tunebook.gate.shingles import Signatures

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_OPEN = ("train", "validation")
"""The splits whose labels may be read while nothing is sealed."""
_OVERLONG_WORDS = 400
_EXAMPLES = 5

Pairs = Mapping[tuple[int, int], Sequence[tuple[int, int, float]]]


def check(
    dataset: Dataset, source: DataSource | None = None, *, cache: Path | None = None, test_labels: bool = True
) -> Findings:
    """What a dataset holds: lengths, balance, copies and near ones, contradictions, odd characters, telling columns.

    Two texts are the same when they are so after NFKC, case folding and white space taken as one space. With `source`,
    where the dataset was loaded from, the further columns of its files are looked at too, and, with `test_labels`, what
    its splits shared before it was dropped from train. `cache` is where other datasets may be kept that were read to
    compare. Without `test_labels` no label but those of train and validation is read, and nothing depends on any other.
    """
    if not test_labels:
        dataset = replace(dataset, splits={name: _open(split) for name, split in dataset.splits.items()})
    scanned = {name: scan(split) for name, split in dataset.splits.items()}
    splits, overlaps = _counted(dataset, scanned)
    return Findings(
        dataset=dataset.name,
        task=dataset.task,
        label_names=dataset.label_names,
        splits=splits,
        overlaps=overlaps,
        notes=dict(dataset.notes),
        metadata=metadata.predictive(dataset, source),
        known=known.overlaps(dataset, cache=cache),
        as_distributed=_as_distributed(dataset, source) if test_labels and source is not None else (),
    )


def _open(split: Split) -> Split:
    """A split as one may see it before training is sealed."""
    return split if split.name in _OPEN or not _has_labels(split) else split.sealed()


def _has_labels(split: Split) -> bool:
    return "label" in split.table.column_names


def _as_distributed(dataset: Dataset, source: DataSource) -> tuple[Overlap, ...]:
    """What the owners' splits share, where something was dropped for it: read again with nothing dropped."""
    if dataset.notes.get("leaks_kept") or not any(dataset.notes.get("leaks", {}).values()):
        return ()
    is_cut = source.name is not None and "validation" not in dataset.notes.get("rows_read", {})
    whole = replace(source, keep_leaks=True, train_size=None, split_seed=None)
    raw = data.load(replace(whole, validation="none") if is_cut else whole)
    _, overlaps = _counted(raw, {name: scan(split) for name, split in raw.splits.items()})
    return tuple(one for one in overlaps if one.rows or one.near)


def _counted(
    dataset: Dataset, scanned: Mapping[str, Scanned]
) -> tuple[dict[str, SplitFindings], tuple[Overlap, ...]]:
    names = list(scanned)
    found, starts = _near(dataset, scanned)
    flags = {name: found.rows[starts[i] : starts[i + 1]] for i, name in enumerate(names)}

    def examples(first: int, second: int) -> list[tuple[str, ...]]:
        one, other = dataset.splits[names[first]], dataset.splits[names[second]]
        pairs = found.examples.get((first, second), ())
        return [
            (_id(one, a - starts[first]), _id(other, b - starts[second]), f"{similar:.2f}")
            for a, b, similar in pairs
        ]

    splits = {
        name: _split(dataset, name, scanned[name], near_rows=flags[name][:, i], near_pairs=examples(i, i))
        for i, name in enumerate(names)
    }
    overlaps = tuple(
        _overlap(
            dataset.splits[names[i]],
            dataset.splits[names[j]],
            scanned,
            near_rows=(int(flags[names[i]][:, j].sum()), int(flags[names[j]][:, i].sum())),
            near_pairs=examples(i, j),
        )
        for i, j in combinations(range(len(names)), 2)
    )
    return splits, overlaps


def _near(dataset: Dataset, scanned: Mapping[str, Scanned]) -> tuple[near.Near, list[int]]:
    """Near duplicates over the rows of all splits, one split after another, and where each split begins."""
    import numpy as np

    parts = list(scanned.values())
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).tolist()
    splits = list(dataset.splits.values())

    def texts(rows: Array) -> list[str]:
        owner = np.searchsorted(starts, rows, side="right") - 1
        found: list[str] = [""] * len(rows)
        for number, split in enumerate(splits):
            places = np.flatnonzero(owner == number)
            for place, text in zip(
                places.tolist(), normal_texts(split, rows[places] - starts[number]), strict=True
            ):
                found[place] = text
        return found

    found = near.find(
        np.concatenate([part.keys for part in parts]),
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        Signatures.joined([part.signatures for part in parts]),
        texts=texts,
        characters=np.concatenate([part.normal_characters for part in parts]),
    )
    return found, starts


def _split(
    dataset: Dataset, name: str, seen: Scanned, *, near_rows: Array, near_pairs: list[tuple[str, ...]]
) -> SplitFindings:
    import numpy as np

    split, has_labels = dataset.splits[name], _has_labels(dataset.splits[name])
    is_scored = dataset.task == "regression"
    counts = None
    if has_labels and not is_scored:
        counts = np.bincount(split.labels, minlength=len(dataset.label_names)).tolist()
    overlong = np.flatnonzero(seen.words > _OVERLONG_WORDS)
    contradicting = _contradicting(seen.keys, split.labels) if has_labels else []
    examples: dict[str, list[tuple[str, ...]]] = {
        "duplicates": [(_id(split, a), _id(split, b)) for a, b in _repeated(seen.keys)],
        "near_duplicates": near_pairs,
        "contradictions": [(_id(split, a), _id(split, b)) for a, b in contradicting[:_EXAMPLES]],
        "overlong": [(_id(split, row),) for row in overlong[:_EXAMPLES].tolist()],
        "wordless": [(_id(split, row),) for row in seen.wordless[:_EXAMPLES]],
        **{kind: [(_id(split, row),) for row in rows[:_EXAMPLES]] for kind, rows in seen.decoding.items()},
    }
    return SplitFindings(
        rows=len(split),
        characters=_spread(seen.characters),
        words=_spread(seen.words),
        balance=None if counts is None else dict(zip(dataset.label_names, counts, strict=True)),
        scores=_spread(split.labels) if is_scored and has_labels else None,
        duplicates=len(seen) - len(np.unique(seen.keys)),
        identical=len(seen) - len(np.unique(seen.hashes)),
        near_duplicates=int(near_rows.sum()),
        contradictions=len(contradicting) if has_labels else None,
        overlong=len(overlong),
        wordless=len(seen.wordless),
        decoding={kind: len(rows) for kind, rows in seen.decoding.items()},
        examples={kind: tuple(rows) for kind, rows in examples.items() if rows},
    )


def _overlap(
    first: Split,
    second: Split,
    scanned: Mapping[str, Scanned],
    *,
    near_rows: tuple[int, int],
    near_pairs: list[tuple[str, ...]],
) -> Overlap:
    import numpy as np

    keys, others = scanned[first.name].keys, scanned[second.name].keys
    in_second, in_first = np.isin(keys, others), np.isin(others, keys)
    contradictions = None
    if _has_labels(first) and _has_labels(second):
        shared = np.concatenate([keys[in_second], others[in_first]])
        labels = np.concatenate([first.labels[in_second], second.labels[in_first]])
        contradictions = len(_contradicting(shared, labels))
    same = []
    for row in np.flatnonzero(in_second)[:_EXAMPLES].tolist():
        place = int(np.flatnonzero(others == keys[row])[0])
        same.append((_id(first, row), _id(second, place)))
    examples = {"rows": tuple(same), "near": tuple(near_pairs)}
    return Overlap(
        first.name,
        second.name,
        int(in_second.sum()),
        int(in_first.sum()),
        *near_rows,
        contradictions,
        {kind: rows for kind, rows in examples.items() if rows},
    )


def _id(split: Split, row: int) -> str:
    return str(split.table["id"][row].as_py())


def _repeated(keys: Array) -> Iterator[tuple[int, int]]:
    """The first pairs of rows of the same text."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    places = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    pairs = sorted(zip(order[places].tolist(), order[places + 1].tolist(), strict=True))
    yield from pairs[:_EXAMPLES]


def _contradicting(keys: Array, labels: Array) -> list[tuple[int, int]]:
    """For each text that stands under more than one label, two rows of it whose labels differ."""
    import numpy as np

    _, codes = np.unique(labels, return_inverse=True)
    order = np.lexsort((codes, keys))
    ordered, sorted_codes = keys[order], codes[order]
    differs = (ordered[1:] == ordered[:-1]) & (sorted_codes[1:] != sorted_codes[:-1])
    places = np.flatnonzero(differs)
    _, once = np.unique(ordered[places], return_index=True)
    places = places[once]
    return sorted(zip(order[places].tolist(), order[places + 1].tolist(), strict=True))


def _spread(values: Array) -> Spread:
    import numpy as np

    return Spread(*(float(value) for value in np.percentile(values, [0, 50, 95, 100])))
