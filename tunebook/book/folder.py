"""A run's folder, which is the truth about the run: its name, its files, and its status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import durable
from tunebook.book.lock import holder
from tunebook.book.snapshots import has_snapshots
from tunebook.errors import Failure, IntegrityError
from tunebook.names import slug

RESULT = "result.json"
TRAINED = "trained.json"
WHOLE = "model.safetensors"
ADAPTER = "adapter_model.safetensors"
_LOGS = ("metrics.jsonl", "cost.jsonl")


def folder_name(checkpoint: str, method: str, dataset: str, seed: int, run_id: str) -> str:
    """The name of a run's folder; `run_id` is the hash of its identity.

    Example:
        >>> folder_name("minilm-l6", "full", "My Reviews.csv", 0, "0123456789abcdef")
        'minilm-l6--full--my-reviews.csv--s0--0123456789ab'
    """
    return "--".join([*map(slug, (checkpoint, method, dataset)), f"s{seed}", run_id[:12]])


def read_json(path: Path) -> Any:
    """The value in a JSON file of the book, None if there is no such file.

    Raises:
        IntegrityError: the bytes are no JSON.
    """
    return durable.read_json(path) if path.exists() else None


def read_result(folder: Path) -> dict[str, Any] | None:
    """The sealed result of a finished run; None if the run is not finished."""
    result: dict[str, Any] | None = read_json(folder / RESULT)
    return result


@dataclass(frozen=True)
class Seal:
    """Word that a run's training is over, what it decided being on the disk; `seal_training` gives it."""

    folder: Path

    def __post_init__(self) -> None:
        if not (self.folder / TRAINED).is_file():
            raise Failure(f"the training of {self.folder.name} is not sealed: it has no {TRAINED}")


def seal_training(folder: Path, facts: Mapping[str, Any]) -> Seal:
    """Write down what training decided, once its weights are saved: nothing of a run is selected after that.

    A run that was killed later comes to the same facts, and gets its seal again.

    Raises:
        IntegrityError: other facts were sealed before.
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    before = read_json(folder / TRAINED)
    if before is None:
        _sync_logs(folder)
        durable.write_json(folder / TRAINED, facts)
        durable.point("training.sealed")
    elif durable.canonical_json(before) != durable.canonical_json(facts):
        raise IntegrityError(
            f"{folder / TRAINED} says {durable.canonical_json(before)}, but training came to "
            f"{durable.canonical_json(facts)}; `tunebook run --fresh` begins the run anew"
        )
    return Seal(folder)


def seal(folder: Path, result: dict[str, Any]) -> None:
    """Write a run's result, last of all its files: this makes the run finished."""
    _sync_logs(folder)
    durable.point("run.complete")
    durable.write_json(folder / RESULT, result)
    durable.point("run.sealed")


def _sync_logs(folder: Path) -> None:
    for name in _LOGS:
        if (folder / name).exists():
            durable.sync(folder / name)


def weights_file(folder: Path) -> Path | None:
    """The file with what a finished run learned: the whole model, or what is apart from its checkpoint."""
    return next((folder / name for name in (WHOLE, ADAPTER) if (folder / name).is_file()), None)


def check_weights(folder: Path, sha256: str) -> None:
    """Find a finished run's weights to be the ones that its result names by their sha256.

    Raises:
        IntegrityError: they are missing or others.
    """
    weights = weights_file(folder) or folder / WHOLE
    if not weights.is_file() or durable.sha256_file(weights) != sha256:
        raise IntegrityError(
            f"{weights} is damaged or missing: expected sha256 {sha256}; `tunebook run --fresh` makes it anew"
        )


def status(folder: Path) -> str:
    """What became of a run: finished, running, diverged, failed, interrupted or planned.

    It follows from the files and from whether a process holds the run's lock: it is right after any crash.
    """
    is_held = holder(folder) is not None  # asked first: a run may end between the two questions
    if (folder / RESULT).exists():
        return "finished"
    if is_held:
        return "running"
    failure = read_json(folder / "failure.json")
    if failure is not None:
        return str(failure["status"])
    has_begun = has_snapshots(folder) or any((folder / name).exists() for name in _LOGS)
    return "interrupted" if has_begun else "planned"
