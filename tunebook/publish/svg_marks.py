"""The marks of a drawing as SVG elements, those of one group in one element where that says the same in less."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tunebook.publish import labels
from tunebook.publish.drawing import LETTER, TOP, Drawing, Value, drawn, group_of, told_beside
from tunebook.publish.palette import SHAPES
from tunebook.publish.report import Axis, Mark, format_between, format_value
from tunebook.publish.scales import is_known
from tunebook.text.markdown import visible

_OUTLINES = {
    "square": "m-4.5-4.5h9v9h-9z",
    "triangle-up": "m0-5.4l5 9.4h-10z",
    "diamond": "m0-5.8l5.8 5.8-5.8 5.8-5.8-5.8z",
    "cross": "m-1.8-5.4h3.6v3.6h3.6v3.6h-3.6v3.6h-3.6v-3.6h-3.6v-3.6h3.6z",
    "triangle-down": "m0 5.4l5-9.4h-10z",
    "triangle-right": "m5.4 0l-9.4 5v-10z",
}
"""From the middle of a point around its shape."""
_MANY = 20


def short(number: float) -> str:
    """A number of pixels to a tenth.

    Example:
        >>> short(26.0), short(340.04), short(-0.01), short(12.34)
        ('26', '340', '0', '12.3')
    """
    shown = f"{number:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def escaped(text: str) -> str:
    """A text as it is written in SVG: visible, and no markup."""
    return (
        visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def cut(shown: str, limit: int) -> str:
    """A text of at most so many letters."""
    return shown if len(shown) <= limit else shown[: max(0, limit - 1)] + "…"


def label(x: float, y: float, text: str, kind: str = "", *, limit: int) -> str:
    """A text at a place, whole where the pointer rests on it; how it is aligned follows from its kind."""
    shown = visible(text)
    cut_off = cut(shown, limit)
    more = f"<title>{escaped(text)}</title>" if cut_off != shown else ""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{round(x)}" y="{round(y)}">{more}{escaped(cut_off)}</text>'


def drawn_marks(drawing: Drawing) -> Iterator[str]:
    """All marks of a drawing, in their order."""
    return (shape for mark in drawing.chart.marks for shape in _mark(drawing, mark))


def _mark(drawing: Drawing, mark: Mark) -> Iterator[str]:
    if mark.kind == "rule":
        yield from (rule for value in mark.values for rule in _rule(drawing, value))
        return
    known = drawn(drawing.chart, mark)
    if mark.kind in ("bar", "cell", "aside"):
        one: Callable[[Drawing, Value], str] = {"bar": _bar, "cell": _cell, "aside": _aside}[mark.kind]
        yield from (one(drawing, value) for value in known)
        return
    for group in dict.fromkeys(map(group_of, known)):
        members = [value for value in known if group_of(value) == group]
        if mark.kind in ("line", "band"):
            draw = _line if mark.kind == "line" else _band
            yield draw(drawing, sorted(members, key=lambda value: value["x"]), group)
        else:
            yield from _points(drawing, mark, members)
    if mark.kind == "interval":
        yield from _values(drawing, known)
        yield from _labels(drawing, [value for value in known if value.get("label") is not None])


def _rule(drawing: Drawing, value: Value) -> Iterator[str]:
    if is_known(value.get("x"), drawing.chart.x):
        yield f'<path class="rule" d="M{short(drawing.x.place(value["x"]))} {TOP}V{short(drawing.bottom)}"/>'
    elif is_known(value.get("y"), drawing.chart.y):
        y = short(drawing.y.place(value["y"]))
        yield f'<path class="rule" d="M{short(drawing.left)} {y}H{short(drawing.right)}"/>'


def _corners(places: Iterable[tuple[float, float]]) -> str:
    """Places one after the other; where they are many, to whole pixels, as nothing finer is seen in such a line."""
    found = list(places)
    shown: Callable[[float], object] = round if len(found) > _MANY else short
    return " ".join(f"{shown(x)},{shown(y)}" for x, y in found)


def _line(drawing: Drawing, values: Sequence[Value], group: str) -> str:
    colour, dash = drawing.look(group)
    return f'<polyline class="line g{colour} d{dash}" points="{_corners(map(drawing.at, values))}"/>'


def _band(drawing: Drawing, values: Sequence[Value], group: str) -> str:
    ends = [(value["x"], value["y_low"]) for value in values]
    ends += [(value["x"], value["y_high"]) for value in reversed(values)]
    corners = _corners((drawing.x.place(x), drawing.y.place(y)) for x, y in ends)
    return f'<polygon class="band g{drawing.look(group)[0]}" points="{corners}"/>'


def _points(drawing: Drawing, mark: Mark, members: Sequence[Value]) -> Iterator[str]:
    """The points of a group, under them the lines of their intervals."""
    colour, shape = drawing.look(group_of(members[0]))
    lines = (
        [line for value in members for line in _whiskers(drawing, value)] if mark.kind == "interval" else []
    )
    if lines:
        path = "".join(
            f"M{short(x1)} {short(y1)}" + (f"V{short(y2)}" if x1 == x2 else f"H{short(x2)}")
            for x1, y1, x2, y2 in lines
        )
        yield f'<path class="whisker g{colour}" d="{path}"/>'
    yield dots([(*drawing.at(value), _told(drawing, value)) for value in members], colour, shape)


def _whiskers(drawing: Drawing, value: Value) -> Iterator[tuple[float, float, float, float]]:
    """The ends of the lines of a value's intervals, along x and along y."""
    (x, y), chart = drawing.at(value), drawing.chart
    for key, along, axis in (("x", drawing.x, chart.x), ("y", drawing.y, chart.y)):
        low, high = value.get(f"{key}_low"), value.get(f"{key}_high")
        if is_known(low, axis) and is_known(high, axis):
            a, b = along.place(low), along.place(high)
            yield (a, y, b, y) if key == "x" else (x, a, x, b)


def dots(places: Sequence[tuple[float, float, str]], colour: int, shape: int) -> str:
    """Points of one look, each with what it says where the pointer rests on it."""
    found = []
    for x, y, told in places:
        more = f"<title>{escaped(told)}</title>" if told else ""
        if SHAPES[shape] == "circle":
            name, where = "circle", f'cx="{short(x)}" cy="{short(y)}" r="4.5"'
        else:
            name, where = "path", f'd="M{short(x)} {short(y)}{_OUTLINES[SHAPES[shape]]}"'
        found.append(f"<{name} {where}>{more}</{name}>" if more else f"<{name} {where}/>")
    return f'<g class="dot g{colour}">{"".join(found)}</g>'


def _values(drawing: Drawing, known: Sequence[Value]) -> Iterator[str]:
    """The values of a forest, each at the end of its row."""
    unit = drawing.chart.x.unit
    for value in known if told_beside(drawing.chart) else ():
        told, y = format_value(value["x"], unit), drawing.at(value)[1]
        yield label(drawing.right + 8, y + 4, told, "value", limit=20)


def _labels(drawing: Drawing, named: Sequence[Value]) -> Iterator[str]:
    """The labels of points, each beside its point, or with a line to it where it found no room there."""
    points = [drawing.at(value) for value in named]
    texts = [cut(visible(str(value["label"])), 40) for value in named]
    taken = [
        (min(a, c) - 2, min(b, d) - 2, max(a, c) + 2, max(b, d) + 2)
        for value in named
        for a, b, c, d in _whiskers(drawing, value)
    ]
    sizes = [(LETTER * len(text), 13.0) for text in texts]
    frame = (drawing.left, float(TOP) - 8, drawing.right + 20, drawing.bottom)
    boxes = labels.beside(points, sizes, taken=taken, frame=frame)
    for point, box, text in zip(points, boxes, texts, strict=True):
        if labels.is_far(point, box):
            to = labels.end(point, box)
            yield f'<path class="leader" d="M{short(point[0])} {short(point[1])}L{short(to[0])} {short(to[1])}"/>'
        yield label((box[0] + box[2]) / 2, box[3] - 3, text, "label", limit=40)


def _bar(drawing: Drawing, value: Value) -> str:
    begin, (end, y) = drawing.left, drawing.at(value)
    told = format_value(value["x"], drawing.chart.x.unit)
    place, kind = (end - 5, "on-bar") if end > drawing.right - 70 else (end + 5, "value")
    text = label(place, y + 4, told, kind, limit=20)
    width = short(max(1.0, end - begin))
    return f'<rect class="bar" x="{short(begin)}" y="{short(y - 9)}" width="{width}" height="18"/>{text}'


def _cell(drawing: Drawing, value: Value) -> str:
    width = (drawing.right - drawing.left) / len(drawing.chart.x.names)
    height = (drawing.bottom - TOP) / len(drawing.chart.y.names)
    x, y = drawing.at(value)
    share = value.get("value")
    shade = min(9, max(0, int(10 * share))) if share is not None and is_known(share, Axis("")) else 0
    told = value["label"] if value.get("label") is not None else format_value(share, "share")
    return (
        f'<rect class="cell s{shade}" x="{round(x - width / 2 + 1)}" y="{round(y - height / 2 + 1)}" '
        f'width="{round(width - 2)}" height="{round(height - 2)}"/>'
        + label(x, y + 4, str(told), "count", limit=max(2, int(width / LETTER)))
    )


def _aside(drawing: Drawing, value: Value) -> str:
    return label(drawing.left + 6, drawing.y.place(value["y"]) + 4, str(value["label"]), "aside", limit=60)


def _told(drawing: Drawing, value: Value) -> str:
    """What a mark says where the pointer rests on it."""
    words = [str(value["label"])] if value.get("label") is not None else []
    for key, axis in (("x", drawing.chart.x), ("y", drawing.chart.y)):
        ends = [value.get(f"{key}_{end}") for end in ("low", "high")]
        is_between = all(is_known(end, axis) for end in ends)
        between = format_between(ends[0], ends[1], axis.unit) if is_between else ""
        words.append(_exactly(value[key], axis) + f" ({between})" * bool(between))
    return ", ".join(words)


def _exactly(value: Any, axis: Axis) -> str:
    return str(value) if axis.kind == "names" else format_value(value, axis.unit)
