"""A run as plain values, the way `--json` and Python show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunebook import cost, durable
from tunebook.book import folder as book_folder


def as_object(folder: Path) -> dict[str, Any]:
    """A run as `--json` shows it: run, status, checkpoint, dataset, method, seed, metrics, cost."""
    declared = book_folder.read_json(folder / "run.json") or {}
    result = book_folder.read_result(folder) or {}
    failure = book_folder.read_json(folder / "failure.json")
    spent = cost.summary(durable.read_lines(folder / "cost.jsonl"))
    found = {
        "run": declared["run"],
        "folder": folder.name,
        "status": book_folder.status(folder),
        "checkpoint": declared["checkpoint"]["name"],
        "dataset": declared["dataset"]["name"],
        "method": declared["spec"]["method"]["name"],
        "settings": declared["spec"]["method"]["settings"],
        "seed": declared["spec"]["seed"],
        "metrics": result.get("metrics", {}),
        "cost": {
            **spent,
            "trainable_parameters": result.get("trainable_parameters"),
            "weights_bytes": result.get("weights_bytes"),
        },
        "result": {
            key: value
            for key, value in result.items()
            if key not in ("metrics", "trainable_parameters", "run")
        },
    }
    return found | ({"error": failure["message"]} if failure else {})
