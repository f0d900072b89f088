"""CSV and TSV: what is no row is counted with its line, and reading goes on after it."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.data.delimited import even_rows, plain_fields, quoted_fields
from tunebook.data.faults import Faults
from tunebook.errors import DataRejected


def read(path: Path, content: str | bytes, width: int = 2) -> tuple[list[list[str]], Faults]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    faults = Faults(allowed=10**9)
    rows = quoted_fields(path, encoding="utf-8", delimiter=",", faults=faults)
    return [fields for _, fields in even_rows(rows, widths=(width,), path=path, faults=faults)], faults


FAULTS = {
    "too few fields": ("a,1\nb\nc,3\n", 2, "1 fields where 2"),
    "too many fields": ("a,1\nb,2,3\nc,3\n", 2, "3 fields where 2"),
    "NUL": ("a,1\nb\0,2\nc,3\n", 2, "a NUL byte"),
    "bare carriage return": ("a,1\nb\rx,2\nc,3\n", 2, "bare carriage return"),
    "text after a quote": ('a,1\n"b"x,2\nc,3\n', 2, "written twice"),
    "quote open at the end": ('a,1\nc,3\n"b,2\n', 3, "not closed before the end"),
    "quote open in the middle": ('a,1\n"b,2\nc,3\n', 2, "not closed before the end"),
}


@pytest.mark.parametrize(("content", "line", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_bad_row_is_counted_and_the_others_kept(
    tmp_path: Path, content: str, line: int, reason: str
) -> None:
    rows, faults = read(tmp_path / "a.csv", content)
    assert rows == [["a", "1"], ["c", "3"]]
    assert faults.count == 1 and faults.first[0].line == line and reason in faults.first[0].reason


def test_a_quote_may_not_swallow_a_thousand_lines(tmp_path: Path) -> None:
    good = [[f"text {number}", "1"] for number in range(3000)]
    content = "".join(f"{text},{label}\n" for text, label in good)
    rows, faults = read(tmp_path / "a.csv", '"open,0\n' + content)
    assert rows == good
    assert (faults.count, faults.first[0].line) == (1, 1)
    assert "within 1000 lines" in faults.first[0].reason


def test_a_long_quoted_text_of_999_lines_is_a_text(tmp_path: Path) -> None:
    text = "line\n" * 999
    assert read(tmp_path / "a.csv", f'"{text}",1\nb,2\n')[0] == [[text, "1"], ["b", "2"]]


def test_long_fields_and_quoted_specials_are_read(tmp_path: Path) -> None:
    field = 'say "hi",\r\nnew line \r bare ' + "x" * 300_000
    content = io.StringIO(newline="")
    csv.writer(content).writerows([[field, "1"], ["b", "2"]])
    assert read(tmp_path / "a.csv", content.getvalue())[0] == [[field, "1"], ["b", "2"]]


def test_empty_lines_are_no_rows(tmp_path: Path) -> None:
    rows, faults = read(tmp_path / "a.csv", "a,1\n\n\r\nb,2\n\n")
    assert rows == [["a", "1"], ["b", "2"]] and faults.count == 0


def test_line_numbers_count_the_lines_inside_quotes(tmp_path: Path) -> None:
    _, faults = read(tmp_path / "a.csv", '"a\nb\nc",1\nbad\n')
    assert faults.first[0].line == 4


def test_many_open_quotes_take_no_longer_than_their_lines(tmp_path: Path) -> None:
    start = time.perf_counter()
    _, faults = read(tmp_path / "a.csv", '"open" x,1\n' * 20_000)
    assert faults.count == 20_000
    assert time.perf_counter() - start < 5


def test_the_refusal_counts_and_shows_the_first_lines(tmp_path: Path) -> None:
    _, faults = read(tmp_path / "a.csv", "a,1\n" + "bad\n" * 12)
    faults.allowed = 11
    with pytest.raises(DataRejected, match=r"12 bad rows of 13, at most 11") as refused:
        faults.check(rows_read=1)
    message = str(refused.value)
    assert "line 2:" in message and "line 6:" in message and "line 7:" not in message
    assert "drop_bad = 12" in message
    faults.allowed = 12
    faults.check(rows_read=1)


def test_without_quoting_a_quote_is_a_character(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xef\xbb\xbf1\tsay \"hi\r\n0\tit's\tx\n\n1\tb\0\n")
    faults = Faults(allowed=9)
    rows = list(plain_fields(path, encoding="utf-8", delimiter="\t", faults=faults))
    assert rows == [(1, ["1", 'say "hi']), (2, ["0", "it's", "x"])]
    assert faults.first[0].line == 4


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
row = st.tuples(texts, texts).filter(lambda fields: fields != ("",))
bad_lines = ["one field\n", "a,b,c\n", "nul\0,1\n", 'x,"y"z\n', "bare\rreturn,1\n"]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(row, st.sampled_from(bad_lines)), max_size=30))
def test_rows_in_are_rows_kept_and_rejected(tmp_path_factory: pytest.TempPathFactory, items: list) -> None:
    content = io.StringIO(newline="")
    writer = csv.writer(content, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for item in items:
        if isinstance(item, str):
            content.write(item)
        else:
            writer.writerow(item)
    rows, faults = read(tmp_path_factory.mktemp("csv") / "a.csv", content.getvalue())
    assert rows == [list(item) for item in items if not isinstance(item, str)]
    assert faults.count == sum(isinstance(item, str) for item in items)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.text('",\n\r\0ab', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        rows, faults = read(tmp_path_factory.mktemp("csv") / "a.csv", content)
    except DataRejected as refused:
        assert "byte" in str(refused)
    else:
        assert all(len(fields) == 2 for fields in rows)
        assert len(rows) + faults.count <= content.count(b"\n") + 1
