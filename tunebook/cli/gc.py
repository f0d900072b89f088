"""`tunebook gc`: remove what no run needs any more."""

from __future__ import annotations

from typing import Annotated

import typer

from tunebook.cli._options import Json, Root


def command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """Remove leftovers: temporary folders, snapshots of finished runs, damaged snapshots, stale cache entries.

    Example: tunebook gc --dry-run
    """
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, size

    found = open_book(root).gc(dry_run=dry_run)
    if json:
        print_json(found)
        return
    for entry in found["removed"]:
        print(f"{size(entry['bytes']):>9}  {entry['path']}")
    print(f"{size(found['bytes'])} {'would be' if dry_run else 'were'} removed")
