"""`tunebook compare`: runs side by side, and which differences are real."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tunebook.cli._options import Experiment, Json, Metric, OnlyDataset, Root


def command(
    experiment: Experiment = None,
    dataset: OnlyDataset = None,
    metric: Metric = None,
    split: Annotated[str, typer.Option(help="test, validation, or an extra split.")] = "test",
    by: Annotated[
        Literal["method", "checkpoint", "dataset"] | None,
        typer.Option(help="Compare only this, the rest held fixed. [default: every row of a dataset]"),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Compare with this row alone, such as full or tfidf_logreg.")
    ] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Show every comparison with its test.")] = False,
    correction: Annotated[
        Literal["holm", "bh"], typer.Option(help="For many comparisons: Holm, or Benjamini-Hochberg.")
    ] = "holm",
    pareto: Annotated[
        Literal["time", "memory", "parameters", "bytes"] | None,
        typer.Option(help="Mark the rows that none beats on both the metric and this cost."),
    ] = None,
    format: Annotated[
        Literal["text", "markdown", "csv", "latex"], typer.Option(help="How tables are written.")
    ] = "text",
    json: Json = False,
    root: Root = None,
) -> None:
    """Compare what is finished: means with intervals over seeds and examples, and groups that cannot be told apart.

    Example: tunebook compare experiments/pocket.toml --baseline tfidf_logreg --pairs
    """
    from tunebook.book import open_book
    from tunebook.cli import _comparison
    from tunebook.cli._terminal import print_json

    compared = _comparison.compare(
        experiment, open_book(root), dataset=dataset, metric=metric, split=split, by=by, baseline=baseline,
        correction=correction, pareto=pareto,
    )  # fmt: skip
    if json:
        print_json(compared)
    else:
        _comparison.show(compared, format=format, pareto=pareto, pairs=pairs)
