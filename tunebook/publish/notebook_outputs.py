"""Notebooks run again: whether what they store is what their code gives, and which of them are ours at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.publish import notebooks
from tunebook.publish.study import Study


def is_ours(path: Path) -> bool:
    """Whether a file is a notebook that `build` made once, of whatever runs."""
    try:
        return path.suffix == ".ipynb" and "inputs" in json.loads(path.read_bytes())["metadata"]["tunebook"]
    except (ValueError, KeyError, TypeError):
        return False


def other_outputs(path: Path, study: Study) -> str | None:
    """What of the stored outputs is not what running the notebook here gives; nothing where all is the same.

    Raises:
        UsageError: what runs notebooks is not installed.
        Failure: a cell failed, took too long, or its kernel died; the message names the cell.
    """
    found, made = (json.loads(data)["cells"] for data in (path.read_bytes(), notebooks.build(study)))
    if _without_pictures(found) != _without_pictures(made):
        return "has outputs that running it does not give"
    return None if found == made else "has pictures of other bytes than are drawn here: look at them"


def _without_pictures(made: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The outputs of cells, of pictures only that they are there."""
    return [
        {**one, "data": {**one["data"], "image/png": None}} if "image/png" in one.get("data", {}) else one
        for cell in made for one in cell.get("outputs", [])
    ]  # fmt: skip
