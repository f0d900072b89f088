"""Templates made into pages: every text is shown literally, numbers are written as in tables elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tunebook.publish import svg, vega
from tunebook.publish.open_data import SCHEMA
from tunebook.publish.report import Chart, Column, Kind, Table, format_between, format_value
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
_COLUMNS = 6
"""In so many columns the style sheet can let a table's numbers begin."""
CLAIM_FILTERS = {"verdict": "verdict", "source": "source"}
"""What the page of claims can be filtered by likewise."""


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
        finalize=lambda value: shown(value) if type(value) is str else value,
    )
    made.filters |= {
        "drawn": lambda chart: Markup(svg.render(chart)),
        "shown": lambda value, kind: format_value(value, kind),
        "between": _between,
        "along": _along,
        "sorted_by": lambda value, kind: Markup(_sorted_by(value, kind)),
        "attributes": lambda row, names, columns: Markup(_attributes(row, names, columns)),
        "numbers_from": _numbers_from,
        "lines": lambda text: Markup("\n").join(visible(line) for line in text.split("\n")),
    }
    return made


def shown(text: str) -> str:
    """A text as pages have it: visible, and no number parted from its per cent sign.

    Example:
        >>> shown("95 % interval") == "95\\u00a0% interval"
        True
    """
    return re.sub(r"(?<=\d) (?=%)", "\u00a0", visible(text))


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


def _numbers_from(table: Table) -> int:
    """The first column of numbers of a table that has more of them than texts after it; 0 of others, and where it lies
    further to the right than the style sheet knows."""
    are_numbers = [column.is_number for column in table.columns]
    first = are_numbers.index(True) if True in are_numbers else _COLUMNS
    after = are_numbers[first:]
    return first + 1 if first < _COLUMNS and after.count(True) > after.count(False) else 0


# --- tables ------------------------------------------------------------------------------------------------------


Bars = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""The scale that a row's interval is drawn on; None where there is none."""


def bars(rows: Sequence[Mapping[str, Any]], kind: Kind = "share", *, by: Sequence[str] = ()) -> Bars:
    """The scales of the interval bars of a table: one for all, or one for each value of some keys. The majority class
    is left out: it lies far from all else, and would leave the others no room."""
    ends: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row.get("interval") and "majority" not in (row.get("method"), row.get("first"), row.get("second")):
            low, _, high = row["interval"]
            known = ends.setdefault(tuple(row[key] for key in by), [])
            known += [end for end in (low, high) if end is not None]
    scales = {key: _scale(known, kind) for key, known in ends.items() if known}
    return lambda row: scales.get(tuple(row[key] for key in by))


def _scale(ends: Sequence[float], kind: Kind) -> dict[str, Any]:
    room = (max(ends) - min(ends)) * 0.03 or 0.01
    return {"low": min(ends) - room, "high": max(ends) + room, "kind": kind}


def scales_told(rows: Sequence[Mapping[str, Any]], of: Bars) -> str:
    """What the scales of the bars of an overview are, a dataset and metric each, in a sentence."""
    told = {}
    for row in rows:
        if (found := of(row)) is not None:
            ends = _between((found["low"], None, found["high"]), row["unit"])
            told[row["dataset"], row["metric"]] = f"{row['dataset']} {ends}"
    return f"Bars have a scale of their own for each dataset: {'; '.join(told.values())}." if told else ""


def _between(interval: Sequence[Any], kind: Kind) -> str:
    """The ends of an interval, per cent once, and points not at all: the heading says so."""
    told = format_between(interval[0], interval[2], kind)
    return told.replace(" to ", "\u2013") if kind == "share" else told.removesuffix(" points")


def _along(value: float, scale: Mapping[str, float]) -> str:
    """Where on a bar of 120 units a value lies."""
    return f"{120 * (value - scale['low']) / (scale['high'] - scale['low']):.1f}"


def _sorted_by(value: Any, kind: Kind) -> str:
    """The attribute with what a cell is sorted by where its text does not begin with it: times, sizes, and of an
    interval its middle."""
    number = value[1] if kind == "interval" and value else value
    is_told = (
        kind not in ("seconds", "bytes", "interval") or number is None or isinstance(number, str | tuple)
    )
    return "" if is_told else f' data-value="{number:.6g}"'


def _attributes(row: Mapping[str, Any], names: Mapping[str, str], columns: Sequence[Column]) -> str:
    """The attributes of a row that a page filters by, where that stands in none of its cells."""
    from markupsafe import escape

    keys = {column.key for column in columns}
    values = {name: shown(filter_value(row, name, names)) for name in names if names[name] not in keys}
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items())


def filter_value(row: Mapping[str, Any], name: str, names: Mapping[str, str]) -> str:
    """A row's value of a filter, as text; of the budget how many trials it was tuned with."""
    value = row.get(names[name])
    return str(value or 0) if name == "budget" else str(value)


# --- charts ------------------------------------------------------------------------------------------------------


def figure(chart: Chart, page: str | None = None, place: int = 0) -> dict[str, Any]:
    """A chart with the id that its page and its script know it by, where the page has one."""
    return {"id": page and f"{page}-{chart.name}-{place}", "chart": chart}


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
