"""The form of the open data: one JSON per run, the examples of a split once, one JSON per experiment.

`SCHEMA` is written into each file and raised when its form changes; `catalogue/data/README.md` tells others how to read
them. Numbers are JSON's own, predictions are base64 of little-endian arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import cost, data, metrics, run_object, spec
from tunebook.book import folder as book_folder
from tunebook.book.card_facts import file_name
from tunebook.durable import canonical_json, read_json, read_lines
from tunebook.errors import IntegrityError, TunebookError
from tunebook.publish import checked, checked_behaviour, log_odds

if TYPE_CHECKING:
    import numpy as np

    from tunebook.sources import Run

SCHEMA = 1
RUNS, SPLITS, EXPERIMENTS, BEHAVIOUR, GATE = "runs", "splits", "experiments", "behaviour", "gate"
_POINTS = 60
"""How many training losses of a run are published: means of so many stretches."""
_TOLD = ("run", "identity", "spec", "checkpoint", "dataset")
_RAN = ("path", "kernel", "precision", "device", "note")


def file_bytes(value: Any) -> bytes:
    """A published value as bytes: one line of JSON, keys sorted; equal values are equal bytes."""
    return (canonical_json(value) + "\n").encode()


def read_file(path: Path) -> Any:
    """A published file.

    Raises:
        IntegrityError: it is no JSON object, or of a newer schema than this Tunebook reads.
    """
    found = read_json(path)
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(schema, int) or schema < 1:
        raise IntegrityError(f"{path.name}: expected an object with a schema number, got {schema!r}")
    if schema > SCHEMA:
        raise IntegrityError(
            f"{path.name} has schema {schema}, this Tunebook reads {SCHEMA}: a newer Tunebook wrote it"
        )
    return found


# --- what of a run is published ---------------------------------------------------------------------------------


def run_values(folder: Path) -> dict[str, Any]:
    """What is published of a finished run, but for its predictions: what was asked, what came, and how.

    Raises:
        IntegrityError: a file of the run is damaged or missing, or a newer Tunebook made the run.
    """
    declared = book_folder.read_json(folder / "run.json") or {}
    try:
        loop = declared["identity"]["loop"]
        told = {key: declared[key] for key in _TOLD}
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"run.json has no {error}") from error
    if loop > spec.LOOP_VERSION:
        raise IntegrityError(f"version {loop} of the loop made it, this Tunebook has {spec.LOOP_VERSION}")
    return {
        "schema": SCHEMA,
        "name": folder.name,
        "declared": {**told, "spec": _without_folders(told["spec"])},
        "result": book_folder.read_result(folder) or {},
        "environment": book_folder.read_json(folder / "environment.json") or {},
        "memory": (book_folder.read_json(folder / "memory.json") or {}).get("limits", []),
        "cost": cost.summary(read_lines(folder / "cost.jsonl")),
        "curve": curve(read_lines(folder / "metrics.jsonl")),
    }


def _without_folders(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A specification in which files go by their names: where they lay is nobody's business."""
    dataset = {
        key: file_name(value) if isinstance(value, str) else value for key, value in asked["dataset"].items()
    }
    return {**asked, "dataset": dataset, "checkpoint": file_name(asked["checkpoint"])}


def curve(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl` thinned: every validation, and training losses as means of stretches of steps."""
    losses = [(line["step"], line["train/loss"]) for line in lines if line.get("train/loss") is not None]
    stretch = max(1, -(-len(losses) // _POINTS))
    found: list[dict[str, Any]] = []
    for begin in range(0, len(losses), stretch):
        steps, values = zip(*losses[begin : begin + stretch], strict=True)
        found.append({"step": steps[-1], "train/loss": float(f"{sum(values) / len(values):.5g}")})
    for line in lines:
        scores = {key: value for key, value in line.items() if key.startswith("validation/")}
        if scores:
            found.append({"step": line["step"], **scores})
    return sorted(found, key=lambda line: line["step"])


def predictions_values(name: str, logits: np.ndarray, *, is_classes: bool) -> dict[str, Any]:
    """The predictions of a split as they are published; `name` is that of the file with its examples.

    `logits` are `(examples, outputs)`. Classes become float16 log-odds, scores stay float32.
    """
    if is_classes:
        return {"examples": name, "log_odds": log_odds.encode(log_odds.reduced(logits))}
    import numpy as np

    return {"examples": name, "scores": log_odds.encode(np.asarray(logits, np.float32))}


# --- reading it again --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """Open data that lies in a folder; a `Source` of its runs. `faults` are the files that were left out, and why."""

    folder: Path
    faults: dict[str, str] = field(default_factory=dict)

    @cached_property
    def runs(self) -> dict[str, dict[str, Any]]:
        """Everything published of each run, by its name, in order. What one hash has under a second name is a fault."""
        found: dict[str, dict[str, Any]] = {}
        names: dict[str, str] = {}
        for one in self._read(RUNS, lambda value: checked.examples(checked.run(value), self.splits)):
            first = names.setdefault(one["declared"]["run"], one["name"])
            if first == one["name"]:
                found[first] = one
            else:
                self.faults[f"{RUNS}/{one['name']}.json"] = (
                    f"is the run of {RUNS}/{first}.json under another name"
                )
        return found

    @cached_property
    def experiments(self) -> dict[str, dict[str, Any]]:
        """Every experiment as it was published, by the name of its file."""
        return {one["file"]: one for one in self._read(EXPERIMENTS, checked.experiment)}

    @cached_property
    def splits(self) -> dict[str, dict[str, Any]]:
        """The examples of each split, by the name of its file."""
        return {one["name"]: one for one in self._read(SPLITS, checked.split)}

    @cached_property
    def behaviour(self) -> dict[str, dict[str, Any]]:
        """How the models of an experiment behave, by the name of the experiment's file."""
        return {one["file"]: one for one in self._read(BEHAVIOUR, checked_behaviour.behaviour)}

    @cached_property
    def gate(self) -> dict[str, dict[str, Any]]:
        """What was found in a dataset before training, by the key of its splits' fingerprints."""
        return {one["file"].rpartition("--")[2]: one for one in self._read(GATE, checked.gate)}

    def _read(self, kind: str, check: Callable[[dict[str, Any]], dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for path in sorted((self.folder / kind).glob("*.json")):
            try:
                key = "name" if kind in (RUNS, SPLITS) else "file"
                found.append(check({**read_file(path), key: checked.safe(path.stem)}))
            except (TunebookError, KeyError, TypeError, ValueError, AttributeError) as error:
                what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
                self.faults[f"{kind}/{path.name}"] = what
        return found

    def as_object(self, name: str) -> dict[str, Any]:
        """A run as `--json` shows it."""
        one = self.runs[name]
        ran = {key: one["environment"].get(key) for key in _RAN} | {"memory_limits": one["memory"]}
        return run_object.from_parts(
            name, "finished", declared=one["declared"], result=one["result"], ran=ran, spent=one["cost"]
        )

    def document(self, run: Run, name: str) -> dict[str, Any]:
        """`run.json`, `result.json` or `environment.json` of a run, empty where it has none."""
        kinds = {"run.json": "declared", "result.json": "result", "environment.json": "environment"}
        found: dict[str, Any] = self.runs[run["folder"]].get(kinds.get(name, ""), {})
        return found

    def curve(self, run: Run) -> list[dict[str, Any]]:
        """What training told by step, thinned."""
        found: list[dict[str, Any]] = self.runs[run["folder"]]["curve"]
        return found

    def predictions(self, run: Run, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels `(examples,)` and logits `(examples, outputs)` of a split; of classes, the first one's are 0.

        Raises:
            IntegrityError: they are missing or damaged.
        """
        import numpy as np

        stored, examples = self._stored(run, split)
        count = len(examples["ids"])
        if "log_odds" in stored:
            logits = log_odds.restored(log_odds.decode(stored["log_odds"], "<f2", count))
            return np.asarray(examples["labels"], np.int64), logits
        scores = log_odds.decode(stored["scores"], "<f4", count)
        return np.asarray(examples["labels"], np.float32), scores

    def ids(self, run: Run, split: str) -> Sequence[str]:
        """The ids of a split's examples, in the order of its predictions.

        Raises:
            IntegrityError: they are missing.
        """
        found: Sequence[str] = self._stored(run, split)[1]["ids"]
        return found

    def texts(self, run: Run, split: str) -> Sequence[str] | None:
        """The texts of a split in the same order; None where they may not be shown.

        Raises:
            IntegrityError: the split's examples are missing.
        """
        found: Sequence[str] | None = self._stored(run, split)[1].get("texts")
        return found

    def _stored(self, run: Run, split: str) -> tuple[dict[str, Any], dict[str, Any]]:
        stored = self.runs[run["folder"]]["predictions"].get(split)
        if stored is None:
            raise IntegrityError(f"{run['folder']} was published without predictions on {split}")
        if stored["examples"] not in self.splits:
            raise IntegrityError(
                f"{run['folder']} needs {SPLITS}/{stored['examples']}.json, which is not there"
            )
        return stored, self.splits[stored["examples"]]


def may_be_shown(dataset: str) -> bool:
    """Whether texts of a dataset may be shown in public."""
    row = data.rows().get(dataset)
    return row is not None and row.redistributable


def may_be_named(row: Mapping[str, Any]) -> bool:
    """Whether the slice of a row of behaviour shows no value of a column that is somebody's own; a group that the row
    of a dataset declares is none."""
    name = row["slice"] or ""
    return "=" not in name or (row["dataset"] in data.rows() and name.startswith("group="))


def wrong_scores(published: Published, name: str) -> list[str]:
    """Where published predictions of a run do not give its published scores: a sentence each, none if all is well.

    What depends on classes alone must be equal; probabilities are rounded, and what depends on them is near.
    """
    run, task = published.as_object(name), published.runs[name]["declared"]["dataset"]["task"]
    names = published.runs[name]["declared"]["dataset"]["label_names"]
    faults = []
    for split, scores in run["metrics"].items():
        labels, logits = published.predictions(run, split)
        if task == "classification" and (
            logits.shape[1] != len(names) or not set(labels.tolist()) <= set(range(len(names)))
        ):
            faults.append(f"{name}: labels or predictions on {split} do not fit {len(names)} classes")
            continue
        found = metrics.evaluate(logits, labels, label_names=names, task=task)
        for key, value in found.items():
            if not isinstance(value, dict | list) and not _is_near(value, scores.get(key), key):
                faults.append(
                    f"{name}: predictions on {split} give {key} {value}, its result says {scores.get(key)}"
                )
    return faults


def _is_near(found: float | None, told: Any, metric: str) -> bool:
    """Whether a score from published predictions is the one that was told."""
    if found is None or not isinstance(told, int | float):
        return found is told
    return abs(found - told) <= _ROUNDED.get(metric, 1e-6 * max(1.0, abs(found)))


_ROUNDED = {"log_loss": 2e-3, "brier": 2e-3, "ece": math.inf}
"""How far off metrics of probabilities may be, which 16 bits round; `ece` cannot be told, as texts change bins."""
