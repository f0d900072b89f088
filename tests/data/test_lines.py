"""Bytes to lines: encodings are refused with row and offset, never guessed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tunebook.data.lines import decoded_lines
from tunebook.errors import DataRejected, UsageError


def lines(path: Path, content: bytes, encoding: str = "utf-8") -> list[str]:
    path.write_bytes(content)
    return list(decoded_lines(path, encoding=encoding))


@pytest.mark.parametrize(
    ("content", "row", "offset"),
    [
        ("good\ncafé\n".encode("latin-1"), 2, 8),
        (b"curly \x93quotes\x94\n", 1, 6),
        ("text\n".encode("utf-16"), 1, 0),
        (b"a\nb\n\xed\xa0\x80 lone surrogate\n", 3, 4),
        (b"a\ncut off \xf0\x9f\x98", 2, 10),
    ],
    ids=["latin-1", "cp1252", "utf-16", "surrogate", "truncated"],
)
def test_a_wrong_byte_is_refused_with_row_and_offset(
    tmp_path: Path, content: bytes, row: int, offset: int
) -> None:
    with pytest.raises(DataRejected, match=rf"row {row}, byte {offset} ") as refused:
        lines(tmp_path / "texts.txt", content)
    assert "encoding = " in str(refused.value) and refused.value.exit_code == 3


def test_the_suggestion_fits_the_bytes(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match='encoding = "latin-1"'):
        lines(tmp_path / "a.txt", "é".encode("latin-1"))
    with pytest.raises(DataRejected, match='encoding = "utf-16"'):
        lines(tmp_path / "a.txt", "text".encode("utf-16"))


def test_row_and_offset_hold_beyond_the_first_block(tmp_path: Path) -> None:
    content = b"0123456789\n" * 900_000
    with pytest.raises(DataRejected, match=r"row 900001, byte 9900000 is 0xe9"):
        lines(tmp_path / "long.txt", content + b"\xe9\n")


def test_a_declared_encoding_is_used(tmp_path: Path) -> None:
    assert lines(tmp_path / "a.txt", "café\n".encode("latin-1"), "latin-1") == ["café\n"]
    assert lines(tmp_path / "b.txt", "café\nthé".encode("utf-16"), "utf-16") == ["café\n", "thé"]


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    assert lines(tmp_path / "a.txt", "text\n".encode("utf-8-sig")) == ["text\n"]


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    odd = "a\x85b\u2028c\x1cd\x0ce\n"
    assert lines(tmp_path / "a.txt", odd.encode()) == [odd]


def test_gzip_is_read_and_a_damaged_one_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"one\ntwo\n" * 1000)
    assert lines(tmp_path / "a.txt.gz", packed)[:2] == ["one\n", "two\n"]
    with pytest.raises(DataRejected, match="damaged gzip"):
        lines(tmp_path / "b.txt.gz", packed[:-9])
    with pytest.raises(DataRejected, match="damaged gzip"):
        lines(tmp_path / "c.txt.gz", b"no gzip at all\n")


def test_an_unknown_encoding_and_a_missing_file_are_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown encoding 'utf-9'"):
        lines(tmp_path / "a.txt", b"x", "utf-9")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        list(decoded_lines(tmp_path / "none.txt", encoding="utf-8"))
