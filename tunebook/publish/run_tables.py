"""Tables of a single run for its page: scores, classes and costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook import metrics
from tunebook.publish import html, reports
from tunebook.publish.report import Table, format_value


def usual(run: Mapping[str, Any]) -> float | None:
    """A run's usual metric on test; None where it has none."""
    scores = run["metrics"].get("test")
    return scores.get(metrics.usual(scores)) if scores else None


def scores(run: Mapping[str, Any]) -> Table:
    """Every metric of every split."""
    splits = list(run["metrics"])
    names = (
        [key for key, value in run["metrics"][splits[0]].items() if not isinstance(value, dict | list)]
        if splits
        else []
    )
    rows = [
        {
            "split": split,
            "texts": run["result"].get("examples", {}).get(split),
            **{name: run["metrics"][split].get(name) for name in names},
        }
        for split in splits
    ]
    columns = [
        ("split", "split", "text"),
        ("texts", "texts", "count"),
        *((name, reports.worded(name), reports.unit(name)) for name in names),
    ]
    return html.plain("scores", "Scores", columns, rows)


def classes(run: Mapping[str, Any], split: str) -> Table | None:
    """Scores by class; None of scores."""
    per_class = run["metrics"].get(split, {}).get("per_class")
    if not per_class:
        return None
    rows = [{"label": name, **values} for name, values in per_class.items()]
    columns = [
        ("label", "class", "text"),
        ("precision", "precision", "share"),
        ("recall", "recall", "share"),
        ("f1", "F1", "share"),
        ("support", "texts", "count"),
    ]
    return html.plain("classes", f"Classes on {split}", columns, rows)


def cost(run: Mapping[str, Any]) -> Table:
    """What it cost, each value measured or said not to be."""
    spent = run["cost"]
    parameters = spent["trainable_parameters"]
    told = [
        ("training", format_value(spent["train_seconds"], "seconds")),
        ("samples per second", format_value(spent["samples_per_second"], "rate")),
        ("tokens per second", format_value(spent["tokens_per_second"], "rate")),
        ("peak memory", format_value(spent["peak_memory_bytes"], "bytes")),
        ("trained parameters, encoder", format_value(parameters["encoder"], "count")),
        ("trained parameters, head", format_value(parameters["head"], "count")),
        ("stored", format_value(spent["weights_bytes"], "bytes")),
        ("energy", "not measured"),
    ]
    return html.plain(
        "cost",
        "Cost",
        [("what", "what", "text"), ("value", "measured", "text")],
        [{"what": key, "value": value} for key, value in told],
    )
