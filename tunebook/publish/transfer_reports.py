"""Reports of models on other datasets: a matrix for each method, every cell with its interval, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tunebook.publish.behaviour_reports import called
from tunebook.publish.report import Axis, Chart, Column, Mark, Table

Found = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


def says(found: Found) -> str:
    """What transfer shows, in one paragraph; empty where it was not tried."""
    cells = [row for row in found["transfer"] if not row["group"] and row["drop"] is not None]
    if not cells:
        return ""
    by_row: dict[str, list[float]] = {}
    for row in cells:
        by_row.setdefault(called(row, cells), []).append(row["drop"])
    means = {name: fmean(drops) for name, drops in by_row.items()}
    least, most = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    ends = min(cells, key=lambda row: row["drop"]), max(cells, key=lambda row: row["drop"])
    whole = fmean(row["drop"] for row in cells)
    unclear = sum(row["drop_low"] <= 0 <= row["drop_high"] for row in cells)
    higher = sum(row["drop_high"] < 0 for row in cells)
    struck = sum(row["is_struck"] and not row["group"] for row in found["transfer"])
    sentences = [
        f"Away from home accuracy {'falls' if whole >= 0 else 'rises'} by {_points(abs(whole))} on average of "
        f"{len(cells)} cells: in {len(cells) - unclear - higher} it is lower by its own 95 % interval, in {higher} "
        f"higher, in {unclear} neither is shown (no correction for their number).",
        f"{_cell_words(ends[1], cells)} loses most ({_points(ends[1]['drop'])}), {_cell_words(ends[0], cells)} least "
        f"({_points(ends[0]['drop'])}).",
    ]
    if len(means) > 1:
        sentences.append(
            f"By method the mean drop is smallest for {least} ({_points(means[least])}) and largest for {most} "
            f"({_points(means[most])}), means over cells that share their texts, and so no test."
        )
    if struck:
        sentences.append(f"{struck} cells are struck out for texts that both datasets have.")
    return " ".join(sentences)


def _points(drop: float) -> str:
    return f"{100 * drop:.1f} points".replace("-", "\u2212")


def _cell_words(row: Mapping[str, Any], rows: Rows) -> str:
    return f"{called(row, rows)} from {row['dataset']} to {row['target']}"


def matrices(found: Found) -> list[Chart]:
    """A matrix for each checkpoint and method: accuracy of models of each dataset (columns) on test texts (rows)."""
    rows = [row for row in found["transfer"] if not row["group"]]
    targets = tuple(dict.fromkeys(row["target"] for row in rows))
    charts: list[Chart] = []
    sizes = _sizes(rows)
    for key in dict.fromkeys((row["checkpoint"], row["method"], sizes[_home(row)]) for row in rows):
        own = [row for row in rows if (row["checkpoint"], row["method"], sizes[_home(row)]) == key]
        title = called(own[0], rows if sizes[_home(own[0])] else own)
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
                f"{title}: accuracy on the test texts of other datasets",
                Axis("trained on", "names", names=homes),
                Axis("tested on", "names", names=targets),
                (Mark("cell", values),),
                "Mean over seeds. Brackets are at home; a cross is struck out, a dash is missing: the table says why.",
            )
        )
    return charts


def _home(row: Mapping[str, Any]) -> tuple[str, int | None]:
    return row["dataset"], row["train_size"]


def _sizes(rows: Rows) -> dict[tuple[str, int | None], int | None]:
    """Of each home its size of train where it has several, which are matrices of their own; None where it has one."""
    homes = dict.fromkeys(map(_home, rows))
    names = [name for name, _ in homes]
    return {home: home[1] if names.count(home[0]) > 1 else None for home in homes}


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
        Column("train_size", "train texts", "count"),
        Column("checkpoint", "checkpoint"),
        Column("method", "method"),
        Column("seeds", "seeds", "count"),
        Column("target", "tested on"),
        Column("group", "part"),
        Column("why", "why empty"),
        Column("texts", "texts", "count"),
        Column("shared", "left out as shared", "count"),
        Column("mean", "accuracy", "share"),
        Column("interval", "95 % interval", "interval"),
        Column("lost", "drop, 95 % interval (points)", "interval", unit="points"),
    )
    return Table("transfer", "Every cell", columns, rows)
