"""`tunebook list`: the names that can be used, and the runs of the book."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook.cli._options import Json, Root
from tunebook.cli._terminal import print_json, print_table
from tunebook.models import tiny


def command(
    what: Annotated[
        str,
        typer.Argument(help="checkpoints, datasets, methods, capabilities, metrics, experiments or runs."),
    ] = "",
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="With methods: how many parameters each trains in this checkpoint with two classes."
        ),
    ] = None,
    try_: Annotated[
        bool,
        typer.Option(
            "--try", help="With capabilities: try every method on every family now, and store what is found."
        ),
    ] = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """List checkpoints, datasets, methods, capabilities, metrics, experiments or runs; without a word, their counts.

    Example: tunebook list methods --checkpoint minilm-l6
    """
    from tunebook.errors import UsageError
    from tunebook.registry import lookup

    if checkpoint is not None and what != "methods":
        raise UsageError("--checkpoint goes with `tunebook list methods`")
    if try_ and what != "capabilities":
        raise UsageError("--try goes with `tunebook list capabilities`")
    if not what:
        counts = [{"what": name, "count": len(_rows(name, root))} for name in _LISTS]
        print_json(counts) if json else print_table(counts, {"what": "tunebook list ...", "count": "entries"})
        return
    _, columns = lookup(_LISTS, what, "list")
    if try_:
        _try()
    rows = _runs(root, with_results=True) if what == "runs" and json else _rows(what, root)
    if checkpoint is not None:
        columns = {name: columns[name] for name in ("name", "settings", "summary")}
        columns |= {"encoder": "encoder", "head": "head"}
        rows = _counted(rows, checkpoint)
    if json:
        print_json(rows)
    else:
        print_table([_shown(what, row) for row in rows], columns)
        _explain(what)


def _shown(what: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row as the table has it: hashes short, reasons as a word that is explained below."""
    if what == "runs":
        return {**row, "run": row["run"][:12]}
    if what == "capabilities":
        return {key: value if isinstance(value, str) else _word(value) for key, value in row.items()}
    return row


def _word(cell: dict[str, str]) -> str:
    if "refused" in cell:
        return "refused"
    return "own" if cell["kernel"] == "own layers" else cell["path"].split(",")[0]


def _explain(what: str) -> None:
    """What the words of the table of capabilities mean, why cells are refused, and what it was tried with."""
    if what != "capabilities":
        return
    from tunebook import capabilities
    from tunebook.cli._terminal import say

    found = capabilities.stored()
    say("own: packed, in layers of our own; packed: in the family's layers; micro-batched: padded, by length")
    for row in found["cells"].values():
        for cell in row.values():
            if "refused" in cell:
                say(f"refused: {cell['refused']}")
    say("tried with " + ", ".join(f"{name} {version}" for name, version in found["versions"].items()))


def _try() -> None:
    from tunebook import capabilities
    from tunebook.cli._terminal import say

    say("trying every method on every family, a step each: a quarter of a minute")
    capabilities.store(capabilities.tried())


def _counted(rows: list[dict[str, Any]], checkpoint: str) -> list[dict[str, Any]]:
    """The rows of methods with what each trains of a checkpoint, encoder and head apart, or why it does not."""
    from tunebook import capabilities

    counts = capabilities.parameters(checkpoint)
    return [{**row, **counts.get(row["name"], {"encoder": 0, "head": 0})} for row in rows]


def _rows(what: str, root: Path | None) -> list[dict[str, Any]]:
    return _LISTS[what][0](root)


def _checkpoints(root: Path | None) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from tunebook.models.rows import rows

    known = rows()
    return [asdict(row) for name, row in known.items() if name == row.name]


def _datasets(root: Path | None) -> list[dict[str, Any]]:
    from tunebook import data

    return [
        {
            "name": row.name, "task": row.task, "labels": list(row.label_names), "language": row.language,
            "licence": row.licence, "redistributable": row.redistributable, "homepage": row.homepage,
            "citation": row.citation, "note": row.note,
        }
        for row in data.rows().values()
    ]  # fmt: skip


def _methods(root: Path | None) -> list[dict[str, Any]]:
    from tunebook import methods

    return [
        {"name": row.name, "needs_checkpoint": row.needs_checkpoint, "settings": row.settings().model_dump(),
         "version": row.version, "summary": row.summary, "source": row.source}
        for row in methods.rows().values()
    ]  # fmt: skip


def _capabilities(root: Path | None) -> list[dict[str, Any]]:
    from tunebook import capabilities

    return [{"method": name, **cells} for name, cells in capabilities.stored()["cells"].items()]


def _metrics(root: Path | None) -> list[dict[str, Any]]:
    from tunebook import metrics

    return [
        {"name": row.name, "larger_is_better": row.larger_is_better, "explanation": row.explanation}
        for row in metrics.rows().values()
    ]


def _experiments(root: Path | None) -> list[dict[str, Any]]:
    from tunebook import toml_file
    from tunebook.errors import UsageError

    def question(path: Path) -> str:
        try:
            return str(toml_file.parse(toml_file.read(path), "not readable").get("question", ""))
        except UsageError as error:
            return str(error)

    declared = sorted(Path("experiments").glob("*.toml"))
    return [{"file": str(path), "question": question(path)} for path in declared]


def _runs(root: Path | None, *, with_results: bool = False) -> list[dict[str, Any]]:
    from tunebook.book import open_book

    return open_book(root).listing(with_results=with_results)


_LISTS: dict[str, tuple[Callable[[Path | None], list[dict[str, Any]]], dict[str, str]]] = {
    "checkpoints": (
        _checkpoints,
        {
            "name": "name",
            "alias": "alias",
            "family": "family",
            "parameters": "parameters",
            "licence": "licence",
            "repository": "hub repository",
            "paper": "paper",
            "note": "note",
        },
    ),
    "datasets": (
        _datasets,
        {"name": "name", "task": "task", "labels": "labels", "licence": "licence", "note": "note"},
    ),
    "methods": (
        _methods,
        {"name": "name", "settings": "defaults", "summary": "what trains", "source": "source"},
    ),
    "capabilities": (
        _capabilities,
        {name: name for name in ("method", *tiny.rows())},
    ),
    "metrics": (
        _metrics,
        {"name": "name", "larger_is_better": "larger is better", "explanation": "what it says"},
    ),
    "experiments": (_experiments, {"file": "file", "question": "question"}),
    "runs": (
        _runs,
        {
            "run": "run",
            "status": "status",
            "checkpoint": "checkpoint",
            "method": "method",
            "dataset": "dataset",
            "seed": "seed",
        },
    ),
}
