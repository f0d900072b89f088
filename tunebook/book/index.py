"""The index of the book: what the folders say, kept where it is found fast."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.book import database
from tunebook.book.experiments import EXPANSION, experiment_folders
from tunebook.book.folder import RESULT, read_json, read_result, status
from tunebook.errors import IntegrityError

if TYPE_CHECKING:
    from sqlite3 import Connection

    from tunebook.book import Book

_RUN = (
    "INSERT INTO runs VALUES (:run, :folder, :checkpoint, :method, :dataset, :seed, :declared, :result) "
    "ON CONFLICT (run) DO UPDATE SET folder=excluded.folder, declared=excluded.declared, "
    "result=excluded.result"
)
_EXPERIMENT = (
    "INSERT INTO experiments VALUES (:folder, :name, :toml, :expansion) ON CONFLICT (folder) DO UPDATE SET "
    "expansion=excluded.expansion"
)


def ingest(book: Book, run_folder: Path) -> None:
    """Bring the index up to date with a run's folder, which may be gone; doing it twice changes nothing.

    Raises:
        UsageError: the book is read-only.
        IntegrityError: the index, or a JSON file of the run, is damaged.
    """
    with database.writing(book.index) as connection:
        _ingest(connection, run_folder)


def ingest_experiment(book: Book, folder: Path) -> None:
    """Bring the index up to date with an experiment's folder.

    Raises:
        UsageError: the book is read-only.
        IntegrityError: the index is damaged.
    """
    with database.writing(book.index) as connection:
        _ingest_experiment(connection, folder)


def reindex(book: Book) -> int:
    """Rebuild the index from the folders, a damaged one from nothing; how many runs it has.

    Raises:
        UsageError: the book is read-only.
        IntegrityError: a JSON file of a run is damaged.
    """
    book.require_writable()
    try:
        return _rebuild(book)
    except IntegrityError:
        if _is_sound(book):
            raise
        for name in (book.index.name, f"{book.index.name}-journal"):
            (book.root / name).unlink(missing_ok=True)
        return _rebuild(book)


def _is_sound(book: Book) -> bool:
    try:
        with database.writing(book.index):
            return True
    except IntegrityError:
        return False


def _rebuild(book: Book) -> int:
    folders = book.run_folders()
    with database.writing(book.index) as connection:
        connection.execute("DELETE FROM runs")
        connection.execute("DELETE FROM experiments")
        for folder in folders:
            _ingest(connection, folder)
        for folder in experiment_folders(book):
            _ingest_experiment(connection, folder)
    return len(folders)


def _ingest(connection: Connection, run_folder: Path) -> None:
    declared = read_json(run_folder / "run.json")
    if declared is None:
        connection.execute("DELETE FROM runs WHERE folder = ?", (run_folder.name,))
        return
    result = read_result(run_folder)
    texts = {
        "declared": durable.canonical_json(declared),
        "result": None if result is None else durable.canonical_json(result),
    }
    connection.execute(_RUN, _keys(run_folder, declared) | texts)


def _keys(run_folder: Path, declared: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": declared["run"],
        "folder": run_folder.name,
        "checkpoint": declared["checkpoint"]["name"],
        "dataset": declared["dataset"]["name"],
        "method": declared["spec"]["method"]["name"],
        "seed": declared["spec"]["seed"],
    }


def _ingest_experiment(connection: Connection, folder: Path) -> None:
    expansion = durable.read_json(folder / EXPANSION)
    values = {
        "folder": folder.name,
        "name": expansion["name"],
        "toml": (folder / "experiment.toml").read_text("utf-8"),
        "expansion": durable.canonical_json(expansion),
    }
    connection.execute(_EXPERIMENT, values)


def listing(book: Book, *, with_results: bool = True) -> list[dict[str, Any]]:
    """Every run of the book, by folder name, with its status and, if finished and asked for, its result.

    What is finished and indexed is taken from the index, all else from the folders: a read-only book, one
    without an index and one whose index lags behind are listed as well.

    Raises:
        IntegrityError: a JSON file of a run is damaged.
    """
    indexed = _finished(book, with_results=with_results)
    return [
        indexed[folder.name]
        if folder.name in indexed and os.path.exists(f"{folder}/{RESULT}")
        else _listed(folder, with_results=with_results)
        for folder in book.run_folders()
    ]


def _listed(run_folder: Path, *, with_results: bool) -> dict[str, Any]:
    keys = _keys(run_folder, durable.read_json(run_folder / "run.json"))
    result = {"result": read_result(run_folder)} if with_results else {}
    return {**keys, "status": status(run_folder), **result}


def _finished(book: Book, *, with_results: bool) -> dict[str, dict[str, Any]]:
    """Finished runs as the index has them, by folder; none where it cannot be read, for the folders tell."""
    import sqlite3

    columns = "run, folder, checkpoint, dataset, method, seed" + (", result" if with_results else "")
    query = f"SELECT {columns} FROM runs WHERE result IS NOT NULL"
    try:
        with database.reading(book.index) as connection:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute(query)]
    except sqlite3.Error:
        return {}
    for row in rows:
        row["status"] = "finished"
        if with_results:
            row["result"] = json.loads(row["result"])
    return {row["folder"]: row for row in rows}
