"""Tables in Markdown, CSV and LaTeX: hostile texts stay texts, numbers stay numbers, rows stay rows."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tunebook import text
from tunebook.text import latex, markdown

HOSTILE = [
    "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "＝1+1", "a|b", "|", "a\\", "\\", "\\|", "`x`", "a\tb", "\t=1",
    "two\nlines", "\r\n=1", "\x1b[31mred", "\u202egnp", "\x00", "\ud800", "<b>x</b>", "[x](javascript:1)", "[2cm]", "*",
    "**x**", "$x^2$", "50 % & more #1_a ~ {b}", "\\input{/etc/passwd}", '"quoted", "twice"', "'single'", "--", "---",
    "www.evil.test", "http://evil.test", "a@b.test", "&lt;", "", " ", ",", ";", "naïve café 😀",
]  # fmt: skip
PLAIN = MarkdownIt("gfm-like", {"linkify": False, "html": True})
LITERAL = {
    r"\textbackslash{}": "\\", r"\{": "{", r"\}": "}", r"\$": "$", r"\&": "&", r"\#": "#", r"\%": "%", r"\_": "_",
    r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<", r"\textgreater{}": ">",
    r"\textquotedbl{}": '"', r"\textbar{}": "|", r"\textasciigrave{}": "`", r"\textquotesingle{}": "'", "{*}": "*",
    "{[}": "[", "{]}": "]", "-{}": "-",
}  # fmt: skip
"""What each of our ways to write a character in LaTeX shows."""


def shown(written: str) -> str:
    """What LaTeX shows of a cell; fails on anything that it would obey."""
    known = re.compile("|".join(map(re.escape, sorted(LITERAL, key=len, reverse=True))))
    assert not re.search(r"[\\{}$&#%_~^<>\"|`'*\[\]]", known.sub("", written)), written
    assert "--" not in written
    return known.sub(lambda match: LITERAL[match.group()], written)


def cells_of(html: str) -> list[str]:
    import html as entities

    found = [
        re.sub(r"^<td[^>]*>|</td>$", "", cell) for cell in re.findall(r"<td[^>]*>.*?</td>", html, re.DOTALL)
    ]
    assert not any("<" in cell for cell in found), found
    return [entities.unescape(cell) for cell in found]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_texts_are_shown_as_they_are(value: str) -> None:
    visible = markdown.visible(value)
    assert visible.isprintable() and "\n" not in visible

    table = text.table("markdown", ["name", "mean"], [[value, 0.5], ["next", 1]])
    assert len(table.splitlines()) == 4
    assert cells_of(PLAIN.render(table)) == [visible.strip(" "), "0.5000", "next", "1"]

    table = text.table("csv", ["name", "mean"], [[value, 0.5], ["next", 1]])
    _, row, last = csv.reader(io.StringIO(table))
    assert row[0] in (visible, f"'{visible}") and row[1:] == ["0.5"] and last == ["next", "1"]
    assert row[0][:1] not in tuple("=+-@＝＋－＠\t\r\n") or row[0] == ""

    table = text.table("latex", ["name", "mean"], [["first", 1], [value, 0.5]])
    *_, row, bottom, end = table.splitlines()
    assert row.endswith(r" & 0.5000 \\") and (bottom, end) == (r"\bottomrule", r"\end{tabular}")
    assert shown(row.removesuffix(r" & 0.5000 \\")) == visible


@given(st.text())
def test_latex_shows_any_text_as_it_is(value: str) -> None:
    assert shown(latex.escape(value)) == markdown.visible(value)


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_csv_gives_any_text_back_and_no_formula(values: list[str]) -> None:
    (row,) = list(csv.reader(io.StringIO(text.table("csv", ["a", "b"], [values]))))[1:]
    for came, value in zip(row, map(markdown.visible, values), strict=True):
        assert came == (f"'{value}" if value.startswith(tuple("=+-@＝＋－＠")) else value)


def test_numbers_are_rounded_where_people_read_and_whole_where_programs_do() -> None:
    rows = [["full", 0.123456789, 3, None], ["lora", None, None, None]]
    header = ["method", "mean", "seeds", "high"]
    assert text.table("markdown", header, rows).splitlines() == [
        "| method | mean | seeds | high |", "|---|---:|---:|---:|", "| full | 0.1235 | 3 | - |", "| lora | - | - | - |",
    ]  # fmt: skip
    assert text.table("csv", header, rows) == "method,mean,seeds,high\nfull,0.123456789,3,\nlora,,,\n"
    assert text.table("latex", header, rows).splitlines() == [
        r"\begin{tabular}{lrrr}", r"\toprule", r"method & mean & seeds & high \\", r"\midrule",
        r"full & 0.1235 & 3 & -- \\", r"lora & -- & -- & -- \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["markdown", "csv", "latex"])
def test_a_table_of_nothing_has_its_head(format: str) -> None:
    assert "mean" in text.table(format, ["method", "mean"], [])
