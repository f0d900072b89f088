"""Whole files: a reader sees the old bytes or the new ones, never a part."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tunebook.durable.crash import point
from tunebook.durable.disk import saving, sync, temporary
from tunebook.errors import IntegrityError


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII. Identities are hashes of it.

    Raises:
        ValueError: a number is NaN or infinite.

    Example:
        >>> canonical_json({"b": (1, 2), "a": None})
        '{"a":null,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_bytes(value: Any) -> bytes:
    """A value as the bytes of a JSON file for people: keys sorted, one to a line.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return (json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The value in a JSON file of the book.

    Raises:
        IntegrityError: the bytes are no JSON.
        FileNotFoundError: there is no such file.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} is damaged: expected JSON ({error})") from error


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """Put a file in place, or replace one.

    Raises:
        NoSpace: the disk or a quota is full; the old file is intact.
        Failure: the folder cannot be written; the old file is intact.
    """
    with saving(path, bytes_needed=lambda: len(data)), temporary(path, Path.touch) as unfinished:
        unfinished.write_bytes(data)
        point("file.written")
        sync(unfinished)
        point("file.synced")
        os.replace(unfinished, path)
        point("file.renamed")
        sync(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Put a JSON file in place: equal values are equal bytes.

    Raises:
        ValueError: a number is NaN or infinite.
        NoSpace: the disk or a quota is full; the old file is intact.
        Failure: the folder cannot be written; the old file is intact.
    """
    write_file(path, json_bytes(value))
