"""What a run needs, found: its checkpoint, its dataset, and so its identity. Needs no torch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import data, methods, metrics, spec
from tunebook.book import folder as book_folder
from tunebook.errors import Failure, UsageError
from tunebook.models import resolve

if TYPE_CHECKING:
    import numpy as np

    from tunebook.book import Book
    from tunebook.data.dataset import Dataset, Split

_OPEN = ("train", "validation")
"""The splits whose labels training may see."""


class SealedLabels:
    """The labels of a split that is measured once, at the end: only the seal of the run's training opens them."""

    def __init__(self, split: Split, folder: Path) -> None:
        self._split, self._folder = split, folder

    def open(self, seal: book_folder.Seal) -> np.ndarray:
        """The labels, `(rows,)`: int64 class numbers, or float32 scores.

        Raises:
            Failure: it is not the seal of this run's training.
        """
        if not isinstance(seal, book_folder.Seal) or seal.folder != self._folder:
            raise Failure(
                f"labels of {self._split.name} are sealed until training is: "
                f"expected the seal of {self._folder.name}, got {seal!r}"
            )
        return self._split.labels


@dataclass(frozen=True)
class Prepared:
    """A run whose checkpoint and dataset are on this machine, so that its identity is known.

    Of the dataset's splits those that training may not see have no labels; these are `sealed`.
    """

    spec: spec.RunSpec
    checkpoint: resolve.Checkpoint | None
    dataset: Dataset
    identity: dict[str, Any]
    run_id: str
    folder: Path
    sealed: Mapping[str, SealedLabels]

    def labels(self, split: str, seal: book_folder.Seal) -> np.ndarray:
        """The labels of any split, `(rows,)`, now that training is over.

        Raises:
            Failure: `seal` is another run's.
        """
        box = self.sealed.get(split)
        return self.dataset.splits[split].labels if box is None else box.open(seal)


class Shelf:
    """Checkpoints and datasets that were found already: the runs of a grid share them, and hashing takes time."""

    def __init__(self, book: Book, *, allow_download: bool = False) -> None:
        self._cache, self._allow_download = book.cache, allow_download
        self.checkpoint = functools.cache(self._checkpoint)
        self.dataset = functools.cache(self._dataset)

    def _checkpoint(self, name: str) -> resolve.Checkpoint:
        return resolve.resolve(name, allow_download=self._allow_download)

    def _dataset(self, source: data.DataSource) -> Dataset:
        return data.load(source, cache=self._cache)


def prepare(run_spec: spec.RunSpec, book: Book, shelf: Shelf | None = None) -> Prepared:
    """Find the checkpoint, read the dataset, and compute the run's identity. Needs no torch.

    Raises:
        UsageError: the checkpoint or the data is not there, or a trial's dataset has no validation split.
        DataRejected: the data is not what it should be.
        IntegrityError: the checkpoint's files are not to be trusted.
    """
    checkpoint, shelf = None, shelf or Shelf(book)
    if run_spec.checkpoint != spec.NO_CHECKPOINT:
        checkpoint = shelf.checkpoint(run_spec.checkpoint)
    whole = shelf.dataset(run_spec.dataset.source())
    dataset = _as_training_sees(whole, purpose=run_spec.purpose)
    check_select_on(run_spec.train.select_on, dataset)
    identity = spec.identity(run_spec, checkpoint.fingerprint if checkpoint else None, dataset)
    run_id = spec.fingerprint(identity)
    name = book_folder.folder_name(
        checkpoint.name if checkpoint else spec.NO_CHECKPOINT,
        run_spec.method.name,
        dataset.name,
        run_spec.seed,
        run_id,
    )
    folder = book.runs / name
    sealed = {name: SealedLabels(whole.splits[name], folder) for name in dataset.splits if name not in _OPEN}
    return Prepared(run_spec, checkpoint, dataset, identity, run_id, folder, sealed)


def _as_training_sees(dataset: Dataset, *, purpose: str) -> Dataset:
    """The dataset with the labels of train and validation alone; for a trial these are all its splits."""
    if purpose == "tune" and "validation" not in dataset.splits:
        raise UsageError(
            f"tuning needs a validation split to choose by, and {dataset.name} has none: give one, or leave "
            'validation = "none" out'
        )
    splits = {
        name: split if name in _OPEN else split.sealed()
        for name, split in dataset.splits.items()
        if name in _OPEN or purpose != "tune"
    }
    return replace(dataset, splits=splits)


def check_select_on(name: str | None, dataset: Dataset) -> None:
    """Find a metric to be one of the dataset's task, so that a snapshot or a trial can be chosen by it.

    Raises:
        UsageError: it is another task's; the message names those that there are.
    """
    fitting = [row.name for row in metrics.rows().values() if row.task == dataset.task]
    if name is not None and name not in fitting:
        raise UsageError(
            f"select_on is {name!r}, but {dataset.name} is {dataset.task}: choose of {', '.join(fitting)}"
        )


def describe(prepared: Prepared) -> dict[str, Any]:
    """What `run.json` holds: the run's identity, what was declared, what is known of its parts."""
    return {
        "run": prepared.run_id,
        "identity": prepared.identity,
        "spec": prepared.spec.model_dump(),
        "checkpoint": _of_checkpoint(prepared.checkpoint),
        "dataset": _of_dataset(prepared.dataset, data.rows().get(prepared.spec.dataset.name or "")),
        "method": _of_method(prepared.spec.method.name),
    }


def _of_checkpoint(checkpoint: resolve.Checkpoint | None) -> dict[str, Any]:
    row = checkpoint.row if checkpoint else None
    return {
        "name": checkpoint.name if checkpoint else spec.NO_CHECKPOINT,
        "repository": row.repository if row else None,
        "licence": row.licence if row else None,
        "paper": row.paper if row else None,
        "pretrained_on": row.pretrained_on if row else None,
        "seen": list(row.seen) if row else None,
    }


def _of_dataset(dataset: Dataset, row: data.DatasetRow | None) -> dict[str, Any]:
    """A dataset by what was read and, where it has a name, by its row; own files have no row."""
    return {
        "name": dataset.name,
        "task": dataset.task,
        "label_names": list(dataset.label_names),
        "is_pair": dataset.splits["train"].pairs() is not None,
        "licence": dataset.licence,
        "redistributable": dataset.redistributable,
        "notes": dict(dataset.notes),
        "repository": row.hub_repository if row else None,
        "homepage": row.homepage if row else None,
        "citation": row.citation if row else None,
        "language": row.language if row else None,
        "split_rule": row.split_rule if row else None,
        "note": row.note if row else None,
    }


def _of_method(name: str) -> dict[str, Any]:
    row = methods.method(name)
    return {"name": name, "version": row.version, "summary": row.summary, "source": row.source}
