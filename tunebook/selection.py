"""Which runs a comparison is about, what of them is missing, and the commands that would make it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tunebook import comparison, methods, metrics
from tunebook.book import folder as book_folder
from tunebook.book.experiments import (
    experiment_folder,
    experiment_folders,
    read_tuning,
    recorded_runs,
)
from tunebook.book.run_command import run_command
from tunebook.experiment import plan
from tunebook.grid import Experiment
from tunebook.registry import lookup
from tunebook.run_object import as_object
from tunebook.spec import NO_CHECKPOINT, DatasetSpec, TrainSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tunebook.book import Book


@dataclass(frozen=True)
class Selection:
    """Run objects; what is `missing`, each with its words and the command that fills it; what tuning chose; and the
    `folder` of the experiment in the book, where it is one's."""

    runs: list[dict[str, Any]]
    missing: list[dict[str, str]] = field(default_factory=list)
    tuning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder: Path | None = None

    def only(self, dataset: str | None) -> Selection:
        """The runs of one dataset, of all where it is None."""
        return replace(self, runs=[run for run in self.runs if dataset in (None, run["dataset"])])

    def add_tuning(self, families: Sequence[Mapping[str, Any]]) -> None:
        """Put to each tuned row of judged families its number of `trials`, and as `tuning` what they chose and where
        the best of fewer would be expected."""
        by_run = {run["run"]: run for run in self.runs}
        for row in (row for family in families for row in family["rows"]):
            search = self._search(by_run[row["runs"][0]])
            if search is not None:
                row["trials"] = search["budget"]["trials"]
                row["tuning"] = {
                    "chosen": search["chosen"],
                    "on_edge": search["on_edge"],
                    "expected": _expected(search),
                }

    def _search(self, run: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The search whose choice a run was made with."""
        for search in self.tuning.values():
            keys = ("checkpoint", "dataset", "train_size", "method")
            is_of_it = all(search[key] == {**run, **run["declared"]}[key] for key in keys)
            settings = {**run["settings"], **search["held"], **(search["chosen"] or {})}
            if is_of_it and search["chosen"] and run["settings"] == settings:
                return search
        return None


def of_book(book: Book, dataset: str | None = None) -> Selection:
    """Every run of the book, or of one dataset; seeds that other rows have are missing of a row that lacks them.

    Raises:
        UsageError: no run of the book is on that dataset; the message names the nearest.
    """
    listed = book.listing(with_results=False)
    if dataset is not None and listed:
        lookup({run["dataset"]: run for run in listed}, dataset, "dataset in this book")
    there = [book.runs / run["folder"] for run in listed if dataset in (None, run["dataset"])]
    runs = [run for run in map(as_object, there) if run["purpose"] == "result"]
    tuning = {
        f"{folder.name} {key}": search
        for folder in experiment_folders(book)
        for key, search in read_tuning(folder).items()
        if dataset is None or any(run["declared"]["dataset"] == search["dataset"] for run in runs)
    }
    return Selection(runs, _missing_seeds(runs, book), tuning)


def of_experiment(book: Book, name: str, toml: str, experiment: Experiment, file: str) -> Selection:
    """The runs of an experiment, as the book recorded them, or as they would be planned now."""
    folder = experiment_folder(book, name, toml, experiment.model_dump())
    tuning = read_tuning(folder)
    chosen = {key: one["chosen"] for key, one in tuning.items() if one["chosen"]}
    expected, recorded = experiment.runs(chosen), recorded_runs(folder)
    if not recorded:
        recorded = [item.prepared.run_id for item in plan(expected, book) if item.prepared]
    there = book.folders_of(recorded)
    lacking = max(len(expected), len(set(recorded))) - len(there)
    runs = [as_object(path) for path in there]
    unfinished = [run for run in runs if run["status"] != "finished"]
    untuned = len(experiment.cells()) - len(chosen) if experiment.tune else 0
    words = [_words(run) for run in unfinished]
    words += [f"runs that were never begun: {lacking}"] * bool(lacking)
    words += [f"cells that are not tuned yet: {untuned}"] * bool(untuned)
    command = f"tunebook run {shlex.quote(file)}"
    return Selection(runs, [{"what": word, "command": command} for word in words], tuning, folder)


def _expected(search: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The expected validation performance of the best of so many trials, with its 95 % interval; a trial that diverged
    counts as the worst that was seen. Empty where rounds trained on different sizes, whose values are not alike."""
    from tunebook import stats

    values = [trial["value"] for trial in search["trials"]]
    known = [value for value in values if value is not None]
    if search["budget"]["halving"] or not known:
        return []
    sign = 1 if metrics.rows()[search["metric"]].larger_is_better else -1
    risen = [sign * value for value in known]
    risen += [min(risen)] * (len(values) - len(known))
    means, (lows, highs) = stats.expected_maximum(risen), stats.expected_maximum_interval(risen)
    found = []
    for trials, (mean, *ends) in enumerate(zip(means, lows, highs, strict=True), start=1):
        low, high = sorted(sign * float(end) for end in ends)
        found.append({"trials": trials, "mean": sign * float(mean), "low": low, "high": high})
    return found


def _words(run: Mapping[str, Any]) -> str:
    return f"{_called(run)}, seed {run['seed']} ({run['status']})"


def _called(run: Mapping[str, Any]) -> str:
    """How a run's row is called, and on what it is."""
    return f"{run['checkpoint']} {comparison.method_label(run)} on {run['dataset']}"


def _missing_seeds(runs: Sequence[Mapping[str, Any]], book: Book) -> list[dict[str, str]]:
    """For every row: which seeds the fullest one of its dataset and size of train has and it lacks, and the command."""
    points: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["checkpoint"] != NO_CHECKPOINT and run["status"] == "finished":
            points.setdefault(run["point"], []).append(run)
    most: dict[tuple[Any, ...], set[tuple[Any, int]]] = {}
    for members in points.values():
        family = _family(members[0])
        most[family] = max(most.get(family, set()), _seeds(members), key=len)
    found = []
    for members in points.values():
        lacking = most[_family(members[0])] - _seeds(members)
        for cut in sorted({cut for cut, _ in lacking}):
            seeds = sorted(seed for other, seed in lacking if other == cut)
            found.append(_gap(members[0], cut, seeds, book))
    return found


def _family(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return (run["dataset"], run["train_size"], run["split_seed"] is None)


def _seeds(runs: Iterable[Mapping[str, Any]]) -> set[tuple[Any, int]]:
    """By which seed of a cut (None of the usual one) and which seed of its own each of some runs was made."""
    return {(run["split_seed"], run["seed"]) for run in runs}


def _gap(run: Mapping[str, Any], cut: int | None, seeds: Sequence[int], book: Book) -> dict[str, str]:
    """What a run's row lacks on a cut of its dataset, and the command that makes it."""
    spec = book_folder.read_json(book.runs / run["folder"] / "run.json")["spec"]
    spec["dataset"]["split_seed"] = cut
    where = "" if cut is None else f" of split {cut}"
    what = f"{_called(run)}: seeds {', '.join(map(str, seeds))}{where}"
    return {"what": what, "command": command(spec, seeds)}


# --- the command that fills a gap ---------------------------------------------------------------------------


def command(spec: Mapping[str, Any], seeds: Sequence[int]) -> str:
    """The command line that runs a specification (as `run.json` has it) with other seeds, on this machine."""
    method, train = spec["method"]["name"], TrainSpec().model_dump()
    if spec["train"]["epochs"] != train["epochs"]:  # without them there is another least number of steps
        del train["min_steps"]
    usual = {
        "dataset": {key: field.default for key, field in DatasetSpec.model_fields.items()},
        "method": methods.method(method).settings().model_dump(),
        "train": train,
    }
    return run_command(spec, ["--set", f"seeds={list(seeds)}"], usual=usual)
