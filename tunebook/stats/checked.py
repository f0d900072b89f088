"""Numbers that arithmetic can be trusted with: of the right shape, and finite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


def finite(values: ArrayLike, what: str, *, axes: tuple[str, ...], least: tuple[int, ...]) -> np.ndarray:
    """The values as float64, of any shape with these axes, none shorter than `least`; `what` names them in messages.

    Raises:
        ValueError: the shape is another one, an axis is too short, or a value is NaN or infinite.
    """
    import numpy as np

    array = np.asarray(values, np.float64)
    if array.ndim != len(axes) or any(size < few for size, few in zip(array.shape, least, strict=True)):
        expected = ", ".join(f"{axis} >= {few}" for axis, few in zip(axes, least, strict=True))
        raise ValueError(f"{what} have shape {array.shape}, expected ({expected})")
    count = int((~np.isfinite(array)).sum())
    if count:
        raise ValueError(
            f"{count} of {array.size} {what} are NaN or infinite, expected numbers: leave out or replace them first"
        )
    return array


def within(value: float, what: str, low: float, high: float) -> float:
    """The value, which must lie between `low` and `high`, both excluded.

    Raises:
        ValueError: it does not, or is NaN.
    """
    if not low < value < high:
        expected = f"above {low}" if math.isinf(high) else f"between {low} and {high}"
        raise ValueError(f"{what} is {value}, expected {expected}")
    return value
