"""`tunebook reindex`: rebuild the index of the book from its run folders."""

from __future__ import annotations

from tunebook.cli._options import Json, Root


def command(json: Json = False, root: Root = None) -> None:
    """Rebuild book.sqlite from the run folders, which are the truth.

    Example: tunebook reindex
    """
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json

    book = open_book(root)
    count = book.reindex()
    print_json({"runs": count}) if json else print(f"{count} runs indexed in {book.root}")
