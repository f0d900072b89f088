"""A finished run as it was recorded, in a book or in open data: what a run that is made again is held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import metrics, run_object
from tunebook.book import folder as book_folder
from tunebook.book.predictions import read_predictions
from tunebook.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from tunebook.publish.open_data import Published

    Predicted = tuple[Sequence[str], np.ndarray, np.ndarray]
    """Ids, labels `(examples,)` and logits `(examples, outputs)` of a split."""

_IMPORTED = "imported.json"


@dataclass(frozen=True)
class Recorded:
    """A finished run as it was recorded: what its files hold, and its predictions by split.

    `memory` is where memory ran out, for passes are smaller from there on. `is_exact` is False where logits are
    published log-odds of 16 bits, the first class at 0. `spread` says how far the seeds of the run's row that are
    recorded beside it lie apart, by split and metric.
    """

    name: str
    declared: Mapping[str, Any]
    result: Mapping[str, Any]
    environment: Mapping[str, Any]
    predictions: Mapping[str, Predicted]
    is_exact: bool = True
    memory: Sequence[Sequence[int]] = ()
    spread: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of_run_folder(cls, folder: Path) -> Recorded:
        """A finished run of a book; one that was imported has the predictions that were published.

        Raises:
            UsageError: the run is not finished.
            IntegrityError: a file of it is damaged or missing.
        """
        result, declared = book_folder.read_result(folder), book_folder.read_json(folder / "run.json")
        if result is None or declared is None:
            raise UsageError(
                f"{folder.name} is {book_folder.status(folder)}, not finished: only a finished run can be made again "
                "and compared; `tunebook run` goes on with it"
            )
        path = folder / "predictions.parquet"
        if not path.is_file():
            raise IntegrityError(f"{path} is missing; `tunebook run --fresh` makes it anew")
        memory = book_folder.read_json(folder / "memory.json") or {}
        return cls(
            folder.name, declared, result, book_folder.read_json(folder / "environment.json") or {},
            read_predictions(path), is_exact=not (folder / _IMPORTED).exists(), memory=memory.get("limits", []),
            spread=_spread(run_object.as_object(folder), _beside(folder)),
        )  # fmt: skip

    @classmethod
    def of_published(cls, published: Published, name: str) -> Recorded:
        """A run of open data.

        Raises:
            IntegrityError: what is published of it is damaged or incomplete.
        """
        try:
            one, run = published.runs[name], published.as_object(name)
            predictions = {
                split: (published.ids(run, split), *published.predictions(run, split))
                for split in one["predictions"]
            }
            row = [published.as_object(other) for other in _alike(name, published.runs)]
            return cls(
                name, one["declared"], one["result"], one["environment"], predictions, is_exact=False,
                memory=one["memory"], spread=_spread(run, row),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise IntegrityError(f"{name} lacks {error}") from error

    def rounded(self, logits: np.ndarray) -> np.ndarray:
        """Logits `(examples, outputs)` in the form that this run's are recorded in, `(examples, outputs)`."""
        from tunebook.publish import log_odds

        is_classes = logits.shape[1] > 1
        return logits if self.is_exact or not is_classes else log_odds.restored(log_odds.reduced(logits))


def _alike(name: str, names: Iterable[str]) -> list[str]:
    """The names that are those of a run's row but for seed and hash, its own among them."""
    beginning = "--".join([*name.split("--")[:-2], ""])
    return [one for one in names if one.startswith(beginning)]


def _beside(folder: Path) -> list[dict[str, Any]]:
    """The finished runs of a book that are called as a run is, but for seed and hash."""
    names = _alike(folder.name, sorted(path.name for path in folder.parent.iterdir()))
    folders = [folder.parent / name for name in names]
    return [run_object.as_object(path) for path in folders if (path / book_folder.RESULT).is_file()]


def _spread(of: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The largest difference between two seeds of a run's row on its examples, by split and metric."""
    row = [run for run in runs if (run["point"], run["splits"]) == (of["point"], of["splits"])]
    found: dict[str, dict[str, float]] = {}
    for split, scores in of["metrics"].items():
        values = {name: [run["metrics"].get(split, {}).get(name) for run in row] for name in judged(scores)}
        defined = {name: [one for one in column if one is not None] for name, column in values.items()}
        found[split] = {name: max(column) - min(column) for name, column in defined.items() if column}
    return found


def judged(scores: Mapping[str, Any]) -> list[str]:
    """Which of a split's scores are metrics: single numbers with a name."""
    return [name for name in scores if name in metrics.rows()]
