"""`tunebook publish`: the book's runs as open data, and the catalogue rendered from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli._options import Json, Root


def command(
    check: Annotated[
        bool,
        typer.Option("--check", help="Only compare what is published with the open data; needs no book."),
    ] = False,
    execute: Annotated[
        bool, typer.Option("--execute", help="With --check: run the notebooks, and compare their outputs.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove published runs that the book does not have.")
    ] = False,
    with_texts: Annotated[
        Path | None, typer.Option(help="Write the page with all texts into this folder instead, to look at.")
    ] = None,
    to: Annotated[Path, typer.Option(help="The repository whose catalogue it is.")] = Path("."),
    json: Json = False,
    root: Root = None,
) -> None:
    """Publish the book: export its finished runs to catalogue/data, then render page, notebooks and README from there.

    Example: tunebook publish --check
    """
    from dataclasses import asdict

    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, safe, say
    from tunebook.errors import UsageError
    from tunebook.publish.catalogue import PAGE, Catalogue, publish, publish_with_texts

    if check and (prune or with_texts):
        raise UsageError("--check changes nothing: it goes with neither --prune nor --with-texts")
    if execute and not check:
        raise UsageError("--execute goes with --check; without it notebooks are run where they are made")
    if check:
        catalogue = Catalogue(to)
        faults = list(catalogue.faults())
        faults += catalogue.other_outputs() if execute else ()
        if json:
            print_json(faults)
        for fault in faults if not json else ():
            print(safe(fault))
        if not json:
            print(
                f"{len(faults)} faults; `tunebook publish` renders anew"
                if faults
                else "all that is published is up to date"
            )
        raise typer.Exit(1 if faults else 0)
    book = open_book(root)
    if with_texts is not None:
        if with_texts.resolve().is_relative_to((to / PAGE).resolve()):
            raise UsageError(
                f"{with_texts} lies in the catalogue: texts that may not be shown would be published"
            )
        changes = publish_with_texts(book, with_texts)
    else:
        changes = publish(book, to, prune=prune)
    for name, why in changes.skipped.items():
        say(f"skipped {safe(name)}: {safe(why)}")
    for name in changes.foreign:
        say(
            f"left alone {safe(name)}: it belongs to nothing that is published, and is none that Tunebook made"
        )
    if json:
        print_json({**asdict(changes), "kept": len(changes.kept)})
    else:
        print(f"{len(changes.written)} files written, {len(changes.kept)} unchanged, {len(changes.removed)} removed, "
              f"{len(changes.skipped)} skipped")  # fmt: skip
        print(f"Open {(with_texts or to / PAGE) / 'index.html'}")
