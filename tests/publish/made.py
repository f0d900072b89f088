"""A book of runs that were never trained, and what is published of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import results
from tunebook import grid, toml_file
from tunebook.book import Book
from tunebook.book.experiments import write_tuning
from tunebook.errors import UsageError
from tunebook.publish.export import Changes, export
from tunebook.publish.open_data import Published

HOSTILE = '<script>alert(1)</script>=cmd|" [x](javascript:1) \x1b[31m\u202e[link=http://192.0.2.1]'
"""A text that acts in HTML, Markdown, a spreadsheet or a terminal where it is not shown literally."""
TOML = (
    'question = "Does it pay?"\ncheckpoints = ["minilm-l6"]\nmethods = ["full", "lora", "linear_probe"]\nseeds = 3\n'
    'datasets = [{ path = "reviews.csv", text = "body", label = "stars" }]\n'
)
SKILLS = {"full": 1.2, "lora": 1.0, "linear_probe": 0.2, "majority": -1.0, "tfidf_logreg": 0.3}


def book_of(
    root: Path, *, name: str = "study", toml: str = TOML, seeds: int = 3, tuned: bool = False, **same: object
) -> Book:
    """A book with one experiment: three methods with so many seeds and two baselines."""
    book = Book(root)
    folders = results.fill(book, SKILLS, seeds=range(seeds), **same)  # type: ignore[arg-type]
    runs = [results.durable.read_json(folder / "run.json")["run"] for folder in folders]
    folder = book.record_experiment(name, toml, expanded(toml), runs)
    if tuned:
        write_tuning(folder, {"full": search(same)})
    return book


def expanded(toml: str) -> dict[str, Any]:
    """What a TOML expands to; something else where it is no experiment's."""
    try:
        return grid.experiment(toml_file.parse(toml, "made"), "made").model_dump()
    except UsageError:
        return {"methods": []}


def search(same: object) -> dict[str, object]:
    """What tuning keeps of four trials of the method full."""
    trials = [
        {"settings": {"learning_rate": rate}, "round": 0, "train_size": 100, "run": f"{place}" * 64,
         "status": "finished", "value": value}
        for place, (rate, value) in enumerate([(1e-5, 0.6), (5e-5, 0.7), (1e-4, 0.68), (2e-5, 0.65)])
    ]  # fmt: skip
    return {"checkpoint": "minilm-l6", "dataset": "reviews.csv", "train_size": None, "method": "full", "held": {},
            "metric": "accuracy", "budget": {"trials": 4, "halving": None}, "space": {"learning_rate": {}},
            "trials": trials, "chosen": {"learning_rate": 5e-5}, "on_edge": []}  # fmt: skip


def published(book: Book, folder: Path, **options: object) -> tuple[Published, Changes]:
    """A book's runs as open data in a folder."""
    changes = export(book, folder, **options)  # type: ignore[arg-type]
    return Published(folder), changes
