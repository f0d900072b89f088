"""`tunebook data`: look at a dataset before anything is trained on it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tunebook.cli._options import Json, Root


def check(
    dataset: Annotated[str, typer.Argument(help="A dataset's name, or a file.")],
    text: Annotated[str | None, typer.Option(help="The column of the text; two, a,b, make a pair.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label or score.")] = None,
    encoding: Annotated[str | None, typer.Option(help="The encoding of the file, utf-8 otherwise.")] = None,
    drop_bad: Annotated[
        int | None, typer.Option(help="Drop up to so many bad rows instead of refusing the file.")
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Fit the majority and TF-IDF baselines.")] = True,
    json: Json = False,
    root: Root = None,
) -> None:
    """Check a dataset: counts, lengths, balance, duplicates within and across splits, baselines.

    Example: tunebook data check reviews.csv --text body --label stars
    """
    from tunebook import data, gate, grid, spec
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, say

    book = open_book(root)
    values = grid.single(
        checkpoint="none", dataset=dataset, text=text, label=label, encoding=encoding, drop_bad=drop_bad
    )
    loaded = data.load(spec.dataset_spec(values["datasets"][0], dataset).source(), cache=book.cache)
    findings = gate.check(loaded).as_object()
    if baselines:
        say("fitting the baselines on train, measuring them on validation or test ...")
        findings["baselines"] = gate.baselines(loaded)
    print_json(findings) if json else _print(findings)


def _print(findings: dict[str, Any]) -> None:
    from tunebook.cli._terminal import note, print_table, safe

    print(f"{safe(findings['dataset'])}: {findings['task']}")
    for name, value in findings["notes"].items():
        if text := note(value):
            print(f"  {name.replace('_', ' ')}: {safe(text)}")
    rows = [_split_row(name, split) for name, split in findings["splits"].items()]
    print("\nlengths are median / 95th percentile / longest")
    print_table(rows, {key: key for key in rows[0]})
    overlaps = [{"which": name, **counts} for name, counts in findings["overlaps"].items() if counts["rows"]]
    if overlaps:
        print("\nrows whose text stands in another split")
        print_table(overlaps, {"which": "which", "rows": "rows", "contradictions": "with another label"})
    if baselines := findings.get("baselines"):
        split = baselines.pop("split")
        print(f"\nbaselines on {split}")
        rows = [{"method": name, **scores} for name, scores in baselines.items()]
        print_table(rows, {key: key.replace("_", " ") for key in rows[0]})


def _split_row(name: str, split: dict[str, Any]) -> dict[str, Any]:
    """A split as a row of the table: numbers, and lengths as three numbers in one cell."""
    balance = split["balance"] or {}
    return {
        "split": name,
        "rows": split["rows"],
        "characters": _lengths(split["characters"]),
        "words": _lengths(split["words"]),
        **({"scores": _lengths(split["scores"])} if split["scores"] else {}),
        **balance,
        "duplicates": split["duplicates"],
        "contradictions": split["contradictions"],
    }


def _lengths(spread: dict[str, float]) -> str:
    return " / ".join(f"{spread[key]:g}" for key in ("median", "percentile_95", "largest"))


HELP = "Look at a dataset before anything is trained on it."
GROUP = {"check": check}
