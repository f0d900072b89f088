"""`tunebook claims`: numbers that others published, and whether our runs agree with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunebook.cli._options import Json, OnlyDataset, Root

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.claims import Claim, Verdict
    from tunebook.errors import UsageError

_COLUMNS = {
    "source": "source", "checkpoint": "checkpoint", "method": "method", "dataset": "dataset", "metric": "metric",
    "claimed": "claimed", "ours": "ours (95 %; seeds)", "difference": "difference (95 %)", "verdict": "verdict",
}  # fmt: skip


def command(
    dataset: OnlyDataset = None,
    verdict: Annotated[
        Literal["agrees", "differs", "not-testable", "not-run-yet"] | None,
        typer.Option(help="Only claims of this verdict."),
    ] = None,
    claims: Annotated[
        Path | None,
        typer.Option(
            help="The folder of claims. [default: ./claims, else the package's]", show_default=False
        ),
    ] = None,
    json: Json = False,
    root: Root = None,
) -> None:
    """Compare what others published with the runs of the book: agrees, differs, not testable, or not run yet.

    Example: tunebook claims --dataset sst2
    """
    from tunebook import claims as ledger
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, safe_lines, say
    from tunebook.registry import lookup

    faulty: list[UsageError] = []
    found = ledger.read_claims(claims or _folder("claims"), tell=faulty.append)
    if dataset is not None and found:
        lookup({claim.dataset: claim for claim in found}, dataset, "dataset of a claim")
        found = [claim for claim in found if claim.dataset == dataset]
    experiments = ledger.declared(_folder("experiments"))
    judged = ledger.verdicts(found, list(_rows(open_book(root), found)), experiments)
    shown = [one for one in judged if verdict is None or one.word == verdict.replace("-", " ")]
    if json:
        counts = Counter(one.word for one in shown)
        print_json(
            {
                "verdicts": [one.as_object() for one in shown],
                "counts": {word: counts[word] for word in ledger.WORDS},
                "faults": [str(error) for error in faulty],
            }
        )
    else:
        _show(shown)
    for error in faulty:
        say(f"tunebook: left out {safe_lines(error)}")
    if faulty:
        raise typer.Exit(2)


def _folder(name: str) -> Path:
    """A folder here, or else beside the package where that lies in its repository."""
    beside = Path(__file__).parent.parent.parent / name
    return beside if not Path(name).is_dir() and beside.is_dir() else Path(name)


# --- what of the book the claims need -----------------------------------------------------------------------


def _rows(book: Book, claims: Sequence[Claim]) -> Iterator[Mapping[str, Any]]:
    """The judged rows of every dataset that has claims and runs; what cannot be judged together is told and skipped."""
    from tunebook.cli._terminal import safe_lines, say
    from tunebook.errors import UsageError
    from tunebook.judgement import judge

    there = {run["dataset"] for run in book.listing(with_results=False)}
    for dataset in sorted({claim.dataset for claim in claims} & there):
        of_it = [claim for claim in claims if claim.dataset == dataset]
        for (metric, split), runs in _runs(book, dataset, of_it).items():
            try:
                families = judge(list(runs.values()), book, metric=metric, split=split)
            except UsageError as error:
                say(f"tunebook: {dataset} is left out: {safe_lines(error)}")
                continue
            yield from (row for family in families for row in family["rows"])


def _runs(book: Book, dataset: str, claims: Sequence[Claim]) -> dict[tuple[str, str], dict[str, Any]]:
    """The finished runs that claims of a dataset could be about, by metric and split, each by its hash."""
    from tunebook.claims import canonical, counterpart
    from tunebook.selection import of_book

    found: dict[tuple[str, str], dict[str, Any]] = {}
    runs = [
        run
        for run in of_book(book, dataset).runs
        if run["status"] == "finished" and run["split_seed"] is None
    ]
    for claim in claims:
        there = counterpart(claim)
        names = {canonical(name) for name in (claim.checkpoint, *claim.comparable)}
        for run in runs if there else ():
            is_about_it = canonical(run["checkpoint"]) in names and run["method"] == claim.method
            if there and is_about_it and claim.metric in run["metrics"].get(there.split, {}):
                found.setdefault((claim.metric, there.split), {})[run["run"]] = run
    return found


# --- how they are shown -------------------------------------------------------------------------------------


def _show(shown: Sequence[Verdict]) -> None:
    from tunebook.claims import WORDS
    from tunebook.cli._terminal import print_table

    if shown:
        print_table([_row(one) for one in shown], _COLUMNS)
        print("scores and differences in hundredths; a difference is ours less the claimed value")
    _tell_compared([one for one in shown if one.row is not None])
    _tell("not testable", Counter(one.why for one in shown if one.word == "not testable" and one.row is None))
    _tell("not run yet", Counter(one.command or "" for one in shown if one.word == "not run yet"))
    counts = Counter(one.word for one in shown)
    print(f"{len(shown)} claims: " + ", ".join(f"{counts[word]} {word}" for word in WORDS))


def _row(one: Verdict) -> dict[str, Any]:
    from tunebook.claims import hundredths

    claim, ours = one.claim, one.row
    return {
        "source": claim.source, "checkpoint": claim.checkpoint, "method": claim.method,
        "dataset": f"{claim.dataset} {claim.split}", "metric": claim.metric,
        "claimed": hundredths(claim.claimed),
        "ours": f"{_interval(ours['mean'], ours['low'], ours['high'])}; {ours['seeds']}" if ours else None,
        "difference": None if one.difference is None else _interval(one.difference, one.low, one.high),
        "verdict": one.word,
    }  # fmt: skip


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    from tunebook.claims import hundredths

    return f"{hundredths(value)} ({hundredths(low)} to {hundredths(high)})"


def _tell_compared(compared: Sequence[Verdict]) -> None:
    """Every comparison in words, with what to be careful about."""
    from tunebook.cli._terminal import safe

    for one in compared:
        claim = one.claim
        print(safe(f"{one.word}: {claim.checkpoint} {claim.method} on {claim.dataset}, {claim.source}, {claim.where}: "
                   f"{one.why}"))  # fmt: skip
        for caveat in one.caveats:
            print(f"  {safe(caveat)}")
    if any(one.word in ("agrees", "differs") for one in compared):
        print(
            "each comparison stands alone: of those without a true difference one in twenty would differ by chance"
        )


def _tell(what: str, reasons: Mapping[str, int]) -> None:
    """What claims have in common, each once, with their number."""
    from tunebook.cli._terminal import safe

    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        print(f"{what}, {count}: {safe(reason)}")
