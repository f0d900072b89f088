"""How `compare` shows a judged family: its table, what the table can tell, and every pair on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import behaviour, metrics, selection, text
from tunebook import pareto as front
from tunebook.behaviour import summary
from tunebook.cli import _running
from tunebook.cli._terminal import duration, print_table, safe, size
from tunebook.errors import UsageError
from tunebook.judgement import LEVEL, ON_THIS_TEST_SET, judge

if TYPE_CHECKING:
    from tunebook.book import Book

_COLUMNS = {
    "tie_group": "group", "dataset": "dataset", "train_size": "train texts", "checkpoint": "checkpoint",
    "method": "method", "mean": "mean", "low": "low", "high": "high", "deviation": "sd", "smallest": "min",
    "largest": "max", "seeds": "seeds", "undefined": "undefined", "splits": "splits", "trials": "trials",
    "on_front": "front",
}  # fmt: skip
_COSTS = {"train_seconds": "train time", "peak_memory_bytes": "memory", "parameters": "parameters",
          "weights_bytes": "bytes"}  # fmt: skip
_PAIR = {"first": "first", "second": "second", "value": "difference", "low": "low", "high": "high", "p": "p",
         "p_adjusted": "p corrected", "is_separable": "told apart", "how": "how"}  # fmt: skip
_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini-Hochberg"}


def compare(
    experiment: Path | None,
    book: Book,
    *,
    dataset: str | None,
    metric: str | None,
    split: str,
    by: str | None,
    baseline: str | None,
    correction: str,
    pareto: str | None,
) -> dict[str, Any]:
    """What is compared, as `--json` shows it: the judged `families`, and what is `missing`.

    Raises:
        UsageError: the experiment's file has faults, or nothing can be compared as it was asked for.
    """
    if pareto and baseline:
        raise UsageError(
            "--pareto looks at all pairs of rows, --baseline at those with one: give one of them"
        )
    selected = asked(experiment, book, dataset)
    families = judge(
        selected.runs, book, metric=metric, split=split, by=by, baseline=baseline, correction=correction
    )
    selected.add_tuning(families)
    if selected.folder is not None and (found := behaviour.read(selected.folder)):
        for row in (row for family in families for row in family["rows"]):
            told = summary.of_row(found, row["runs"][0])
            row["behaviour"] = told if told and set(told["examined"]) == set(row["runs"]) else None
    for family in families if pareto else ():
        front.mark(family, str(pareto))
    return {"families": families, "missing": selected.missing}


def asked(file: Path | None, book: Book, dataset: str | None) -> selection.Selection:
    """The runs that are to be compared: an experiment's, or the book's.

    Raises:
        UsageError: the experiment's file has faults.
    """
    if file is None:
        return selection.of_book(book, dataset)
    declared = _running.declared(file, [])
    found = selection.of_experiment(book, declared.name, declared.toml, declared.experiment, str(file))
    return found.only(dataset)


def show(compared: Mapping[str, Any], *, format: str, pareto: str | None, pairs: bool) -> None:
    """Print all families, a blank line between them, and in text also what is missing."""
    for number, family in enumerate(compared["families"]):
        if number:
            print()
        _show(family, format=format, pareto=pareto)
        if pairs:
            print()
            _show_pairs(family, format)
    if format == "text" and compared["missing"]:
        print()
        _tell_missing(compared["missing"])


def _show(family: Mapping[str, Any], *, format: str, pareto: str | None) -> None:
    rows = family["rows"]
    columns = {key: name for key, name in _COLUMNS.items() if any(row.get(key) is not None for row in rows)}
    if not any(row["undefined"] for row in rows):
        del columns["undefined"]
    if len({row["train_size"] for row in rows}) == 1:
        columns.pop("train_size", None)
    cost = front.COSTS[pareto or "time"]
    columns[cost] = _COSTS[cost]
    if format != "text":
        print(_written(format, columns, rows))
        return
    _heading(family)
    print_table([{**row, cost: _as_cost(cost, row[cost])} for row in rows], columns)
    _explain(family, pareto)
    _tell_behaviour(rows)


def _tell_behaviour(rows: Sequence[Mapping[str, Any]]) -> None:
    """How the rows behave beyond their score, where they were examined."""
    known = [{"name": row["name"], **row["behaviour"]} for row in rows if row.get("behaviour")]
    if known:
        print("\nbehaviour: mean failure rates by kind of test, calibration error before and after scaling")
        print_table(known, {"name": "row", **summary.COLUMNS})


def _written(format: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [[_plain(row.get(key)) for key in columns] for row in rows]
    return text.table(format, list(columns.values()), cells).rstrip("\n")


def _plain(value: Any) -> Any:
    return ("no", "yes")[value] if isinstance(value, bool) else value


def _as_cost(cost: str, value: float | None) -> str | int | None:
    if value is None or cost == "parameters":
        return None if value is None else round(value)
    return duration(value) if cost == "train_seconds" else size(round(value))


def _heading(family: Mapping[str, Any]) -> None:
    """What the rows have in common."""
    row = family["rows"][0]
    where = family.get("dataset") and (
        f"{safe(family['dataset'])}, trained on {row['train_size']:,} texts, measured on {row['examples']:,} of "
        f"{family['split']}"
    )
    same = ", ".join(safe(family[key]) for key in ("checkpoint", "method") if key in family)
    print(f"{family['metric']}: " + ", ".join(filter(None, [where, same])))


def _explain(family: Mapping[str, Any], pareto: str | None) -> None:
    """What the table can tell and what it cannot, in a sentence each."""
    rows, tested = family["rows"], [pair for pair in family["pairs"] if pair["p_adjusted"] is not None]
    for covers in dict.fromkeys(row["covers"] for row in rows):
        names = [row["name"] for row in rows if row["covers"] == covers]
        if len(names) == len(rows):
            print(f"low and high: 95 % interval of the mean, {covers}")
        else:
            print(f"low and high, {covers}: {safe(', '.join(names))}")
    if tested and family["baseline"]:
        better = [pair["first"] for pair in tested if pair["is_separable"]]
        told = safe(", ".join(better)) or "none"
        print(f"told apart from {safe(family['baseline'])} ({_correction(family, tested)}): {told}")
    elif tested:
        print("group 1: the best row and those not told apart from it; the next likewise of the rest")
        print(f"told apart: {_correction(family, tested)}")
    for how in dict.fromkeys(pair["how"] for pair in family["pairs"] if pair["p_adjusted"] is None):
        count = sum(pair["how"] == how for pair in family["pairs"])
        print(f"{count} of {len(family['pairs'])} pairs {safe(how)}")
    if family["detectable"]:
        found = family["detectable"]
        corrected, alone = (_difference(family, found[key]) for key in ("corrected", "alone"))
        print(f"detectable at 80 % power by the median pair, at the strictest step of the correction: {corrected}; "
              f"if it stood alone: {alone}")  # fmt: skip
    if family["split"] == "validation":
        print(
            "snapshots, and settings that were tuned, were chosen on validation: scores on it look better than they are"
        )
    if pareto:
        print(
            f"front: no other row is better in {family['metric']} and {pareto}, beyond the intervals of both"
        )
    for row in rows:
        if row.get("tuning"):
            _tell_tuning(row)


def _difference(family: Mapping[str, Any], value: float) -> str:
    """A difference, or that the metric cannot have one so large."""
    least, most = metrics.rows()[family["metric"]].bounds
    is_possible = least is None or most is None or value <= most - least
    return f"{value:.4f}" if is_possible else f"none that {family['metric']} can have"


def _correction(family: Mapping[str, Any], tested: Sequence[Mapping[str, Any]]) -> str:
    how = _CORRECTIONS[family["correction"]]
    return f"p at most {LEVEL} over new {tested[0]['covers']}, {how}, comparisons: {len(tested)}"


def _tell_tuning(row: Mapping[str, Any]) -> None:
    tuning = row["tuning"]
    curve = tuning["expected"]
    settings = ", ".join(f"{key}={value}" for key, value in tuning["chosen"].items())
    expected = ", ".join(
        f"{one['trials']}: {one['mean']:.4f} ({one['low']:.4f} to {one['high']:.4f})" for one in curve
    )
    print(f"{safe(row['name'])}: {safe(settings)} of {row['trials']} trials; expected best on validation by trials "
          f"{expected or 'unknown, as rounds differ in size'}")  # fmt: skip


def _show_pairs(family: Mapping[str, Any], format: str) -> None:
    if format != "text":
        print(_written(format, _PAIR, family["pairs"]))
        return
    print_table(family["pairs"], _PAIR)
    for pair in family["pairs"]:
        for kind, test in pair[ON_THIS_TEST_SET].items():
            names = f"{safe(pair['first'])} and {safe(pair['second'])}"
            print(f"{ON_THIS_TEST_SET}, {names}, {kind}: {_fixed_set(test)}")


def _fixed_set(test: Mapping[str, Any]) -> str:
    """A test that holds for these examples alone, and how small its p could have been."""
    told = f"p {test['p']:.4f}"
    if test["discordant"]:
        told += f", {test['discordant'][0]} examples right by the first alone, {test['discordant'][1]} by the second"
    if test["smallest_p"]:
        told += f"; its smallest p is {test['smallest_p']:.3g}"
    return told if test["can_reach"] else f"{told}, which cannot reach {LEVEL}"


def _tell_missing(missing: Sequence[Mapping[str, str]]) -> None:
    """Say what is missing, and the command that makes it, once."""
    for command in dict.fromkeys(one["command"] for one in missing):
        what = "; ".join(one["what"] for one in missing if one["command"] == command)
        print(f"missing: {safe(what)}\n  {safe(command)}")
