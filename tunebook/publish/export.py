"""Out of the book and back: a book's runs as open data, and open data as runs of a book."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import behaviour, durable, gate
from tunebook.book import folder as book_folder
from tunebook.book.experiments import (
    EXPANSION,
    experiment_folders,
    read_tuning,
    recorded_runs,
    write_tuning,
)
from tunebook.book.predictions import read_predictions, write_predictions
from tunebook.errors import IntegrityError, TunebookError, UsageError
from tunebook.methods import method
from tunebook.names import inside, slug
from tunebook.publish import open_data
from tunebook.publish.checked import split_name
from tunebook.publish.open_data import BEHAVIOUR, EXPERIMENTS, GATE, RUNS, SCHEMA, SPLITS, Published

if TYPE_CHECKING:
    from tunebook.book import Book

    Texts = Callable[[Mapping[str, Any], str, Sequence[str]], Sequence[str] | None]
    """The texts of a split's examples, of a run's declaration, by their ids; None where they are not to be had."""


@dataclass
class Changes:
    """What writing changed: files `written`, `kept` as they were and `removed`, what was `skipped`, why, and files that
    are `foreign`: nobody knows whose, so they were left alone."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def put(self, folder: Path, name: str, data: bytes) -> None:
        """Write a file unless it holds these bytes already."""
        path = inside(folder, name)
        if path.is_file() and path.read_bytes() == data:
            self.kept.append(name)
            return
        durable.make_folder(path.parent)
        durable.write_file(path, data)
        self.written.append(name)


def export(book: Book, folder: Path, *, prune: bool = False, texts: Texts | None = None) -> Changes:
    """Write a book's finished runs and experiments as open data, adding and updating; what lies there else stays.

    Trials are told of with the experiment that they served. Runs that are not finished, damaged or of a newer Tunebook
    are skipped, with the reason. `prune` removes files of runs and experiments that the book does not have. `texts`
    gives those that may be shown.

    Raises:
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    changes, splits = Changes(), dict[str, bytes]()
    there, datasets = set(), dict[str, tuple[str, Mapping[str, str]]]()
    for run_folder in book.run_folders():
        try:
            value = _run(run_folder, splits, texts)
        except (TunebookError, KeyError, TypeError, ValueError) as error:
            changes.skipped[run_folder.name] = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            continue
        if isinstance(value, str):
            changes.skipped[run_folder.name] = value
        elif value is not None:
            there.add(name := f"{RUNS}/{run_folder.name}.json")
            splits_of = value["declared"]["identity"]["splits"]
            datasets.setdefault(gate.key(splits_of), (value["declared"]["dataset"]["name"], splits_of))
            changes.put(folder, name, open_data.file_bytes(value))
    for name, data in sorted(splits.items()):
        there.add(name)
        changes.put(folder, name, data)
    for experiment_folder in experiment_folders(book):
        try:
            value = _experiment(experiment_folder)
        except (TunebookError, KeyError, TypeError, ValueError, OSError) as error:
            changes.skipped[experiment_folder.name] = f"is not whole: {error}"
            continue
        there.add(name := f"{EXPERIMENTS}/{experiment_folder.name}.json")
        changes.put(folder, name, open_data.file_bytes(value))
        if found := behaviour.read(experiment_folder):
            there.add(name := f"{BEHAVIOUR}/{experiment_folder.name}.json")
            changes.put(folder, name, open_data.file_bytes({**_fit_to_show(found), "schema": SCHEMA}))
    for key, (dataset, splits_of) in sorted(datasets.items()):
        if found := gate.stored(book.root, splits_of):
            there.add(name := f"{GATE}/{slug(dataset)}--{key}.json")
            changes.put(folder, name, open_data.file_bytes({**found, "schema": SCHEMA}))
    if prune:
        _prune(folder, there, changes)
    return changes


def _run(folder: Path, splits: dict[str, bytes], texts: Texts | None) -> dict[str, Any] | str | None:
    """What is published of a run, or why it is not; None of a trial, which its experiment tells of. The examples of
    its splits are added to `splits`, by the names of their files."""
    status = book_folder.status(folder)
    if status != "finished":
        return f"is {status}: only finished runs are published"
    value = open_data.run_values(folder)
    declared = value["declared"]
    method(declared["spec"]["method"]["name"])  # a method that is gone has no defaults to be called by
    if declared["spec"].get("purpose", "result") != "result":
        return None
    is_classes = declared["dataset"]["task"] == "classification"
    value["predictions"] = {}
    for split, (ids, labels, logits) in read_predictions(folder / "predictions.parquet").items():
        name = split_name(declared["dataset"]["name"], split, declared["identity"]["splits"][split])
        value["predictions"][split] = open_data.predictions_values(name, logits, is_classes=is_classes)
        file = f"{SPLITS}/{name}.json"
        if file not in splits:
            known = texts(declared, split, ids) if texts else None
            examples = {
                "schema": SCHEMA,
                "dataset": declared["dataset"]["name"],
                "split": split,
                "fingerprint": declared["identity"]["splits"][split],
                "ids": ids,
                "labels": labels.tolist(),
            }
            splits[file] = open_data.file_bytes(examples | ({"texts": list(known)} if known else {}))
    return value


def _experiment(folder: Path) -> dict[str, Any]:
    """What is published of an experiment: its TOML, its runs, and what was tried and chosen."""
    expansion = book_folder.read_json(folder / EXPANSION)
    return {
        "schema": SCHEMA,
        "name": expansion["name"],
        "digest": folder.name.rpartition("--")[2],
        "toml": (folder / "experiment.toml").read_bytes().decode(),
        "expansion": expansion["expansion"],
        "runs": recorded_runs(folder),
        "tuning": read_tuning(folder),
    }


def _fit_to_show(found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found of behaviour, without texts that may not be shown: a book may have them from somewhere else."""

    def ids(dataset: str, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        hidden = () if open_data.may_be_shown(dataset) else ("before", "after", "text")
        return [{key: value for key, value in one.items() if key not in hidden} for one in examples]

    failed = [
        {**row, "examples": ids(row["dataset"], row["examples"])} if "examples" in row else row
        for row in found["robustness"]
    ]
    differing = [
        {
            **row,
            "contested": {
                **row["contested"],
                **{side: ids(row["dataset"], row["contested"][side]) for side in ("first", "second")},
            },
        }
        for row in found["agreement"]
    ]
    return {**_without_values(found), "robustness": failed, "agreement": differing}


def _without_values(found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found of behaviour, with numbers in place of values of columns of somebody's own data."""
    numbers: dict[str, str] = {}
    for row in found["slices"]:
        if not open_data.may_be_named(row):
            column = row["slice"].partition("=")[0]
            numbers.setdefault(row["slice"], f"{column}, value {len(numbers) + 1}")

    def named(row: Mapping[str, Any]) -> dict[str, Any]:
        known = numbers.get(row["slice"])
        if known is None:
            return dict(row)
        return {**row, "slice": known} | (
            {"says": row["says"].replace(row["slice"], known)} if "says" in row else {}
        )

    return {**found, **{part: [named(row) for row in found[part]] for part in ("slices", "worst")}}


def _prune(folder: Path, there: set[str], changes: Changes) -> None:
    for kind in (RUNS, SPLITS, EXPERIMENTS, BEHAVIOUR, GATE):
        for path in sorted((folder / kind).glob("*.json")):
            if (name := f"{kind}/{path.name}") not in there:
                path.unlink()
                changes.removed.append(name)


# --- and back ----------------------------------------------------------------------------------------------------


def bring_in(published: Published, book: Book) -> Changes:
    """Make runs of a book from open data: with their results and predictions, without weights.

    A run that the book has already stays as it is. What does not hold together (a hash that is not its identity's,
    predictions that do not give the scores) is skipped, with the reason.

    Raises:
        UsageError: the folder has no published runs, or the book cannot be written.
        NoSpace: the disk or a quota is full.
    """
    if not published.runs and not published.faults:
        raise UsageError(
            f"{published.folder} has no published runs: expected a folder with {RUNS}/, {SPLITS}/ and {EXPERIMENTS}/"
        )
    book.require_writable()
    changes, there = Changes(), {path.name for path in book.run_folders()}
    for name in published.runs:
        if name in there:
            changes.kept.append(name)
            continue
        try:
            if faults := open_data.wrong_scores(published, name):
                raise IntegrityError("; ".join(faults))
            _write_run(published, name, book.runs / name)
        except (TunebookError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            shutil.rmtree(book.runs / name, ignore_errors=True)  # nothing half-written stays
            changes.skipped[name] = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            continue
        book.ingest(book.runs / name)
        changes.written.append(name)
    for one in published.experiments.values():
        folder = book.record_experiment(one["name"], one["toml"], one["expansion"], one["runs"])
        if one["tuning"] and not read_tuning(folder):
            write_tuning(folder, one["tuning"])
        if (found := published.behaviour.get(one["file"])) and not behaviour.read(folder):
            behaviour.write(folder, {key: value for key, value in found.items() if key != "file"})
    for one in published.gate.values():
        place = durable.make_folder(book.root / gate.FOLDER) / f"{one['file']}.json"
        if not place.exists():
            durable.write_json(
                place, {key: value for key, value in one.items() if key not in ("file", "schema")}
            )
    changes.skipped.update(published.faults)
    return changes


def _write_run(published: Published, name: str, folder: Path) -> None:
    """The folder of a run that was made elsewhere; its result comes last, as everywhere."""
    one, run = published.runs[name], published.as_object(name)
    predictions = {
        split: (published.ids(run, split), *published.predictions(run, split)) for split in one["predictions"]
    }
    durable.make_folder(folder)
    durable.write_json(folder / "run.json", one["declared"])
    durable.write_json(folder / "environment.json", one["environment"])
    (folder / "cost.jsonl").unlink(missing_ok=True)
    durable.append_line(folder / "cost.jsonl", {"event": "imported", "summary": one["cost"]})
    (folder / "metrics.jsonl").unlink(missing_ok=True)
    for line in one["curve"]:
        durable.append_line(folder / "metrics.jsonl", line)
    if one["memory"]:
        durable.write_json(folder / "memory.json", {"limits": one["memory"]})
    write_predictions(folder / "predictions.parquet", predictions)
    durable.write_json(folder / "imported.json", {"schema": one["schema"]})
    book_folder.seal(folder, one["result"])


def texts_of_datasets(*, is_all: bool) -> Texts:
    """Texts read again from datasets that this machine has: of all, or of those that may be shown in public."""
    loaded: dict[str, Mapping[str, str]] = {}

    def texts(declared: Mapping[str, Any], split: str, ids: Sequence[str]) -> Sequence[str] | None:
        name = declared["spec"]["dataset"]["name"]
        if name is None or not (is_all or declared["dataset"]["redistributable"]):
            return None
        try:
            if (key := f"{name}/{split}") not in loaded:
                loaded[key] = dict(_texts(name, split))
        except TunebookError:
            return None
        known = loaded[key]
        return [known[one] for one in ids] if all(one in known for one in ids) else None

    return texts


def _texts(name: str, split: str) -> Iterator[tuple[str, str]]:
    from tunebook import data
    from tunebook.data import DataSource

    found = data.load(DataSource(name=name)).splits[split]
    pairs = found.pairs()
    seconds = pairs.to_pylist() if pairs is not None else [None] * len(found)
    for one, first, second in zip(found.ids, found.texts().to_pylist(), seconds, strict=True):
        yield one, first if second is None else f"{first} | {second}"
