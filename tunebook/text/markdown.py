"""Text from outside shown literally in Markdown: no markup, no HTML, no link, nothing invisible."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"([\\`*_{}\[\]<>&|~$#!:@]|(?<=www)\.)", re.IGNORECASE)
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINER = "\u200d"
"""The one invisible character that stays: emoji are composed with it."""


def visible(text: str) -> str:
    r"""The text on one line, control and direction characters written as their code points.

    Example:
        >>> print(visible("a\nb\x1b[31m"))
        a b\u001b[31m
    """
    return "".join(_shown(character) for character in re.sub(r"\s*[\r\n]+\s*", " ", text))


def _shown(character: str) -> str:
    if character == _JOINER or unicodedata.category(character) not in _INVISIBLE:
        return character
    return f"\\u{ord(character):04x}"


def escape(text: object) -> str:
    r"""A value as literal text, inside a paragraph or a cell of a table.

    Example:
        >>> print(escape("<b>|5 * 3"))
        \<b\>\|5 \* 3
    """
    return _MARKUP.sub(r"\\\1", visible(str(text)))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of values, None as a dash, numbers with four digits and to the right.

    Example:
        >>> print(table(["split", "f1"], [["test", 0.51239]]))
        | split | f1 |
        |---|---:|
        | test | 0.5124 |
    """
    cells = [[_cell(value) for value in row] for row in rows]
    lines = [[escape(name) for name in header], *cells]
    rule = "|" + "|".join("---" if column == 0 else "---:" for column in range(len(header))) + "|"
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([texts[0], rule, *texts[1:]])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else escape(value)
