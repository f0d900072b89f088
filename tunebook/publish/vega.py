"""Charts as Vega-Lite specifications: the same data, to be drawn by a script and asked with the pointer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.publish.drawing import ROW
from tunebook.publish.palette import COLOURS, DASHES, SHAPES, look
from tunebook.publish.report import Axis, Chart, Mark
from tunebook.publish.scales import is_known
from tunebook.text.markdown import visible

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_MARKS = {
    "point": "point",
    "interval": "point",
    "line": "line",
    "bar": "bar",
}


def spec(chart: Chart) -> dict[str, Any]:
    """A chart as a specification: every text of it is a value of its data or a title, none is an expression.

    Values that several layers draw are there once, as one of its `datasets`.
    """
    values = [value for mark in chart.marks for value in mark.values]
    groups = list(
        dict.fromkeys(visible(str(value["group"])) for value in values if value.get("group") is not None)
    )
    sets: dict[str, list[dict[str, Any]]] = {}
    layers = [
        layer
        for mark in chart.marks
        if mark.values
        for layer in _layers(
            chart, mark, groups, data=_named(sets, [_shown(chart, one) for one in mark.values])
        )
    ]
    height = ROW * len(chart.y.names) if chart.y.kind == "names" else 300
    return {
        "$schema": SCHEMA,
        "width": height if chart.is_square else "container",
        "height": height,
        "datasets": sets,
        "layer": layers,
    }


def _named(sets: dict[str, list[dict[str, Any]]], values: list[dict[str, Any]]) -> dict[str, str]:
    """The name of values among the sets, which are given them where they have none that is equal."""
    for name, known in sets.items():
        if known == values:
            return {"name": name}
    sets[name := f"d{len(sets)}"] = values
    return {"name": name}


def _layers(
    chart: Chart, mark: Mark, groups: Sequence[str], *, data: Mapping[str, str]
) -> list[dict[str, Any]]:
    first = mark.values[0]
    if mark.kind == "rule":
        key = "x" if "x" in first else "y"
        kind = {"type": "rule", "strokeDash": [4, 3]}
        return [{"data": data, "mark": kind, "encoding": {key: _channel(chart, key)}}]
    if mark.kind == "aside":
        text = {"text": {"field": "label", "type": "nominal"}, "x": {"value": 6}, "y": _channel(chart, "y")}
        return [{"data": data, "mark": {"type": "text", "align": "left"}, "encoding": text}]
    places = {key: _channel(chart, key) for key in ("x", "y")}
    encoding: dict[str, Any] = {**places, **_grouped(mark, groups), "tooltip": _tooltip(chart, mark)}
    layers = []
    if mark.kind == "interval":
        for key in ("x", "y"):
            if any(value.get(f"{key}_low") is not None for value in mark.values):
                ends = {
                    **encoding,
                    key: places[key] | {"field": f"{key}_low"},
                    f"{key}2": {"field": f"{key}_high"},
                }
                kept = {name: ends[name] for name in ends if name not in ("shape", "tooltip")}
                layers.append({"data": data, "mark": {"type": "rule"}, "encoding": kept})
    if mark.kind == "band":
        encoding["y"] = places["y"] | {"field": "y_low"}
        encoding["y2"] = {"field": "y_high"}
        return [{"data": data, "mark": {"type": "area", "opacity": 0.25}, "encoding": encoding}]
    if mark.kind == "cell":
        # Half of the colour at most: the text of a cell stands out on every shade, on light and dark pages.
        encoding["opacity"] = {
            "field": "value",
            "type": "quantitative",
            "scale": {"domain": [0, 1], "range": [0.03, 0.5]},
            "legend": None,
        }
        text = {"text": {"field": "label", "type": "nominal"}, **places}
        layers.append({"data": data, "mark": {"type": "rect"}, "encoding": encoding})
        return [*layers, {"data": data, "mark": {"type": "text"}, "encoding": text}]
    shape = {"filled": True, "size": 60, "opacity": 1} if _MARKS[mark.kind] == "point" else {}
    return [*layers, {"data": data, "mark": {"type": _MARKS[mark.kind], **shape}, "encoding": encoding}]


def _shown(chart: Chart, value: Mapping[str, Any]) -> dict[str, Any]:
    """A value with texts made visible, and null for what has no place on its axis."""
    found: dict[str, Any] = {}
    for key, one in value.items():
        axis = chart.x if key.startswith("x") else chart.y
        is_place = key in ("x", "y") or key.endswith(("_low", "_high"))
        if isinstance(one, str) or (one is not None and key in ("group", "label")):
            found[key] = visible(str(one))
        elif isinstance(one, float) and not math.isfinite(one):
            found[key] = None
        else:
            known = one if not is_place or is_known(one, axis) else None
            if is_place and axis.unit == "points" and isinstance(known, int | float):
                known = 100 * known
            found[key] = _rounded(known)
    return found


def _rounded(value: Any) -> Any:
    """A number to six digits, which is more than a drawing shows."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _channel(chart: Chart, key: str) -> dict[str, Any]:
    axis: Axis = chart.x if key == "x" else chart.y
    title = axis.title or None
    if axis.kind == "names":
        names = [visible(name) for name in axis.names]
        shown = {"labelLimit": 220, "labelAngle": 0 if key == "y" or len(names) < 4 else -40}
        return {"field": key, "type": "nominal", "sort": names, "title": title, "axis": shown}
    scale: dict[str, Any] = {"type": "log"} if axis.kind == "log" else {"zero": False}
    if axis.low is None and axis.high is None:
        scale |= {"nice": False, "padding": 12}  # pixels: no point lies on the frame
    for name, end in (("domainMin", axis.low), ("domainMax", axis.high)):
        if end is not None:
            scale[name] = end
    ticks = {"format": _format(axis), "tickCount": 8, **({"tickMinStep": 1} if axis.unit == "count" else {})}
    return {"field": key, "type": "quantitative", "title": title, "scale": scale, "axis": ticks}


def _format(axis: Axis) -> str:
    formats = {"share": ".3~%", "points": ".3~r", "count": ",.0f", "seconds": ",.3~r", "bytes": ".3~s"}
    return formats.get(axis.unit, ",.4~r")


def _grouped(mark: Mark, groups: Sequence[str]) -> dict[str, Any]:
    if not any(value.get("group") is not None for value in mark.values):
        return {}
    looks = [look(place) for place in range(len(groups))]
    colour = {"domain": list(groups), "range": [COLOURS[one] for one, _ in looks]}
    found: dict[str, Any] = {
        "color": {
            "field": "group",
            "type": "nominal",
            "scale": colour,
            "legend": {"orient": "bottom", "title": None, "columns": 1, "labelLimit": 400},
        }
    }
    if mark.kind in ("point", "interval"):
        found["shape"] = {
            "field": "group",
            "type": "nominal",
            "scale": {
                "domain": list(groups),
                "range": [SHAPES[shape] for _, shape in looks],
            },
        }
    if mark.kind == "line":
        found["strokeDash"] = {
            "field": "group",
            "type": "nominal",
            "scale": {
                "domain": list(groups),
                "range": [list(DASHES[dash]) or [1, 0] for _, dash in looks],
            },
        }
    return found


def _tooltip(chart: Chart, mark: Mark) -> list[dict[str, Any]]:
    known = {key for value in mark.values for key in value}
    found = []
    for key in ("label", "group", "x", "x_low", "x_high", "y", "y_low", "y_high"):
        if key in known:
            axis = chart.x if key.startswith("x") else chart.y
            is_name = key in ("label", "group") or axis.kind == "names"
            title = key if key in ("label", "group") else f"{axis.title or key[0]}{key[1:].replace('_', ' ')}"
            found.append(
                {
                    "field": key,
                    "title": title,
                    "type": "nominal" if is_name else "quantitative",
                    **({} if is_name else {"format": _format(axis)}),
                }
            )
    return found
