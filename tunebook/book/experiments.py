"""Experiments in the book: a folder each, with the TOML, what it expanded to, and the runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.names import check_name

if TYPE_CHECKING:
    from tunebook.book import Book

EXPANSION = "expansion.json"


def record_experiment(
    book: Book, name: str, toml: str, *, expansion: dict[str, Any], runs: list[str]
) -> Path:
    """Keep an experiment under its name and the hash of what it asks; its folder.

    Recorded again with more runs (data or weights have come), it is the same experiment.

    Raises:
        UsageError: the name is not safe as a folder's name.
    """
    asked = durable.canonical_json({"toml": toml, "expansion": expansion})
    digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
    folder = durable.make_folder(book.experiments / f"{check_name(name, 'experiment')}--{digest}")
    durable.write_file(folder / "experiment.toml", toml.encode())
    durable.write_json(folder / EXPANSION, {"name": name, "expansion": expansion, "runs": runs})
    book.ingest_experiment(folder)
    return folder


def experiment_folders(book: Book) -> list[Path]:
    """The folders of all experiments, by name."""
    return sorted(path.parent for path in book.experiments.glob(f"*/{EXPANSION}"))
