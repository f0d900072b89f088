"""Templates made into pages: every text is shown literally, numbers are written as in tables elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tunebook.publish import svg, vega
from tunebook.publish.open_data import SCHEMA
from tunebook.publish.report import Chart, Column, Kind, Table, format_value
from tunebook.text.markdown import visible

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS = {
    "dataset": "dataset",
    "checkpoint": "checkpoint",
    "method": "method_name",
    "metric": "metric",
    "budget": "trials",
}
"""What the index can be filtered by, beside words, and the key of its rows that holds it."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates, which escape what they are given; control and direction characters are shown as code points."""
    import jinja2
    from markupsafe import Markup

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("tunebook.publish"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    made.filters |= {
        "drawn": lambda chart: Markup(svg.render(chart)),
        "shown": lambda value, kind: format_value(value, kind),
        "along": _along,
        "sorted_by": _sorted_by,
        "filters": lambda row: Markup(_filters(row)),
        "lines": lambda text: Markup("\n").join(visible(line) for line in text.split("\n")),
    }
    return made


def render(template: str, *, depth: int, **values: Any) -> bytes:
    """A page from a template; `depth` is how many folders it lies below the index."""
    usual = {
        "up": "../" * depth,
        "schema": SCHEMA,
        "crumbs": [],
        "charts": None,
        "is_live": False,
        "connect": "",
    }
    text = environment().get_template(template).render({**usual, **values})
    return (text.strip() + "\n").encode()


# --- tables ------------------------------------------------------------------------------------------------------


def domain(
    rows: Sequence[Mapping[str, Any]], kind: Kind = "share", *, key: str = "interval"
) -> dict[str, Any] | None:
    """The scale that all interval bars of a table share; None where it has none. The majority class is left out: it
    lies far from all else, and would leave the others no room."""
    known = [row[key] for row in rows if row.get(key) and row.get("method") != "majority"]
    ends = [end for low, _, high in known for end in (low, high) if end is not None]
    if not ends:
        return None
    room = (max(ends) - min(ends)) * 0.03 or 0.01
    return {"low": min(ends) - room, "high": max(ends) + room, "kind": kind}


def _along(value: float, scale: Mapping[str, float]) -> str:
    """Where on a bar of 120 units a value lies."""
    return f"{120 * (value - scale['low']) / (scale['high'] - scale['low']):.1f}"


def _sorted_by(value: Any, kind: Kind) -> str:
    """What a cell is sorted by: the number itself, of an interval its middle."""
    number = value[1] if kind == "interval" and value else value
    return "" if number is None or isinstance(number, str | tuple) else repr(float(number))


def _filters(row: Mapping[str, Any]) -> str:
    """The attributes of a row that the index filters by."""
    from markupsafe import escape

    words = [row[key] for key in ("dataset", "checkpoint", "method", "metric", "experiment")]
    values = {"search": visible(" ".join(map(str, words)).lower())}
    values |= {name: visible(filter_value(row, name)) for name in FILTERS}
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items())


def filter_value(row: Mapping[str, Any], name: str) -> str:
    """A row's value of a filter, as text; of the budget how many trials it was tuned with."""
    value = row.get(FILTERS[name])
    return str(value or 0) if name == "budget" else str(value)


# --- charts ------------------------------------------------------------------------------------------------------


def figure(chart: Chart, page: str, place: int) -> dict[str, Any]:
    """A chart with the id that its page and its script know it by."""
    return {"id": f"{page}-{chart.name}-{place}", "chart": chart}


def chart_script(figures: Sequence[Mapping[str, Any]]) -> bytes:
    """The classic script that gives a page its interactive charts: data alone, no text of which is run."""
    lines = [
        f"tunebook.charts[{json.dumps(one['id'])}] = {json.dumps(vega.spec(one['chart']), separators=(',', ':'))};"
        for one in figures
    ]
    return ('"use strict";\n' + "\n".join(lines) + "\n").encode()


def plain(
    name: str, title: str, columns: Sequence[tuple[Any, ...]], rows: Sequence[Mapping[str, Any]]
) -> Table:
    """A table by its columns' keys, titles, kinds and, where they link, the keys of addresses."""
    return Table(name, title, tuple(Column(*one) for one in columns), tuple(rows))
