"""Reports: one function each, which returns a table or a chart as data and draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook import metrics
from tunebook.comparison import method_of
from tunebook.publish.report import Axis, Chart, Column, Kind, Mark, Table, format_value
from tunebook.publish.study import Family, Study
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


# --- of a family of rows -----------------------------------------------------------------------------------------


def results(family: Family) -> Table:
    """The rows of a family, best first: group of ties, mean with its interval, seeds, and what they cost."""
    of = unit(family["metric"])
    columns = [
        Column("tie_group", "group", "count"),
        Column("name", "checkpoint and method" if "dataset" in family else "dataset"),
        Column("mean", family["metric"].replace("_", " "), of),
        Column("interval", "95 % interval", "interval"),
        Column("deviation", "sd over seeds", of),
        Column("seeds", "seeds", "count"),
        *COST_COLUMNS,
    ]
    names = called(family)
    rows = [
        {**row, "name": names[row["name"]], "interval": (row["low"], row["mean"], row["high"])}
        for row in family["rows"]
    ]
    return Table("results", place(family), tuple(columns), tuple(rows))


def called(family: Family) -> dict[str, str]:
    """How each row is called among its family, by its full name: without the checkpoint where all have the same one."""
    rows = family["rows"]
    checkpoints = {row["checkpoint"] for row in rows if row["checkpoint"] != NO_CHECKPOINT}
    is_short = "dataset" in family and len(checkpoints) == 1
    return {row["name"]: row["method"] if is_short else row["name"] for row in rows}


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
        parts.append(f"{family['metric'].replace('_', ' ')} on {row['examples']:,} of {family['split']}")
    return ", ".join(parts)


def reference(family: Family) -> Row | None:
    """The row that the others are measured against: full fine-tuning where there is one such row, else the best."""
    rows = [row for row in family["rows"] if row["mean"] is not None]
    full = [row for row in rows if method_of(row["method"]) == "full"]
    return full[0] if len(full) == 1 else (rows[0] if rows else None)


def forest(family: Family) -> Chart:
    """The difference of each row to the reference row, with its interval; 0 is that row."""
    against = reference(family)
    names_of = called(family)
    title = f"Difference to {names_of[against['name']]}" if against else "Differences"
    values = []
    for pair in family["pairs"]:
        names = (pair["first"], pair["second"])
        if (
            against is None
            or against["name"] not in names
            or pair.get("value") is None
            or "majority" in names
        ):
            continue
        sign = 1 if pair["second"] == against["name"] else -1
        ends = sorted(sign * end for end in (pair["low"], pair["high"]))
        values.append(
            {
                "y": names_of[names[0] if sign == 1 else names[1]],
                "x": sign * pair["value"],
                "x_low": ends[0],
                "x_high": ends[1],
                "group": "told apart" if pair["is_separable"] else "not told apart",
            }
        )
    drawn = {value["y"] for value in values}
    order = tuple(name for name in names_of.values() if name in drawn)
    marks = (Mark("rule", ({"x": 0.0},)), Mark("interval", tuple(values)))
    note = (
        "Paired by seed and example, 95 % intervals of single differences; told apart is corrected for all pairs; "
        "majority is left out."
    )
    axis = Axis(f"difference in {family['metric'].replace('_', ' ')}", unit=unit(family["metric"]))
    return Chart("forest", title, axis, Axis("", "names", names=order), marks, note)


def front(family: Family, cost: str = "train_seconds", title: str = "seconds of training") -> Chart:
    """Quality against a cost: a point with both intervals per row, by whether another one beats it on both."""
    names = called(family)
    values = [
        {
            "x": row[cost],
            **_ends("x", row[f"{cost}_interval"]),
            "y": row["mean"],
            **_ends("y", (row["low"], row["high"]) if row["low"] is not None else None),
            "label": names[row["name"]],
            "group": {True: "on the front", False: "beaten on both", None: "cost not known"}[
                row.get("on_front")
            ],
        }
        for row in family["rows"]
        if row[cost] and row["mean"] is not None
    ]
    metric = family["metric"]
    return Chart(
        "front",
        f"{metric.replace('_', ' ').capitalize()} against {title}",
        Axis(title, "log", "seconds" if cost == "train_seconds" else "number"),
        Axis(metric.replace("_", " "), unit=unit(metric)),
        (Mark("interval", tuple(values)),),
        "On the front: no other row is better on both beyond the intervals of both.",
    )


def _ends(axis: str, interval: Sequence[float] | None) -> dict[str, float]:
    return {f"{axis}_low": interval[0], f"{axis}_high": interval[1]} if interval else {}


def seeds(family: Family, study: Study) -> Chart:
    """The score of every seed, a line of points for each row, its mean as the longer mark."""
    metric, split = family["metric"], family["split"]
    points, means, names_of = [], [], called(family)
    for row in family["rows"]:
        values = [run["metrics"][split].get(metric) for run in study.runs_of(row)]
        points += [
            {"x": value, "y": names_of[row["name"]], "label": f"seed {run['seed']}", "group": "a seed"}
            for value, run in zip(values, study.runs_of(row), strict=True)
            if value is not None
        ]
        means.append(
            {
                "x": row["mean"],
                "y": names_of[row["name"]],
                "x_low": row["low"],
                "x_high": row["high"],
                "group": "mean, 95 % interval",
            }
        )
    names = tuple(names_of.values())
    return Chart(
        "seeds",
        "Every seed",
        Axis(metric.replace("_", " "), unit=unit(metric)),
        Axis("", "names", names=names),
        (Mark("point", tuple(points)), Mark("interval", tuple(means))),
        "The interval counts seeds and test examples both; points are single runs.",
    )


def costs(family: Family) -> Chart:
    """Seconds of training of each row."""
    rows = [row for row in family["rows"] if row["train_seconds"]]
    names_of = called(family)
    names = tuple(names_of[row["name"]] for row in rows)
    values = tuple({"x": row["train_seconds"], "y": name} for row, name in zip(rows, names, strict=True))
    return Chart(
        "costs",
        "Training time",
        Axis("seconds", unit="seconds", low=0.0),
        Axis("", "names", names=names),
        (Mark("bar", values),),
    )


def pairs(family: Family) -> Table:
    """Every comparison that was made, with its interval and p."""
    columns = (
        Column("first", "first"),
        Column("second", "second"),
        Column("value", "difference", unit(family["metric"])),
        Column("interval", "95 % interval", "interval"),
        Column("p", "p", "number"),
        Column("p_adjusted", "p corrected", "number"),
        Column("told", "told apart"),
        Column("how", "how"),
    )
    rows = tuple(
        {
            **pair,
            "interval": (pair.get("low"), pair.get("value"), pair.get("high")),
            "told": "yes" if pair["is_separable"] else "no",
        }
        for pair in family["pairs"]
    )
    return Table("pairs", "Every pair", columns, rows)


def data_curve(families: Sequence[Family]) -> Chart | None:
    """Mean score by number of training texts, a line for each row; None where there is one size only."""
    sizes = {family.get("train_size") for family in families}
    same = {(family["metric"], family.get("dataset")) for family in families}
    if len(sizes - {None}) < 2 or len(same) != 1:
        return None
    values = [
        {
            "x": family["train_size"],
            "y": row["mean"],
            "y_low": row["low"],
            "y_high": row["high"],
            "group": row["name"],
        }
        for family in families
        for row in family["rows"]
        if row["mean"] is not None
    ]
    metric = families[0]["metric"]
    return Chart(
        "data_curve",
        "Score by number of training texts",
        Axis("training texts", "log", "count"),
        Axis(metric.replace("_", " "), unit=unit(metric)),
        (Mark("interval", tuple(values)), Mark("line", tuple(values))),
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
