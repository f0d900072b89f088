"""Runs side by side: the mean of a metric and its spread over seeds, one row per dataset, checkpoint and method."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from tunebook import metrics
from tunebook.errors import UsageError
from tunebook.methods import method
from tunebook.registry import lookup
from tunebook.stats.crossed import Summary, Variance, summary

EXACT = ("parameters", "weights_bytes")
"""Costs that are counted, not measured."""
COSTS = ("train_seconds", "samples_per_second", "peak_memory_bytes", "weights_bytes")


def table(
    runs: Iterable[Mapping[str, Any]], *, metric: str | None = None, split: str = "test"
) -> list[dict[str, Any]]:
    """One row per dataset, checkpoint and method of the finished runs among `runs`, best first within a dataset.

    `runs` are run objects, as `--json` shows them. A row holds `mean`, `deviation` (sample standard deviation over
    seeds, None for one seed), `smallest`, `largest`, `seeds`, how many further seeds have the metric `undefined`
    (such as a correlation with constant scores; all None where every seed has), costs, and the `runs` by seed. On
    several cuts of a dataset (`splits` of them, otherwise None) each run counts as a seed.
    Without a metric it is accuracy for classes and Pearson's correlation for scores. A mean over seeds says nothing
    yet about which differences are real.

    Raises:
        UsageError: the metric does not exist.
    """
    if metric is not None:
        lookup(metrics.rows(), metric, "metric")
    points: dict[str, list[Mapping[str, Any]]] = {}
    for run in sorted(runs, key=lambda run: (run["seed"], run["run"] or "")):  # None: never begun
        if run["status"] == "finished" and run["purpose"] == "result" and split in run["metrics"]:
            points.setdefault(run["point"], []).append(run)
    sizes = _train_sizes(points.values())
    labels = _labels([members[0] for members in points.values()], sizes)
    rows = [_row(labels[point], sizes[point], members, metric, split) for point, members in points.items()]
    found = [row for row in rows if row is not None]
    return sorted(found, key=lambda row: (row["dataset"], row["train_size"] or 0, *best_first(row)))


def _train_sizes(points: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, int | None]:
    """On how many texts the runs of each point were trained; cuts of a dataset differ a little, the largest counts."""
    largest: dict[tuple[str, int | None] | str, int] = {}
    groups = {}
    for run in (run for members in points for run in members):
        is_cut = run["split_seed"] is not None
        groups[run["point"]] = group = (run["dataset"], run["train_size"]) if is_cut else run["point"]
        texts = run["result"].get("examples", {}).get("train") or 0
        largest[group] = max(texts, largest.get(group, 0))
    return {point: largest[group] or None for point, group in groups.items()}


def _labels(runs: Sequence[Mapping[str, Any]], sizes: Mapping[str, int | None]) -> dict[str, str]:
    """How each point's method is called: by its settings, and where that is not enough by what sets it apart.

    That is the training settings that differ, or else (another file under the same name) the hash of the point.
    """
    alike: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        key = (run["dataset"], sizes[run["point"]], run["checkpoint"], method_label(run))
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


def method_of(label: str) -> str:
    """The name of the method in a row's label, without its settings and what else sets it apart.

    Example:
        >>> method_of("full (learning_rate=0.0001) [epochs=5]"), method_of("lora")
        ('full', 'lora')
    """
    return re.split(r" [(\[]", label)[0]


def _row(
    label: str, train_size: int | None, members: Sequence[Mapping[str, Any]], metric: str | None, split: str
) -> dict[str, Any] | None:
    scores = [run["metrics"][split] for run in members]
    name = metric or metrics.usual(scores[0])
    if not any(name in score for score in scores):
        return None
    values = [score[name] for score in scores if score.get(name) is not None]
    return {
        "dataset": members[0]["dataset"],
        "train_size": train_size,
        "checkpoint": members[0]["checkpoint"],
        "method": label,
        "metric": name,
        "split": split,
        "examples": members[0]["result"].get("examples", {}).get(split),
        "seeds": len(values),
        "undefined": len(scores) - len(values),
        "splits": len({run["split_seed"] for run in members} - {None}) or None,
        **(asdict(summary(values)) if values else dict.fromkeys(one.name for one in fields(Summary))),
        **_costs(members),
        "runs": [run["run"] for run in members],
    }


def _costs(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of each cost over seeds and the 95 % interval of that mean; None where it was not measured."""
    by_name = {cost: [run["cost"].get(cost) for run in members] for cost in COSTS}
    by_name["parameters"] = [_parameters(run) for run in members]
    found: dict[str, Any] = {}
    for cost, values in by_name.items():
        known = [value for value in values if value is not None]
        found[cost] = statistics.fmean(known) if known else None
        found[f"{cost}_interval"] = _interval(known, is_exact=cost in EXACT)
    return found


def _interval(values: Sequence[float], *, is_exact: bool) -> list[float] | None:
    """Of what is counted the value, of what is measured the interval of its mean; None of one measurement."""
    if is_exact and len(set(values)) == 1:
        return [values[0], values[0]]
    if len(values) < 2:
        return None
    variance = Variance(statistics.variance(values) / len(values), len(values) - 1)
    return list(variance.interval(statistics.fmean(values), 0.95))


def _parameters(run: Mapping[str, Any]) -> int | None:
    """How many parameters train, of encoder and head together."""
    counts = run["cost"]["trainable_parameters"].values()
    return None if None in counts else sum(counts)


def best_first(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The place of a row among rows of one metric: the best first, those without a mean last."""
    mean = row["mean"] or 0.0
    better = mean if metrics.rows()[row["metric"]].larger_is_better else -mean
    place = (row["mean"] is None, -better)
    return (*place, row["checkpoint"], row["method"], row["dataset"], row["train_size"] or 0)


def require_finished(
    rows: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], metric: str | None, split: str
) -> None:
    """Refuse an empty comparison with what to do about it.

    Raises:
        UsageError: no finished run has that metric on that split.
    """
    if not rows:
        scores = [run["metrics"][split] for run in runs if split in run["metrics"]]
        if metric and scores:
            there = ", ".join(name for name in metrics.rows() if name in scores[0])
            raise UsageError(f"the runs have no {metric}: it is of another task; theirs has {there}")
        wanted = f"{metric} on " if metric else "results on "
        raise UsageError(f"no finished run has {wanted}{split}; `tunebook list runs` shows what is there")
