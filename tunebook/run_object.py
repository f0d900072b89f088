"""A run as plain values, the way `--json` and Python show it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook import cost, durable
from tunebook.book import folder as book_folder

NO_PARAMETERS = {"encoder": None, "head": None}
"""What trains, of a run that has not ended."""


def as_object(folder: Path) -> dict[str, Any]:
    """A run as `--json` shows it: run, status, checkpoint, dataset, method, seed, metrics, cost."""
    failure = book_folder.read_json(folder / "failure.json")
    found = from_parts(
        folder.name,
        book_folder.status(folder),
        declared=book_folder.read_json(folder / "run.json") or {},
        result=book_folder.read_result(folder) or {},
        ran=_ran(folder),
        spent=cost.summary(durable.read_lines(folder / "cost.jsonl")),
    )
    return found | ({"error": failure["message"]} if failure else {})


def from_parts(
    name: str,
    status: str,
    *,
    declared: Mapping[str, Any],
    result: Mapping[str, Any],
    ran: Mapping[str, Any],
    spent: Mapping[str, Any],
) -> dict[str, Any]:
    """The object of a run by what its files hold: `run.json`, `result.json`, how it was computed, a summary of cost."""
    return {
        "run": declared["run"],
        "folder": name,
        "status": status,
        "checkpoint": declared["checkpoint"]["name"],
        "dataset": declared["dataset"]["name"],
        "method": declared["spec"]["method"]["name"],
        "settings": declared["spec"]["method"]["settings"],
        "train": declared["identity"].get("train") or {},
        "seed": declared["spec"]["seed"],
        "declared": {
            "checkpoint": declared["spec"]["checkpoint"],
            "dataset": declared["spec"]["dataset"]["name"] or declared["spec"]["dataset"]["path"],
            "method": declared["spec"]["method"]["name"],
        },
        "purpose": declared["spec"].get("purpose", "result"),
        "point": _point(declared["identity"]),
        "splits": declared["identity"]["splits"],
        "split_seed": declared["identity"]["data"].get("split_seed"),
        "train_size": declared["identity"]["data"].get("train_size"),
        "ran": ran,
        "metrics": result.get("metrics", {}),
        "cost": {
            **spent,
            "trainable_parameters": result.get("trainable_parameters", NO_PARAMETERS),
            "weights_bytes": result.get("weights_bytes"),
        },
        "result": {
            key: value
            for key, value in result.items()
            if key not in ("metrics", "trainable_parameters", "run")
        },
    }


def never_begun(planned: dict[str, Any], message: str) -> dict[str, Any]:
    """The object of a run whose data or checkpoint is missing or refused: the same keys, nothing measured."""
    spent = cost.summary([])
    return {
        **planned,
        "status": "failed",
        "ran": {},
        "metrics": {},
        "cost": {**spent, "trainable_parameters": NO_PARAMETERS, "weights_bytes": None},
        "result": {},
        "error": message,
    }


def _ran(folder: Path) -> dict[str, Any]:
    """How it was computed: path, kernel, precision, device; why it is not packed; where memory ran out."""
    environment = book_folder.read_json(folder / "environment.json") or {}
    memory = book_folder.read_json(folder / "memory.json") or {"limits": []}
    told = {key: environment.get(key) for key in ("path", "kernel", "precision", "device", "note")}
    return told | {"memory_limits": memory["limits"]}


def _point(identity: dict[str, Any]) -> str:
    """A hash of all that identifies a run but its seeds: the same for the seeds, and the cuts, of one grid's point."""
    rest = {key: value for key, value in identity.items() if key != "seed"}
    if "split_seed" in rest["data"]:
        rest["data"] = {key: value for key, value in rest["data"].items() if key != "split_seed"}
        del rest["splits"]
    return hashlib.sha256(durable.canonical_json(rest).encode()).hexdigest()
