"""What `run` and `plan` share: find out what is declared, run it, and print what came of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import comparison, names, spec, toml_file
from tunebook.book import open_book
from tunebook.cli._progress import Progress
from tunebook.cli._terminal import duration, note, print_line, print_table, safe, say
from tunebook.errors import NoSpace, UsageError
from tunebook.experiment import Planned, disk_free, disk_needed, execute, plan
from tunebook.flow import Options

RESULT_COLUMNS = {
    "dataset": "dataset", "checkpoint": "checkpoint", "method": "method", "metric": "metric", "seeds": "seeds",
    "mean": "mean", "deviation": "sd", "smallest": "min", "largest": "max", "examples": "n", "seconds": "train time",
}  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """An experiment with its name and, where it came from a file, the text of it."""

    name: str
    experiment: spec.Experiment
    toml: str


def declared(
    file: Path | None,
    settings: list[str],
    *,
    checkpoint: str | None = None,
    dataset: str | None = None,
    method: str = "full",
    columns: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    seeds: int | list[int] | None = None,
    baselines: bool = True,
) -> Declared:
    """The experiment of a file, or that of the options when there is none.

    Raises:
        UsageError: both or neither are given, or the specification has faults; all of them are named.
    """
    train = {key: value for key, value in (train or {}).items() if value is not None}
    if file is not None:
        others = [name for name, value in (columns or {}).items() if value is not None]
        others += ["method"] if method != "full" else []
        if dataset or checkpoint or others:
            also = f" (--{others[0].replace('_', '-')} goes with the latter)" if others else ""
            raise UsageError(
                f"give a file, or --dataset and --checkpoint, not both{also}; change a file's keys with --set"
            )
        overrides = [f"train.{key}={value}" for key, value in train.items()]
        overrides += [f"seeds={seeds}"] if seeds is not None else []
        overrides += [] if baselines else ["baselines=false"]
        text = toml_file.read(file)
        values = toml_file.override(toml_file.parse(text, str(file)), [*overrides, *settings])
        return Declared(names.slug(file.stem), spec.experiment(values, str(file)), text)
    if not dataset or not checkpoint:
        raise UsageError(
            "give an experiment's file, or --dataset and --checkpoint; `tunebook run --help` has examples"
        )
    one = toml_file.override({"method": {"name": method}, "train": train}, settings)
    values = spec.single(
        checkpoint=checkpoint, dataset=dataset, method=one.pop("method"), seeds=seeds or 1, baselines=baselines,
        train=one.pop("train"), **(columns or {}),
    )  # fmt: skip
    name = names.slug(f"{Path(dataset).name.split('.')[0]}-{Path(checkpoint).name}-{method}", longest=60)
    return Declared(name, spec.experiment({**values, **one}, "the options"), "")


def run_declared(
    what: Declared, root: Path | None, options: Mapping[str, Any], *, is_quiet: bool, as_json: bool
) -> int:
    """Plan, run and print an experiment; the exit code of the whole.

    Raises:
        TunebookError: no run can begin, for want of data or a checkpoint; JSON says so of every run instead.
        NoSpace: less disk is free than the plan needs.
    """
    book = open_book(root)
    book.require_writable()
    chosen = Options(**options)
    planned = plan(what.experiment.runs(), book, allow_download=chosen.allow_download)
    if not as_json:
        _require_one_that_can_begin(planned)
    _announce(planned)
    if (needed := disk_needed(planned, keep=chosen.keep)) > (free := disk_free(book)):
        raise NoSpace(
            f"the plan needs up to {needed:,} bytes of disk, {free:,} are free at {book.root}; "
            "make room, or run with --keep none"
        )
    book.record_experiment(
        what.name,
        what.toml,
        what.experiment.model_dump(),
        [item.prepared.run_id for item in planned if item.prepared],
    )
    outcome = execute(planned, book, chosen, Progress(what.name, is_quiet=is_quiet))
    if as_json:
        for run in outcome.runs:
            print_line(run)
    else:
        print_results(outcome.runs)
        _print_whereabouts(outcome.runs, book.root)
    return outcome.exit_code


def _require_one_that_can_begin(planned: list[Planned]) -> None:
    errors = [item.error for item in planned if item.error is not None]
    if len(errors) == len(planned):
        different = {str(error): error for error in errors}
        raise type(errors[0])("\n".join(different))


def print_results(
    runs: list[dict[str, Any]], *, metric: str | None = None, split: str = "test"
) -> list[dict[str, Any]]:
    """Print the table of what is finished, and what the spread means; returns its rows."""
    rows = comparison.table(runs, metric=metric, split=split)
    if rows:
        print_table([{**row, "seconds": _seconds(row)} for row in rows], RESULT_COLUMNS)
    return rows


def _seconds(row: Mapping[str, Any]) -> str:
    return duration(row["train_seconds"]) if row["train_seconds"] is not None else "-"


def _announce(planned: list[Planned]) -> None:
    """Say once per dataset what was decided and dropped while it was read."""
    seen: set[str] = set()
    for item in planned:
        if item.prepared is None or item.prepared.dataset.name in seen:
            continue
        dataset = item.prepared.dataset
        seen.add(dataset.name)
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
        say(f"{safe(dataset.name)}: {sizes}")
        for name, value in dataset.notes.items():
            if text := note(value):
                say(f"  {name.replace('_', ' ')}: {safe(text)}")


def _print_whereabouts(runs: list[dict[str, Any]], root: Path) -> None:
    finished = [run for run in runs if run["status"] == "finished"]
    shown = root if not root.is_relative_to(Path.cwd()) else root.relative_to(Path.cwd())
    print(f"\nStored in {shown}: {len(finished)} of {len(runs)} runs are finished.")
    trained = [run for run in finished if run["checkpoint"] != spec.NO_CHECKPOINT]
    if not trained:
        return
    best = max(trained, key=_score)
    short, program = best["run"][:8], _program()
    metric = "f1" if "f1" in best["metrics"]["test"] else "spearman"
    print("Try next:")
    print(f'  {program} predict {short} "Not what I expected, and I mean that kindly."')
    print(f"  {program} show {short}")
    print(f"  {program} compare --metric {metric}")


def _score(run: Mapping[str, Any]) -> float:
    scores = run["metrics"]["test"]
    return scores.get("accuracy") or scores.get("pearson") or 0.0


def _program() -> str:
    """How the user called this: by name where the shell finds it, by path in an environment that is not active."""
    if shutil.which("tunebook"):
        return "tunebook"
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return "python -m tunebook"
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
