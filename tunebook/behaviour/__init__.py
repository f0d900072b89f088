"""How finished classifiers behave beyond their score: what they answer to other texts, how sure they are, and where.

`examination` looks at an experiment's runs, `write` and `read` keep what it found with the experiment. What it uses
knows nothing of runs: perturbations and templates make texts, calibration, coverage, slices and agreement look at
predictions, drift and forgetting at weights. What runs answer is asked in `asking`, and kept in their folders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunebook import durable

FILE = "behaviour.json"


def write(folder: Path, found: dict[str, Any]) -> None:
    """Keep what was found of an experiment in its folder of the book.

    Raises:
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    durable.write_json(folder / FILE, found)


def read(folder: Path) -> dict[str, Any] | None:
    """What was found of an experiment; None where it was not examined.

    Raises:
        IntegrityError: the bytes are no JSON.
    """
    path = folder / FILE
    found: dict[str, Any] | None = durable.read_json(path) if path.exists() else None
    return found
