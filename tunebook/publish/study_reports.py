"""Reports of experiments: the overview, findings of the checks, trials of tuning and what to expect of them."""

from __future__ import annotations

from collections.abc import Iterable

from tunebook import gate
from tunebook.comparison import method_of
from tunebook.publish import things
from tunebook.publish.report import Axis, Chart, Column, Mark, Table
from tunebook.publish.reports import in_short, unit, worded
from tunebook.publish.study import Family, Study


def overview(studies: Iterable[Study]) -> Table:
    """Every row of every experiment: what was run on what, how it did, and where it stands."""
    rows = []
    for study in studies:
        for family in study.families:
            for row in family["rows"]:
                rows.append(
                    {
                        **row,
                        "experiment": study.name,
                        "page": f"experiments/{study.slug}.html",
                        "method_name": method_of(row["method"]),
                        "unit": unit(row["metric"]),
                        "interval": (row["low"], row["mean"], row["high"]),
                    }
                )
    columns = (
        Column("dataset", "dataset"),
        Column("train_size", "training texts", "count"),
        Column("checkpoint", "checkpoint"),
        Column("method", "method"),
        Column("metric", "metric"),
        Column("mean", "mean", "share"),
        Column("interval", "95 % interval", "interval"),
        Column("tie_group", "group", "count"),
        Column("seeds", "seeds", "count"),
        Column("train_seconds", "training", "seconds"),
        Column("experiment", "experiment", link="page"),
    )
    note = (
        "Groups hold within an experiment's table: group 1 are the best row and all that cannot be told from it. "
        "Rows without a checkpoint draw nothing at random and are run once."
    )
    return Table("overview", "All results", columns, tuple(rows), note)


def findings(study: Study) -> Table:
    """What the checks find in an experiment."""
    columns = (
        Column("code", "code", "code"),
        Column("severity", "severity", "badge"),
        Column("what", "what"),
        Column("advice", "advice"),
    )
    rows = tuple(
        {
            "code": one.code,
            "severity": one.severity,
            "what": things.named(f"{one.about} {one.says}"),
            "advice": one.advice,
        }
        for one in study.findings
    )
    return Table(
        "findings", "Findings of the checks", columns, rows, "" if rows else "The checks found nothing."
    )


def remarks(study: Study) -> Table:
    """What was found in its datasets before training, the most severe first."""
    columns = (
        Column("data", "data"),
        Column("severity", "severity"),
        Column("what", "what"),
        Column("advice", "advice"),
    )
    rows = tuple(
        {"data": name, "severity": one.severity, "what": one.what, "advice": one.do}
        for name, found in study.data.items()
        for one in gate.remarks(found)
    )
    return Table(
        "data", "What the data say", columns, rows, "" if rows else "Nothing odd was found in its data."
    )


def trials(study: Study) -> Table | None:
    """Every trial of tuning: its settings and what it reached on validation; None where nothing was tuned."""
    rows = []
    measured = {search["metric"] for search in study.tuning.values()}
    of = unit(measured.pop()) if len(measured) == 1 else "number"
    for search in study.tuning.values():
        for place, trial in enumerate(search["trials"], start=1):
            is_chosen = bool(search["chosen"]) and all(
                trial["settings"].get(key) == value for key, value in search["chosen"].items()
            )
            rows.append(
                {
                    "method": search["method"],
                    "dataset": search["dataset"],
                    "trial": place,
                    "settings": ", ".join(
                        f"{key} = {value}"
                        for key, value in trial["settings"].items()
                        if key in search["space"]
                    ),
                    "value": trial["value"],
                    "chosen": "chosen" if is_chosen else "",
                }
            )
    columns = (
        Column("method", "method"),
        Column("dataset", "dataset"),
        Column("trial", "trial", "count"),
        Column("settings", "settings", "code"),
        Column("value", "on validation", of),
        Column("chosen", ""),
    )
    return Table("trials", "Trials of tuning", columns, tuple(rows)) if rows else None


def expected(family: Family) -> Chart | None:
    """The best score on validation that so many trials would be expected to find; None where nothing was tuned."""
    rows = [row for row in family["rows"] if (row.get("tuning") or {}).get("expected")]
    names = in_short(family)
    values = tuple(
        {
            "x": one["trials"],
            "y": one["mean"],
            "y_low": one["low"],
            "y_high": one["high"],
            "group": names[row["name"]],
        }
        for row in rows
        for one in row["tuning"]["expected"]
    )
    if not values:
        return None
    return Chart(
        "expected",
        "Expected best on validation by number of trials",
        Axis("trials", unit="count"),
        Axis(f"{worded(family['metric'])} on validation", unit=unit(family["metric"])),
        (Mark("interval", values), Mark("line", values)),
        "Unbiased estimate (Tang et al. 2020) with a bootstrap interval, which is too narrow near the whole budget.",
    )
