"""What a report returns: a table or a chart as data, which renderers draw for pages, notebooks and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "text",
    "code",
    "badge",
    "score",
    "count",
    "number",
    "share",
    "points",
    "seconds",
    "bytes",
    "rate",
    "interval",
]
"""How a value is written: a badge is a word or several, a score a text that begins with its number; `points` are
differences of shares in hundredths; an interval is a triple of low, mean and high, None where there is none."""
AxisKind = Literal["linear", "log", "names"]
MarkKind = Literal["point", "interval", "line", "band", "bar", "cell", "rule", "aside"]


@dataclass(frozen=True)
class Column:
    """A column of a table: the key of its values in a row, its title, the key of an address where it links, and of
    intervals the unit where it is not that of the row."""

    key: str
    title: str
    kind: Kind = "text"
    link: str | None = None
    unit: Kind | None = None

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, which stand to the right."""
        return self.kind not in ("text", "code", "badge")


@dataclass(frozen=True)
class Table:
    """Rows of values under columns, and a sentence on how to read them."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    note: str = ""


@dataclass(frozen=True)
class Axis:
    """An axis of a chart; one of names holds categories in the order of `names`, the first on top or to the left."""

    title: str
    kind: AxisKind = "linear"
    unit: Kind = "number"
    low: float | None = None
    high: float | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """Values drawn alike: x and y, and where they apply their ends (`x_low`, `x_high`, `y_low`, `y_high`), `group`,
    `label`, and the `value` of a cell, 0 to 1. Labels of intervals stand beside them. An aside is a `label` alone,
    where the row of its y begins: what lies off the axis."""

    kind: MarkKind
    values: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Chart:
    """Marks between two axes, and a sentence on how to read them. One that `is_square` has axes of equal length."""

    name: str
    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    note: str = ""
    is_square: bool = False

    @property
    def has_values(self) -> bool:
        """Whether there is anything to draw; rules and asides alone are nothing."""
        return any(
            value.get("x") is not None and (value.get("y") is not None or value.get("y_low") is not None)
            for mark in self.marks
            if mark.kind not in ("rule", "aside")
            for value in mark.values
        )


Report = Table | Chart


def format_value(value: Any, kind: Kind) -> str:
    """A value as it is written everywhere: what there is no number for is a dash, and only nothing is written as zero.

    Example:
        >>> format_value(0.8029, "share"), format_value(125.0, "seconds"), format_value(893336, "bytes")
        ('80.3 %', '2 min 5 s', '0.89 MB')
        >>> format_value(22713986, "count"), format_value(None, "number"), format_value(0.41237, "number")
        ('22,713,986', '-', '0.4124')
        >>> format_value(-0.018, "points"), format_value(0.0243, "points"), format_value(-1.5, "number")
        ('\u22121.8 points', '2.4 points', '\u22121.5000')
        >>> format_value(3.2e-17, "number"), format_value(0.0, "number"), format_value(float("nan"), "share")
        ('3.2e-17', '0.0000', '-')
    """
    if value is None or value != value:
        return "-"
    if isinstance(value, str):
        return value
    if kind == "interval":
        return f"{format_value(value[0], 'number')} to {format_value(value[2], 'number')}"
    return _NUMBERS.get(kind, str)(value)


def format_between(low: Any, high: Any, kind: Kind) -> str:
    """Two ends of an interval, the unit once where it is one of shares or of points.

    Example:
        >>> format_between(0.794, 0.812, "share"), format_between(-0.021, 0.003, "points")
        ('79.4 to 81.2 %', '\u22122.1 to 0.3 points')
    """
    first = format_value(low, kind).removesuffix(" %").removesuffix(" points")
    return f"{first} to {format_value(high, kind)}"


def signed(text: str) -> str:
    """A number as text with a minus sign in place of a hyphen, and none before nothing.

    Example:
        >>> signed("-0.5"), signed("-0.0"), signed("3e-05")
        ('\u22120.5', '0.0', '3e-05')
    """
    if not text.startswith("-"):
        return text
    return "\u2212" + text[1:] if text.strip("-0.,") else text[1:]


def _seconds(value: float) -> str:
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return signed(f"{value:.2g}" if 0 < abs(value) < 5e-5 else f"{value:.4f}")


def _bytes(value: float) -> str:
    return (
        f"{value / 1e6:,.0f} MB"
        if value >= 1e7
        else f"{value / 1e6:.2f} MB"
        if value >= 1e4
        else f"{value:,.0f} B"
    )


_NUMBERS: Mapping[str, Callable[[Any], str]] = {
    "share": lambda value: f"{100 * value:.1f} %",
    "points": lambda value: f"{signed(f'{100 * value:.1f}')} points",
    "count": lambda value: f"{round(value):,}",
    "number": _number,
    "seconds": _seconds,
    "bytes": _bytes,
    "rate": lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.1f}",
}
