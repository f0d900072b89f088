"""What a dataset row declares: where a dataset comes from, in which forms, and how it is split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cut:
    """Exact sizes to cut from a file of `of` rows, in rows; `train=None` leaves all the rest to train.

    A file with clearly fewer rows (under nine tenths of `of`) is cut in the same shares.

    Example:
        >>> Cut(of=1000, validation=100).sizes(1000)
        {'test': 0, 'validation': 100}
        >>> Cut(of=1000, validation=100, test=200).sizes(50)
        {'test': 10, 'validation': 5}
    """

    of: int
    validation: int = 0
    test: int = 0
    train: int | None = None

    def sizes(self, rows: int) -> dict[str, int]:
        """How many of `rows` rows go to each split that is cut, tests first."""
        wanted = {"test": self.test, "validation": self.validation}
        if self.train is not None:
            wanted["train"] = self.train
        if rows >= 0.9 * self.of and sum(wanted.values()) <= rows:
            return wanted
        return {name: size and max(1, round(rows * size / self.of)) for name, size in wanted.items()}


@dataclass(frozen=True)
class File:
    """One file (or folder of files) of a form: which reader reads it, with which options.

    `labels` maps what the file says to the row's label names; what stands in `skipped` is left out and
    counted (a neutral class, say), and every other label is refused. `beside` is a second file that the
    reader needs. A `.gz` of the same name serves as well.
    """

    path: str
    reader: str
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    beside: str = ""
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Form:
    """One way in which a dataset is distributed: the files of each split, and what is cut from train.

    Parts named in `optional` may be absent or unlabelled; they are then not offered. `unpacked` is the folder
    that the owners' archive unpacks to; the files are found with it or without it.
    """

    name: str
    parts: Mapping[str, tuple[File, ...]]
    cut: Cut | None = None
    optional: tuple[str, ...] = ()
    unpacked: str = ""


@dataclass(frozen=True)
class DatasetRow:
    """A named dataset, as its owners describe it and as Tunebook splits it.

    Datasets of one `label_space` name the same classes: a model of one can be tried on the others.
    """

    name: str
    task: str
    label_names: tuple[str, ...]
    language: str
    licence: str
    redistributable: bool
    citation: str
    homepage: str
    hub_repository: str | None
    forms: tuple[Form, ...]
    split_rule: str
    note: str = ""
    hub_revision: str | None = None
    folder: str = ""
    label_range: tuple[float, float] | None = None
    embedded: bool = False
    label_space: str | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders under `TUNEBOOK_DATA` in which the files may lie."""
        return (self.folder, self.name) if self.folder and self.folder != self.name else (self.name,)


def by_class(paths: Mapping[str, str], *, encoding: str) -> tuple[File, ...]:
    """Files that hold one class each, a text per line: `paths` maps the label name to the file.

    Example:
        >>> [file.path for file in by_class({"negative": "a.neg", "positive": "a.pos"}, encoding="cp1252")]
        ['a.neg', 'a.pos']
    """
    return tuple(
        File(path, "lines", {"label": label}, labels={label: label}, encoding=encoding)
        for label, path in paths.items()
    )
