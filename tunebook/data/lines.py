"""Lines of a plain or gzipped text file, decoded strictly: a wrong byte is refused with row and offset."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tunebook.errors import DataRejected, UsageError

_BLOCK_BYTES = 4 << 20


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where its name ends in `.gz`."""
    return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def decoded_lines(path: Path, *, encoding: str) -> Iterator[str]:
    """The lines of a file with their newlines; a UTF-8 byte order mark is left out.

    A line ends at a newline only: other separators that `str.splitlines` knows stand inside real texts.

    Raises:
        DataRejected: a byte is not of the encoding (row and offset are told), or gzip is damaged.
        UsageError: there is no such encoding, or the file cannot be opened.
    """
    row, offset = 1, 0
    for block in _blocks(path, whole=not _keeps_ascii(encoding)):
        try:
            text = block.decode(encoding)
        except UnicodeDecodeError as error:
            row += block.count(b"\n", 0, error.start)
            raise DataRejected(_wrong_byte(path, encoding, row, offset + error.start, error)) from error
        if offset == 0:
            text = text.removeprefix("\ufeff")
        yield from _split(text)
        row += block.count(b"\n")
        offset += len(block)


def _split(text: str) -> Iterator[str]:
    lines = text.split("\n")
    last = lines.pop()
    for line in lines:
        yield line + "\n"
    if last:
        yield last


def _blocks(path: Path, *, whole: bool) -> Iterator[bytes]:
    """Blocks of some MiB that end with a newline (one block of all where the encoding needs it)."""
    try:
        with open_bytes(path) as file:
            if whole:
                yield file.read()
                return
            while block := file.read(_BLOCK_BYTES):
                yield block + file.readline()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataRejected(f"{path} is a damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _keeps_ascii(encoding: str) -> bool:
    """Whether a newline is the byte 10 in this encoding, so that blocks can be cut at it."""
    try:
        return codecs.lookup(encoding).encode("\n")[0] == b"\n"
    except (LookupError, TypeError) as error:
        raise UsageError(
            f'unknown encoding {encoding!r}; usual ones are "utf-8", "latin-1", "cp1252", "utf-16"'
        ) from error


def _wrong_byte(path: Path, encoding: str, row: int, offset: int, error: UnicodeDecodeError) -> str:
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    is_utf16 = offset == 0 and bytes(error.object[:2]) in marks
    suggestion = 'encoding = "utf-16"' if is_utf16 else 'encoding = "latin-1" or "cp1252"'
    return (
        f"{path}: row {row}, byte {offset} is 0x{error.object[error.start]:02x}, which is not {encoding} "
        f"({error.reason}); encodings are never guessed: if you know that it is another one, say so, "
        f"for instance {suggestion}"
    )
