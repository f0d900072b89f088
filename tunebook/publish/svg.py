"""Charts as SVG text, drawn without a browser: what a page shows where scripts do not run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunebook.publish.palette import SHAPES, look
from tunebook.publish.report import Axis, Chart, Mark, format_value
from tunebook.publish.scales import Scale, apart, is_known, scale, written
from tunebook.text.markdown import visible

Value = Mapping[str, Any]
ROW = 34
"""Height of a category, in pixels."""
_NAME_WIDTH, _LETTER, _WIDE = 30, 6.6, 7.4
"""Letters of a category's name on a line; a letter's width in pixels, and where labels must not touch."""
_TOP, _RIGHT, _BOTTOM = 26, 26, 46
_CORNERS = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "triangle-up": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "cross": ((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4),
              (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)),
    "triangle-down": ((0, 1.2), (1.1, -0.9), (-1.1, -0.9)),
    "triangle-right": ((1.2, 0), (-0.9, 1.1), (-0.9, -1.1)),
}  # fmt: skip


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
    right: float
    x: Scale
    y: Scale
    groups: Sequence[str]

    @property
    def bottom(self) -> float:
        return self.height - _BOTTOM

    @property
    def legend_height(self) -> float:
        return 22.0 * len(self.groups) if len(self.groups) > 1 else 0.0

    def at(self, value: Value) -> tuple[float, float]:
        return self.x.place(value["x"]), self.y.place(value["y"])

    def look(self, group: str) -> tuple[int, int]:
        return look(self.groups.index(group) if group in self.groups else 0)


def _plan(chart: Chart, width: int) -> _Drawing | None:
    values = [value for mark in chart.marks for value in mark.values]
    if not any(_drawn(chart, mark) for mark in chart.marks if mark.kind != "rule"):
        return None
    groups = list(dict.fromkeys(_group(value) for value in values if value.get("group") is not None))
    has_names = chart.y.kind == "names"
    height = _TOP + _BOTTOM + (ROW * len(chart.y.names) if has_names else 0.46 * width)
    ends = (_TOP, height - _BOTTOM) if has_names else (height - _BOTTOM, _TOP)
    y = scale(chart.y, values, "y", begin=ends[0], end=ends[1])
    labels = [visible(written(tick, chart.y)) for tick in y.ticks]
    longest = max((min(len(label), _NAME_WIDTH) for label in labels), default=0)
    left = min(0.42 * width, 16 + _LETTER * max(longest, 4))
    right = width - (14 + _LETTER * max(map(len, told)) if (told := _beside(chart)) else _RIGHT)
    x = scale(chart.x, values, "x", begin=left, end=right)
    return _Drawing(chart, width, height, left, right, x, y, groups)


def _group(value: Value) -> str:
    return "" if value.get("group") is None else str(value["group"])


def _drawn(chart: Chart, mark: Mark) -> list[Value]:
    """The values of a mark that have a place; those of a band need both its ends."""
    keys = ("y_low", "y_high") if mark.kind == "band" else ("y",)
    return [
        value
        for value in mark.values
        if is_known(value.get("x"), chart.x) and all(is_known(value.get(key), chart.y) for key in keys)
    ]


def _beside(chart: Chart) -> list[str]:
    """The values written to the right of a forest: of rows that have one interval each."""
    values = [value for mark in chart.marks if mark.kind == "interval" for value in _drawn(chart, mark)]
    is_forest = chart.y.kind == "names" and len({value["y"] for value in values}) == len(values)
    return [format_value(value["x"], chart.x.unit) for value in values] if is_forest else []


# --- axes --------------------------------------------------------------------------------------------------------


def _axes(drawing: _Drawing) -> Iterator[str]:
    chart, room = drawing.chart, 14
    if chart.x.kind == "names":
        room = int((drawing.right - drawing.left) / len(chart.x.names) / _WIDE) - 1
    places = [
        (drawing.x.place(tick), tick, _cut(visible(written(tick, chart.x)), room)) for tick in drawing.x.ticks
    ]
    has_cells = any(mark.kind == "cell" for mark in chart.marks)  # which are a grid themselves
    for place, _, _ in () if has_cells else places:
        yield f'<line class="grid" x1="{place:.1f}" y1="{_TOP}" x2="{place:.1f}" y2="{drawing.bottom:.1f}"/>'
    for place, tick, _ in places if chart.x.kind == "names" else apart(places, _WIDE):
        yield _label(place, drawing.bottom + 17, written(tick, chart.x), "middle", limit=room)
    for tick in drawing.y.ticks:
        y = drawing.y.place(tick)
        if not has_cells:
            yield f'<line class="grid" x1="{drawing.left:.1f}" y1="{y:.1f}" x2="{drawing.right:.1f}" y2="{y:.1f}"/>'
        yield from _name(drawing.left - 8, y, written(tick, chart.y))
    middle = (drawing.left + drawing.right) / 2
    yield _label(middle, drawing.height - 8, chart.x.title, "middle", kind="axis", limit=80)
    if chart.y.title and chart.y.kind != "names":
        yield _label(4, 12, chart.y.title, "start", kind="axis", limit=60)


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


def _cut(shown: str, limit: int) -> str:
    return shown if len(shown) <= limit else shown[: max(0, limit - 1)] + "…"


def _label(x: float, y: float, text: str, anchor: str, *, kind: str = "tick", limit: int) -> str:
    shown = visible(text)
    short = _cut(shown, limit)
    more = f"<title>{_text(text)}</title>" if short != shown else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{more}{_text(short)}</text>'


def _text(text: str) -> str:
    return (
        visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def _legend(drawing: _Drawing) -> Iterator[str]:
    """Every group with what it is drawn as: its dash where it has a line, its shape where it has points."""
    for place, group in enumerate(drawing.groups if len(drawing.groups) > 1 else ()):
        marks = drawing.chart.marks
        kinds = {mark.kind for mark in marks if any(_group(value) == group for value in mark.values)}
        y, x, (colour, shape) = drawing.height + 22 * place + 8, drawing.left + 14, drawing.look(group)
        if "band" in kinds:
            yield f'<rect class="band g{colour}" x="{x - 14:.1f}" y="{y - 6:.1f}" width="28" height="12"/>'
        if "line" in kinds:
            points = f"{x - 14:.1f},{y:.1f} {x + 14:.1f},{y:.1f}"
            yield f'<polyline class="line g{colour} d{shape}" points="{points}"/>'
        if not kinds & {"line", "band"} or kinds & {"point", "interval"}:
            yield _shape(x, y, (colour, shape))
        yield _label(x + 22, y + 4, group, "start", kind="legend", limit=70)


# --- marks -------------------------------------------------------------------------------------------------------


def _mark(drawing: _Drawing, mark: Mark) -> Iterator[str]:
    if mark.kind == "rule":
        yield from (rule for value in mark.values for rule in _rule(drawing, value))
        return
    known = _drawn(drawing.chart, mark)
    if mark.kind in ("line", "band"):
        draw = _line if mark.kind == "line" else _band
        for group in dict.fromkeys(map(_group, known)):
            members = [value for value in known if _group(value) == group]
            yield draw(drawing, sorted(members, key=lambda value: value["x"]), group)
        return
    one: Callable[[_Drawing, Value], str]
    one = {"point": _point, "interval": _interval, "bar": _bar, "cell": _cell}[mark.kind]
    yield from (one(drawing, value) for value in known)


def _rule(drawing: _Drawing, value: Value) -> Iterator[str]:
    if is_known(value.get("x"), drawing.chart.x):
        x = drawing.x.place(value["x"])
        yield f'<line class="rule" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{drawing.bottom:.1f}"/>'
    elif is_known(value.get("y"), drawing.chart.y):
        y = drawing.y.place(value["y"])
        yield f'<line class="rule" x1="{drawing.left:.1f}" y1="{y:.1f}" x2="{drawing.right:.1f}" y2="{y:.1f}"/>'


def _line(drawing: _Drawing, values: Sequence[Value], group: str) -> str:
    points = " ".join("{:.1f},{:.1f}".format(*drawing.at(value)) for value in values)
    colour, dash = drawing.look(group)
    return f'<polyline class="line g{colour} d{dash}" points="{points}"/>'


def _band(drawing: _Drawing, values: Sequence[Value], group: str) -> str:
    ends = [(value["x"], value["y_low"]) for value in values]
    ends += [(value["x"], value["y_high"]) for value in reversed(values)]
    points = " ".join(f"{drawing.x.place(x):.1f},{drawing.y.place(y):.1f}" for x, y in ends)
    return f'<polygon class="band g{drawing.look(group)[0]}" points="{points}"/>'


def _point(drawing: _Drawing, value: Value) -> str:
    return _shape(*drawing.at(value), drawing.look(_group(value)), _told(drawing, value))


def _interval(drawing: _Drawing, value: Value) -> str:
    (x, y), (colour, shape) = drawing.at(value), drawing.look(_group(value))
    lines, chart = "", drawing.chart
    for key, along, axis in (("x", drawing.x, chart.x), ("y", drawing.y, chart.y)):
        low, high = value.get(f"{key}_low"), value.get(f"{key}_high")
        if is_known(low, axis) and is_known(high, axis):
            a, b = along.place(low), along.place(high)
            x1, y1, x2, y2 = (a, y, b, y) if key == "x" else (x, a, x, b)
            lines += (
                f'<line class="whisker g{colour}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
            )
    if _beside(chart):
        told = format_value(value["x"], chart.x.unit)
        lines += _label(drawing.right + 8, y + 4, told, "start", kind="value", limit=20)
    return lines + _shape(x, y, (colour, shape), _told(drawing, value))


def _bar(drawing: _Drawing, value: Value) -> str:
    begin, (end, y) = drawing.left, drawing.at(value)
    told = format_value(value["x"], drawing.chart.x.unit)
    inside = end > drawing.right - 70
    place, anchor, kind = (end - 5, "end", "on-bar") if inside else (end + 5, "start", "tick")
    text = _label(place, y + 4, told, anchor, kind=kind, limit=20)
    return f'<rect class="bar" x="{begin:.1f}" y="{y - 9:.1f}" width="{max(1.0, end - begin):.1f}" height="18"/>{text}'


def _cell(drawing: _Drawing, value: Value) -> str:
    width = (drawing.right - drawing.left) / len(drawing.chart.x.names)
    height = (drawing.bottom - _TOP) / len(drawing.chart.y.names)
    x, y = drawing.at(value)
    share = value.get("value")
    shade = min(9, max(0, int(10 * share))) if share is not None and is_known(share, Axis("")) else 0
    told = value["label"] if value.get("label") is not None else format_value(share, "share")
    return (
        f'<rect class="cell s{shade}" x="{x - width / 2 + 1:.1f}" y="{y - height / 2 + 1:.1f}" '
        f'width="{width - 2:.1f}" height="{height - 2:.1f}"/>'
        + _label(x, y + 4, str(told), "middle", kind="count", limit=max(2, int(width / _LETTER)))
    )


def _told(drawing: _Drawing, value: Value) -> str:
    """What a mark says where the pointer rests on it."""
    words = [str(value["label"])] if value.get("label") is not None else []
    for key, axis in (("x", drawing.chart.x), ("y", drawing.chart.y)):
        ends = [value.get(f"{key}_{end}") for end in ("low", "high")]
        between = (
            " to ".join(_exactly(end, axis) for end in ends)
            if all(is_known(end, axis) for end in ends)
            else ""
        )
        words.append(_exactly(value[key], axis) + f" ({between})" * bool(between))
    return ", ".join(words)


def _exactly(value: Any, axis: Axis) -> str:
    return str(value) if axis.kind == "names" else format_value(value, axis.unit)


def _shape(x: float, y: float, colour_and_shape: tuple[int, int], told: str = "") -> str:
    colour, shape = colour_and_shape
    r, more = 4.5, f"<title>{_text(told)}</title>" if told else ""
    if SHAPES[shape] == "circle":
        return f'<circle class="dot g{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{r}">{more}</circle>'
    points = " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in _CORNERS[SHAPES[shape]])
    return f'<polygon class="dot g{colour}" points="{points}">{more}</polygon>'
