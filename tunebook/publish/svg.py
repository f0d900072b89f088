"""Charts as SVG text, drawn without a browser: what a page shows where scripts do not run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tunebook.publish.drawing import NAME_WIDTH, ROW, TOP, WIDE, Drawing, group_of, plan
from tunebook.publish.report import Chart
from tunebook.publish.scales import apart, written
from tunebook.publish.svg_marks import cut, dots, drawn_marks, escaped, label, short
from tunebook.text.markdown import visible

__all__ = ["ROW", "render"]


def render(chart: Chart, *, width: int = 640) -> str:
    """A chart as an SVG element of so many pixels, without styles or scripts: classes are coloured by the page.

    Values without a number are left out; a chart without any is a sentence. All texts are shown literally.
    """
    drawing = plan(chart, width)
    if drawing is None:
        return f'<p class="none">{escaped(chart.title)}: nothing to draw.</p>'
    parts = [*_axes(drawing), *drawn_marks(drawing), *_legend(drawing)]
    told = escaped(f"{chart.title}: {chart.x.title} against {chart.y.title or 'rows'}")
    return (
        f'<svg class="drawing" viewBox="0 0 {width} {round(drawing.full_height)}" role="img" aria-label="{told}">'
        f"{''.join(parts)}</svg>"
    )


def _axes(drawing: Drawing) -> Iterator[str]:
    chart, room = drawing.chart, 14
    if chart.x.kind == "names":
        room = int((drawing.right - drawing.left) / len(chart.x.names) / WIDE) - 1
    places = [
        (drawing.x.place(tick), tick, cut(visible(written(tick, chart.x)), room)) for tick in drawing.x.ticks
    ]
    rows = [(drawing.y.place(tick), tick) for tick in drawing.y.ticks]
    if not any(mark.kind == "cell" for mark in chart.marks):  # which are a grid themselves
        lines = "".join(f"M{short(x)} {TOP}V{round(drawing.bottom)}" for x, _, _ in places)
        lines += "".join(f"M{round(drawing.left)} {short(y)}H{round(drawing.right)}" for y, _ in rows)
        yield f'<path class="grid" d="{lines}"/>'
    shown = places if chart.x.kind == "names" else apart(places, WIDE)
    yield '<g class="tick">'
    yield from (label(x, drawing.bottom + 17, written(tick, chart.x), limit=room) for x, tick, _ in shown)
    yield '</g><g class="name">'
    yield from (line for y, tick in rows for line in _name(drawing.left - 8, y, written(tick, chart.y)))
    yield "</g>"
    middle = (drawing.left + drawing.right) / 2
    yield label(middle, drawing.height - 8, chart.x.title, "axis", limit=80)
    if chart.y.title:
        yield label(4, 12, chart.y.title, "axis upright", limit=80)


def _name(x: float, y: float, name: str) -> Iterator[str]:
    """A category's name in at most two lines, whole where the pointer rests on it."""
    shown = visible(name)
    lines = textwrap.wrap(shown, NAME_WIDTH, break_on_hyphens=False) or [""]
    if len(lines) > 2:
        lines = [lines[0], lines[1][: NAME_WIDTH - 1] + "…"]
    first = y + 4 - 7 * (len(lines) - 1)
    for place, line in enumerate(lines):
        more = f"<title>{escaped(name)}</title>" if line != shown else ""
        yield f'<text x="{round(x)}" y="{round(first + 14 * place)}">{more}{escaped(line)}</text>'


def _legend(drawing: Drawing) -> Iterator[str]:
    """Every group with what it is drawn as: its dash where it has a line, its shape where it has points."""
    left, top = drawing.legend_at
    for place, group in enumerate(drawing.groups if len(drawing.groups) > 1 else ()):
        marks = drawing.chart.marks
        kinds = {mark.kind for mark in marks if any(group_of(value) == group for value in mark.values)}
        y, x, (colour, shape) = top + 22 * place, left + 14, drawing.look(group)
        if "band" in kinds:
            yield f'<rect class="band g{colour}" x="{short(x - 14)}" y="{short(y - 6)}" width="28" height="12"/>'
        if "line" in kinds:
            yield f'<path class="line g{colour} d{shape}" d="M{short(x - 14)} {short(y)}h28"/>'
        if not kinds & {"line", "band"} or kinds & {"point", "interval"}:
            yield dots([(x, y, "")], colour, shape)
        yield label(x + 22, y + 4, group, "legend", limit=70)
