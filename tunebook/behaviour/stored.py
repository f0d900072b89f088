"""What the stored predictions of a row show: sureness, where it may abstain, and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tunebook.behaviour import calibration, coverage, slices
from tunebook.behaviour.found import Findings
from tunebook.behaviour.ground import Ground, Row

if TYPE_CHECKING:
    import numpy as np


def read(ground: Ground, row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Labels `(examples,)` and logits `(seeds, examples, classes)` of a row on test.

    Raises:
        IntegrityError: they are missing or damaged.
    """
    import numpy as np

    found = [ground.book.predictions(run, "test") for run in row.runs]
    return found[0][0], np.stack([logits for _, logits in found])


def of_row(ground: Ground, row: Row, labels: np.ndarray, logits: np.ndarray, found: Findings) -> None:
    """Add what the predictions of a row show; `labels` are `(examples,)`, `logits` `(seeds, examples, classes)`."""
    for run, one in zip(row.runs, logits, strict=True):
        if "validation" in run["metrics"]:
            truth, scores = ground.book.predictions(run, "validation")
            told = calibration.before_after((scores, truth), (one, labels))
            found.add("calibration", row, {"seed": run["seed"], **told})
    found.add("coverage", row, _mean([coverage.of_logits(one, labels) for one in logits]))
    if ground.is_open and len(labels) > 1:
        judged = slices.judge((logits.argmax(axis=2) == labels).astype(float), ground.slices)
        for one in judged:
            if one["examples"]:
                found.add("slices", row, one)
        found.add("worst", row, slices.worst(judged))


def _mean(curves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over seeds of areas, accuracies and risks; every curve has the same coverages."""
    first = curves[0]
    return {
        "examples": first["examples"],
        **{name: fmean(one[name] for one in curves) for name in ("accuracy", "aurc", "excess_aurc")},
        "accuracy_at": {
            level: fmean(one["accuracy_at"][level] for one in curves) for level in first["accuracy_at"]
        },
        "points": [
            {"coverage": points[0]["coverage"], "risk": fmean(point["risk"] for point in points)}
            for points in zip(*(one["points"] for one in curves), strict=True)
        ],
    }
