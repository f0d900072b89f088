"""How `behave` examines an experiment, and prints what it found."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import behaviour, selection
from tunebook.behaviour.examination import examine
from tunebook.behaviour.ground import Settings
from tunebook.book.experiments import experiment_folder
from tunebook.cli import _running
from tunebook.cli._terminal import print_table, safe, say
from tunebook.errors import UsageError

if TYPE_CHECKING:
    from tunebook.book import Book

Rows = Sequence[Mapping[str, Any]]
_NAMES = {"dataset": "dataset", "train_size": "train texts", "checkpoint": "checkpoint", "method": "method"}


def behave(
    file: Path,
    book: Book,
    *,
    texts: int,
    transfer_texts: int,
    transfer: bool | None,
    by: Sequence[str],
    seed: int,
    device: str,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Examine the finished runs of an experiment's file and keep what is found with it in the book.

    Raises:
        UsageError: the file has faults, nothing is finished, or labels cannot be mapped to other datasets'.
        IntegrityError: predictions or weights are damaged.
    """
    declared = _running.declared(file, [])
    chosen = selection.of_experiment(book, declared.name, declared.toml, declared.experiment, str(file))
    if not any(run["status"] == "finished" for run in chosen.runs):
        raise UsageError(f"no run of {file} is finished: `tunebook run {shlex.quote(str(file))}` makes them")
    transfers = (
        declared.experiment.transfer
        if transfer is None
        else transfer and (declared.experiment.transfer or True)
    )
    expansion = declared.experiment.model_dump()
    folder = experiment_folder(book, declared.name, declared.toml, expansion)
    found = examine(
        chosen.runs,
        book,
        settings=Settings(texts, transfer_texts, seed, device, tuple(by)),
        transfers=transfers,
        earlier=behaviour.read(folder),
        tell=tell,
    )
    for gap in chosen.missing:
        found["missing"].append({"what": gap["what"], "why": "not run yet"})
    if not folder.is_dir():
        runs = [run["run"] for run in chosen.runs]
        book.record_experiment(declared.name, declared.toml, expansion, runs)
    behaviour.write(folder, found)
    return found


def show(found: Mapping[str, Any]) -> None:
    """Print what was found: a table for each part, and what is missing."""
    for title, rows, columns in _tables(found):
        if rows:
            print(f"\n{title}")
            print_table(rows, _varying(rows) | columns)
    spent = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in found["seconds"].items())
    print(f"\ntime: {spent}")
    for gap in found["missing"]:
        say(f"missing: {safe(gap['what'])}: {safe(gap['why'])}")


def _varying(rows: Rows) -> dict[str, str]:
    """The columns that say of which row of the experiment a line is, without those that are the same in all."""
    return {key: title for key, title in _NAMES.items() if len({row.get(key) for row in rows}) > 1}


def _tables(found: Mapping[str, Any]) -> Iterator[tuple[str, Rows, dict[str, str]]]:
    rate = {"value": "rate", "low": "low", "high": "high"}
    capabilities = [row for row in found["robustness"] if not row["test"] and row.get("value") is not None]
    yield (
        "failure rates by capability, with 95 % intervals",
        capabilities,
        {
            "kind": "kind of test",
            "capability": "capability",
            "texts": "texts",
            "unchanged": "unchanged",
            "unseen": "unseen",
            **rate,
        },
    )
    yield (
        "calibration on test, before and after temperature scaling on validation",
        [_flat(row) for row in found["calibration"]],
        {
            "seed": "seed", "temperature": "temperature", "ece": "ECE", "ece_after": "after", "brier": "Brier",
            "brier_after": "after", "log_loss": "log loss", "log_loss_after": "after",
        },
    )  # fmt: skip
    yield (
        "accuracy where the model may abstain",
        [
            {**row, **{f"at_{level}": share for level, share in row["accuracy_at"].items()}}
            for row in found["coverage"]
        ],
        {"accuracy": "on all", "at_0.9": "on the surest 90 %", "at_0.8": "80 %", "aurc": "AURC"},
    )
    yield "the worst slice", found["worst"], {"says": "what is shown"}
    yield (
        "distance from the checkpoint, by layer",
        found["moved"],
        {"layer": "layer", "cka": "CKA", "cka_debiased": "without bias", "relative": "weights moved by"},
    )
    yield (
        "masked-word loss on plain text (nats)",
        found["forgetting"],
        {"before": "before", "after": "after", "difference": "difference"},
    )
    yield (
        "agreement of rows",
        [_agreement(row) for row in found["agreement"]],
        {
            "first": "first", "second": "second", "between": "differ on", "only_first": "first right",
            "only_second": "second right", "value": "more than seeds", "low": "low", "high": "high", "p": "p",
            "smallest_p": "smallest p",
        },
    )  # fmt: skip
    yield (
        "on other datasets",
        [{**row, "note": ("struck out: " if row["is_struck"] else "") + row["why"]} for row in found["transfer"]],
        {
            "target": "tested on", "group": "part", "texts": "texts", "value": "accuracy", "low": "low", "high": "high",
            "drop": "drop", "note": "",
        },
    )  # fmt: skip


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **row["before"], **{f"{key}_after": value for key, value in row["after"].items()}}


def _agreement(row: Mapping[str, Any]) -> dict[str, Any]:
    differ = row["where_they_differ"]
    return {**row, "only_first": differ["first"], "only_second": differ["second"], **(row["excess"] or {})}
