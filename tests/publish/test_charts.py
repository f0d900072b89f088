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
from tunebook.publish import labels, scales, svg, vega
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


def elements(drawn: str, kind: str) -> list[ElementTree.Element]:
    """The elements of a drawing that are of a class, by themselves or by their group."""
    root, found = ElementTree.fromstring(drawn), []
    for one in root.iter():
        if kind in one.attrib.get("class", "").split():
            found += list(one) if one.tag == "g" else [one]
    return found


def values_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """What a layer of a specification draws."""
    found: list[dict[str, Any]] = spec["datasets"][layer["data"]["name"]]
    return found


@pytest.mark.parametrize("kind", CHARTS)
def test_drawings_are_well_formed_and_carry_no_style_script_or_handler(kind: str) -> None:
    root = ElementTree.fromstring(svg.render(CHARTS[kind]))
    attributes = [name for element in root.iter() for name in element.attrib]
    assert not [name for name in attributes if name == "style" or name.startswith("on") or "href" in name]
    assert {element.tag for element in root.iter()} <= {
        "svg", "title", "text", "path", "polyline", "circle", "polygon", "rect", "g"
    }  # fmt: skip
    assert root.attrib["role"] == "img" and root.attrib["aria-label"]


@pytest.mark.parametrize("kind", CHARTS)
def test_hostile_names_are_letters(kind: str) -> None:
    drawn = svg.render(CHARTS[kind])
    assert "<script" not in drawn and "\x1b" not in drawn and "\u202e" not in drawn
    if kind not in ("line", "point", "band"):
        assert "&lt;script&gt;" in drawn


def numbers(chart: Chart, tag: str, attribute: str) -> list[float]:
    return [float(one.attrib[attribute]) for one in elements(svg.render(chart), "dot") if one.tag == tag]


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
    shapes = [one.tag for one in elements(svg.render(CHARTS["interval"]), "dot")]
    assert {"circle", "path"} <= set(shapes)


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
    drawn = svg.render(CHARTS["line"])
    lines = [one.attrib["class"] for one in elements(drawn, "line")]
    assert lines == ["line g0 d0", "line g1 d1"] * 2, "drawn, and told in the legend"
    assert not elements(drawn, "dot")


def test_no_two_groups_look_alike_where_colours_begin_anew() -> None:
    assert len({look(place) for place in range(49)}) == 49
    values = tuple({"x": float(place), "y": 1.0, "group": f"g{place}"} for place in range(9))
    chart = Chart("c", "C", Axis("x"), Axis("y"), (Mark("point", values),))
    scale = vega.spec(chart)["layer"][0]["encoding"]
    looks = list(zip(scale["color"]["scale"]["range"], scale["shape"]["scale"]["range"], strict=True))
    assert len(set(looks)) == 9
    assert [one.tag for one in elements(svg.render(chart), "g0")] == ["circle", "path"] * 2


def test_a_forest_says_its_values_unless_a_row_has_several() -> None:
    def told(names: tuple[str, ...]) -> list[str | None]:
        values = tuple({"x": 0.5 + place / 10, "y": name} for place, name in enumerate(names))
        axis = Axis("", "names", names=("a", "b"))
        drawn = svg.render(Chart("c", "C", SHARE, axis, (Mark("interval", values),)))
        return [one.text for one in elements(drawn, "value")]

    assert told(("a", "b")) == ["50.0 %", "60.0 %"]
    assert told(("a", "a")) == []


def labels_under(chart: Chart) -> list[tuple[float, float]]:
    """The ends of the labels along the bottom, at 6 pixels a letter."""
    root, found = ElementTree.fromstring(svg.render(chart)), elements(svg.render(chart), "tick")
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
    columns = elements(svg.render(Chart("c", "C", axis, axis, (Mark("cell", cells),))), "tick")
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
    told = [value for layer in spec["layer"] for value in values_of(spec, layer)]
    for mark in chart.marks:
        for value in mark.values:
            assert any(
                all(
                    one.get(key) == pytest.approx(value[key], rel=1e-5)
                    for key in ("x", "y")
                    if isinstance(value.get(key), float)
                )
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
    assert told == ["0.0000", "4e-05", "\u22123e-09", "1e-137", "0.0001", "-"]


def test_what_has_no_place_on_a_logarithmic_axis_has_none_in_either_renderer() -> None:
    values = ({"x": 0.0, "y": 1.0}, {"x": 5.0, "y": 1.0, "x_low": 0.0, "x_high": 6.0})
    chart = Chart("c", "C", Axis("x", "log"), Axis("y"), (Mark("interval", values),))
    spec = vega.spec(chart)
    told = values_of(spec, spec["layer"][0])
    assert [(one["x"], one.get("x_low", "absent")) for one in told] == [(None, "absent"), (5.0, None)]
    assert len(numbers(chart, "circle", "cx")) == 1 and "whisker" not in svg.render(chart)


# --- what a drawing tells ----------------------------------------------------------------------------------------


def boxes(drawn: str, kind: str) -> list[tuple[float, float, float, float]]:
    """Where texts that are centred at their place lie, at 6.6 pixels a letter."""
    found = []
    for one in elements(drawn, kind):
        x, y, half = float(one.attrib["x"]), float(one.attrib["y"]), 3.3 * len(one.text or "")
        found.append((x - half, y - 10, x + half, y + 3))
    return found


def crowded(count: int) -> Chart:
    """A front with points that lie on one another, and one far from them."""
    near = [
        {"x": 24.0 + place / 3, "y": 0.79 + place / 900, "y_low": 0.78, "y_high": 0.8}
        for place in range(count)
    ]
    values = [{**one, "label": f"a method {place}"} for place, one in enumerate(near)]
    far = {"x": 1.0, "y": 0.7, "label": "far away"}
    return Chart("f", "F", Axis("s", "log", "seconds"), SHARE, (Mark("interval", (*values, far)),))


@pytest.mark.parametrize("count", [1, 5, 9])
def test_labels_of_a_front_are_written_beside_its_points_and_lie_on_nothing(count: int) -> None:
    drawn = svg.render(crowded(count))
    found = elements(drawn, "label")
    assert {one.text for one in found} == {*(f"a method {place}" for place in range(count)), "far away"}
    at = boxes(drawn, "label")
    assert not [(a, b) for place, a in enumerate(at) for b in at[:place] if labels.meet(a, b)]
    xs, ys = numbers(crowded(count), "circle", "cx"), numbers(crowded(count), "circle", "cy")
    dots = [(x - 3, y - 3, x + 3, y + 3) for x, y in zip(xs, ys, strict=True)]
    assert not [(box, dot) for box in at for dot in dots if labels.meet(box, dot)]
    assert all(box[0] > 0 and box[2] < 640 for box in at)


def test_the_overlap_of_labels_is_seen() -> None:
    """The control: labels that all stand to the right of their points do overlap."""
    at = [(x + 9.0, 10.0, x + 60.0, 23.0) for x in (10.0, 20.0)]
    assert labels.meet(*at)


def test_differences_of_shares_are_points_on_the_axis_and_beside_it() -> None:
    axis = Axis("difference in accuracy (points)", unit="points")
    names = Axis("", "names", names=("lora",))
    chart = Chart(
        "f",
        "F",
        axis,
        names,
        (Mark("interval", ({"x": -0.018, "x_low": -0.046, "x_high": 0.01, "y": "lora"},)),),
    )
    drawn, spec = svg.render(chart), vega.spec(chart)
    assert [one.text for one in elements(drawn, "value")] == ["\u22121.8 points"]
    assert "%" not in drawn and "\u22124" in [one.text for one in elements(drawn, "tick")]
    assert values_of(spec, spec["layer"][0])[0]["x_low"] == -4.6
    assert "%" not in json.dumps(spec)


def test_what_lies_off_the_axis_is_told_and_does_not_widen_it() -> None:
    names = Axis("", "names", names=("full", "majority"))
    marks = (
        Mark("point", ({"x": 0.79, "y": "full"}, {"x": 0.81, "y": "full"})),
        Mark("aside", ({"y": "majority", "label": "\u2190 off the axis: 50.7 %"},)),
    )
    chart = Chart("s", "S", SHARE, names, marks)
    drawn, spec = svg.render(chart), vega.spec(chart)
    assert [one.text for one in elements(drawn, "aside")] == ["\u2190 off the axis: 50.7 %"]
    assert all(float((one.text or "").split()[0]) > 78 for one in elements(drawn, "tick"))
    assert "text" in [layer["mark"]["type"] for layer in spec["layer"]]


def test_cells_have_titles_on_both_axes_and_no_lines_through_them() -> None:
    axes = (Axis("predicted label", "names", names=("a",)), Axis("true label", "names", names=("a",)))
    drawn = svg.render(
        Chart("c", "C", *axes, (Mark("cell", ({"x": "a", "y": "a", "value": 1.0, "label": "7"},)),))
    )
    assert {one.text for one in elements(drawn, "axis")} == {"predicted label", "true label"}
    assert not elements(drawn, "grid")


def test_a_square_chart_has_axes_of_one_length() -> None:
    axis = Axis("share", unit="share", low=0.0, high=1.0)
    corners = ({"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0})
    chart = Chart("r", "R", axis, axis, (Mark("point", corners),), is_square=True)
    xs, ys = numbers(chart, "circle", "cx"), numbers(chart, "circle", "cy")
    assert xs[1] - xs[0] == pytest.approx(ys[0] - ys[1], abs=0.2)
    assert vega.spec(chart)["width"] == vega.spec(chart)["height"]


def test_only_what_can_be_drawn_is_a_value() -> None:
    names = Axis("", "names", names=("full",))

    def has_values(*marks: Mark) -> bool:
        return Chart("c", "C", SHARE, names, marks).has_values

    aside = Mark("aside", ({"y": "full", "label": "off"},))
    assert not has_values(Mark("rule", ({"x": 0.0},)), Mark("interval", ()), aside)
    assert not has_values(Mark("interval", ({"x": None, "y": "full"},)))
    assert has_values(Mark("interval", ({"x": 0.5, "y": "full"},)))


def test_specifications_hold_values_that_several_layers_draw_once() -> None:
    spec = vega.spec(CHARTS["front"])
    assert len(spec["layer"]) == 3 and len(spec["datasets"]) == 1
