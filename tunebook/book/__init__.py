"""The book: the store of runs. Folders are the truth, `book.sqlite` is an index rebuilt from them at will."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Book:
    """A book by its root folder, which need not exist until something is written."""

    root: Path

    @property
    def runs(self) -> Path:
        """Where the runs' folders lie."""
        return self.root / "runs"

    @property
    def experiments(self) -> Path:
        """Where the experiments' folders lie."""
        return self.root / "experiments"

    @property
    def cache(self) -> Path:
        """Where texts that were read and tokenised lie; all of it can be made again."""
        return self.root / "cache"

    @property
    def index(self) -> Path:
        """The SQLite file."""
        return self.root / "book.sqlite"

    def require_writable(self) -> None:
        """Make the book's folders, and find out before any work whether it can be written.

        Raises:
            UsageError: it cannot.
            NoSpace: the disk or a quota is full.
        """
        for folder in (self.root, self.runs, self.experiments, self.cache):
            durable.require_writable(folder)

    def run_folders(self) -> list[Path]:
        """The folders of all runs, by name."""
        return self._folders(self._names())

    def folders_of(self, runs: Iterable[str]) -> list[Path]:
        """The folders of some runs by their hashes, in their order, each once: those that are there."""
        by_hash = {name.rpartition("--")[2]: name for name in self._names()}
        return self._folders(by_hash[run[:12]] for run in dict.fromkeys(runs) if run[:12] in by_hash)

    def _names(self) -> list[str]:
        try:  # many thousands: a glob takes several times as long
            return sorted(os.listdir(self.runs))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _folders(self, names: Iterable[str]) -> list[Path]:
        runs = self.runs
        return [runs / name for name in names if os.path.exists(f"{runs}/{name}/run.json")]

    def document(self, run: Mapping[str, Any], name: str) -> dict[str, Any]:
        """A JSON file of a run's folder, empty where it has none.

        Raises:
            IntegrityError: the bytes are no JSON.
        """
        path = self.runs / run["folder"] / name
        return durable.read_json(path) or {} if path.exists() else {}

    def curve(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What training told by step: the lines of `metrics.jsonl`."""
        return durable.read_lines(self.runs / run["folder"] / "metrics.jsonl")

    def predictions(self, run: Mapping[str, Any], split: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels `(examples,)` and float32 logits `(examples, outputs)` of a split.

        Raises:
            IntegrityError: they are missing or damaged.
        """
        from tunebook.book.predictions import read_split

        return read_split(self.runs / run["folder"] / "predictions.parquet", split)

    def ids(self, run: Mapping[str, Any], split: str) -> Sequence[str]:
        """The ids of a split's examples, in the order of its predictions.

        Raises:
            IntegrityError: they are missing or damaged.
        """
        from tunebook.book.predictions import read_predictions

        return read_predictions(self.runs / run["folder"] / "predictions.parquet")[split][0]

    def find(self, name: str) -> Path:
        """The folder of the one run that a name, or a beginning of its hash or name, stands for.

        Raises:
            UsageError: no run fits, or several do; the message names the nearest, or all.
        """
        from tunebook.book.find import find

        return find(self.run_folders(), name)

    def listing(self, *, with_results: bool = True) -> list[dict[str, Any]]:
        """Every run as run, folder, status, checkpoint, dataset, method, seed and result, by folder name.

        Finished runs come from the index where it has them; the folders decide what there is. Without results, which
        take longest to read, a list of many thousand runs comes at once.
        """
        from tunebook.book.index import listing

        return listing(self, with_results=with_results)

    def ingest(self, run_folder: Path) -> None:
        """Bring the index up to date with a run's folder; doing it twice changes nothing.

        Raises:
            UsageError: the book is read-only.
            IntegrityError: the index is damaged; `tunebook reindex` makes it again.
        """
        from tunebook.book.index import ingest

        ingest(self, run_folder)

    def ingest_experiment(self, folder: Path) -> None:
        """Bring the index up to date with an experiment's folder.

        Raises:
            UsageError: the book is read-only.
            IntegrityError: the index is damaged; `tunebook reindex` makes it again.
        """
        from tunebook.book.index import ingest_experiment

        ingest_experiment(self, folder)

    def record_experiment(self, name: str, toml: str, expansion: dict[str, Any], runs: list[str]) -> Path:
        """Keep an experiment: its TOML, what it expanded to, and the hashes of its runs. Its folder."""
        from tunebook.book.experiments import record_experiment

        return record_experiment(self, name, toml, expansion=expansion, runs=runs)

    def reindex(self) -> int:
        """Rebuild the index from the folders; how many runs it has.

        Raises:
            UsageError: the book is read-only.
        """
        from tunebook.book.index import reindex

        return reindex(self)

    def gc(self, *, dry_run: bool) -> dict[str, Any]:
        """Remove what no run needs any more: `{"removed": [{"path", "bytes", "reason"}], "bytes": in all}`.

        Raises:
            UsageError: the book is read-only.
        """
        from tunebook.book.gc import gc

        return gc(self, dry_run=dry_run)


def open_book(root: Path | None = None) -> Book:
    """The book at `root`, else where TUNEBOOK_HOME says, else in `./book`. Nothing is made yet."""
    return Book(Path(root or os.environ.get("TUNEBOOK_HOME") or "book").absolute())
