"""Predictions made small: float16 log-odds that give every example the class that its logits give it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tunebook.errors import IntegrityError

if TYPE_CHECKING:
    import numpy as np

_LARGEST = 65472.0
"""The last but one that float16 can hold, so that it can be raised by a step."""


def reduced(logits: np.ndarray) -> np.ndarray:
    """Logits `(examples, classes)` as float16 log-odds against the first class, `(examples, classes - 1)`.

    Rounding keeps the order of an example's logits, but may make equal what was not; then the predicted class is
    raised by the smallest step that float16 has, so that classes are exact. The mean log loss moves by less than 1e-3.
    NaN stays NaN.
    """
    import numpy as np

    wide = np.asarray(logits, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        odds = (wide[:, 1:] - wide[:, :1]).clip(-_LARGEST, _LARGEST).astype(np.float16)
    wrong = np.flatnonzero(
        (wide.argmax(axis=1) != restored(odds).argmax(axis=1)) & np.isfinite(wide).all(axis=1)
    )
    predicted = wide[wrong].argmax(axis=1) - 1
    odds[wrong, predicted] = np.nextafter(odds[wrong, predicted], np.float16(np.inf))
    return odds


def restored(odds: np.ndarray) -> np.ndarray:
    """Log-odds `(examples, classes - 1)` as float32 logits `(examples, classes)`, the first class at 0."""
    import numpy as np

    return np.concatenate([np.zeros((len(odds), 1), np.float32), odds.astype(np.float32)], axis=1)


def encode(values: np.ndarray) -> str:
    """The values of an array `(examples, columns)` as base64, little-endian, row by row."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def decode(text: str, dtype: str, examples: int) -> np.ndarray:
    """What `encode` wrote, `(examples, columns)`; `dtype` is numpy's name, such as `<f2`.

    Raises:
        IntegrityError: the text is not base64, or holds no whole number of columns.
    """
    import numpy as np

    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), dtype)
        return values.reshape(examples, -1) if examples else values.reshape(0, 1)
    except ValueError as error:
        raise IntegrityError(
            f"published predictions of {examples:,} examples are damaged: {error}"
        ) from error
