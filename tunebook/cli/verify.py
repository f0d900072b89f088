"""`tunebook verify`: a run, or published ones, made again and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunebook.cli._options import Device, Download, Json, Root

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.verification import Number, Recorded, Verdict

_COLUMNS = {
    "split": "split", "metric": "metric", "published": "published", "again": "again", "difference": "difference",
    "allowed": "allowed", "within": "within",
}  # fmt: skip
_MOST_NAMED = 10


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DIR", help="A run of the book; or a folder of open data, or one run's file in it."
        ),
    ],
    run: Annotated[
        list[str] | None,
        typer.Option(help="Of open data, only runs whose name or hash begins so; may be repeated."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the book in which runs are made again in this new folder.")
    ] = None,
    device: Device = "auto",
    allow_download: Download = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """Make finished runs again, in a book apart, and compare: the same bytes, or within the interval elsewhere.

    Nothing is trained where data, checkpoint or versions are not the recorded ones.

    Example: tunebook verify 3f9a12bc

    Example: tunebook verify catalogue/data --run pocket
    """
    from tunebook.book import open_book
    from tunebook.cli._progress import Progress
    from tunebook.cli._terminal import print_json, safe_lines, say
    from tunebook.errors import IntegrityError, UsageError
    from tunebook.flow import Options
    from tunebook.verification import MISMATCHES, WORDS, book_apart, verify

    book = open_book(root)
    options = Options(device=device, allow_download=allow_download, keep="best" if keep else "none")
    found: list[Verdict] = []
    faults: dict[str, str] = {}
    with book_apart(book, keep) as apart:
        for recorded in _recorded(what, book, run or [], faults=faults):
            verdict = verify(recorded, apart, options, Progress("verify", is_quiet=quiet))
            found.append(verdict)
            if not json:
                _show(verdict)
    counts = {word: sum(verdict.word == word for verdict in found) for word in WORDS}
    if json:
        print_json({"runs": [verdict.as_object() for verdict in found], "counts": counts, "faults": faults})
    elif len(found) != 1:
        print(
            f"{len(found)} runs: " + ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        )
    for name, why in faults.items():
        say(f"tunebook: {safe_lines(name)} is damaged, and was not made again: {safe_lines(why)}")
    if faults or any(verdict.word in MISMATCHES for verdict in found):
        raise typer.Exit(IntegrityError.exit_code)
    if all(verdict.word == "cannot be run here" for verdict in found):
        raise typer.Exit(UsageError.exit_code)


# --- which runs ---------------------------------------------------------------------------------------------


def _recorded(what: str, book: Book, wanted: Sequence[str], *, faults: dict[str, str]) -> Iterator[Recorded]:
    """The runs that are asked for, one after another; what is published and damaged is told in `faults`."""
    from tunebook.errors import UsageError
    from tunebook.publish.open_data import RUNS
    from tunebook.verification import Recorded

    path = Path(what)
    if path.is_file() and path.suffix == ".json":
        yield from _of_published(path.absolute().parent.parent, [path.stem], faults=faults)
    elif any((path / RUNS).glob("*.json")):
        yield from _of_published(path, wanted or [""], faults=faults)
    elif wanted:
        raise UsageError(f"--run chooses of open data, but {what!r} is no folder with {RUNS}/*.json")
    elif (path / "run.json").is_file():
        yield Recorded.of_run_folder(path.absolute())
    elif path.is_dir():
        raise UsageError(
            f"{what!r} has no published runs: expected {RUNS}/*.json in it, as in the folder data of a catalogue"
        )
    else:
        yield Recorded.of_run_folder(book.find(what))


def _of_published(folder: Path, wanted: Sequence[str], *, faults: dict[str, str]) -> Iterator[Recorded]:
    """Published runs, by the beginnings of their names or hashes."""
    from tunebook.errors import IntegrityError, UsageError
    from tunebook.publish.open_data import Published
    from tunebook.registry import did_you_mean, nearest
    from tunebook.verification import Recorded

    published = Published(folder)
    names = [name for name in published.runs if _fits(name, wanted)]
    damaged = {file: why for file, why in published.faults.items() if _fits(Path(file).stem, wanted)}
    if not names and not damaged:
        near = did_you_mean(
            wanted[0], nearest(wanted[0], published.runs) or list(published.runs)[:_MOST_NAMED]
        )
        raise UsageError(f"{folder} has no published run that begins with {' or '.join(wanted)}; {near}")
    faults.update(damaged)
    for name in names:
        try:
            recorded = Recorded.of_published(published, name)
        except IntegrityError as error:
            faults[name] = str(error)
            continue
        yield recorded


def _fits(name: str, wanted: Sequence[str]) -> bool:
    short = name.rpartition("--")[2]
    return any(name.startswith(one) or short.startswith(one[:12]) for one in wanted)


# --- how they are shown -------------------------------------------------------------------------------------


def _show(verdict: Verdict) -> None:
    """A verdict for people: all numbers where they are not the same, else one of each split."""
    from tunebook.cli._terminal import print_table, safe, safe_lines

    print(f"{safe(verdict.name)}\n{verdict.word}: {safe_lines(verdict.why)}")
    numbers = verdict.numbers if verdict.word != "identical" else _usual(verdict.numbers)
    if numbers:
        print_table([_row(one) for one in numbers], _COLUMNS)
    for what, lines in (
        ("inputs", verdict.inputs),
        ("environment", verdict.environment),
        ("not the same", verdict.bits),
    ):
        for line in lines:
            print(f"{what}: {safe(line)}")
    for split, one in verdict.other_classes.items():
        more = ", ..." if one["count"] > len(one["first"]) else ""
        shown = ", ".join(map(safe, one["first"]))
        print(
            f"{safe(split)}: {one['count']:,} of {one['examples']:,} examples got another class: {shown}{more}"
        )
    print()


def _usual(numbers: Sequence[Number]) -> list[Number]:
    from tunebook.metrics import usual

    by_split: dict[str, dict[str, Number]] = {}
    for one in numbers:
        by_split.setdefault(one.split, {})[one.metric] = one
    return [of_split[usual(of_split)] for of_split in by_split.values()]


def _row(one: Number) -> Mapping[str, Any]:
    signed = None if one.difference is None else f"{one.difference:+.6f}"
    return {
        "split": one.split, "metric": one.metric, "published": one.published, "again": one.again,
        "difference": signed, "allowed": one.allowed, "within": one.is_within,
    }  # fmt: skip
