"""Finished runs that were never trained: their folders are written as a run leaves them, their answers are drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tunebook import durable, metrics
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.predictions import write_predictions
from tunebook.spec import NO_CHECKPOINT, DatasetSpec, TrainSpec, fingerprint

BASELINES = ("majority", "tfidf_logreg")


@dataclass(frozen=True)
class Examples:
    """A test set: ids, labels, and how hard each example is, the same for every run on it.

    Without `classes` the labels are scores.
    """

    labels: np.ndarray
    hardness: np.ndarray
    classes: tuple[str, ...] = ("negative", "positive")
    prefix: str = "text"

    @property
    def ids(self) -> list[str]:
        return [f"{self.prefix}-{place}" for place in range(len(self.labels))]

    @property
    def print(self) -> str:
        """What the fingerprint of the split is here: the same for the same ids and labels."""
        return hashlib.sha256(self.prefix.encode() + self.labels.tobytes()).hexdigest()

    def first(self, count: int) -> Examples:
        """The first few of them."""
        return Examples(self.labels[:count].copy(), self.hardness[:count], self.classes, self.prefix)


def examples(count: int = 300, *, classes: int = 2, seed: int = 0) -> Examples:
    """Examples of some classes, none of them rare; 0 classes are scores."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, count) if classes else draw.normal(size=count).astype(np.float32)
    names = ("negative", "positive", *(f"class {place}" for place in range(2, classes)))
    return Examples(labels, draw.normal(size=count), names[:classes])


def answers(of: Examples, skill: float, seed: int) -> np.ndarray:
    """Logits `(examples, classes)` that are right the more often the larger the skill; each seed errs in its way.

    Two runs of one seed err alike, and every run errs on the hard examples: what pairing is for.
    """
    draw = np.random.default_rng(seed + 1)
    luck = 0.1 * draw.normal() + 0.3 * draw.normal(size=len(of.labels))
    if not of.classes:
        return (of.labels + (of.hardness + luck) / (1 + skill)).reshape(-1, 1)
    margin = skill + luck - of.hardness
    logits = draw.normal(size=(len(of.labels), len(of.classes))) * 0.01
    logits[np.arange(len(of.labels)), of.labels] += margin
    return logits


@dataclass(frozen=True)
class Run:
    """What is to be told of a run; `logits` are drawn with `skill` where they are not given."""

    method: str = "full"
    seed: int = 0
    skill: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str = "minilm-l6"
    dataset: str = "reviews"
    split_seed: int | None = None
    train_size: int | None = None
    purpose: str = "result"
    examples: Examples = field(default_factory=examples)
    logits: np.ndarray | None = None
    seconds: float = 10.0
    weights_bytes: int = 1_000_000


def declared(run: Run) -> dict[str, Any]:
    """What `run.json` holds."""
    is_baseline = run.method in BASELINES
    checkpoint = NO_CHECKPOINT if is_baseline else run.checkpoint
    train = TrainSpec(**run.train).model_dump()
    settings = {**_defaults(run.method), **run.settings}
    cut = {} if run.split_seed is None else {"split_seed": run.split_seed}
    trial = {} if run.purpose == "result" else {"purpose": run.purpose}
    names = ("train", "validation", "test") if run.purpose == "result" else ("train", "validation")
    identity = {
        "checkpoint": None if is_baseline else hashlib.sha256(checkpoint.encode()).hexdigest(),
        "splits": {name: f"{name} {run.examples.print} {run.split_seed}" for name in names},
        "data": {"task": "classification" if run.examples.classes else "regression", "reader": 1,
                 "label_names": list(run.examples.classes), "train_size": run.train_size, **cut},
        "method": {"name": run.method, "settings": settings, "version": 1},
        "train": None if is_baseline else train,
        "seed": run.seed,
        "loop": 2,
        "dataset": run.dataset,  # the fingerprints of real splits tell datasets apart
        **trial,
    }  # fmt: skip
    source = DatasetSpec(
        path=f"{run.dataset}.csv", text=["body"], label="stars", train_size=run.train_size, **cut
    )
    return {
        "run": fingerprint(identity),
        "identity": identity,
        "spec": {
            "checkpoint": checkpoint,
            "dataset": source.model_dump(),
            "method": {"name": run.method, "settings": settings},
            "train": train,
            "seed": run.seed,
            "purpose": run.purpose,
        },
        "checkpoint": {"name": checkpoint, "repository": None, "licence": None},
        "dataset": {"name": run.dataset, "task": identity["data"]["task"],
                    "label_names": list(run.examples.classes), "licence": "CC0-1.0", "redistributable": True,
                    "is_pair": False, "notes": {}},
    }  # fmt: skip


def _defaults(method: str) -> dict[str, Any]:
    from tunebook import methods

    return methods.method(method).settings().model_dump()


def begin(book: Book, run: Run) -> Path:
    """The folder of a run that was begun and broke off."""
    return _write(book, declared(run), {"cost.jsonl": ""})


def finish(book: Book, run: Run, told: Mapping[str, Any] | None = None) -> Path:
    """The folder of a finished run; `told` is its `run.json` where it is not made up."""
    told = told or declared(run)
    logits = answers(run.examples, run.skill, run.seed) if run.logits is None else run.logits
    of, task = run.examples, told["dataset"]["task"]
    split = "test" if told["spec"].get("purpose", "result") == "result" else "validation"
    scores = metrics.evaluate(logits, of.labels, label_names=of.classes, task=task)
    folder = _write(book, told, {
        "result.json": json.dumps({
            "run": told["run"],
            "metrics": {split: scores},
            "examples": {"train": run.train_size or 1000, split: len(of.labels)},
            "trainable_parameters": {"encoder": run.weights_bytes // 4, "head": 10},
            "weights_bytes": run.weights_bytes,
        }),
        "environment.json": json.dumps({"path": "packed", "kernel": "own layers", "precision": "float32",
                                        "device": "cpu"}),
    })  # fmt: skip
    durable.append_line(folder / "cost.jsonl", {
        "event": "end", "train_seconds": run.seconds, "steps": 10, "samples": 320, "tokens": 3200,
        "loading_seconds": 0.0, "peak_memory_bytes": 1_000 * run.weights_bytes,
    })  # fmt: skip
    write_predictions(folder / "predictions.parquet", {split: (of.ids, of.labels, logits)})
    return folder


def _write(book: Book, told: Mapping[str, Any], files: Mapping[str, str]) -> Path:
    spec = told["spec"]
    folder = book.runs / book_folder.folder_name(
        told["checkpoint"]["name"], spec["method"]["name"], told["dataset"]["name"], spec["seed"], told["run"]
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"run.json": json.dumps(told), **files}.items():
        (folder / name).write_text(content)
    return folder


def fill(book: Book, skills: Mapping[str, float], seeds: Sequence[int] = range(5), **same: Any) -> list[Path]:
    """A run of every method, by its skill, with every seed; of baselines one."""
    return [
        finish(book, Run(method=method, seed=seed, skill=skill, **same))
        for method, skill in skills.items()
        for seed in (seeds if method not in BASELINES else [0])
    ]
