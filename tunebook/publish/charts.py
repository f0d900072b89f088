"""Charts of a family of rows: differences, every seed, quality against cost, costs, and scores by number of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunebook.comparison import method_of
from tunebook.publish.report import Axis, Chart, Kind, Mark, format_value
from tunebook.publish.reports import Row, apart_unit, called, in_short, unit, worded
from tunebook.publish.study import Family, Study


def off_axis(family: Family) -> Row | None:
    """The row of the majority class where it lies so far from all others that an axis with it would squeeze them."""
    rows = [row for row in family["rows"] if row["mean"] is not None]
    alone = [row for row in rows if row["method"] == "majority"]
    ends = [
        end
        for row in rows
        if row["method"] != "majority"
        for end in (row["mean"], row["low"], row["high"])
        if end is not None
    ]
    if len(alone) != 1 or not ends:
        return None
    gap = max(min(ends) - alone[0]["mean"], alone[0]["mean"] - max(ends))
    return alone[0] if gap > 0.5 * (max(ends) - min(ends)) else None


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
    note = "Paired by seed and example, 95 % intervals of single differences; told apart is corrected for all pairs"
    note += "; majority is left out." if "majority" in names_of else "."
    of = apart_unit(family["metric"])
    axis = Axis(f"difference in {worded(family['metric'])}" + " (points)" * (of == "points"), unit=of)
    return Chart("forest", title, axis, Axis("", "names", names=order), marks, note)


def front(family: Family, cost: str = "train_seconds", title: str = "seconds of training") -> Chart:
    """Quality against a cost: a named point with both intervals per row, by whether another one beats it on both."""
    kind: Kind = "seconds" if cost == "train_seconds" else "number"
    names, off = in_short(family), off_axis(family)
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
        if row[cost] and row["mean"] is not None and row is not off
    ]
    metric = family["metric"]
    note = "On the front: no other row is better on both beyond the intervals of both."
    if off is not None and off[cost]:
        told = [format_value(off["mean"], unit(metric)), format_value(off[cost], kind)]
        note += f" Not drawn, as it lies far off: {names[off['name']]}, {told[0]} at {told[1]}."
    return Chart(
        "front",
        f"{worded(metric).capitalize()} against {title}",
        Axis(title, "log", kind),
        Axis(worded(metric), unit=unit(metric)),
        (Mark("interval", tuple(values)),),
        note,
    )


def _ends(axis: str, interval: Sequence[float] | None) -> dict[str, float]:
    return {f"{axis}_low": interval[0], f"{axis}_high": interval[1]} if interval else {}


def seeds(family: Family, study: Study) -> Chart:
    """The score of every seed, a line of points for each row, its mean as the longer mark."""
    metric, split, off = family["metric"], family["split"], off_axis(family)
    points, means, names_of = [], [], called(family)
    for row in (one for one in family["rows"] if one is not off):
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
        Axis(worded(metric), unit=unit(metric)),
        Axis("", "names", names=names),
        (Mark("point", tuple(points)), Mark("interval", tuple(means)), *_aside(off, names_of, means)),
        "The interval counts seeds and test examples both; points are single runs.",
    )


def _aside(off: Row | None, names: Mapping[str, str], means: Sequence[Row]) -> tuple[Mark, ...]:
    """What stands in the row of what lies off the axis: its score, and on which side it would be."""
    if off is None:
        return ()
    is_left = all(off["mean"] < value["x"] for value in means if value["x"] is not None)
    told = (
        f"{chr(0x2190 if is_left else 0x2192)} off the axis: {format_value(off['mean'], unit(off['metric']))}"
    )
    return (Mark("aside", ({"y": names[off["name"]], "label": told},)),)


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
        Axis(worded(metric), unit=unit(metric)),
        (Mark("interval", tuple(values)), Mark("line", tuple(values))),
    )
