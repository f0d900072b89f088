"""A chart with its place on a page: its scales, from values to pixels, and the room that its texts need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunebook.publish.palette import look
from tunebook.publish.report import Chart, Mark, format_value
from tunebook.publish.scales import Scale, is_known, scale, written
from tunebook.text.markdown import visible

Value = Mapping[str, Any]
ROW = 34
"""Height of a category, in pixels."""
NAME_WIDTH, LETTER, WIDE = 30, 6.6, 7.4
"""Letters of a category's name on a line; a letter's width in pixels, and where labels must not touch."""
TOP, _RIGHT, _BOTTOM = 26, 26, 46


@dataclass(frozen=True)
class Drawing:
    """A chart with its scales, from values to pixels."""

    chart: Chart
    width: int
    height: float
    left: float
    right: float
    x: Scale
    y: Scale
    groups: Sequence[str]

    @property
    def bottom(self) -> float:
        """Where the plot ends."""
        return self.height - _BOTTOM

    @property
    def legend_at(self) -> tuple[float, float]:
        """Where the legend begins: under the plot, beside a square one."""
        if self.chart.is_square:
            return self.right + 30, TOP + 24
        return self.left, self.height + 8

    @property
    def full_height(self) -> float:
        """The height with its legend."""
        has_legend = len(self.groups) > 1 and not self.chart.is_square
        return self.height + 22.0 * len(self.groups) * has_legend

    def at(self, value: Value) -> tuple[float, float]:
        """The place of a value."""
        return self.x.place(value["x"]), self.y.place(value["y"])

    def look(self, group: str) -> tuple[int, int]:
        """The colour and the shape of a group."""
        return look(self.groups.index(group) if group in self.groups else 0)


def plan(chart: Chart, width: int) -> Drawing | None:
    """Where a chart's values lie in so many pixels; None where it has none."""
    values = [value for mark in chart.marks for value in mark.values]
    if not any(drawn(chart, mark) for mark in chart.marks if mark.kind not in ("rule", "aside")):
        return None
    groups = list(dict.fromkeys(group_of(value) for value in values if value.get("group") is not None))
    has_names = chart.y.kind == "names"
    height = TOP + _BOTTOM + (ROW * len(chart.y.names) if has_names else 0.46 * width)
    ends = (TOP, height - _BOTTOM) if has_names else (height - _BOTTOM, TOP)
    y = scale(chart.y, values, "y", begin=ends[0], end=ends[1])
    labels = [visible(written(tick, chart.y)) for tick in y.ticks]
    longest = max((min(len(label), NAME_WIDTH) for label in labels), default=0)
    left = min(0.42 * width, 16 + LETTER * max(longest, 4))
    right = width - (14 + LETTER * max(map(len, told)) if (told := told_beside(chart)) else _RIGHT)
    if chart.is_square:
        right = left + height - TOP - _BOTTOM
    x = scale(chart.x, values, "x", begin=left, end=right)
    return Drawing(chart, width, height, left, right, x, y, groups)


def group_of(value: Value) -> str:
    """A value's group; empty where it has none."""
    return "" if value.get("group") is None else str(value["group"])


def drawn(chart: Chart, mark: Mark) -> list[Value]:
    """The values of a mark that have a place; those of a band need both its ends, those of an aside a row."""
    keys = ("y_low", "y_high") if mark.kind == "band" else ("y",)
    return [
        value
        for value in mark.values
        if (mark.kind == "aside" or is_known(value.get("x"), chart.x))
        and all(is_known(value.get(key), chart.y) for key in keys)
    ]


def told_beside(chart: Chart) -> list[str]:
    """The values written to the right of a forest: of rows that have one interval each."""
    values = [value for mark in chart.marks if mark.kind == "interval" for value in drawn(chart, mark)]
    is_forest = chart.y.kind == "names" and len({value["y"] for value in values}) == len(values)
    return [format_value(value["x"], chart.x.unit) for value in values] if is_forest else []
