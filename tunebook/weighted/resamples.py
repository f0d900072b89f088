"""Resampled test sets as weights: how often each holds each example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Weigh = Callable[[np.ndarray], np.ndarray]
    """From weights `(resamples, examples)` to a metric of some runs under them, `(resamples, runs)`."""
    Prepare = Callable[[Sequence[Any]], Weigh]
    """What is worked out once for some runs: `Classified` ones or `Scored` ones, all with the same labels."""

ELEMENTS = 2**24
"""How many weights, and how many numbers that they are multiplied with, are held at a time: 64 MiB of float32 each."""


def draw_weights(examples: int, resamples: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Which resamples, and their weights `(resamples, examples)` as float32, some at a time.

    They are a function of the three numbers alone, whatever is weighed with them and however many are held at a time.
    """
    import numpy as np

    draw = np.random.default_rng(seed)
    size = max(1, ELEMENTS // examples)
    for start in range(0, resamples, size):
        weights = np.empty((min(size, resamples - start), examples), np.float32)
        for row in weights:
            row[:] = np.bincount(draw.integers(0, examples, examples), minlength=examples)
        yield slice(start, start + len(weights)), weights
