"""What a run needs, found: its checkpoint, its dataset, and so its identity. Needs no torch."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import data, metrics, spec
from tunebook.book import folder as book_folder
from tunebook.errors import UsageError
from tunebook.models import resolve

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.data.dataset import Dataset


@dataclass(frozen=True)
class Prepared:
    """A run whose checkpoint and dataset are on this machine, so that its identity is known."""

    spec: spec.RunSpec
    checkpoint: resolve.Checkpoint | None
    dataset: Dataset
    identity: dict[str, Any]
    run_id: str
    folder: Path


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
        UsageError: the checkpoint or the data is not there.
        DataRejected: the data is not what it should be.
        IntegrityError: the checkpoint's files are not to be trusted.
    """
    checkpoint, shelf = None, shelf or Shelf(book)
    if run_spec.checkpoint != spec.NO_CHECKPOINT:
        checkpoint = shelf.checkpoint(run_spec.checkpoint)
    dataset = shelf.dataset(run_spec.dataset.source())
    _check_metric(run_spec.train.select_on, dataset)
    identity = spec.identity(run_spec, checkpoint.fingerprint if checkpoint else None, dataset)
    run_id = spec.fingerprint(identity)
    name = book_folder.folder_name(
        checkpoint.name if checkpoint else spec.NO_CHECKPOINT,
        run_spec.method.name,
        dataset.name,
        run_spec.seed,
        run_id,
    )
    return Prepared(run_spec, checkpoint, dataset, identity, run_id, book.runs / name)


def _check_metric(name: str | None, dataset: Dataset) -> None:
    """Refuse to choose a snapshot by a metric that the dataset's task does not have."""
    fitting = [row.name for row in metrics.rows().values() if row.task == dataset.task]
    if name is not None and name not in fitting:
        raise UsageError(
            f"select_on is {name!r}, but {dataset.name} is {dataset.task}: choose of {', '.join(fitting)}"
        )


def describe(prepared: Prepared) -> dict[str, Any]:
    """What `run.json` holds: the run's identity, and what was declared, with names and licences."""
    checkpoint, dataset = prepared.checkpoint, prepared.dataset
    row = checkpoint.row if checkpoint else None
    return {
        "run": prepared.run_id,
        "identity": prepared.identity,
        "spec": prepared.spec.model_dump(),
        "checkpoint": {
            "name": checkpoint.name if checkpoint else spec.NO_CHECKPOINT,
            "repository": row.repository if row else None,
            "licence": row.licence if row else None,
        },
        "dataset": {
            "name": dataset.name,
            "task": dataset.task,
            "label_names": list(dataset.label_names),
            "is_pair": dataset.splits["train"].pairs() is not None,
            "licence": dataset.licence,
            "redistributable": dataset.redistributable,
            "notes": dict(dataset.notes),
        },
    }
