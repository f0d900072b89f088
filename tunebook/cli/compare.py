"""`tunebook compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli._options import Json, Metric, Root


def command(
    experiment: Annotated[
        Path | None,
        typer.Argument(help="An experiment's file; every run of the book otherwise.", show_default=False),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    metric: Metric = None,
    split: Annotated[str, typer.Option(help="test, validation, or an extra split.")] = "test",
    json: Json = False,
    root: Root = None,
) -> None:
    """Compare what is finished: the mean of a metric and its spread over seeds, by dataset, checkpoint and method.

    Example: tunebook compare experiments/pocket.toml --metric f1
    """
    from tunebook import comparison
    from tunebook.book import open_book
    from tunebook.cli import _running
    from tunebook.cli._terminal import print_json
    from tunebook.experiment import plan
    from tunebook.run_object import as_object

    book = open_book(root)
    folders = book.run_folders()
    if experiment is not None:
        planned = plan(_running.declared(experiment, []).experiment.runs(), book)
        wanted = {item.prepared.folder for item in planned if item.prepared}
        folders = [folder for folder in folders if folder in wanted]
    runs = [as_object(folder) for folder in folders]
    runs = [run for run in runs if dataset is None or run["dataset"] == dataset]
    rows = comparison.table(runs, metric=metric, split=split)
    comparison.require_finished(rows, metric, split)
    if json:
        print_json(rows)
    else:
        _running.print_results(runs, metric=metric, split=split)
        print("\nsd, min and max are over seeds; they are no test of a difference.")
