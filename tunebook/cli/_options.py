"""Options that several verbs share, declared once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tunebook.errors import UsageError


def _known_device(name: str) -> str:
    """The name itself, refused here where it could only fail after all else was prepared."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}; expected auto, cpu, cuda, cuda:N or mps")
    return name


Experiment = Annotated[
    Path | None,
    typer.Argument(help="An experiment's file; every run of the book otherwise.", show_default=False),
]
OnlyDataset = Annotated[str | None, typer.Option("--dataset", help="Only this dataset.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of text.")]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="The book: where runs are stored. [default: $TUNEBOOK_HOME, else ./book]",
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change one key of the specification: --set train.epochs=1. May be repeated.",
        metavar="KEY=VALUE",
    ),
]
Download = Annotated[
    bool, typer.Option("--allow-download", help="Allow fetching checkpoints from the Hugging Face hub.")
]
Moved = Annotated[
    str | None,
    typer.Option(
        "--checkpoint", help="Where the run's checkpoint is now, if it left an adapter and that was moved."
    ),
]
Metric = Annotated[
    str | None,
    typer.Option("--metric", help="The metric to show; accuracy or Pearson's correlation otherwise."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", callback=_known_device)]
Seed = Annotated[int | None, typer.Option("--seed", help="One seed.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="So many seeds, from 0.")]


def chosen_seeds(seed: int | None, seeds: int | None) -> int | list[int] | None:
    """The seeds that the two options ask for, as a specification has them; None where neither is given.

    Raises:
        UsageError: both are given.
    """
    if seed is not None and seeds is not None:
        raise UsageError("--seed is one seed, --seeds so many from 0: give one of them")
    return [seed] if seed is not None else seeds
