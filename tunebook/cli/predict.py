"""`tunebook predict`: use a finished run on new texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook.cli._options import Device, Json, Moved, Root


def command(
    run: Annotated[str, typer.Argument(help="A finished run's name or the first letters of its hash.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="The texts; two and two for a run on pairs.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file: one text per line, or .csv .tsv .jsonl .parquet with --text.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="The column of the text in --file; two, a,b, make a pair.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="The encoding of --file.")] = "utf-8",
    checkpoint: Moved = None,
    device: Device = "auto",
    json: Json = False,
    root: Root = None,
) -> None:
    """Label new texts with a finished run, with the probability of every class (or the score).

    Example: tunebook predict 3f9a12bc "Not bad at all." "I want my money back."

    Example: tunebook predict 3f9a12bc --file new.csv --text body --json
    """
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_line, print_table
    from tunebook.errors import UsageError
    from tunebook.predict import load, read_texts

    if bool(texts) == (file is not None):
        raise UsageError("give texts, or --file with texts, one of them")
    wanted: list[Any] = read_texts(file, text, encoding) if file is not None else list(texts or [])
    predictor = load(open_book(root).find(run), device=device, checkpoint=checkpoint)
    if predictor.is_pair and file is None:
        if len(wanted) % 2:
            raise UsageError(f"this run is on pairs: give an even number of texts, not {len(wanted)}")
        wanted = list(zip(wanted[::2], wanted[1::2], strict=True))
    answers = predictor.predict(wanted)
    if json:
        for answer in answers:
            print_line(answer)
        return
    rows = [{**answer, "text": _short(answer["text"])} for answer in answers]
    columns = (
        {"label": "label", "probability": "probability"} if "label" in answers[0] else {"score": "score"}
    )
    print_table(rows, {**columns, "text": "text"})


def _short(text: str | list[str]) -> str:
    whole = text if isinstance(text, str) else " / ".join(text)
    return whole if len(whole) <= 80 else whole[:79] + "…"
