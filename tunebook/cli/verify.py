"""`tunebook verify`: a run, or published ones, made again and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli._options import Json, Root


def command(
    what: Annotated[
        str, typer.Argument(metavar="RUN|DIR", help="A run of the book, or a folder of open data.")
    ],
    run: Annotated[
        list[str] | None, typer.Option(help="Of a folder, only runs whose hash begins so; again for more.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the book of the new run in this folder.")] = None,
    json: Json = False,
    root: Root = None,
) -> None:
    """Make a finished run again, in a book of its own, and compare it with what was recorded.

    Example: tunebook verify a74971c3
    """
    from dataclasses import asdict

    from tunebook import verification
    from tunebook.book import open_book
    from tunebook.cli._progress import Progress
    from tunebook.cli._terminal import print_json, safe
    from tunebook.errors import IntegrityError, UsageError
    from tunebook.publish.open_data import RUNS, Published

    if (Path(what) / RUNS).is_dir():
        wanted = tuple(run or [""])
        recorded = [
            one for one in verification.of_published(Published(Path(what))) if one.name.startswith(wanted)
        ]
        if not recorded:
            raise UsageError(f"{what} has no published run that begins with {' or '.join(wanted)}")
    else:
        recorded = [verification.of_folder(open_book(root).find(what))]
    found = []
    for one in recorded:
        verdict = verification.verify(one, Progress("verify"), keep=keep)
        found.append(verdict)
        if not json:
            print(f"{verdict.run}: {verdict.word} ({safe(verdict.why)})")
            for difference in verdict.differences:
                print(f"  {safe(difference)}")
    if json:
        print_json([asdict(verdict) for verdict in found])
    if any(verdict.word in verification.FAILED for verdict in found):
        raise typer.Exit(IntegrityError.exit_code)
    if all(verdict.word == "cannot be run here" for verdict in found):
        raise typer.Exit(UsageError.exit_code)
