"""Where finished runs are read from: the book, or what was published of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

Run = Mapping[str, Any]
"""A run as `run_object` shows it."""


class Source(Protocol):
    """What judging, checking and reporting ask of a store of runs."""

    def document(self, run: Run, name: str) -> dict[str, Any]:
        """A JSON file of a run (`run.json`, `environment.json`, ...), empty where it has none.

        Raises:
            IntegrityError: the bytes are no JSON.
        """

    def curve(self, run: Run) -> list[dict[str, Any]]:
        """What training told by step: losses, rates, and scores on validation."""

    def predictions(self, run: Run, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels `(examples,)` and logits `(examples, outputs)` of a split.

        Raises:
            IntegrityError: they are missing or damaged.
        """

    def ids(self, run: Run, split: str) -> Sequence[str]:
        """The ids of a split's examples, in the order of its predictions.

        Raises:
            IntegrityError: they are missing or damaged.
        """
