"""`tunebook plan`: what would run, what is there already, and what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.experiment import Planned
    from tunebook.grid import Experiment

from tunebook.cli._options import Device, Download, Json, Root, Seed, Seeds, Set, chosen_seeds


def command(
    file: Annotated[Path, typer.Argument(help="A declared experiment, a TOML file.")],
    seed: Seed = None,
    seeds: Seeds = None,
    settings: Set = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Estimate time and memory from a few real steps of each kind of run."),
    ] = False,
    device: Device = "auto",
    allow_download: Download = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """Show the runs of an experiment, which of them are finished, and the disk they need; nothing is trained.

    Example: tunebook plan experiments/minilm-sst2.toml --measure
    """
    from tunebook import measure as measuring
    from tunebook.book import open_book
    from tunebook.cli import _running
    from tunebook.cli._terminal import duration, print_json, print_table, safe_lines, say, size
    from tunebook.experiment import disk_free, disk_needed

    what = _running.declared(file, settings or [], seeds=chosen_seeds(seed, seeds))
    book = open_book(root)
    planned, cells = _planned(what.experiment, book, allow_download=allow_download)
    rows = [item.as_object() for item in planned]
    if measure:
        for row, estimate in zip(rows, measuring.estimates(planned, book, device), strict=True):
            row["estimate"] = estimate
            found = estimate or {}
            row |= {key: found[key] for key in ("path", "kernel", "precision") if key in found}
    if json:
        print_json({"question": what.experiment.question, "disk_bytes": disk_needed(planned), "runs": rows})
        return
    for row in rows:
        row["short"] = row["run"][:8] if row["run"] else None
        estimate = row.get("estimate") or {}
        if estimate.get("message"):  # its weights or settings were found wrong when it was tried
            row["error"] = estimate["message"]
        row["time"] = duration(estimate["seconds"]) if estimate.get("seconds") is not None else None
        row["memory"] = size(estimate["peak_memory_bytes"]) if estimate.get("seconds") is not None else None
    columns = {"short": "run", "status": "status", "purpose": "for", "checkpoint": "checkpoint", "method": "method",
               "dataset": "dataset", "seed": "seed"}  # fmt: skip
    print_table(rows, columns | ({"time": "time", "memory": "memory"} if measure else {}))
    for path in dict.fromkeys(_path(row) for row in rows if row["path"]):
        say(f"expected path: {path}" if not measure else f"path: {path}")
    print(f"\n{len(rows)} runs, {sum(row['status'] == 'finished' for row in rows)} finished; up to "
          f"{size(disk_needed(planned))} of disk needed, {size(disk_free(book))} free at {book.root}")  # fmt: skip
    if what.experiment.tune:
        print(_waiting(what.experiment, cells, trials=sum(row["purpose"] == "tune" for row in rows)))
    for problem in dict.fromkeys(row["error"] for row in rows if "error" in row):
        say(f"missing: {safe_lines(problem)}")


def _planned(asked: Experiment, book: Book, *, allow_download: bool) -> tuple[list[Planned], int]:
    """The trials that are known and the runs that have their settings, and how many cells wait for theirs."""
    from tunebook import tune
    from tunebook.experiment import plan

    if asked.tune is None:
        return plan(asked.runs(), book, allow_download=allow_download), 0
    trials, chosen = tune.known(asked, book, allow_download=allow_download)
    runs = plan(asked.runs(chosen), book, allow_download=allow_download)
    return trials + runs, sum(cell.key not in chosen for cell in asked.cells())


def _waiting(asked: Experiment, cells: int, *, trials: int) -> str:
    """How many runs have no settings yet, and how many trials may follow those that are shown until they have."""
    assert asked.tune is not None
    runs, later = cells * len(asked.seed_list), len(asked.cells()) * sum(asked.tune.rounds) - trials
    if not runs:
        return "tuning is done"
    after = f", after up to {later} more trials" if later else ""
    return f"{runs} runs wait until tuning has chosen their settings{after}"


def _path(row: dict[str, Any]) -> str:
    return f"{row['path']} ({row['kernel']}), precision {row['precision']}"
