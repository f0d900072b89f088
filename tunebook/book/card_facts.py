"""What a model card is written from: the files of a run, and in place of what is not known the reason why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tunebook.text.markdown import escape

Values = Mapping[str, Any]
_SPLITS = ("test", "validation")
UNNAMED = "it is none of the checkpoints that Tunebook has a row for"
NOT_RECORDED = "not recorded in this run: an older Tunebook made it"


@dataclass(frozen=True)
class Facts:
    """Files of the run, what it cost, the intervals of its scores, and whether weights lie beside the card."""

    run: Values
    result: Values
    environment: Values
    cost: Values
    intervals: Values | None = None
    has_weights: bool = True

    @property
    def spec(self) -> Values:
        """The run as it was asked for."""
        found: Values = self.run["spec"]
        return found

    @property
    def checkpoint(self) -> Values:
        """What `run.json` holds of the checkpoint."""
        found: Values = self.run["checkpoint"]
        return found

    @property
    def dataset(self) -> Values:
        """What `run.json` holds of the dataset."""
        found: Values = self.run["dataset"]
        return found

    @property
    def is_own(self) -> bool:
        """Whether the texts are of somebody's own file, of which nothing is declared."""
        return not self.spec["dataset"].get("name")

    @property
    def is_baseline(self) -> bool:
        """Whether there is no checkpoint in it."""
        return bool(self.checkpoint["name"] == "none")

    @property
    def is_trial(self) -> bool:
        """Whether it was made to tune by."""
        return bool(self.spec.get("purpose") == "tune")

    @property
    def library(self) -> str:
        """Which library reads the folder: a whole model, an adapter of PEFT's, or one of our own (and baselines)."""
        kind = self.result.get("adapter", "TUNEBOOK" if self.is_baseline else None)
        return "transformers" if kind is None else "tunebook" if kind == "TUNEBOOK" else "peft"

    @cached_property
    def splits(self) -> list[tuple[str, Values]]:
        """The scores: of test first, then of validation, then of what else was evaluated."""
        found: Values = self.result["metrics"]
        order = [name for name in _SPLITS if name in found] + [name for name in found if name not in _SPLITS]
        return [(name, found[name]) for name in order]

    def of_dataset(self, key: str) -> str:
        """A fact about the dataset as Markdown; in place of one that is not known, why."""
        nobody = f"an own file: no {key.replace('_', ' ')} is declared" if self.is_own else "none is declared"
        return told(self.dataset, key, nobody)

    def of_checkpoint(self, key: str) -> str:
        """A fact about the checkpoint as Markdown; in place of one that is not known, why."""
        if self.is_baseline:
            return "none: a baseline has no checkpoint"
        return told(self.checkpoint, key, f"not known: {UNNAMED}")


def file_name(value: str) -> str:
    """An absolute path goes by its last part: whose machine it lay on is nobody's business."""
    return Path(value).name if Path(value).is_absolute() else value


def told(values: Values, key: str, otherwise: str) -> str:
    """A fact as Markdown; `otherwise` where it is empty, and the reason where an older run does not have it."""
    if key not in values:
        return NOT_RECORDED
    return escape(values[key]) if values[key] else otherwise
