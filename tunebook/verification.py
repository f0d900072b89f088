"""A published run made again and compared: the same bytes in the same environment, else within an interval."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunebook import environment, spec
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.predictions import read_predictions
from tunebook.errors import DataRejected, UsageError
from tunebook.experiment import Planned, Watcher, execute, plan
from tunebook.flow import Options
from tunebook.publish.log_odds import reduced, restored

if TYPE_CHECKING:
    import numpy as np

    from tunebook.publish.open_data import Published

    Predicted = tuple[Sequence[str], np.ndarray, np.ndarray]
    """Ids, labels and logits of a split."""

Word = Literal["identical", "within the interval", "differs", "other inputs", "cannot be run here"]
FAILED: tuple[Word, ...] = ("differs", "other inputs")
"""Verdicts that end the command with the code of a mismatch."""
_Z = 2.5758
"""Quantile of the normal distribution for intervals at 99 %: a run made elsewhere is compared once for each metric."""
_DIGESTS = ("weights_sha256", "optimizer_sha256")


@dataclass(frozen=True)
class Recorded:
    """A run as it was recorded: what was asked (`run.json`), its `result`, its environment, and its predictions.

    `is_exact` is False where the predictions are published log-odds of 16 bits; the new ones are then rounded alike.
    """

    declared: Mapping[str, Any]
    result: Mapping[str, Any]
    environment: Mapping[str, Any]
    predictions: Mapping[str, Predicted]
    is_exact: bool = True

    @property
    def name(self) -> str:
        """The beginning of the run's hash."""
        return str(self.declared["run"])[:12]


@dataclass(frozen=True)
class Verdict:
    """What became of a run that was made again: a word, why, and what differs, a sentence each."""

    run: str
    word: Word
    why: str
    differences: Sequence[str] = field(default_factory=list)


def of_folder(folder: Path) -> Recorded:
    """A finished run of a book.

    Raises:
        UsageError: the run is not finished.
        IntegrityError: its files are damaged.
    """
    result = book_folder.read_result(folder)
    if result is None:
        raise UsageError(
            f"{folder.name} is {book_folder.status(folder)}: only a finished run can be made again and compared"
        )
    found = read_predictions(folder / "predictions.parquet")
    is_imported = (folder / "imported.json").exists()
    return Recorded(
        book_folder.read_json(folder / "run.json"),
        result,
        book_folder.read_json(folder / "environment.json") or {},
        found,
        is_exact=not is_imported,
    )


def of_published(published: Published) -> list[Recorded]:
    """The runs of open data.

    Raises:
        IntegrityError: predictions are missing or damaged.
    """
    found = []
    for name, one in published.runs.items():
        run = published.as_object(name)
        predictions = {
            split: (published.ids(run, split), *published.predictions(run, split))
            for split in one["predictions"]
        }
        found.append(
            Recorded(one["declared"], one["result"], one["environment"], predictions, is_exact=False)
        )
    return found


def verify(
    recorded: Recorded, watcher: Watcher, *, options: Options | None = None, keep: Path | None = None
) -> Verdict:
    """Make a run again in a book of its own, and compare: the book that it came from is not touched.

    In the environment that it was made in, everything must be equal: digests of weights and optimiser, predictions
    and scores. In another one, arithmetic differs in its last bits, and training amplifies that; then, on each split,
    the share of examples that is right (of scores: the squared error) must agree within the 99 % interval of the
    paired difference by example, which the examples that only one of the two has right make wide. Other inputs than
    the recorded ones are never run. `keep` is a folder for the new book; without it the book is removed.

    Raises:
        Interrupted: a signal asked to stop.
    """
    if keep is not None:
        return _verify(recorded, watcher, options or Options(), Book(keep.absolute()))
    with tempfile.TemporaryDirectory(prefix="tunebook-verify-") as folder:
        return _verify(recorded, watcher, options or Options(), Book(Path(folder)))


def _verify(recorded: Recorded, watcher: Watcher, options: Options, book: Book) -> Verdict:
    planned = _planned(recorded, book, options)
    if isinstance(planned, Verdict):
        return planned
    outcome = execute([planned], book, options, watcher)
    run = outcome.runs[0] if outcome.runs else {"status": "interrupted"}
    if run["status"] != "finished":
        return Verdict(
            recorded.name, "cannot be run here", f"it {run['status']}: {run.get('error', 'stopped')}"
        )
    return compare(recorded, of_folder(book.runs / run["folder"]))


def _planned(recorded: Recorded, book: Book, options: Options) -> Planned | Verdict:
    """The run to make; a verdict where it cannot be made, or where it would be another one."""
    try:
        asked = spec.RunSpec.model_validate({**recorded.declared["spec"]})
    except ValueError as error:
        return Verdict(
            recorded.name, "cannot be run here", f"this Tunebook does not read what was asked: {error}"
        )
    (planned,) = plan([asked], book, allow_download=options.allow_download)
    if planned.prepared is None:
        return Verdict(recorded.name, "cannot be run here", str(planned.error))
    if planned.prepared.run_id == recorded.declared["run"]:
        return planned
    others = list(_other(recorded.declared["identity"], planned.prepared.identity))
    return Verdict(recorded.name, "other inputs", "what is here is not what it was made from", others)


def _other(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Which parts of an identity differ."""
    for key in sorted({*before, *now}):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _other(one, other, f"{where}{key}.")
        elif one != other:
            yield f"{where}{key} was {one!r}, is {other!r}"


# --- comparing ---------------------------------------------------------------------------------------------------


def compare(recorded: Recorded, again: Recorded) -> Verdict:
    """The verdict on two runs of one identity.

    Raises:
        DataRejected: they were measured on different examples.
    """
    changed = environment.differences(_bare(recorded.environment), _bare(again.environment))
    found = list(_differences(recorded, again))
    if not found:
        return Verdict(recorded.name, "identical", "every digest, prediction and score is the same")
    if not changed:
        return Verdict(recorded.name, "differs", "the environment is the same, the run is not", found)
    outside = list(_outside(recorded, again))
    if outside:
        return Verdict(
            recorded.name, "differs", "beyond what another environment explains", [*outside, *changed]
        )
    told = [*found, *changed]
    return Verdict(recorded.name, "within the interval", "the environment is another one", told)


def _bare(told: Mapping[str, Any]) -> dict[str, Any]:
    """An environment without the commit of Tunebook, which the identity's versions stand for, and without its notes."""
    return {key: value for key, value in told.items() if key not in ("source", "note", "began_in")}


def _differences(recorded: Recorded, again: Recorded) -> Iterator[str]:
    """What of two runs is not the same to the last bit."""
    import numpy as np

    for key in _DIGESTS:
        if recorded.result.get(key) != again.result.get(key):
            yield f"{key} was {str(recorded.result.get(key))[:12]}, is {str(again.result.get(key))[:12]}"
    for split, scores in recorded.result["metrics"].items():
        now = again.result["metrics"].get(split, {})
        for key, value in scores.items():
            if value != now.get(key):
                yield f"{key} on {split} was {_short(value)}, is {_short(now.get(key))}"
    for split, (ids, labels, logits) in recorded.predictions.items():
        others, same, made = _aligned(again, split, ids)
        if not np.array_equal(labels, same):
            yield f"labels of {split} are others"
        kept = made if recorded.is_exact or logits.shape[1] < 2 else restored(reduced(made))
        if not np.array_equal(logits, kept, equal_nan=True):
            changed = [
                one for one, a, b in zip(others, logits.argmax(1), made.argmax(1), strict=True) if a != b
            ]
            shown = f": {', '.join(changed[:5])}" if changed else ""
            yield f"predictions on {split} are others, {len(changed):,} of {len(ids):,} of another class{shown}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]


def _aligned(again: Recorded, split: str, ids: Sequence[str]) -> Predicted:
    if split not in again.predictions or list(again.predictions[split][0]) != list(ids):
        raise DataRejected(f"the two runs were measured on different examples of {split}")
    return again.predictions[split]


def _outside(recorded: Recorded, again: Recorded) -> Iterator[str]:
    """On which splits the two runs differ by more than chance moves two models that err alike."""
    import numpy as np

    for split, (ids, labels, logits) in recorded.predictions.items():
        made = _aligned(again, split, ids)[2]
        score: Callable[[np.ndarray], np.ndarray] = _right(labels) if logits.shape[1] > 1 else _error(labels)
        by_example = score(logits) - score(made)
        difference = float(by_example.mean())
        reach = _Z * float(by_example.std(ddof=1)) / len(ids) ** 0.5 if len(ids) > 1 else 0.0
        if not np.isfinite(difference) or abs(difference) > reach:
            what = "accuracy" if logits.shape[1] > 1 else "squared error"
            yield f"{what} on {split} differs by {difference:+.4f}, more than {reach:.4f}"


def _right(labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda logits: (logits.argmax(axis=1) == labels).astype(float)


def _error(labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda scores: (scores[:, 0] - labels) ** 2
