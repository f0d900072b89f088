"""Reports of how models behave: on other datasets, on changed texts, sure and unsure, by slice and by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from tunebook.publish.report import Axis, Chart, Column, Mark, Table, format_value
from tunebook.spec import NO_CHECKPOINT

Found = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]
_LEVEL = 0.05
_WHO = (
    Column("dataset", "dataset"),
    Column("train_size", "train texts", "count"),
    Column("checkpoint", "checkpoint"),
    Column("method", "method"),
    Column("seeds", "seeds", "count"),
)


def concise(table: Table) -> Table:
    """A table without those columns on what its rows are of that say the same in each: its note says them once."""
    about = [one for one in table.columns if one.key in {who.key for who in _WHO}]
    same = [one for one in about if len({row[one.key] for row in table.rows}) == 1]
    told = ", ".join(f"{one.title} {format_value(table.rows[0][one.key], one.kind)}" for one in same)
    columns = tuple(one for one in table.columns if one not in same)
    return replace(
        table, columns=columns, note=f"All rows: {told}. {table.note}".strip() if same else table.note
    )


def datasets(found: Found) -> list[str]:
    """The datasets that the experiment's models were trained on, in their order."""
    return list(dict.fromkeys(row["dataset"] for row in found["coverage"]))


def called(row: Mapping[str, Any], rows: Rows) -> str:
    """A row's method, with checkpoint and size of train where others of these rows differ in them."""
    models = [one for one in rows if one["checkpoint"] != NO_CHECKPOINT]
    more = [str(row[key]) for key in ("checkpoint", "train_size") if len({one[key] for one in models}) > 1]
    return ", ".join([row["method"], *more])


def _of(rows: Rows, dataset: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["dataset"] == dataset]


# --- on changed texts --------------------------------------------------------------------------------------------


def failures(found: Found, dataset: str) -> Chart:
    """The share of texts that fail, by capability (rows) and method (columns)."""
    rows = [
        row for row in _of(found["robustness"], dataset) if not row["test"] and row.get("value") is not None
    ]
    names = tuple(dict.fromkeys(_capability(row) for row in rows))
    methods = tuple(dict.fromkeys(called(row, rows) for row in rows))
    values = tuple(
        {
            "x": called(row, rows),
            "y": _capability(row),
            "value": row["value"],
            "label": f"{100 * row['value']:.1f}",
        }
        for row in rows
    )
    return Chart(
        "failures",
        f"Failures in %, models of {dataset}",
        Axis("method", "names", names=methods),
        Axis("", "names", names=names),
        (Mark("cell", values),),
        "Invariance: a small change should leave the class. Direction: a denial should not make it surer. Minimum "
        "functionality: short texts whose label is plain.",
    )


def _capability(row: Mapping[str, Any]) -> str:
    return f"{row['kind']}: {row['capability']}"


def failure_table(found: Found) -> Table:
    """Every capability with its interval, and on how many texts it could be asked; single changes are in the data."""
    rows = tuple(
        {
            **row,
            "interval": (row.get("low"), row.get("value"), row.get("high")),
            "mean": row.get("value"),
            "unit": "share",
        }
        for row in found["robustness"]
        if not row["test"]
    )
    columns = (
        *_WHO,
        Column("kind", "kind of test"),
        Column("capability", "capability"),
        Column("texts", "texts", "count"),
        Column("unchanged", "left as they were", "count"),
        Column("unseen", "not seen by the model", "count"),
        Column("mean", "failures", "share"),
        Column("interval", "95 % interval", "interval"),
    )
    note = (
        "Intervals are over new seeds and new texts, of plain tests new templates; of one seed over texts alone. "
        "What a model cannot see (it ignores case, or the text is cut before) is not judged. Single changes are in "
        "the open data."
    )
    return Table("robustness", "Every capability, with its interval", columns, rows, note)


def examples(found: Found) -> Table | None:
    """Texts on which most seeds fail, before and after; None where none of them may be shown."""
    rows = tuple(
        {**row, **one, "what": row["test"].replace("_", " ")}
        for row in found["robustness"]
        for one in row.get("examples", ())
        if "before" in one
    )
    columns = (
        *_WHO,
        Column("what", "change"),
        Column("before", "before"),
        Column("after", "after"),
        Column("seeds", "seeds that fail", "count"),
    )
    return Table("failed", "Texts that failed", columns, rows) if rows else None


# --- sure and unsure ---------------------------------------------------------------------------------------------


def calibration(found: Found) -> Table:
    """How far confidence can be believed, before and after temperature scaling; means over seeds."""
    rows: list[dict[str, Any]] = []
    for key, members in _rows(found["calibration"]):
        told: dict[str, Any] = {**key, "temperature": fmean(one["temperature"] for one in members)}
        for name in ("ece", "brier", "log_loss"):
            for when in ("before", "after"):
                told[f"{name}_{when}"] = fmean(one[when][name] for one in members)
        rows.append(told)
    scores = (
        ("ece", "calibration error", "share"),
        ("brier", "Brier", "number"),
        ("log_loss", "log loss", "number"),
    )
    columns = (
        *_WHO,
        Column("temperature", "temperature", "number"),
        *(
            Column(f"{name}_{when}", f"{title} {when}", kind)  # type: ignore[arg-type]
            for name, title, kind in scores
            for when in ("before", "after")
        ),
    )
    note = (
        "Means over seeds, on test: before and after dividing logits by the temperature that fits validation best "
        "(Guo et al. 2017). Accuracy is the same. The calibration error has 15 bins of equally many texts. A "
        "temperature of 0.05 or 20 is an end of what is looked at, and was not found."
    )
    return Table("calibration", "Calibration", columns, tuple(rows), note)


def _rows(rows: Rows) -> Iterator[tuple[dict[str, Any], Rows]]:
    """Lines of the same row of the experiment, together."""
    keys = ("dataset", "train_size", "checkpoint", "method", "seeds")
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    for values, members in groups.items():
        yield dict(zip(keys, values, strict=True)), members


def coverage(found: Found, dataset: str) -> Chart:
    """The share of wrong answers among the surest texts, by how many of them are answered."""
    rows = _of(found["coverage"], dataset)
    values = tuple(
        {"x": point["coverage"], "y": point["risk"], "group": called(row, rows)}
        for row in rows
        for point in row["points"][::4]
        if point["coverage"] >= 0.1
    )
    return Chart(
        "coverage",
        f"Wrong answers when only the surest are given, models of {dataset}",
        Axis("answered (the surest first)", unit="share"),
        Axis("wrong among them", unit="share", low=0.0),
        (Mark("line", values),),
        "Mean over seeds.",
    )


def abstaining(found: Found) -> Table:
    """Accuracy on all texts and on the surest 90 and 80 %."""
    rows = tuple(
        {**row, "at_90": row["accuracy_at"]["0.9"], "at_80": row["accuracy_at"]["0.8"]}
        for row in found["coverage"]
    )
    columns = (
        *_WHO,
        Column("accuracy", "accuracy on all", "share"),
        Column("at_90", "on the surest 90 %", "share"),
        Column("at_80", "on the surest 80 %", "share"),
        Column("aurc", "area under risk and coverage", "number"),
    )
    return Table("coverage", "Where the model may abstain", columns, rows)


# --- slices, layers, pairs ---------------------------------------------------------------------------------------


def slices(found: Found) -> Table:
    """The slices that differ from the rest by more than chance, the worst first."""
    shown = [row for row in found["slices"] if row["p_adjusted"] is not None and row["p_adjusted"] <= _LEVEL]
    rows = tuple(
        {
            **row,
            "mean": row["accuracy"],
            "unit": "share",
            "interval": (row["low"], row["accuracy"], row["high"]),
            "gap": (row["difference_low"], row["difference"], row["difference_high"]),
        }
        for row in sorted(shown, key=lambda row: (row["dataset"], row["difference"]))
    )
    columns = (
        *_WHO,
        Column("slice", "slice"),
        Column("examples", "texts", "count"),
        Column("mean", "accuracy", "share"),
        Column("interval", "95 % interval", "interval"),
        Column("gap", "less the rest, 95 % interval (points)", "interval", unit="points"),
        Column("p_adjusted", "p corrected", "number"),
    )
    tested = sum(row["p"] is not None for row in found["slices"])
    note = (
        f"{len(rows)} of {tested} tests, corrected (Holm) within each row. Slices overlap, and are no causes."
    )
    return Table("slices", "Slices that differ from the rest", columns, rows, note)


def layers(found: Found, dataset: str) -> Chart:
    """How alike each layer is before and after fine-tuning, by method."""
    rows = [row for row in _of(found["moved"], dataset) if row["cka"] is not None]
    values = tuple({"x": row["layer"], "y": row["cka"], "group": called(row, rows)} for row in rows)
    return Chart(
        "layers",
        f"Likeness of layers to the checkpoint's, models of {dataset}",
        Axis("layer (0 is the embeddings)", unit="count"),
        Axis("CKA", unit="number", low=0.0, high=1.0),
        (Mark("line", values), Mark("point", values)),
        "Linear CKA (Kornblith et al. 2019) of mean token vectors on 128 test texts; 1 is the same but for turning.",
    )


def agreement(found: Found) -> Table:
    """For each pair of rows how often they differ, who is right then, and whether it is more than seeds explain."""
    rows = tuple(
        {
            **row,
            "first_right": row["where_they_differ"]["first"],
            "second_right": row["where_they_differ"]["second"],
            "excess": tuple((row["excess"] or {}).get(key) for key in ("low", "value", "high")),
            "p": (row["excess"] or {}).get("p"),
            "smallest_p": (row["excess"] or {}).get("smallest_p"),
        }
        for row in found["agreement"]
    )
    columns = (
        Column("dataset", "dataset"),
        Column("first", "first"),
        Column("second", "second"),
        Column("between", "they differ on", "share"),
        Column("first_right", "first is right", "share"),
        Column("second_right", "second is right", "share"),
        Column("excess", "more than their seeds, 95 % interval (points)", "interval", unit="points"),
        Column("p", "p", "number"),
        Column("smallest_p", "smallest p possible", "number"),
    )
    note = "Shares of all test texts, means over pairs of runs. The p deals runs out anew: few runs give no small one."
    return Table("agreement", "Do rows answer differently?", columns, rows, note)


def contested(found: Found) -> Table | None:
    """Texts that most runs of one row have right and most of the other wrong; None where none may be shown."""
    rows = tuple(
        {**row, **one, "which": row[side]}
        for row in found["agreement"]
        for side in ("first", "second")
        for one in row["contested"][side]
        if "text" in one
    )
    columns = (
        Column("dataset", "dataset"),
        Column("first", "first"),
        Column("second", "second"),
        Column("text", "text"),
        Column("label", "label"),
        Column("which", "who is right"),
        Column("right", "its runs that are", "count"),
        Column("other_right", "the other's", "count"),
    )
    return Table("contested", "Texts on which they differ most", columns, rows) if rows else None


def forgetting(found: Found) -> Table | None:
    """What plain text costs to guess before and after; None where no checkpoint can tell."""
    columns = (
        *_WHO,
        Column("before", "before (nats)", "number"),
        Column("after", "after (nats)", "number"),
        Column("difference", "forgot", "number"),
    )
    rows = tuple(found["forgetting"])
    return Table("forgetting", "Masked words of plain text", columns, rows) if rows else None


def told(found: Found) -> str:
    """How much was asked, and how long that took."""
    settings, seconds = found["settings"], found["seconds"]
    spent = ", ".join(f"{part} {format_value(value, 'seconds')}" for part, value in seconds.items())
    tried = f", up to {settings['transfer_texts']:,} of each other dataset tried" if found["transfer"] else ""
    whole = format_value(sum(seconds.values()), "seconds")
    return (
        f"Up to {settings['texts']:,} test texts were changed{tried}, drawn by a hash. "
        f"Asking took {whole}: {spent}. Training is told by row."
    )
