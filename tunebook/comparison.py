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
    seeds, None for one seed), `smallest`, `largest`, `seeds`, how many further seeds have the metric `undefined`
    (such as a correlation with constant scores; all None where every seed has), and the mean `train_seconds`.
    Without a metric it is accuracy for classes and Pearson's correlation for scores. A mean over seeds says nothing
    yet about which differences are real.

    Raises:
        UsageError: the metric does not exist.
    """
    if metric is not None:
        lookup(metrics.rows(), metric, "metric")
    points: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["status"] == "finished" and split in run["metrics"]:
            points.setdefault(run["point"], []).append(run)
    labels = _labels([members[0] for members in points.values()])
    rows = [_row(labels[point], members, metric, split) for point, members in points.items()]
    found = [row for row in rows if row is not None]
    return sorted(found, key=_order)


def _labels(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """How each point's method is called: by its settings, and where that is not enough by what sets it apart.

    That is the training settings that differ, or else (another file under the same name) the hash of the point.
    """
    alike: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        key = (run["dataset"], _train_texts(run), run["checkpoint"], method_label(run))
        alike.setdefault(key, []).append(run)
    labels = {}
    for group in alike.values():
        names = [
            name for name in group[0]["train"] if len({str(run["train"].get(name)) for run in group}) > 1
        ]
        extras = [", ".join(f"{name}={run['train'].get(name)}" for name in names) for run in group]
        for run, extra in zip(group, extras, strict=True):
            more = extra if extras.count(extra) == 1 else ", ".join(filter(None, [extra, run["point"][:8]]))
            labels[run["point"]] = method_label(run) + (f" [{more}]" if more else "")
    return labels


def _train_texts(run: Mapping[str, Any]) -> int | None:
    """How many texts a run was trained on: two rows of one dataset may differ in it."""
    found = run["result"].get("examples", {}).get("train")
    return None if found is None else int(found)


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
    label: str, members: Sequence[Mapping[str, Any]], metric: str | None, split: str
) -> dict[str, Any] | None:
    scores = [run["metrics"][split] for run in members]
    name = metric or ("accuracy" if "accuracy" in scores[0] else "pearson")
    if not any(name in score for score in scores):
        return None
    values = [score[name] for score in scores if score.get(name) is not None]
    seconds = [
        run["cost"]["train_seconds"] for run in members if run["cost"].get("train_seconds") is not None
    ]
    return {
        "dataset": members[0]["dataset"],
        "train_size": _train_texts(members[0]),
        "checkpoint": members[0]["checkpoint"],
        "method": label,
        "metric": name,
        "split": split,
        "examples": members[0]["result"].get("examples", {}).get(split),
        "seeds": len(values),
        "undefined": len(scores) - len(values),
        "mean": statistics.fmean(values) if values else None,
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
        "smallest": min(values, default=None),
        "largest": max(values, default=None),
        "train_seconds": statistics.fmean(seconds) if seconds else None,
        "runs": [run["run"] for run in members],
    }


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    mean = row["mean"] or 0.0
    better = mean if metrics.rows()[row["metric"]].larger_is_better else -mean
    place = (row["mean"] is None, -better)
    return (row["dataset"], row["train_size"] or 0, *place, row["checkpoint"], row["method"])


def require_finished(rows: Sequence[Mapping[str, Any]], metric: str | None, split: str) -> None:
    """Refuse an empty comparison with what to do about it.

    Raises:
        UsageError: no finished run has that metric on that split.
    """
    if not rows:
        wanted = f"{metric} on " if metric else "results on "
        raise UsageError(f"no finished run has {wanted}{split}; `tunebook list runs` shows what is there")
