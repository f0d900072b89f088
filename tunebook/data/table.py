"""The table of how every named dataset is split, as the documentation shows it."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.data.rows import DatasetRow, Form

_HEADER = "| dataset | form | train | validation | test | also | rule |\n|---|---|---|---|---|---|---|"


def split_table(rows: Mapping[str, DatasetRow]) -> str:
    """A Markdown table with a line for each form of each dataset: sizes in rows, and the rule.

    "rest" is what the cuts leave, less the rows that stand in another split, which are dropped and counted. A
    file with clearly fewer rows than a form's usual number is cut in the same shares.
    """
    lines = [_line(row, form) for row in rows.values() for form in row.forms]
    return "\n".join([_HEADER, *lines]) + "\n"


def _line(row: DatasetRow, form: Form) -> str:
    cells = [f"`{row.name}`", form.name, *(_size(form, split) for split in ("train", "validation", "test"))]
    also = ", ".join(f"`{part}`" for part in form.parts if part not in ("train", "validation", "test"))
    rule = row.split_rule if form is row.forms[0] else ""
    return "| " + " | ".join([*cells, also, rule]) + " |"


def _size(form: Form, split: str) -> str:
    """What a split of a form holds: rows that are cut, or a whole file of the owners'."""
    if form.cut is not None:
        size = form.cut.sizes(form.cut.of).get(split)
        if size or split == "train":
            return f"{size:,} of {form.cut.of:,}" if size else f"rest of {form.cut.of:,}"
    return "all of " + ", ".join(f"`{file.path}`" for file in form.parts[split])
