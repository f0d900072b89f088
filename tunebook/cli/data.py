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
    from tunebook import data, gate, spec
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, say

    book = open_book(root)
    values = spec.single(
        checkpoint="none", dataset=dataset, text=text, label=label, encoding=encoding, drop_bad=drop_bad
    )
    loaded = data.load(spec.dataset_spec(values["datasets"][0], dataset).source(), cache=book.cache)
    findings = gate.check(loaded).as_object()
    if baselines:
        say("fitting the baselines on train, measuring them on validation or test ...")
        findings["baselines"] = gate.baselines(loaded)
    print_json(findings) if json else _print(findings)


def _print(findings: dict[str, Any]) -> None:
    from tunebook.cli._terminal import safe

    def show(value: Any, indent: int) -> None:
        for key, inner in value.items():
            name = " " * indent + str(safe(key)).replace("_", " ")
            if isinstance(inner, dict):
                print(f"{name}:")
                show(inner, indent + 2)
            else:
                print(f"{name}: {safe(f'{inner:.4f}' if isinstance(inner, float) else inner)}")

    show(findings, 0)


GROUP = {"check": check}
