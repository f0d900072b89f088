"""What can be had of a dataset without a Transformer."""

from __future__ import annotations

from typing import Any

from tunebook import methods, metrics
from tunebook.data.dataset import Dataset


def baselines(dataset: Dataset) -> dict[str, Any]:
    """What can be had without a Transformer: the scores of every baseline, fitted on train.

    They are measured on validation, on test only where there is no validation split; `split` says which.
    """
    measured = dataset.splits["validation" if "validation" in dataset.splits else "test"]
    found: dict[str, Any] = {"split": measured.name}
    for row in methods.rows().values():
        if not row.needs_checkpoint:
            score = row.function(dataset.splits["train"], len(dataset.label_names))
            scores = metrics.evaluate(
                score(measured), measured.labels, label_names=dataset.label_names, task=dataset.task
            )
            found[row.name] = {name: value for name, value in scores.items() if name in metrics.rows()}
    return found
