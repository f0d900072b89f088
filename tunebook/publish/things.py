"""What a checkpoint, a method or a dataset is, as its rows say: a sentence and facts for its page."""

from __future__ import annotations

from tunebook import data, methods
from tunebook.models.rows import rows as checkpoint_rows


def checkpoint(name: str) -> tuple[str, dict[str, str]]:
    """A checkpoint by its row."""
    row = next((row for row in checkpoint_rows().values() if name in (row.name, row.alias)), None)
    if row is None:
        return "A checkpoint that this Tunebook has no row of.", {}
    facts = {
        "Family": row.family,
        "Parameters": f"{row.parameters:,}",
        "Pretrained on": row.pretrained_on,
        "Licence": row.licence,
        "Paper": row.paper,
        "Source": f"https://huggingface.co/{row.repository}",
    }
    return row.note, facts | ({"Has seen": ", ".join(row.seen)} if row.seen else {})


def method(name: str) -> tuple[str, dict[str, str]]:
    """A method by its row."""
    row = methods.rows().get(name)
    if row is None:
        return "A method that this Tunebook does not have.", {}
    defaults = ", ".join(f"{key} = {value}" for key, value in row.settings().model_dump().items())
    return row.summary, {"Version": str(row.version), "Defaults": defaults or "none"}


def dataset(name: str) -> tuple[str, dict[str, str]]:
    """A dataset by its row."""
    row = data.rows().get(name)
    if row is None:
        return "A file of somebody's own.", {}
    facts = {
        "Task": row.task,
        "Labels": ", ".join(row.label_names) or "a score",
        "Language": row.language,
        "Splits": row.split_rule,
        "Licence": row.licence,
        "Texts": "may be shown" if row.redistributable else "are not shown: the licence does not allow it",
        "Source": row.homepage,
        "Citation": row.citation,
    }
    return row.note, facts


OF = {"checkpoints": checkpoint, "methods": method, "datasets": dataset}
"""What tells of a thing, by its kind."""
