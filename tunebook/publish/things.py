"""What a checkpoint, a method or a dataset is, as its rows say: a sentence and facts for its page."""

from __future__ import annotations

import re

from tunebook import data, methods
from tunebook.models.rows import rows as checkpoint_rows


def named(text: str) -> str:
    """A text in which checkpoints have the names of their rows, not their aliases.

    Example:
        >>> named("minilm-l6 lora, --checkpoint minilm-l6"), named("minilm-l6-h384, ./minilm-l6")
        ('all-minilm-l6-v2 lora, --checkpoint all-minilm-l6-v2', 'minilm-l6-h384, ./minilm-l6')
    """
    for row in checkpoint_rows().values():
        if row.alias:
            text = re.sub(rf"(?<![\w./-]){re.escape(row.alias)}(?![\w./-])", row.name, text)
    return text


def aliases(text: str | None = None) -> list[tuple[str, str]]:
    """The aliases of checkpoints, each with its row's name: all, or those that a file of an experiment uses."""
    known = sorted({(row.alias, row.name) for row in checkpoint_rows().values() if row.alias})
    return [one for one in known if text is None or f'"{one[0]}"' in text]


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
        **({"Also called": f"{row.alias}, in files of experiments and in commands"} if row.alias else {}),
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
