"""Findings kept in the book, once for each content of a dataset: a file that runs and `data check` write."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.data.dataset import Dataset, DataSource
from tunebook.errors import IntegrityError
from tunebook.gate.checking import check
from tunebook.names import slug

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.prepare import Prepared

FOLDER = "gate"
VERSION = 1
"""Raised when the same data would give other findings: older ones are then found again."""


def key(split_fingerprints: Mapping[str, str]) -> str:
    """12 hex digits that stand for the content of a dataset: its splits by name, each with its fingerprint.

    Example:
        >>> key({"train": "a", "test": "b"}) == key({"test": "b", "train": "a"})
        True
    """
    return hashlib.sha256(durable.canonical_json(dict(split_fingerprints)).encode()).hexdigest()[:12]


def stored(book_root: Path, split_fingerprints: Mapping[str, str]) -> dict[str, Any] | None:
    """What was found of a dataset by the fingerprints of its splits, as `identity.splits` of a run has them.

    None where nobody looked yet, or where what is there is damaged or of another version: it can be found again.
    """
    for path in sorted((book_root / FOLDER).glob(f"*--{key(split_fingerprints)}.json")):
        try:
            found = durable.read_json(path)
        except (IntegrityError, OSError):
            continue
        if isinstance(found, dict) and found.get("version") == VERSION:
            return found
    return None


def store(book_root: Path, dataset: Dataset, found: Mapping[str, Any]) -> Path:
    """Keep the findings of a dataset, in place of older ones; the file.

    Raises:
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    folder = book_root / FOLDER
    durable.sweep(durable.make_folder(folder))  # what killed processes left unfinished
    path = folder / f"{slug(dataset.name)}--{key(fingerprints(dataset))}.json"
    durable.write_json(path, {**found, "version": VERSION})
    return path


def fingerprints(dataset: Dataset) -> dict[str, str]:
    """The fingerprint of each split."""
    return {name: split.fingerprint for name, split in dataset.splits.items()}


def look_before(prepared: Prepared, book: Book) -> None:
    """Before a run's training: look at its dataset. Trials are left out, whose runs look."""
    if prepared.spec.purpose == "result":
        look_once(prepared.dataset, prepared.spec.dataset.source(), book)


def look_once(dataset: Dataset, source: DataSource, book: Book) -> None:
    """Look at a dataset that nobody looked at yet, and keep what was found.

    Only what is cheap, and only what may be seen while a run is not sealed: no label but those of train and validation.
    What goes wrong here is no fault of the run's: it says so and goes on.
    """
    if stored(book.root, fingerprints(dataset)) is not None:
        return
    try:
        found = check(dataset, source, cache=book.cache, test_labels=False)
        store(book.root, dataset, {**found.as_object(), "is_whole": False})
    except Exception as error:
        logging.getLogger(__name__).warning("the dataset was not looked at: %s", error)
