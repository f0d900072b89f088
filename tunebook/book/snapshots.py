"""Snapshots of a run in progress: `checkpoint-N` after N steps, sound or set aside."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunebook import durable
from tunebook.durable.disk import discard
from tunebook.errors import IntegrityError

_NAME = re.compile(r"checkpoint-(\d+)")
_CORRUPT = ".corrupt"


def save_snapshot(
    run_folder: Path, step: int, fill: Callable[[Path], None], *, extra: dict[str, Any]
) -> None:
    """Save the state after `step` steps: `fill` writes the files, `extra` is kept in the manifest.

    The lines that the snapshot counts on reach the disk before it. `extra["best_step"]` names the snapshot
    with the best score so far, without which this one is of no use.

    Raises:
        FileExistsError: there is a snapshot of that step.
        NoSpace: the disk or a quota is full; the snapshots before are intact.
        Failure: the folder cannot be written.
    """
    for name in ("metrics.jsonl", "cost.jsonl"):
        if (run_folder / name).exists():
            durable.sync(run_folder / name)
    durable.write_folder(_path(run_folder, step), fill, manifest_extra=extra)
    durable.point("snapshot.saved")


def latest_snapshot(run_folder: Path) -> tuple[int, Path] | None:
    """The newest sound snapshot by its step number, whatever the clock said; None if none was ever saved.

    A damaged one is renamed `checkpoint-N.corrupt`, with a line in `cost.jsonl`, and the one before is tried.

    Raises:
        IntegrityError: there were snapshots, and none of them is sound.
    """
    for step in sorted(steps(run_folder), reverse=True):
        try:
            _check(run_folder, step)
            return step, _path(run_folder, step)
        except IntegrityError as error:
            _mark_corrupt(run_folder, step, reason=str(error))
    if set_aside(run_folder):
        raise IntegrityError(
            f"every snapshot of {run_folder.name} is damaged, as its cost.jsonl tells; --fresh begins it anew"
        )
    return None


def has_snapshots(run_folder: Path) -> bool:
    """Whether there is a snapshot, sound or not yet looked at."""
    return bool(steps(run_folder))


def set_aside(run_folder: Path) -> list[Path]:
    """Snapshots that were found damaged."""
    return sorted(run_folder.glob(f"checkpoint-*{_CORRUPT}"))


def prune_snapshots(run_folder: Path, keep: set[int]) -> None:
    """Remove all snapshots but those of the steps in `keep`."""
    for step in sorted(steps(run_folder) - keep):
        discard(_path(run_folder, step))
        durable.point("snapshot.pruned")


def _path(run_folder: Path, step: int) -> Path:
    return run_folder / f"checkpoint-{step}"


def steps(run_folder: Path) -> set[int]:
    """The steps of which there are snapshots, sound or not yet looked at."""
    names = [_NAME.fullmatch(path.name) for path in run_folder.glob("checkpoint-*")]
    return {int(name.group(1)) for name in names if name}


def _check(run_folder: Path, step: int) -> None:
    """Find a snapshot sound, and the one with the best score that it counts on."""
    manifest = durable.check_folder(_path(run_folder, step))
    best = manifest["extra"].get("best_step")
    if best is not None and best != step:
        durable.check_folder(_path(run_folder, best))


def _mark_corrupt(run_folder: Path, step: int, *, reason: str) -> None:
    path = _path(run_folder, step)
    corrupt = path.with_name(path.name + _CORRUPT)
    if corrupt.exists():
        discard(corrupt)
    told = {
        "event": "snapshot damaged",
        "snapshot": path.name,
        "reason": reason.replace(f"{run_folder}/", ""),
    }
    durable.append_line(run_folder / "cost.jsonl", told)
    path.rename(corrupt)
    durable.point("snapshot.set_aside")
