"""What `run` and `plan` share: find out what is declared, run it, and print what came of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import comparison, grid, names, spec, toml_file, tune
from tunebook.book import Book, open_book
from tunebook.book.experiments import experiment_folder, recorded_runs
from tunebook.cli._progress import Progress
from tunebook.cli._terminal import duration, note, print_line, print_table, safe, say
from tunebook.errors import NoSpace, UsageError
from tunebook.experiment import Planned, disk_free, disk_needed, execute, plan
from tunebook.flow import Options
from tunebook.prepare import Prepared

RESULT_COLUMNS = {
    "dataset": "dataset", "checkpoint": "checkpoint", "method": "method", "metric": "metric", "seeds": "seeds",
    "mean": "mean", "deviation": "sd", "smallest": "min", "largest": "max", "examples": "n", "seconds": "train time",
}  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """An experiment with its name and, where it came from a file, the text of it."""

    name: str
    experiment: grid.Experiment
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
        return Declared(names.slug(file.stem), grid.experiment(values, str(file)), text)
    if not dataset or not checkpoint:
        raise UsageError(
            "give an experiment's file, or --dataset and --checkpoint; `tunebook run --help` has examples"
        )
    one = toml_file.override({"method": {"name": method}, "train": train}, settings)
    values = grid.single(
        checkpoint=checkpoint, dataset=dataset, method=one.pop("method"), seeds=seeds or 1, baselines=baselines,
        train=one.pop("train"), **(columns or {}),
    )  # fmt: skip
    name = names.slug(f"{Path(dataset).name.split('.')[0]}-{Path(checkpoint).name}-{method}", longest=60)
    return Declared(name, grid.experiment({**values, **one}, "the options"), "")


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
    progress = Progress(what.name, is_quiet=is_quiet)
    tuned = _tuned(what, book, chosen, progress, as_json=as_json) if what.experiment.tune else None
    planned = [] if tuned and tuned.is_stopped else _planned(what, book, chosen, tuned, as_json=as_json)
    outcome = execute(planned, book, chosen, progress)
    if tuned:
        outcome.codes |= tuned.outcome.codes
        outcome.runs = tuned.outcome.runs + outcome.runs
    if as_json:
        for run in outcome.runs:
            print_line(run)
    else:
        print_results(outcome.runs)
        _print_whereabouts(outcome.runs, book.root)
    return outcome.exit_code


def _tuned(what: Declared, book: Book, options: Options, progress: Progress, *, as_json: bool) -> tune.Tuned:
    """Make the trials of an experiment and keep what they chose.

    Raises:
        TunebookError: no trial can begin, for want of data or a checkpoint; JSON says so of every trial instead.
        NoSpace: less disk is free than a trial needs.
    """
    trials, _ = tune.known(what.experiment, book, allow_download=options.allow_download)
    if not as_json:
        _require_one_that_can_begin(trials)
    _announce(trials)
    _require_disk(trials, book, keep="none")
    expansion = what.experiment.model_dump()
    runs = recorded_runs(experiment_folder(book, what.name, what.toml, expansion))
    folder = book.record_experiment(what.name, what.toml, expansion, runs)
    tuned = tune.tune(what.experiment, book, folder, options, progress)
    cells = len(what.experiment.cells())
    say(f"tuned {len(tuned.chosen)} of {cells}, {len(tuned.outcome.runs)} trials in all")
    return tuned


def _planned(
    what: Declared, book: Book, options: Options, tuned: tune.Tuned | None, *, as_json: bool
) -> list[Planned]:
    """The runs of an experiment, recorded in the book.

    Raises:
        TunebookError: no run can begin, for want of data or a checkpoint; JSON says so of every run instead.
        NoSpace: less disk is free than they need.
    """
    specs = what.experiment.runs(tuned.chosen if tuned else None)
    planned = plan(specs, book, allow_download=options.allow_download)
    if not as_json:
        _require_one_that_can_begin(planned)
    if tuned is None:
        _announce(planned)
    _require_disk(planned, book, keep=options.keep)
    runs = [item.prepared.run_id for item in planned if item.prepared]
    book.record_experiment(what.name, what.toml, what.experiment.model_dump(), runs)
    return planned


def _require_one_that_can_begin(planned: list[Planned]) -> None:
    errors = [item.error for item in planned if item.error is not None]
    if planned and len(errors) == len(planned):
        different = {str(error): error for error in errors}
        raise type(errors[0])("\n".join(different))


def _require_disk(planned: list[Planned], book: Book, *, keep: str) -> None:
    if (needed := disk_needed(planned, keep=keep)) > (free := disk_free(book)):
        raise NoSpace(
            f"the plan needs up to {needed:,} bytes of disk, {free:,} are free at {book.root}; "
            "make room, or run with --keep none"
        )


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
    """Say once per dataset what was decided and dropped while it was read; of several sizes or cuts, of the first."""
    by_name: dict[str, list[Prepared]] = {}
    for prepared in (item.prepared for item in planned if item.prepared):
        by_name.setdefault(prepared.dataset.name, []).append(prepared)
    for name, alike in by_name.items():
        dataset, count = alike[0].dataset, len({prepared.spec.dataset.source() for prepared in alike})
        told = f"trials on {name}" if alike[0].spec.purpose == "tune" else name
        which = f" (the first of {count} sizes or cuts)" if count > 1 else ""
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
        say(f"{safe(told)}: {sizes}{which}")
        for name, value in dataset.notes.items():
            if text := note(value):
                say(f"  {name.replace('_', ' ')}: {safe(text)}")


def _print_whereabouts(runs: list[dict[str, Any]], root: Path) -> None:
    runs = [run for run in runs if run["purpose"] == "result"]
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
