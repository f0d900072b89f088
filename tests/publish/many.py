"""A book of many runs, written fast: copies of one run of each method under other names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests import results
from tunebook.book import Book
from tunebook.book.experiments import write_tuning

METHODS = ("full", "lora", "bitfit", "linear_probe", "prefix_tuning", "top_layers")
TOML = 'question = "How does it go on {name}?"\ndatasets = ["{name}"]\n'


def fill(root: Path, *, experiments: int, methods: int, seeds: int, trials: int) -> Book:
    """A book of so many experiments with so many runs, and so many trials of each method of each."""
    book, examples = Book(root), results.examples(200)
    template: Path | None = None
    for place in range(experiments):
        name, runs = f"data-{place:03d}", []
        searches = {}
        for row in range(methods):  # beyond what there is, methods come again with other settings
            method, again = METHODS[row % len(METHODS)], row // len(METHODS)
            rate = {"learning_rate": 1.1e-3 * (1 + again)} if again else {}
            for seed in range(seeds):
                made = results.Run(
                    method=method,
                    seed=seed,
                    skill=0.05 * row,
                    dataset=name,
                    examples=examples,
                    settings=rate,
                )
                runs.append(json.loads((results.finish(book, made) / "run.json").read_text())["run"])
            tried = []
            for trial in range(trials):
                settings = {"learning_rate": 1e-5 * (trial + 1 + 100 * again)}
                one = results.Run(
                    method=method,
                    seed=1000,
                    settings=settings,
                    dataset=name,
                    purpose="tune",
                    examples=examples,
                )
                told = results.declared(one)
                if template is None:
                    template = results.finish(book, one, told)
                else:
                    _copy(book, template, told)
                tried.append({"settings": settings, "round": 0, "train_size": 100, "run": told["run"],
                              "status": "finished", "value": 0.5 + 0.01 * (trial % 7)})  # fmt: skip
            searches[f"{method} {again}"] = {
                "checkpoint": "minilm-l6", "dataset": f"{name}.csv", "train_size": None, "method": method, "held": {},
                "metric": "accuracy", "budget": {"trials": trials, "halving": None}, "space": {"learning_rate": {}},
                "trials": tried, "chosen": None, "on_edge": [],
            }  # fmt: skip
        write_tuning(book.record_experiment(name, TOML.format(name=name), {"methods": []}, runs), searches)
    return book


def _copy(book: Book, template: Path, told: dict[str, object]) -> None:
    folder = book.runs / f"minilm-l6--trial--x--s1000--{str(told['run'])[:12]}"
    shutil.copytree(template, folder)
    (folder / "run.json").write_text(json.dumps(told))
