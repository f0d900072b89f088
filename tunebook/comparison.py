"""Runs side by side: the mean of a metric and its spread over seeds, one row per dataset, checkpoint and method."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunebook import metrics
from tunebook.errors import UsageError
from tunebook.methods import method
from tunebook.registry import lookup

SPLITS = ("test", "validation")


def table(
    runs: Iterable[Mapping[str, Any]], *, metric: str | None = None, split: str = "test"
) -> list[dict[str, Any]]:
    """One row per dataset, checkpoint and method of the finished runs among `runs`, best first within a dataset.

    `runs` are run objects, as `--json` shows them. A row holds `mean`, `deviation` (sample standard deviation over
    seeds, None for one seed), `smallest`, `largest`, `seeds`, and the mean `train_seconds`. Without a metric it is
    accuracy for classes and Pearson's correlation for scores. A mean over seeds says nothing yet about which
    differences are real.

    Raises:
        UsageError: the metric does not exist.
    """
    if metric is not None:
        lookup(metrics.rows(), metric, "metric")
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["status"] == "finished" and split in run["metrics"]:
            key = (run["dataset"], split_key(run), run["checkpoint"], method_label(run))
            groups.setdefault(key, []).append(run)
    rows = [_row(key, members, metric, split) for key, members in groups.items()]
    found = [row for row in rows if row is not None]
    return sorted(found, key=_order)


def split_key(run: Mapping[str, Any]) -> str:
    """What tells apart two rows of one dataset: how much of train was used."""
    return str(run["result"].get("examples", {}).get("train", ""))


def method_label(run: Mapping[str, Any]) -> str:
    """The method's name with the settings that differ from its defaults.

    Example:
        >>> method_label({"method": "full", "settings": {"learning_rate": 1e-4}})
        'full (learning_rate=0.0001)'
    """
    defaults = method(run["method"]).settings().model_dump()
    changed = [
        f"{name}={value}" for name, value in sorted(run["settings"].items()) if defaults.get(name) != value
    ]
    return f"{run['method']} ({', '.join(changed)})" if changed else str(run["method"])


def _row(
    key: Sequence[str], members: Sequence[Mapping[str, Any]], metric: str | None, split: str
) -> dict[str, Any] | None:
    scores = [run["metrics"][split] for run in members]
    name = metric or ("accuracy" if "accuracy" in scores[0] else "pearson")
    values = [score[name] for score in scores if score.get(name) is not None]
    if not values:
        return None
    seconds = [
        run["cost"]["train_seconds"] for run in members if run["cost"].get("train_seconds") is not None
    ]
    return {
        "dataset": key[0],
        "train_size": int(key[1]) if key[1] else None,
        "checkpoint": key[2],
        "method": key[3],
        "metric": name,
        "split": split,
        "examples": members[0]["result"].get("examples", {}).get(split),
        "seeds": len(values),
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
        "smallest": min(values),
        "largest": max(values),
        "train_seconds": statistics.fmean(seconds) if seconds else None,
        "runs": [run["run"] for run in members],
    }


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    better = row["mean"] if metrics.rows()[row["metric"]].larger_is_better else -row["mean"]
    return (row["dataset"], row["train_size"] or 0, -better, row["checkpoint"], row["method"])


def require_finished(rows: Sequence[Mapping[str, Any]], metric: str | None, split: str) -> None:
    """Refuse an empty comparison with what to do about it.

    Raises:
        UsageError: no finished run has that metric on that split.
    """
    if not rows:
        wanted = f"{metric} on " if metric else "results on "
        raise UsageError(f"no finished run has {wanted}{split}; `tunebook list runs` shows what is there")
