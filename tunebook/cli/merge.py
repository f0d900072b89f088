"""`tunebook merge`: a finished run as a plain checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli._options import Moved, Root


def command(
    run: Annotated[str, typer.Argument(help="A finished run's name or the first letters of its hash.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write, which does not exist yet.")],
    checkpoint: Moved = None,
    root: Root = None,
) -> None:
    """Fold what a run learned into its checkpoint's weights: the folder is one that transformers reads by itself.

    LoRA and its kin, (IA)^3, BitFit and whatever trains weights that were there can be folded; prompts, prefixes and
    bottlenecks cannot.

    Example: tunebook merge 3f9a12bc merged
    """
    from tunebook import finished
    from tunebook.book import open_book
    from tunebook.cli._terminal import say

    found = open_book(root).find(run)
    finished.merge(found, folder, checkpoint=checkpoint)
    say(f"wrote {folder}: AutoModelForSequenceClassification.from_pretrained({str(folder)!r}) reads it")
