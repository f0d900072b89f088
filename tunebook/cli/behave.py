"""`tunebook behave`: how an experiment's finished runs behave beyond their score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli._options import Device, Json, Root


def command(
    experiment: Annotated[Path, typer.Argument(help="An experiment's file, whose runs are finished.")],
    texts: Annotated[
        int, typer.Option(min=20, max=1000, help="How many test texts are changed and asked again.")
    ] = 500,
    transfer_texts: Annotated[
        int, typer.Option(min=20, max=2000, help="How many test texts of each other dataset are tried.")
    ] = 2000,
    transfer: Annotated[
        bool | None,
        typer.Option(
            help="Try other datasets of the same classes. [default: as the experiment says]",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="A further column of the data to slice by. May be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="By which changes and tests are drawn.")] = 0,
    device: Device = "auto",
    json: Json = False,
    root: Root = None,
) -> None:
    """Examine finished runs: changed texts, plain tests, calibration, slices, drift, agreement, and other datasets.

    Nothing is trained. What runs answer is kept in their folders and not asked again; what is found is kept with the
    experiment, and shown by the catalogue.

    Example: tunebook behave experiments/pocket.toml
    """
    from tunebook.book import open_book
    from tunebook.cli import _behaviour
    from tunebook.cli._terminal import print_json, safe, say

    found = _behaviour.behave(
        experiment, open_book(root), texts=texts, transfer_texts=transfer_texts, transfer=transfer, by=by or (),
        seed=seed, device=device, tell=lambda line: say(safe(line)),
    )  # fmt: skip
    if json:
        print_json(found)
    else:
        _behaviour.show(found)
