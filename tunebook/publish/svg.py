"""Charts as SVG text, drawn without a browser: what a page shows where scripts do not run."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunebook.publish.palette import SHAPES
from tunebook.publish.report import Axis, Chart, Mark, format_value
from tunebook.text.markdown import visible

Value = Mapping[str, Any]
ROW = 34
"""Height of a category, in pixels."""
_NAME_WIDTH, _LETTER = 30, 6.6
_TOP, _RIGHT, _BOTTOM = 26, 26, 46


def render(chart: Chart, *, width: int = 640) -> str:
    """A chart as an SVG element of so many pixels, without styles or scripts: classes are coloured by the page.

    Values without a number are left out; a chart without any is a sentence. All texts are shown literally.
    """
    drawing = _plan(chart, width)
    if drawing is None:
        return f'<p class="none">{_text(chart.title)}: nothing to draw.</p>'
    parts = [
        *_axes(drawing),
        *(shape for mark in chart.marks for shape in _mark(drawing, mark)),
        *_legend(drawing),
    ]
    title, height = _text(chart.title), round(drawing.height + drawing.legend_height)
    told = _text(f"{chart.title}. {chart.x.title} against {chart.y.title or 'rows'}. {chart.note}")
    return (
        f'<svg class="drawing" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{told}"><title>{title}</title>{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Drawing:
    """A chart with its scales, from values to pixels."""

    chart: Chart
    width: int
    height: float
    left: float
    x: Callable[[Any], float]
    y: Callable[[Any], float]
    x_ticks: Sequence[Any]
    y_ticks: Sequence[Any]
    groups: Sequence[str]

    @property
    def bottom(self) -> float:
        return self.height - _BOTTOM

    @property
    def legend_height(self) -> float:
        return 22.0 * len(self.groups) if len(self.groups) > 1 else 0.0


def _plan(chart: Chart, width: int) -> _Drawing | None:
    values = [value for mark in chart.marks for value in mark.values]
    if not any(_known(value.get("x"), chart.x) and _known(value.get("y"), chart.y) for value in values):
        return None
    groups = list(dict.fromkeys(str(value["group"]) for value in values if "group" in value))
    names = chart.y.names if chart.y.kind == "names" else ()
    longest = max((min(len(visible(name)), _NAME_WIDTH) for name in names), default=8)
    left = min(0.42 * width, 16 + _LETTER * longest)
    height = _TOP + _BOTTOM + (ROW * len(names) if names else 0.46 * width)
    x_ticks, x = _scale(chart.x, values, "x", left, width - _RIGHT)
    span = (_TOP, height - _BOTTOM) if chart.y.kind == "names" else (height - _BOTTOM, _TOP)
    y_ticks, y = _scale(chart.y, values, "y", *span)
    return _Drawing(chart, width, height, left, x, y, x_ticks, y_ticks, groups)


# --- scales ------------------------------------------------------------------------------------------------------


def _known(value: Any, axis: Axis) -> bool:
    if axis.kind == "names":
        return value in axis.names
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return is_number and (axis.kind == "linear" or value > 0)


def _scale(
    axis: Axis, values: Sequence[Value], key: str, begin: float, end: float
) -> tuple[Sequence[Any], Any]:
    if axis.kind == "names":
        step = (end - begin) / len(axis.names)
        places = {name: begin + (place + 0.5) * step for place, name in enumerate(axis.names)}
        return axis.names, places.__getitem__
    keys = (key, f"{key}_low", f"{key}_high")
    found = [value[one] for value in values for one in keys if one in value and _known(value[one], axis)]
    low = axis.low if axis.low is not None else min(found)
    high = axis.high if axis.high is not None else max(found)
    turn = math.log10 if axis.kind == "log" else float
    first, last = turn(low), turn(high)
    room = (last - first) * 0.04 or abs(first) * 0.05 or 0.5
    first -= 0 if axis.low is not None else room
    last += 0 if axis.high is not None else room
    ticks = _log_ticks(first, last) if axis.kind == "log" else _ticks(first, last)
    if axis.unit == "count":
        ticks = [tick for tick in ticks if tick == round(tick)]
    return ticks, lambda value: begin + (turn(value) - first) / (last - first) * (end - begin)


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values between two ends.

    Example:
        >>> _ticks(0.703, 0.812)
        [0.72, 0.74, 0.76, 0.78, 0.8]
    """
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(one for one in (1, 2, 5, 10) if one * power >= rough * 0.99)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round values between two powers of ten, closer where few powers lie between."""
    steps = (1, 2, 5) if high - low < 3 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    found = [step * 10.0**power for power in powers for step in steps]
    return [one for one in found if low <= math.log10(one) <= high]


# --- axes --------------------------------------------------------------------------------------------------------


def _axes(drawing: _Drawing) -> Iterator[str]:
    chart, right = drawing.chart, drawing.width - _RIGHT
    for tick in drawing.x_ticks:
        place = drawing.x(tick)
        yield f'<line class="grid" x1="{place:.1f}" y1="{_TOP}" x2="{place:.1f}" y2="{drawing.bottom:.1f}"/>'
        yield _label(place, drawing.bottom + 17, _tick(tick, chart.x), "middle", limit=14)
    for tick in drawing.y_ticks:
        place = drawing.y(tick)
        yield f'<line class="grid" x1="{drawing.left:.1f}" y1="{place:.1f}" x2="{right:.1f}" y2="{place:.1f}"/>'
        yield from _name(drawing.left - 8, place, _tick(tick, chart.y))
    middle = (drawing.left + right) / 2
    yield _label(middle, drawing.height - 8, chart.x.title, "middle", kind="axis", limit=80)
    if chart.y.title and chart.y.kind != "names":
        yield _label(4, 12, chart.y.title, "start", kind="axis", limit=60)


def _tick(value: Any, axis: Axis) -> str:
    if axis.kind == "names":
        return str(value)
    if axis.unit == "share":
        return f"{100 * value:.4g} %"
    return format_value(value, axis.unit) if axis.unit in ("seconds", "bytes", "count") else f"{value:,.4g}"


def _name(x: float, y: float, name: str) -> Iterator[str]:
    """A category's name in at most two lines, whole where the pointer rests on it."""
    shown = visible(name)
    lines = textwrap.wrap(shown, _NAME_WIDTH, break_on_hyphens=False) or [""]
    if len(lines) > 2:
        lines = [lines[0], lines[1][: _NAME_WIDTH - 1] + "…"]
    first = y + 4 - 7 * (len(lines) - 1)
    for place, line in enumerate(lines):
        more = f"<title>{_text(name)}</title>" if line != shown else ""
        y_line = first + 14 * place
        yield f'<text class="name" x="{x:.1f}" y="{y_line:.1f}" text-anchor="end">{more}{_text(line)}</text>'


def _label(x: float, y: float, text: str, anchor: str, *, kind: str = "tick", limit: int) -> str:
    shown = visible(text)
    short = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    more = f"<title>{_text(text)}</title>" if short != shown else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{more}{_text(short)}</text>'


def _text(text: str) -> str:
    return (
        visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def _legend(drawing: _Drawing) -> Iterator[str]:
    for place, group in enumerate(drawing.groups if len(drawing.groups) > 1 else ()):
        y = drawing.height + 22 * place + 8
        yield _shape(drawing.left + 8, y, place)
        yield _label(drawing.left + 22, y + 4, group, "start", kind="legend", limit=70)


# --- marks -------------------------------------------------------------------------------------------------------


def _mark(drawing: _Drawing, mark: Mark) -> Iterator[str]:
    if mark.kind == "rule":
        for value in mark.values:
            yield _rule(drawing, value)
        return
    chart = drawing.chart
    known = [
        value for value in mark.values if _known(value.get("x"), chart.x) and _known(value.get("y"), chart.y)
    ]
    if mark.kind in ("line", "band"):
        for group in dict.fromkeys(str(value.get("group", "")) for value in known):
            members = [value for value in known if str(value.get("group", "")) == group]
            yield _line(drawing, sorted(members, key=lambda value: value["x"]), group)
        return
    draw = {"point": _point, "interval": _interval, "bar": _bar, "cell": _cell}[mark.kind]
    for value in known:
        yield draw(drawing, value)


def _rule(drawing: _Drawing, value: Value) -> str:
    right = drawing.width - _RIGHT
    if "x" in value:
        x = drawing.x(value["x"])
        return f'<line class="rule" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{drawing.bottom:.1f}"/>'
    y = drawing.y(value["y"])
    return f'<line class="rule" x1="{drawing.left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>'


def _line(drawing: _Drawing, values: Sequence[Value], group: str) -> str:
    points = " ".join(f"{drawing.x(value['x']):.1f},{drawing.y(value['y']):.1f}" for value in values)
    return f'<polyline class="line g{_place(drawing, group)}" points="{points}"/>'


def _place(drawing: _Drawing, group: str) -> int:
    return drawing.groups.index(group) % len(SHAPES) if group in drawing.groups else 0


def _point(drawing: _Drawing, value: Value) -> str:
    x, y = drawing.x(value["x"]), drawing.y(value["y"])
    return _shape(x, y, _place(drawing, str(value.get("group", ""))), _told(drawing, value))


def _interval(drawing: _Drawing, value: Value) -> str:
    x, y, place = drawing.x(value["x"]), drawing.y(value["y"]), _place(drawing, str(value.get("group", "")))
    lines = ""
    for key, scale, axis in (("x", drawing.x, drawing.chart.x), ("y", drawing.y, drawing.chart.y)):
        low, high = value.get(f"{key}_low"), value.get(f"{key}_high")
        if _known(low, axis) and _known(high, axis):
            a, b = scale(low), scale(high)
            ends = (a, y, b, y) if key == "x" else (x, a, x, b)
            lines += '<line class="whisker g{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(
                place, *ends
            )
    return lines + _shape(x, y, place, _told(drawing, value))


def _bar(drawing: _Drawing, value: Value) -> str:
    begin, end, y = drawing.left, drawing.x(value["x"]), drawing.y(value["y"])
    told = format_value(value["x"], drawing.chart.x.unit)
    inside = end > drawing.width - _RIGHT - 70
    text = _label(
        end - 5 if inside else end + 5,
        y + 4,
        told,
        "end" if inside else "start",
        kind="on-bar" if inside else "tick",
        limit=20,
    )
    return f'<rect class="bar" x="{begin:.1f}" y="{y - 9:.1f}" width="{max(1.0, end - begin):.1f}" height="18"/>{text}'


def _cell(drawing: _Drawing, value: Value) -> str:
    columns, rows = len(drawing.chart.x.names), len(drawing.chart.y.names)
    width = (drawing.width - _RIGHT - drawing.left) / columns
    height = (drawing.bottom - _TOP) / rows
    x, y, shade = drawing.x(value["x"]), drawing.y(value["y"]), min(9, max(0, int(10 * value["value"])))
    return (
        f'<rect class="cell s{shade}" x="{x - width / 2 + 1:.1f}" y="{y - height / 2 + 1:.1f}" '
        f'width="{width - 2:.1f}" height="{height - 2:.1f}"/>'
        f'<text class="count s{shade}" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">'
        f"{_text(str(value['label']))}</text>"
    )


def _told(drawing: _Drawing, value: Value) -> str:
    """What a mark says where the pointer rests on it."""
    chart = drawing.chart
    words = [str(value["label"])] if value.get("label") else []
    words += [_tick(value[key], axis) for key, axis in (("x", chart.x), ("y", chart.y))]
    return ", ".join(words)


def _shape(x: float, y: float, place: int, told: str = "") -> str:
    kind = SHAPES[place % len(SHAPES)]
    r, more = 4.5, f"<title>{_text(told)}</title>" if told else ""
    if kind == "circle":
        return f'<circle class="dot g{place}" cx="{x:.1f}" cy="{y:.1f}" r="{r}">{more}</circle>'
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle-up": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        "cross": (
            (-0.4, -1.2),
            (0.4, -1.2),
            (0.4, -0.4),
            (1.2, -0.4),
            (1.2, 0.4),
            (0.4, 0.4),
            (0.4, 1.2),
            (-0.4, 1.2),
            (-0.4, 0.4),
            (-1.2, 0.4),
            (-1.2, -0.4),
            (-0.4, -0.4),
        ),
        "triangle-down": ((0, 1.2), (1.1, -0.9), (-1.1, -0.9)),
        "triangle-right": ((1.2, 0), (-0.9, 1.1), (-0.9, -1.1)),
    }[kind]
    points = " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in corners)
    return f'<polygon class="dot g{place}" points="{points}">{more}</polygon>'
