"""`tunebook data`: look at a dataset before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunebook.cli._options import Json, Root

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.data import Dataset
    from tunebook.gate import Remark

_EXAMPLES, _SUSPECTS = 2, 10
_SHOWN_CHARACTERS = 90


def check(
    dataset: Annotated[str, typer.Argument(help="A dataset's name, or a file.")],
    text: Annotated[str | None, typer.Option(help="The column of the text; two, a,b, make a pair.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label or score.")] = None,
    encoding: Annotated[str | None, typer.Option(help="The encoding of the file, utf-8 otherwise.")] = None,
    drop_bad: Annotated[
        int | None, typer.Option(help="Drop up to so many bad rows instead of refusing the file.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Count the texts that are too long for this checkpoint.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="So many tokens are taken of a text, instead of the checkpoint's 512.")
    ] = None,
    label_errors: Annotated[
        Literal["words", "checkpoint", "no"],
        typer.Option(help="What suspect labels are found by: TF-IDF, or the checkpoint (takes longer)."),
    ] = "words",
    baselines: Annotated[
        bool,
        typer.Option(help="Fit the majority and TF-IDF baselines, and look for suspect labels."),
    ] = True,
    test_labels: Annotated[
        bool, typer.Option("--test-labels", help="Read the labels of test too: balance, contradictions.")
    ] = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """Check a dataset: copies, leaks, telling columns, odd characters, suspect labels, and what to do about them.

    Example: tunebook data check reviews.csv --text body --label stars
    """
    from tunebook import data, gate, grid, spec
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json, say
    from tunebook.errors import UsageError

    if checkpoint is None and (max_length is not None or label_errors == "checkpoint"):
        raise UsageError("tokens and features are a checkpoint's: say which, --checkpoint NAME")
    book = open_book(root)
    values = grid.single(
        checkpoint="none", dataset=dataset, text=text, label=label, encoding=encoding, drop_bad=drop_bad
    )
    source = spec.dataset_spec(values["datasets"][0], dataset).source()
    loaded = data.load(source, cache=book.cache)
    found = gate.check(loaded, source, cache=book.cache, test_labels=test_labels).as_object()
    if baselines and not (test_labels or "validation" in loaded.splits):
        say("there is no validation split, and test is for the end: no baselines without --test-labels")
    elif baselines:
        say("fitting the baselines on train, measuring them on validation or test ...")
        found["baselines"] = gate.baselines(loaded)
        if label_errors != "no":
            found["label_errors"] = _label_errors(
                loaded, checkpoint if label_errors == "checkpoint" else None
            )
    _keep(book, loaded, found, is_whole=baselines and label_errors != "no")
    if checkpoint is not None:
        found["truncation"] = gate.truncation(loaded, checkpoint, max_length=max_length)
    said = gate.remarks(found)
    if json:
        print_json({**found, "remarks": [one.as_object() for one in said]})
    else:
        _print(found, said, loaded)


def _label_errors(dataset: Dataset, checkpoint: str | None) -> dict[str, Any]:
    from tunebook import gate
    from tunebook.cli._terminal import say

    say("predicting every row of train by models that did not see it ...")
    if checkpoint is None or dataset.task == "regression":
        return gate.label_errors(dataset)
    return gate.label_errors(dataset, gate.features(dataset.splits["train"], checkpoint))


def _keep(book: Book, dataset: Dataset, found: dict[str, Any], *, is_whole: bool) -> None:
    """Keep what was found in the book, unless there is more already or the book cannot be written."""
    from tunebook import gate
    from tunebook.cli._terminal import say
    from tunebook.errors import TunebookError

    before = gate.stored(book.root, {name: split.fingerprint for name, split in dataset.splits.items()})
    if is_whole or before is None:
        try:
            gate.store(book.root, dataset, {**found, "is_whole": is_whole})
        except TunebookError as error:
            say(f"not kept in the book: {error}")


def _print(found: dict[str, Any], said: Sequence[Remark], dataset: Dataset) -> None:
    from tunebook.cli._terminal import note, print_table, safe

    print(f"{safe(found['dataset'])}: {found['task']}")
    for name, value in found["notes"].items():
        if text := note(value):
            print(f"  {name.replace('_', ' ')}: {safe(text)}")
    rows = [_split_row(name, split) for name, split in found["splits"].items()]
    print("\nlengths are median / 95th percentile / longest")
    print_table(rows, {key: key for key in rows[0]})
    if baselines := found.get("baselines"):
        print(f"\nbaselines on {baselines['split']}")
        rows = [{"method": name, **scores} for name, scores in baselines.items() if name != "split"]
        print_table(rows, {key: key.replace("_", " ") for key in rows[0]})
    print("\nfindings, the most severe first" if said else "\nno findings")
    for one in said:
        print(f"{one.severity:<8} {safe(one.what)} -> {safe(one.do)}")
        for example in one.examples[: 0 if one.code == "suspect_labels" else _EXAMPLES]:
            print("         e.g. " + " | ".join(_shown(dataset, *row) for row in example))
    errors = found.get("label_errors", {})
    if why_not := errors.get("why_not"):
        print(f"no suspect labels were looked for: {safe(why_not)}")
    if suspects := [
        {**one, "text": _shown(dataset, "train", one["id"]).partition(": ")[2]}
        for one in errors.get("first", [])[:_SUSPECTS]
    ]:
        print("\nlabels to read first")
        columns = ("id", "label", "likely", "probability", "text")
        print_table(suspects, {key: "of its label" if key == "probability" else key for key in columns})


def _shown(dataset: Dataset, split: str, row_id: str) -> str:
    """A row by its id and the beginning of its text, where it is still in the split that it is said to be of."""
    import pyarrow.compute as pc

    from tunebook.cli._terminal import safe

    table = dataset.splits[split].table if split in dataset.splits else None
    row = -1 if table is None else pc.index(table["id"], row_id).as_py()
    if table is None or row < 0:
        return safe(row_id)
    text = " ".join(str(table["text"][row].as_py()).split())
    short = text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
    return f"{safe(row_id)}: {safe(short)}"


def _split_row(name: str, split: dict[str, Any]) -> dict[str, Any]:
    """A split as a row of the table: numbers, and lengths as three numbers in one cell."""
    balance = split["balance"] or {}
    return {
        "split": name,
        "rows": split["rows"],
        "characters": _lengths(split["characters"]),
        "words": _lengths(split["words"]),
        **({"scores": _lengths(split["scores"])} if split["scores"] else {}),
        **balance,
        "duplicates": split["duplicates"],
        "near": split["near_duplicates"],
        "contradictions": split["contradictions"],
    }


def _lengths(spread: dict[str, float]) -> str:
    return " / ".join(f"{spread[key]:g}" for key in ("median", "percentile_95", "largest"))


HELP = "Look at a dataset before anything is trained on it."
GROUP = {"check": check}
