"""`tunebook import`: runs that somebody published, into the book."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli._options import Json, Root


def command(
    folder: Annotated[Path, typer.Argument(help="A folder of open data, such as catalogue/data.")],
    json: Json = False,
    root: Root = None,
) -> None:
    """Read published runs back into the book, with their predictions and without weights.

    Example: tunebook import catalogue/data
    """
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, safe, say
    from tunebook.errors import IntegrityError
    from tunebook.publish.export import bring_in
    from tunebook.publish.open_data import Published

    changes = bring_in(Published(folder), open_book(root))
    for name, why in changes.skipped.items():
        say(f"skipped {safe(name)}: {safe(why)}")
    if json:
        print_json({"imported": changes.written, "there": changes.kept, "skipped": changes.skipped})
    else:
        print(
            f"{len(changes.written)} runs imported, {len(changes.kept)} were there, {len(changes.skipped)} skipped"
        )
    if changes.skipped:
        raise typer.Exit(IntegrityError.exit_code)
