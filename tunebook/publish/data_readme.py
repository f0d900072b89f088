"""The README of the open data: how its files are read, and of each dataset whose it is and what may be shown."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from tunebook import data
from tunebook.publish.open_data import Published
from tunebook.text.markdown import escape

_PLACE = "<!-- datasets -->\n"


def render(published: Published) -> bytes:
    """`open_data.md` with a table of the published datasets."""
    text = (files("tunebook.publish") / "open_data.md").read_text(encoding="utf-8")
    told = {one["declared"]["dataset"]["name"]: one["declared"]["dataset"] for one in published.runs.values()}
    lines = [_line(name, told[name]) for name in sorted(told)]
    table = ["| dataset | licence or terms | texts | source |", "|---|---|---|---|", *lines]
    return text.replace(_PLACE, "\n".join(table) + "\n" if lines else "No run is published yet.\n").encode()


def _line(name: str, dataset: Mapping[str, Any]) -> str:
    """A dataset's row, by what Tunebook knows of it; of a file of somebody's own by what its runs say."""
    row = data.rows().get(name)
    licence = row.licence if row else dataset.get("licence") or "none is declared"
    is_shown = row is not None and row.redistributable
    texts = "shown" if is_shown else "not shown: nobody has said that they may be passed on"
    cells = (escape(name), escape(licence), texts, f"<{row.homepage}>" if row else "somebody's own file")
    return f"| {' | '.join(cells)} |"
