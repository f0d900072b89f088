"""`tunebook check`: what makes a comparison less than it looks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tunebook.cli._options import Experiment, Json, OnlyDataset, Root


def command(
    experiment: Experiment = None,
    dataset: OnlyDataset = None,
    split: Annotated[str, typer.Option(help="The split that is reported.")] = "test",
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 1 where an error is found.")
    ] = False,
    codes: Annotated[bool, typer.Option("--codes", help="List the checks and stop.")] = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """Check how results were come by: seeds, baselines, budgets, leaks, what was selected on what.

    Example: tunebook check experiments/pocket.toml --strict
    """
    from tunebook import checks
    from tunebook.book import open_book
    from tunebook.cli import _comparison
    from tunebook.cli._terminal import print_json, print_table, safe

    if codes:
        rows = [dict(zip(("code", "says"), _words(one), strict=True)) for one in checks.CHECKS]
        print_json(rows) if json else print_table(rows, {"code": "code", "says": "what it finds"})
        return
    book = open_book(root)
    found = checks.check(_comparison.asked(experiment, book, dataset), book, split=split)
    if json:
        print_json([asdict(one) for one in found])
    for one in found if not json else ():
        print(f"{one.code} {one.severity}: {safe(one.about)} {safe(one.says)}\n      {one.advice}")
    if not json:
        print(f"{len(found)} findings of {len(checks.CHECKS)} checks" if found else "nothing found")
    if strict and any(one.severity == "error" for one in found):
        raise typer.Exit(1)


def _words(check: object) -> tuple[str, str]:
    """A check's code and what it finds, from the first line of its documentation."""
    code, _, says = (check.__doc__ or "").strip().partition(" ")
    return code, says
