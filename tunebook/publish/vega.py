"""Charts as Vega-Lite specifications: the same data, to be drawn by a script and asked with the pointer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.publish.palette import COLOURS, DASHES, SHAPES
from tunebook.publish.report import Axis, Chart, Mark
from tunebook.publish.svg import ROW
from tunebook.text.markdown import visible

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_MARKS = {
    "point": "point",
    "interval": "point",
    "line": "line",
    "band": "area",
    "bar": "bar",
    "cell": "rect",
    "rule": "rule",
}


def spec(chart: Chart) -> dict[str, Any]:
    """A chart as a specification: every text of it is a value of its data or a title, none is an expression."""
    values = [value for mark in chart.marks for value in mark.values]
    groups = list(dict.fromkeys(visible(str(value["group"])) for value in values if "group" in value))
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": ROW * len(chart.y.names) if chart.y.kind == "names" else 300,
        "layer": [layer for mark in chart.marks if mark.values for layer in _layers(chart, mark, groups)],
    }


def _layers(chart: Chart, mark: Mark, groups: Sequence[str]) -> list[dict[str, Any]]:
    data = {"values": [_shown(value) for value in mark.values]}
    first = mark.values[0]
    if mark.kind == "rule":
        key = "x" if "x" in first else "y"
        return [
            {
                "data": data,
                "mark": {"type": "rule", "strokeDash": [4, 3]},
                "encoding": {key: _channel(chart, key)},
            }
        ]
    encoding = {
        "x": _channel(chart, "x"),
        "y": _channel(chart, "y"),
        **_grouped(mark, groups),
        "tooltip": _tooltip(chart, mark),
    }
    layers = []
    if mark.kind == "interval":
        for key in ("x", "y"):
            if any(value.get(f"{key}_low") is not None for value in mark.values):
                ends = {
                    **encoding,
                    key: {**encoding[key], "field": f"{key}_low"},
                    f"{key}2": {"field": f"{key}_high"},
                }
                layers.append(
                    {
                        "data": data,
                        "mark": {"type": "rule"},
                        "encoding": {name: ends[name] for name in ends if name != "shape"},
                    }
                )
    if mark.kind == "cell":
        encoding["color"] = {
            "field": "value",
            "type": "quantitative",
            "scale": {"domain": [0, 1], "scheme": "blues"},
            "legend": None,
        }
        text = {"text": {"field": "label", "type": "nominal"}, "x": encoding["x"], "y": encoding["y"]}
        layers.append({"data": data, "mark": {"type": "rect"}, "encoding": encoding})
        return [*layers, {"data": data, "mark": {"type": "text"}, "encoding": text}]
    shape = {"filled": True, "size": 60} if _MARKS[mark.kind] == "point" else {}
    return [*layers, {"data": data, "mark": {"type": _MARKS[mark.kind], **shape}, "encoding": encoding}]


def _shown(value: Mapping[str, Any]) -> dict[str, Any]:
    """A value with texts made visible, and null for what is no number."""
    return {
        key: visible(one)
        if isinstance(one, str)
        else None
        if isinstance(one, float) and not math.isfinite(one)
        else one
        for key, one in value.items()
    }


def _channel(chart: Chart, key: str) -> dict[str, Any]:
    axis: Axis = chart.x if key == "x" else chart.y
    title = axis.title or None
    if axis.kind == "names":
        names = [visible(name) for name in axis.names]
        shown = {"labelLimit": 220, "labelAngle": 0}
        return {"field": key, "type": "nominal", "sort": names, "title": title, "axis": shown}
    scale: dict[str, Any] = {"type": "log"} if axis.kind == "log" else {"zero": False}
    for name, end in (("domainMin", axis.low), ("domainMax", axis.high)):
        if end is not None:
            scale[name] = end
    ticks = {"format": _format(axis), **({"tickMinStep": 1} if axis.unit == "count" else {})}
    return {"field": key, "type": "quantitative", "title": title, "scale": scale, "axis": ticks}


def _format(axis: Axis) -> str:
    return {"share": ".3~%", "count": ",.0f", "seconds": ",.3~r", "bytes": ".3~s"}.get(axis.unit, ",.4~r")


def _grouped(mark: Mark, groups: Sequence[str]) -> dict[str, Any]:
    if not any("group" in value for value in mark.values):
        return {}
    count = len(groups)
    colour = {"domain": list(groups), "range": [COLOURS[place % len(COLOURS)] for place in range(count)]}
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
                "range": [SHAPES[place % len(SHAPES)] for place in range(count)],
            },
        }
    if mark.kind == "line":
        found["strokeDash"] = {
            "field": "group",
            "type": "nominal",
            "scale": {
                "domain": list(groups),
                "range": [list(DASHES[place % len(DASHES)]) or [1, 0] for place in range(count)],
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
