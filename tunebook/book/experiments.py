"""Experiments in the book: a folder each, with the TOML, what it expanded to, and the runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.book.folder import read_json
from tunebook.names import check_name

if TYPE_CHECKING:
    from tunebook.book import Book

EXPANSION = "expansion.json"
TUNING = "tuning.json"


def experiment_folder(book: Book, name: str, toml: str, expansion: dict[str, Any]) -> Path:
    """Where an experiment lies, or would: its name, and the hash of what it asks.

    Raises:
        UsageError: the name is not safe as a folder's name.
    """
    asked = durable.canonical_json({"toml": toml, "expansion": expansion})
    digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
    return book.experiments / f"{check_name(name, 'experiment')}--{digest}"


def record_experiment(
    book: Book, name: str, toml: str, *, expansion: dict[str, Any], runs: list[str]
) -> Path:
    """Keep an experiment under its name and the hash of what it asks; its folder.

    Recorded again with more runs (data or weights have come, or tuning has chosen), it is the same experiment.

    Raises:
        UsageError: the name is not safe as a folder's name.
    """
    folder = durable.make_folder(experiment_folder(book, name, toml, expansion))
    durable.write_file(folder / "experiment.toml", toml.encode())
    durable.write_json(folder / EXPANSION, {"name": name, "expansion": expansion, "runs": runs})
    book.ingest_experiment(folder)
    return folder


def recorded_runs(folder: Path) -> list[str]:
    """The hashes of the runs of an experiment; none where it was not recorded."""
    recorded = read_json(folder / EXPANSION)
    return recorded["runs"] if recorded else []


def write_tuning(folder: Path, searches: dict[str, Any]) -> None:
    """Keep what tuning tried and chose: for each cell's key its budget, space, trials and choice."""
    durable.write_json(folder / TUNING, searches)


def read_tuning(folder: Path) -> dict[str, Any]:
    """What `write_tuning` kept; empty where nothing was tuned."""
    return read_json(folder / TUNING) or {}


def experiment_folders(book: Book) -> list[Path]:
    """The folders of all experiments, by name."""
    return sorted(path.parent for path in book.experiments.glob(f"*/{EXPANSION}"))
