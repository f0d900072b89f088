"""What a report returns: a table or a chart as data, which renderers draw for pages, notebooks and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "code", "count", "number", "share", "seconds", "bytes", "rate", "interval"]
"""How a value is written; an interval is a triple of low, mean and high, None where there is none."""
AxisKind = Literal["linear", "log", "names"]
MarkKind = Literal["point", "interval", "line", "band", "bar", "cell", "rule"]


@dataclass(frozen=True)
class Column:
    """A column of a table: the key of its values in a row, its title, and the key of an address where it links."""

    key: str
    title: str
    kind: Kind = "text"
    link: str | None = None


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
    `label`, and the `value` of a cell, 0 to 1."""

    kind: MarkKind
    values: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Chart:
    """Marks between two axes, and a sentence on how to read them."""

    name: str
    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    note: str = ""


Report = Table | Chart


def format_value(value: Any, kind: Kind) -> str:
    """A value as it is written everywhere: what there is no number for is a dash, and only nothing is written as zero.

    Example:
        >>> format_value(0.8029, "share"), format_value(125.0, "seconds"), format_value(893336, "bytes")
        ('80.3 %', '2 min 5 s', '0.89 MB')
        >>> format_value(22713986, "count"), format_value(None, "number"), format_value(0.41237, "number")
        ('22,713,986', '-', '0.4124')
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
    return f"{value:.2g}" if 0 < abs(value) < 5e-5 else f"{value:.4f}"


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
    "count": lambda value: f"{round(value):,}",
    "number": _number,
    "seconds": _seconds,
    "bytes": _bytes,
    "rate": lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.1f}",
}
