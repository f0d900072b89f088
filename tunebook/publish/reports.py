"""Reports: one function each, which returns a table or a chart as data and draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook import metrics
from tunebook.publish.report import Column, Kind, Table, format_value
from tunebook.publish.study import Family
from tunebook.registry import lookup
from tunebook.spec import NO_CHECKPOINT

Row = Mapping[str, Any]
COST_COLUMNS = (
    Column("train_seconds", "training", "seconds"),
    Column("samples_per_second", "samples/s", "rate"),
    Column("peak_memory_bytes", "memory", "bytes"),
    Column("parameters", "trained parameters", "count"),
    Column("weights_bytes", "stored", "bytes"),
)


def unit(metric: str) -> Kind:
    """How scores of a metric are written: those between 0 and 1 as shares."""
    return "share" if lookup(metrics.rows(), metric, "metric").bounds == (0, 1) else "number"


def apart_unit(metric: str) -> Kind:
    """How differences of a metric's scores are written: those of shares in points."""
    return "points" if unit(metric) == "share" else "number"


def worded(metric: str) -> str:
    """A metric's name in a sentence."""
    return metric.replace("_", " ")


# --- of a family of rows -----------------------------------------------------------------------------------------


def results(family: Family) -> Table:
    """The rows of a family, best first: group of ties, mean with its interval, seeds, and what they cost."""
    of = unit(family["metric"])
    columns = [
        Column("tie_group", "group", "count"),
        Column("name", "checkpoint and method" if "dataset" in family else "dataset"),
        Column("mean", worded(family["metric"]), of),
        Column("interval", "95 % interval", "interval"),
        Column("deviation", "sd over seeds", apart_unit(family["metric"])),
        Column("seeds", "seeds", "count"),
        *COST_COLUMNS,
    ]
    names = called(family)
    rows = [
        {**row, "name": names[row["name"]], "interval": (row["low"], row["mean"], row["high"])}
        for row in family["rows"]
    ]
    has_baselines = any(row["checkpoint"] == NO_CHECKPOINT for row in rows)
    note = "Rows without a checkpoint draw nothing at random: they are run once." * has_baselines
    return Table("results", place(family), tuple(columns), tuple(rows), note)


def called(family: Family) -> dict[str, str]:
    """How each row is called among its family, by its full name: without the checkpoint where all have the same one."""
    rows = family["rows"]
    checkpoints = {row["checkpoint"] for row in rows if row["checkpoint"] != NO_CHECKPOINT}
    is_short = "dataset" in family and len(checkpoints) == 1
    return {row["name"]: row["method"] if is_short else row["name"] for row in rows}


def in_short(family: Family) -> dict[str, str]:
    """How each row is called where there is little room: without its settings where that tells it from the others."""
    names = called(family)
    bare = {name: one.partition(" (")[0] for name, one in names.items()}
    return {name: bare[name] if [*bare.values()].count(bare[name]) == 1 else names[name] for name in names}


def place(family: Family) -> str:
    """What the rows of a family have in common, as a title."""
    row = family["rows"][0]
    parts = [str(family[key]) for key in ("dataset", "checkpoint", "method") if family.get(key)]
    checkpoints = {one["checkpoint"] for one in family["rows"]} - {NO_CHECKPOINT}
    if "dataset" in family and len(checkpoints) == 1 and not family.get("checkpoint"):
        parts.append(checkpoints.pop())
    if family.get("train_size"):
        parts.append(f"{family['train_size']:,} training texts")
    if "dataset" in family and row["examples"]:
        parts.append(f"{worded(family['metric'])} on {_texts(row['examples'], family['split'])}")
    return ", ".join(parts)


def _texts(count: int, split: str) -> str:
    """So many texts of a split."""
    is_usual = split in ("test", "validation")
    return f"{count:,} {split} texts" if is_usual else f"{count:,} texts of {split}"


def pairs(family: Family) -> Table:
    """Every comparison that was made, with its interval and p."""
    of = apart_unit(family["metric"])
    columns = (
        Column("first", "first"),
        Column("second", "second"),
        Column("value", "difference", of),
        Column("interval", "95 % interval" + " (points)" * (of == "points"), "interval"),
        Column("p", "p", "number"),
        Column("p_adjusted", "p corrected", "number"),
        Column("detectable", "detectable", of),
        Column("told", "told apart"),
        Column("how", "how"),
    )
    names = called(family)
    rows = tuple(
        {
            **pair,
            **{end: names[pair[end]] for end in ("first", "second")},
            "interval": (pair.get("low"), pair.get("value"), pair.get("high")),
            "told": "yes" if pair["is_separable"] else "no",
        }
        for pair in family["pairs"]
    )
    note = (
        "Detectable is the true difference that this pair would show, after the correction for all pairs, in four of "
        "five such experiments."
    )
    return Table("pairs", "Every pair", columns, rows, note)


def detectable(family: Family) -> str:
    """How large a difference has to be for a family's pairs to show it, in a sentence; empty where none was tested."""
    found = family["detectable"]
    if not found:
        return ""
    corrected, alone = (
        format_value(found[key], apart_unit(family["metric"])) for key in ("corrected", "alone")
    )
    return (
        f"Detectable: in four of five such experiments the median pair of these rows would show a true difference of "
        f"{corrected} after the correction for all pairs, {alone} if it were the only comparison. Pairs differ in "
        "this: each has its own under Every pair, and the finding TB010 gives that of the first two rows."
    )


def answer(family: Family) -> str:
    """What a family of rows says, in one sentence with its uncertainty."""
    rows = [row for row in family["rows"] if row["mean"] is not None]
    if not rows:
        return "No row has a score."
    best, where = rows[0], place(family)
    names = called(family)
    told = (
        f"{names[best['name']]} has the highest mean"
        if metrics.rows()[best["metric"]].larger_is_better
        else f"{names[best['name']]} has the lowest mean"
    )
    shown = [format_value(best[key], unit(best["metric"])) for key in ("mean", "low", "high")]
    interval = f", 95 % interval {shown[1]} to {shown[2]}" if best["low"] is not None else ", no interval"
    tied = [names[row["name"]] for row in rows[1:] if row["tie_group"] == best["tie_group"] is not None]
    with_seeds = f"{best['seeds']} seed{'s' * (best['seeds'] != 1)}"
    end = (
        f"; not told apart from it: {', '.join(tied)}"
        if tied
        else ("; told apart from all others" if len(rows) > 1 and best["tie_group"] else "")
    )
    return f"On {where}: {told}, {shown[0]} ({with_seeds}{interval}){end}."
