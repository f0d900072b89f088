"""`tunebook doctor`: is everything here that a run needs?"""

from __future__ import annotations

import typer

from tunebook.cli._options import Json, Root


def command(json: Json = False, root: Root = None) -> None:
    """Check the installation: versions, device and precision, checkpoints, data, disk, the book.

    Example: tunebook doctor
    """
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, print_table
    from tunebook.doctor import examine

    findings = examine(open_book(root))
    if json:
        print_json(findings)
    else:
        print_table(findings, {"what": "what", "found": "found", "is_fine": "fine", "advice": "what to do"})
    raise typer.Exit(0 if all(finding["is_fine"] for finding in findings) else 1)
