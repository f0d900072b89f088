"""Reports of models on other datasets: a matrix for each method, every cell with its interval, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from tunebook.comparison import method_of
from tunebook.publish.report import Axis, Chart, Column, Mark, Table

Found = Mapping[str, Any]


def says(found: Found) -> str:
    """What transfer shows, in one paragraph; empty where it was not tried."""
    cells = [row for row in found["transfer"] if not row["group"] and row["drop"] is not None]
    if not cells:
        return ""
    by_method = {
        method: fmean(row["drop"] for row in cells if row["method"] == method)
        for method in dict.fromkeys(row["method"] for row in cells)
    }
    least, most = min(by_method, key=by_method.__getitem__), max(by_method, key=by_method.__getitem__)
    ends = min(cells, key=lambda row: row["drop"]), max(cells, key=lambda row: row["drop"])
    lossless = sum(row["drop_low"] <= 0 for row in cells)
    struck = sum(row["is_struck"] and not row["group"] for row in found["transfer"])
    sentences = [
        f"Away from home accuracy falls by {_points(fmean(row['drop'] for row in cells))} on average of {len(cells)} "
        f"cells; in {lossless} of them the 95 % interval of the drop does not exclude 0.",
        f"{_cell_words(ends[1])} loses most ({_points(ends[1]['drop'])}), {_cell_words(ends[0])} least "
        f"({_points(ends[0]['drop'])}).",
    ]
    if len(by_method) > 1:
        sentences.append(
            f"By method the mean drop is smallest for {method_of(least)} ({_points(by_method[least])}) and largest for "
            f"{method_of(most)} ({_points(by_method[most])}), means over cells that share their texts, and so no test."
        )
    if struck:
        sentences.append(f"{struck} cells are struck out, as their test texts stand in what was trained on.")
    return " ".join(sentences)


def _points(drop: float) -> str:
    return f"{100 * drop:.1f} points".replace("-", "\u2212")


def _cell_words(row: Mapping[str, Any]) -> str:
    return f"{method_of(row['method'])} from {row['dataset']} to {row['target']}"


def matrices(found: Found) -> list[Chart]:
    """A matrix for each checkpoint and method: accuracy of models of each dataset (columns) on test texts (rows)."""
    rows = [row for row in found["transfer"] if not row["group"]]
    targets = tuple(dict.fromkeys(row["target"] for row in rows))
    charts: list[Chart] = []
    for checkpoint, method in dict.fromkeys((row["checkpoint"], row["method"]) for row in rows):
        own = [row for row in rows if (row["checkpoint"], row["method"]) == (checkpoint, method)]
        homes = tuple(dict.fromkeys(row["dataset"] for row in own))
        values = tuple(
            {
                "x": row["dataset"],
                "y": row["target"],
                "value": 0.0 if row["value"] is None else max(0.0, 2 * row["value"] - 1),
                "label": _cell_label(row),
            }
            for row in own
        )
        charts.append(
            Chart(
                f"transfer-{len(charts)}",
                f"{method}: accuracy on the test texts of other datasets",
                Axis("trained on", "names", names=homes),
                Axis("tested on", "names", names=targets),
                (Mark("cell", values),),
                "Mean over seeds. Brackets are at home; a cross is struck out, a dash is missing: the table says why.",
            )
        )
    return charts


def _cell_label(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "\u00d7" if row["is_struck"] else "\u2013"
    share = f"{100 * row['value']:.1f}"
    return f"[{share}]" if row["is_home"] else share


def cells(found: Found) -> Table:
    """Every cell of the matrices, and of the parts of a dataset, with intervals and with why one is empty."""
    rows = tuple(
        {
            **row,
            "interval": (row["low"], row["value"], row["high"]),
            "mean": row["value"],
            "unit": "share",
            "lost": (row["drop_low"], row["drop"], row["drop_high"]),
            "why": ("struck out: " if row["is_struck"] else "") + row["why"],
        }
        for row in found["transfer"]
    )
    columns = (
        Column("dataset", "trained on"),
        Column("method", "method"),
        Column("target", "tested on"),
        Column("group", "part"),
        Column("texts", "texts", "count"),
        Column("shared", "left out as shared", "count"),
        Column("mean", "accuracy", "share"),
        Column("interval", "95 % interval", "interval"),
        Column("lost", "drop, 95 % interval", "interval"),
        Column("why", ""),
    )
    return Table("transfer", "Every cell", columns, rows)
