"""`tunebook list`: the names that can be used, and the runs of the book."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook.cli._options import Json, Root
from tunebook.cli._terminal import print_json, print_table


def command(
    what: Annotated[
        str, typer.Argument(help="checkpoints, datasets, methods, metrics, experiments or runs.")
    ] = "",
    json: Json = False,
    root: Root = None,
) -> None:
    """List checkpoints, datasets, methods, metrics, experiments or runs; without a word, how many there are of each.

    Example: tunebook list checkpoints
    """
    from tunebook.registry import lookup

    if not what:
        counts = [{"what": name, "count": len(_rows(name, root))} for name in _LISTS]
        print_json(counts) if json else print_table(counts, {"what": "tunebook list ...", "count": "entries"})
        return
    _, columns = lookup(_LISTS, what, "list")
    rows = _rows(what, root)
    if json:
        print_json(rows)
    else:
        print_table([{**row, "run": row["run"][:12]} for row in rows] if what == "runs" else rows, columns)


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
         "version": row.version, "summary": row.summary}
        for row in methods.rows().values()
    ]  # fmt: skip


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


def _runs(root: Path | None) -> list[dict[str, Any]]:
    from tunebook.book import open_book

    return open_book(root).listing()


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
        {"name": "name", "needs_checkpoint": "checkpoint", "settings": "settings", "summary": "what it does"},
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
