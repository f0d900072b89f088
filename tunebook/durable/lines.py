"""Files of JSON lines that grow: every line has a check sum, and a torn last line does no harm."""

from __future__ import annotations

import errno
import json
import os
import zlib
from pathlib import Path
from typing import Any

from tunebook.durable.crash import point
from tunebook.durable.disk import saving
from tunebook.durable.files import canonical_json, write_file
from tunebook.errors import IntegrityError


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add a record by one write; what a killed process left of an unfinished line is cut off first.

    The line survives the process at once, and a power cut from the next `sync` of the file on, which saving a
    snapshot does.

    Raises:
        ValueError: a number is NaN or infinite.
        NoSpace: the disk or a quota is full; the lines before are intact.
        Failure: the file cannot be written.
    """
    line = _line(record)
    with saving(path, bytes_needed=lambda: len(line)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _add(descriptor, line)
        finally:
            os.close(descriptor)


def _add(descriptor: int, line: bytes) -> None:
    end = _cut_unfinished(descriptor)
    point("line.opened")
    if os.write(descriptor, line) < len(line):
        os.ftruncate(descriptor, end)
        raise OSError(errno.ENOSPC, "only a part of the line was taken")
    point("line.written")


def _cut_unfinished(descriptor: int) -> int:
    """Cut off what follows the last whole line; where that line ends."""
    size = end = os.lseek(descriptor, 0, os.SEEK_END)
    while end and os.pread(descriptor, 1, end - 1) != b"\n":
        end -= 1
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def _line(record: dict[str, Any]) -> bytes:
    return (canonical_json(record | {"crc": _crc(record)}) + "\n").encode()


def _crc(record: dict[str, Any]) -> str:
    return f"{zlib.crc32(canonical_json(record).encode()):08x}"


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None when the line is torn or damaged."""
    try:
        record: dict[str, Any] = json.loads(line)
        is_sound = line.endswith(b"\n") and record.pop("crc") == _crc(record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record if is_sound else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file, none if there is no such file; a torn last line is left out.

    Raises:
        IntegrityError: a line that is not the last one is damaged.
    """
    lines = _lines(path)
    is_torn = bool(lines) and _record(lines[-1]) is None
    return _records(path, lines[:-1] if is_torn else lines)


def truncate_lines(path: Path, count: int) -> None:
    """Keep the first `count` lines of a file; what comes after them may be damaged.

    Raises:
        IntegrityError: there are fewer sound lines.
    """
    lines = _lines(path)
    if len(_records(path, lines[:count])) < count:
        raise IntegrityError(f"{path} is damaged: it has {len(lines)} lines, expected at least {count}")
    if len(lines) > count:
        write_file(path, b"".join(lines[:count]))


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def _records(path: Path, lines: list[bytes]) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record is None:
            raise IntegrityError(f"{path} is damaged: line {number} does not fit its check sum")
        records.append(record)
    return records
