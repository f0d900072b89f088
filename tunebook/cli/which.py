"""`tunebook which`: which method for which data and budget."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from tunebook.cli._options import Json, Root
from tunebook.errors import UsageError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_COLUMNS = {
    "checkpoint": "checkpoint", "method": "method", "mean": "mean", "low": "low", "high": "high", "seeds": "seeds",
    "beaten": "best beats it", "time": "train time", "memory": "memory",
}  # fmt: skip
_SIZES = {"": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9}


def command(
    dataset: Annotated[
        str, typer.Argument(help="A dataset's name, or a .csv, .tsv, .jsonl or .parquet file.")
    ],
    text: Annotated[str | None, typer.Option(help="The column of the text; two, a,b, make a pair.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label or score.")] = None,
    time: Annotated[str | None, typer.Option(help="The training time that there is: 90s, 10m, 2h.")] = None,
    memory: Annotated[str | None, typer.Option(help="The memory that there is: 900MB, 4GB.")] = None,
    train_size: Annotated[int | None, typer.Option(help="Train on so many texts.")] = None,
    json: Json = False,
    root: Root = None,
) -> None:
    """Say which checkpoint and method to take for some data and a budget, from what the book shows, and how sure.

    Example: tunebook which reviews.csv --text body --label stars --time 10m
    """
    from tunebook import grid, recommendation, spec
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json

    values = grid.single(checkpoint="none", dataset=dataset, text=text, label=label, train_size=train_size)
    asked = spec.dataset_spec(values["datasets"][0], dataset)
    answer = recommendation.recommend(
        asked,
        open_book(root),
        seconds=_amount(time, "--time", _UNITS),
        memory_bytes=None if memory is None else round(_amount(memory, "--memory", _SIZES) or 0),
    )
    print_json(answer) if json else _tell(answer)


def _amount(value: str | None, option: str, units: dict[str, Any]) -> float | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    if not found or found[2] not in units:
        known = ", ".join(unit for unit in units if unit)
        raise UsageError(f"{option}: expected a number with one of {known}, got {value!r}")
    return float(found[1]) * float(units[found[2]])


def _tell(answer: dict[str, Any]) -> None:
    from tunebook import recommendation
    from tunebook.cli._terminal import duration, print_table, safe, size

    name, ranking, source = safe(answer["dataset"]), answer["ranking"], answer["from"]
    if not ranking:
        print(
            f"Not enough evidence: the book has no two rows on {name}, or a dataset like it, that can be compared,"
        )
        print(f"with at least {recommendation.FEWEST_SEEDS} seeds, on one test set, within the budget.")
        print("Run an experiment on it, or on a sample of it: `tunebook run --help`.")
        return
    print(_verdict(answer))
    where, train = safe(source["dataset"]), answer["shape"]["train"]
    if not source["is_the_same"]:
        far = f"{source['distance']:.1f} doublings of size and length away"
        print(f"The book has no such results on {name}: {where} is the most like it, {far}.")
        print("What is best there may not be best here.")
    print(
        f"From {source['train_size']:,} texts of train, measured on {source['examples']:,} of test, where the best of"
    )
    print(f"several looks a little better than it is; {name} has {train:,} texts of train.\n")
    for row in ranking:
        row["time"] = duration(row["train_seconds"] or 0)
        row["memory"] = size(row["peak_memory_bytes"]) if row["peak_memory_bytes"] else None
        row["beaten"] = _probability(row["probability_best_beats_it"])
    print_table(ranking, _COLUMNS)


def _verdict(answer: dict[str, Any]) -> str:
    """What to take and how sure that is, in a sentence or two."""
    from tunebook import recommendation
    from tunebook.cli._terminal import duration, safe

    best, second, *_ = ranking = answer["ranking"]
    where = safe(answer["from"]["dataset"])
    scores = (
        f"{best['mean']:.4f} {answer['from']['metric']}, {duration(best['train_seconds'] or 0)} of training"
    )
    lead, other = f"{_called(best)} ({scores})", _called(second)
    sure = _probability(second["probability_best_beats_it"])
    if answer["verdict"] == "clear":
        return f"Take {lead}: on {where} it beats {other} with probability {sure}."
    if answer["verdict"] == "not enough evidence":
        return f"Not enough evidence: {lead} is ahead on {where}, but cannot be tested against {other}."
    known = [row for row in ranking[1:] if row["probability_best_beats_it"] is not None]
    tied = [row for row in known if row["probability_best_beats_it"] < recommendation.SURE]
    cheapest = min([best, *tied], key=lambda row: row["train_seconds"] or 0)
    return (
        f"No clear winner: on {where} {lead} is ahead of {other} with probability {sure} only.\n"
        f"The cheapest of those that are not clearly worse is {_called(cheapest)}."
    )


def _probability(value: float | None) -> str:
    """A probability with two digits, never shown as certain."""
    if value is None:
        return "-"
    return ">0.99" if value > 0.99 else "<0.01" if value < 0.01 else f"{value:.2f}"


def _called(row: dict[str, Any]) -> str:
    from tunebook.cli._terminal import safe

    return safe(row["method"] if row["checkpoint"] == "none" else f"{row['checkpoint']} with {row['method']}")
