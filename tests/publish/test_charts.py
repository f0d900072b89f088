"""Charts as data, drawn as SVG and as Vega-Lite: well-formed, literal, the same numbers."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import pytest

from tests.publish.made import HOSTILE
from tunebook.publish import svg, vega
from tunebook.publish.report import Axis, Chart, Mark, format_value

SHARE, NAMES = Axis("accuracy", unit="share"), Axis("", "names", names=("full", HOSTILE))
CHARTS = {
    "interval": Chart("forest", "Forest", SHARE, NAMES, (
        Mark("rule", ({"x": 0.5},)),
        Mark("interval", ({"x": 0.7, "x_low": 0.6, "x_high": 0.8, "y": "full", "group": "a"},
                          {"x": 0.6, "x_low": 0.5, "x_high": 0.7, "y": HOSTILE, "group": HOSTILE})))),
    "front": Chart("front", "Front", Axis("seconds", "log", "seconds"), SHARE, (
        Mark("interval", ({"x": 3.0, "x_low": 2.0, "x_high": 5.0, "y": 0.7, "y_low": 0.6, "y_high": 0.8,
                           "label": HOSTILE},
                          {"x": 300.0, "y": 0.9})),)),
    "line": Chart("curves", "Curves", Axis("step", unit="count"), Axis("loss"), (
        Mark("line", tuple({"x": x, "y": 1 / x, "group": name} for x in range(1, 9) for name in ("train", "test"))),)),
    "bar": Chart("costs", "Costs", Axis("seconds", unit="seconds", low=0.0), NAMES, (
        Mark("bar", ({"x": 3.0, "y": "full"}, {"x": 40.0, "y": HOSTILE})),)),
    "cell": Chart("confusion", "Confusion", NAMES, NAMES, (
        Mark("cell", tuple({"x": x, "y": y, "value": 0.5, "label": "7"} for x in NAMES.names for y in NAMES.names)),)),
    "point": Chart("seeds", "Seeds", SHARE, NAMES, (Mark("point", ({"x": 0.5, "y": "full", "label": "seed 0"},)),)),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHARTS)
def test_drawings_are_well_formed_and_carry_no_style_script_or_handler(kind: str) -> None:
    root = ElementTree.fromstring(svg.render(CHARTS[kind]))
    attributes = [name for element in root.iter() for name in element.attrib]
    assert not [name for name in attributes if name == "style" or name.startswith("on") or "href" in name]
    assert {element.tag for element in root.iter()} <= {
        "svg", "title", "text", "line", "polyline", "circle", "polygon", "rect"
    }  # fmt: skip
    assert root.attrib["role"] == "img" and root.attrib["aria-label"]


@pytest.mark.parametrize("kind", CHARTS)
def test_hostile_names_are_letters(kind: str) -> None:
    drawn = svg.render(CHARTS[kind])
    assert "<script" not in drawn and "\x1b" not in drawn and "\u202e" not in drawn
    if kind != "line" and kind != "point":
        assert "&lt;script&gt;" in drawn


def numbers(chart: Chart, tag: str, attribute: str) -> list[float]:
    root = ElementTree.fromstring(svg.render(chart))
    return [float(one.attrib[attribute]) for one in root.iter(tag) if "dot" in one.attrib.get("class", "")]


def test_places_follow_values() -> None:
    values = tuple({"x": x, "y": 2 * x} for x in (0.0, 0.25, 1.0))
    chart = Chart("c", "C", Axis("x"), Axis("y"), (Mark("point", values),))
    xs, ys = numbers(chart, "circle", "cx"), numbers(chart, "circle", "cy")
    assert (xs[1] - xs[0]) / (xs[2] - xs[0]) == pytest.approx(0.25, abs=1e-2)
    assert ys[0] > ys[1] > ys[2], "larger values stand higher"


def test_a_logarithmic_axis_has_equal_steps_for_equal_ratios() -> None:
    values = tuple({"x": x, "y": 1.0} for x in (1.0, 10.0, 100.0))
    xs = numbers(Chart("c", "C", Axis("x", "log"), Axis("y"), (Mark("point", values),)), "circle", "cx")
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, None])
def test_what_is_no_number_is_left_out(bad: float | None) -> None:
    chart = Chart(
        "c", "C", Axis("x"), Axis("y"), (Mark("point", ({"x": bad, "y": 1.0}, {"x": 1.0, "y": 1.0})),)
    )
    assert len(numbers(chart, "circle", "cx")) == 1
    assert "NaN" not in json.dumps(vega.spec(chart)) and "Infinity" not in json.dumps(vega.spec(chart))


def test_a_chart_without_values_says_so() -> None:
    assert (
        svg.render(Chart("c", "Nothing", Axis("x"), Axis("y"), ()))
        == '<p class="none">Nothing: nothing to draw.</p>'
    )


def test_groups_differ_in_more_than_colour() -> None:
    root = ElementTree.fromstring(svg.render(CHARTS["interval"]))
    shapes = [one.tag for one in root.iter() if "dot" in one.attrib.get("class", "")]
    assert {"circle", "polygon"} <= set(shapes)


@pytest.mark.parametrize(
    ("low", "high"), [(0.703, 0.812), (0.0, 1.0), (-3.2, 41.0), (1e-9, 2e-9), (5.0, 5.1)]
)
def test_ticks_are_few_and_inside(low: float, high: float) -> None:
    ticks = svg._ticks(low, high)
    assert 2 <= len(ticks) <= 12 and all(low - 1e-12 <= tick <= high + 1e-12 for tick in ticks)


# --- Vega-Lite ---------------------------------------------------------------------------------------------------


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from strings(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one, key)
    elif isinstance(value, str):
        yield key, value


@pytest.mark.parametrize("kind", CHARTS)
def test_no_text_of_data_stands_in_an_expression(kind: str) -> None:
    spec = vega.spec(CHARTS[kind])
    for key, text in strings(spec):
        assert key not in ("expr", "signal", "calculate", "filter", "test", "href", "url"), text
        assert "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize("kind", CHARTS)
def test_both_renderers_have_the_same_values(kind: str) -> None:
    chart, spec = CHARTS[kind], vega.spec(CHARTS[kind])
    told = [value for layer in spec["layer"] for value in layer["data"]["values"]]
    for mark in chart.marks:
        for value in mark.values:
            assert any(
                all(one.get(key) == value[key] for key in ("x", "y") if isinstance(value.get(key), float))
                for one in told
            )


def test_values_are_written_alike_everywhere() -> None:
    told = [
        format_value(*one)
        for one in ((0.12345, "share"), (3700, "seconds"), (90e6, "bytes"), (12.34, "rate"), (7, "count"))
    ]
    assert told == ["12.3 %", "1 h 1 min", "90 MB", "12", "7"]
    assert format_value((0.1, 0.2, 0.3), "interval") == "0.1000 to 0.3000" and re.fullmatch(
        "-", format_value(None, "share")
    )
