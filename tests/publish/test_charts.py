"""Charts as data, drawn as SVG and as Vega-Lite: well-formed, literal, the same numbers."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.publish.made import HOSTILE
from tunebook.publish import scales, svg, vega
from tunebook.publish.palette import look
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
    "band": Chart("curve", "Curve", Axis("texts", "log", "count"), SHARE, (
        Mark("band", tuple({"x": x, "y_low": 0.5, "y_high": 0.6, "group": name} for x in (9, 99) for name in "ab")),)),
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
    if kind not in ("line", "point", "band"):
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
    ticks = scales.ticks(low, high)
    assert 2 <= len(ticks) <= 12 and all(low - 1e-12 <= tick <= high + 1e-12 for tick in ticks)


@pytest.mark.parametrize("rule", [{"x": None}, {"y": math.nan}, {"x": 0.0}])
def test_a_rule_without_a_place_is_left_out(rule: dict[str, float | None]) -> None:
    point = Mark("point", ({"x": 3.0, "y": 1.0},))
    drawn = svg.render(Chart("c", "C", Axis("x", "log"), Axis("y"), (Mark("rule", (rule,)), point)))
    assert 'class="dot' in drawn and 'class="rule"' not in drawn and "nan" not in drawn


def test_a_cell_without_a_share_is_drawn_as_none() -> None:
    axis = Axis("", "names", names=("a", "b"))
    cells = ({"x": "a", "y": "a", "value": None}, {"x": "b", "y": "a", "value": 0.3})
    drawn = svg.render(Chart("c", "C", axis, axis, (Mark("cell", cells),)))
    assert 'class="cell s0"' in drawn and ">-</text>" in drawn and ">30.0 %</text>" in drawn


def test_a_band_spans_its_ends_and_needs_no_middle() -> None:
    root = ElementTree.fromstring(svg.render(CHARTS["band"]))
    band = next(one for one in root.iter("polygon") if one.attrib["class"] == "band g0")
    (left, low), (right, _), (_, high), _ = [
        [float(end) for end in corner.split(",")] for corner in band.attrib["points"].split()
    ]
    assert left < right and high < low
    (layer,) = vega.spec(CHARTS["band"])["layer"]
    assert layer["mark"]["type"] == "area"
    assert (layer["encoding"]["y"]["field"], layer["encoding"]["y2"]["field"]) == ("y_low", "y_high")


def test_the_legend_shows_lines_with_their_dash() -> None:
    root = ElementTree.fromstring(svg.render(CHARTS["line"]))
    lines = [one.attrib["class"] for one in root.iter("polyline")]
    assert lines == ["line g0 d0", "line g1 d1"] * 2, "drawn, and told in the legend"
    assert not [one for one in root.iter() if "dot" in one.attrib.get("class", "")]


def test_no_two_groups_look_alike_where_colours_begin_anew() -> None:
    assert len({look(place) for place in range(49)}) == 49
    values = tuple({"x": float(place), "y": 1.0, "group": f"g{place}"} for place in range(9))
    chart = Chart("c", "C", Axis("x"), Axis("y"), (Mark("point", values),))
    scale = vega.spec(chart)["layer"][0]["encoding"]
    looks = list(zip(scale["color"]["scale"]["range"], scale["shape"]["scale"]["range"], strict=True))
    assert len(set(looks)) == 9
    drawn = [
        one for one in ElementTree.fromstring(svg.render(chart)).iter() if "g0" in one.attrib.get("class", "")
    ]
    assert [one.tag for one in drawn] == ["circle", "polygon"] * 2


def test_a_forest_says_its_values_unless_a_row_has_several() -> None:
    def told(names: tuple[str, ...]) -> list[str | None]:
        values = tuple({"x": 0.5 + place / 10, "y": name} for place, name in enumerate(names))
        axis = Axis("", "names", names=("a", "b"))
        root = ElementTree.fromstring(svg.render(Chart("c", "C", SHARE, axis, (Mark("interval", values),))))
        return [one.text for one in root.iter("text") if one.attrib["class"] == "value"]

    assert told(("a", "b")) == ["50.0 %", "60.0 %"]
    assert told(("a", "a")) == []


def labels_under(chart: Chart) -> list[tuple[float, float]]:
    """The ends of the labels along the bottom, at 6 pixels a letter."""
    root = ElementTree.fromstring(svg.render(chart))
    found = [
        one
        for one in root.iter("text")
        if one.attrib["class"] == "tick" and one.attrib["text-anchor"] == "middle"
    ]
    told = [(float(one.attrib["x"]), "".join(one.itertext())[-14:]) for one in found]
    shown = [(x, next((one.text for one in root.iter() if one.text == text), text)) for x, text in told]
    return [(x - 3 * len(text or ""), x + 3 * len(text or "")) for x, text in shown]


@pytest.mark.parametrize(("low", "high"), [(12.0, 4000.0), (0.5, 9e4), (210.0, 450.0), (3000.0, 3100.0)])
@pytest.mark.parametrize("kind", ["log", "linear"])
def test_labels_of_times_do_not_touch_and_there_are_some(low: float, high: float, kind: Any) -> None:
    values = ({"x": low, "y": 1.0}, {"x": high, "y": 2.0})
    ends = labels_under(Chart("c", "C", Axis("s", kind, "seconds"), Axis("y"), (Mark("point", values),)))
    assert len(ends) >= 2
    assert all(one[1] < other[0] for one, other in pairwise(ends)), ends


def test_long_names_of_columns_are_cut_and_told_whole() -> None:
    axis = Axis("", "names", names=tuple(f"a long name of class {place}" for place in range(6)))
    cells = tuple({"x": name, "y": name, "value": 1.0, "label": "1"} for name in axis.names)
    root = ElementTree.fromstring(svg.render(Chart("c", "C", axis, axis, (Mark("cell", cells),))))
    columns = [one for one in root.iter("text") if one.attrib["class"] == "tick"]
    assert [one[0].text for one in columns] == list(axis.names)
    assert all(len(one[0].tail or "") <= 10 for one in columns)


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


def test_only_nothing_is_written_as_zero() -> None:
    told = [format_value(value, "number") for value in (0.0, 4e-5, -3e-9, 1e-137, 0.0001, math.nan)]
    assert told == ["0.0000", "4e-05", "-3e-09", "1e-137", "0.0001", "-"]


def test_what_has_no_place_on_a_logarithmic_axis_has_none_in_either_renderer() -> None:
    values = ({"x": 0.0, "y": 1.0}, {"x": 5.0, "y": 1.0, "x_low": 0.0, "x_high": 6.0})
    chart = Chart("c", "C", Axis("x", "log"), Axis("y"), (Mark("interval", values),))
    told = vega.spec(chart)["layer"][0]["data"]["values"]
    assert [(one["x"], one.get("x_low", "absent")) for one in told] == [(None, "absent"), (5.0, None)]
    assert len(numbers(chart, "circle", "cx")) == 1 and "whisker" not in svg.render(chart)
