"""Datasets that share texts with others: a declared table, measured where both are on this machine."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunebook import data
from tunebook.data.dataset import Dataset, DataSource, Split
from tunebook.errors import TunebookError
from tunebook.gate.findings import Known


@dataclass(frozen=True)
class Declared:
    """Two datasets that share texts, why, and who says so."""

    first: str
    second: str
    why: str
    source: str


DECLARED = (
    Declared(
        "sst2",
        "movie_reviews",
        "the same sentences: SST labels anew, phrase by phrase, the sentences of these reviews",
        "Socher et al. 2013, Recursive deep models for semantic compositionality over a sentiment treebank, section 3; "
        "Pang and Lee 2005",
    ),
    Declared(
        "stsb",
        "mrpc",
        "pairs of MRPC stand in STS-B's part MSRpar",
        "Agirre et al. 2012, SemEval-2012 Task 6, section 2; Cer et al. 2017, table 1",
    ),
)


def overlaps(dataset: Dataset, *, cache: Path | None = None) -> tuple[Known, ...]:
    """What is declared of a dataset that has a name, with how many rows of each split are in the other one.

    Texts are the same when their letters and digits are, whatever their case: owners part words from signs in their own
    ways. A row of a pair counts when either of its texts is in the other dataset. Labels are not read.
    """
    found = []
    for one in DECLARED:
        if dataset.name in (one.first, one.second) and dataset.notes.get("form") != "own file":
            other = one.second if dataset.name == one.first else one.first
            found.append(Known(other, one.why, one.source, _measured(dataset, other, cache)))
    return tuple(found)


def _measured(dataset: Dataset, name: str, cache: Path | None) -> dict[str, dict[str, int]] | None:
    try:
        other = data.load(DataSource(name=name), cache=cache)
    except TunebookError:
        return None
    texts = {bare(text) for split in other.splits.values() for row in _texts(split) for text in row} - {""}
    return {
        name: {
            "rows": sum(any(bare(text) in texts for text in row) for row in _texts(split)),
            "of": len(split),
        }
        for name, split in dataset.splits.items()
    }


def _texts(split: Split) -> Iterator[tuple[str, ...]]:
    pairs = split.pairs()
    columns = [split.texts().to_pylist()] + ([] if pairs is None else [pairs.to_pylist()])
    return zip(*columns, strict=True)


def bare(text: str) -> str:
    """The letters and digits of a text, in the form in which two datasets are compared.

    Example:
        >>> bare("It 's GREAT - really .") == bare("it's great--really")
        True
    """
    whole = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return "".join(filter(str.isalnum, whole.casefold()))
