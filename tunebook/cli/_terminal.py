"""Writing to the terminal: JSON, tables, and texts from data that cannot control it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

_NARROWEST = 5
# What JSON leaves as it is, though a terminal obeys it or a reader of lines ends a line there.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def print_json(value: Any) -> None:
    """Print a value as indented JSON; never a bare NaN."""
    print(_json(value, indent=2))


def print_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(_json(value), flush=True)


def _json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def say(text: str) -> None:
    """Tell the user something that is not a result, on standard error."""
    print(text, file=sys.stderr, flush=True)


def safe(text: object) -> str:
    """A text from data with control and direction characters made visible, on one line.

    Example:
        >>> safe("a\\x1b[31mred")
        'a\\\\x1b[31mred'
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"
        else _visible(character)
        for character in shown
    )


def safe_lines(text: object) -> str:
    """A message of several lines, each of them as `safe` shows it."""
    return "\n".join(safe(line) for line in str(text).split("\n"))


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print rows as a plain aligned table; `columns` maps a key of the rows to its heading.

    Numbers stand right, without colour or box. On a terminal the widest texts are shortened to its width; a pipe
    or a log gets all of them.
    """
    cells = [[_cell(row.get(key)) for key in columns] for row in rows]
    right = [all(isinstance(row.get(key), int | float | None) for row in rows) for key in columns]
    table = [list(columns.values()), *cells]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    if sys.stdout.isatty():
        widths = _fitted(widths, right, shutil.get_terminal_size().columns)
        table = [
            [_shortened(cell, width) for cell, width in zip(line, widths, strict=True)] for line in table
        ]
    table.insert(1, ["-" * width for width in widths])
    for line in table:
        padded = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        print("  ".join(padded).rstrip())


def _fitted(widths: Sequence[int], is_number: Sequence[bool], available: int) -> list[int]:
    """The widths, those of the widest texts made smaller until a line fits; the first column holds the names."""
    fitted = list(widths)
    while sum(fitted) + 2 * (len(fitted) - 1) > available:
        texts = [
            index
            for index, number in enumerate(is_number)
            if index and not number and fitted[index] > _NARROWEST
        ]
        if not texts:
            break
        fitted[max(texts, key=fitted.__getitem__)] -= 1
    return fitted


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    if isinstance(value, dict):
        return safe(", ".join(f"{key} = {inner}" for key, inner in value.items()))
    return safe(", ".join(map(str, value)) if isinstance(value, list | tuple) else value)


def note(value: Any) -> str:
    """A dataset's note as text, empty where there is nothing to tell.

    Example:
        >>> note({"train": 1200, "test": {"neutral": 139}, "validation": 0})
        '1,200 of train, 139 of neutral of test'
    """
    if isinstance(value, dict):
        counts = {key: note(count) if isinstance(count, dict) else count for key, count in value.items()}
        return ", ".join(
            f"{count} of {key}" if isinstance(count, str) else f"{count:,} of {key}"
            for key, count in counts.items()
            if count
        )
    return str(value) if value else ""


def size(count: int) -> str:
    """Bytes as people read them.

    Example:
        >>> size(1_500_000)
        '1.5 MB'
    """
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds as people read them.

    Example:
        >>> duration(3725)
        '1 h 02 min'
    """
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def is_live() -> bool:
    """Whether standard error is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and "CI" not in os.environ
