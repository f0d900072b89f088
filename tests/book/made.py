"""Runs made for tests of the book: real folders with small files, nothing trained."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from tunebook import durable, metrics
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.predictions import write_predictions

LABELS = ("negative", "positive")


def declared(*, seed: int = 0, dataset: str = "reviews", method: str = "full") -> dict[str, Any]:
    """What `run.json` holds, for a run that is told apart by its seed, dataset and method."""
    run_id = hashlib.sha256(f"{dataset} {method} {seed}".encode()).hexdigest()
    spec = {
        "checkpoint": "minilm-l6",
        "dataset": {"name": None, "path": "/srv/somebody/reviews.csv", "text": ["body"], "label": "stars"},
        "method": {"name": method, "settings": {"learning_rate": 5e-5}},
        "train": {"epochs": 3, "max_length": None},
        "seed": seed,
    }
    splits = {"train": f"train {dataset}", "test": f"test {dataset}"}
    return {
        "run": run_id,
        "identity": {"splits": splits, "seed": seed, "train": {"epochs": 3}},
        "spec": spec,
        "checkpoint": {
            "name": "minilm-l6",
            "repository": "nreimers/MiniLM-L6-H384-uncased",
            "licence": "MIT",
        },
        "dataset": {
            "name": dataset,
            "task": "classification",
            "label_names": list(LABELS),
            "licence": "CC0-1.0",
            "redistributable": True,
        },
    }


def begin(book: Book, **options: Any) -> Path:
    """The folder of a run that has begun, with a line of metrics."""
    run = declared(**options)
    name = book_folder.folder_name(
        run["checkpoint"]["name"],
        run["spec"]["method"]["name"],
        run["dataset"]["name"],
        run["spec"]["seed"],
        run["run"],
    )
    folder = durable.make_folder(book.runs / name)
    durable.write_json(folder / "run.json", run)
    durable.append_line(folder / "metrics.jsonl", {"step": 1, "train/loss": 0.5})
    return folder


def predictions(seed: int = 0, texts: int = 20) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, labels and logits of a split that nobody ever saw."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, texts)
    logits = draw.normal(size=(texts, 2)).astype(np.float32) + np.eye(2, dtype=np.float32)[labels]
    return [f"text-{index}" for index in range(texts)], labels, logits


def result(seed: int = 0) -> dict[str, Any]:
    """A result with real scores of made predictions."""
    _, labels, logits = predictions(seed)
    scores = metrics.evaluate(logits, labels, label_names=LABELS, task="classification")
    return {
        "run": declared(seed=seed)["run"],
        "metrics": {"test": scores},
        "examples": {"train": 80, "test": 20},
    }


def finish(folder: Path, seed: int = 0) -> Path:
    """Seal a run that has begun."""
    write_predictions(folder / "predictions.parquet", {"test": predictions(seed)})
    book_folder.seal(folder, result(seed))
    return folder


def fill_snapshot(folder: Path) -> None:
    """What a snapshot holds, in small."""
    (folder / "model.safetensors").write_bytes(b"weights" * 100)
    (folder / "optimizer.safetensors").write_bytes(b"moments" * 100)
    durable.write_json(folder / "train_state.json", {f"value_{index}": index for index in range(9)})
