"""Scales of a chart's axes: from values to pixels, and at which round values an axis is labelled."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tunebook.publish.report import Axis, format_value, signed

_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000, 86400)
"""Steps that are round in minutes and hours."""


@dataclass(frozen=True)
class Scale:
    """Where values of an axis lie, in pixels, and which of them are labelled."""

    place: Callable[[Any], float]
    ticks: Sequence[Any]


def is_known(value: Any, axis: Axis) -> bool:
    """Whether a value has a place on an axis: one of its names, or a number that is finite and, on a logarithmic axis,
    above zero."""
    if axis.kind == "names":
        return value in axis.names
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return is_number and (axis.kind == "linear" or value > 0)


def scale(axis: Axis, values: Iterable[Mapping[str, Any]], key: str, *, begin: float, end: float) -> Scale:
    """The scale of an axis between two pixels, wide enough for all `key`, `key_low` and `key_high` of some values."""
    if axis.kind == "names":
        step = (end - begin) / len(axis.names)
        places = {name: begin + (place + 0.5) * step for place, name in enumerate(axis.names)}
        return Scale(places.__getitem__, axis.names)
    keys = (key, f"{key}_low", f"{key}_high")
    found = [value[one] for value in values for one in keys if is_known(value.get(one), axis)]
    low = axis.low if axis.low is not None and is_known(axis.low, axis) else min(found)
    high = axis.high if axis.high is not None and is_known(axis.high, axis) else max(found)
    turn = math.log10 if axis.kind == "log" else float
    first, last = turn(low), turn(high)
    room = (last - first) * 0.04 or abs(first) * 0.05 or 0.5
    first -= 0 if low == axis.low else room
    last += 0 if high == axis.high else room
    found_ticks = (
        log_ticks(first, last, axis.unit) if axis.kind == "log" else ticks(first, last, unit=axis.unit)
    )
    if axis.unit == "count":
        found_ticks = [tick for tick in found_ticks if tick == round(tick)]
    return Scale(lambda value: begin + (turn(value) - first) / (last - first) * (end - begin), found_ticks)


def ticks(low: float, high: float, count: int = 5, *, unit: str = "number") -> list[float]:
    """About `count` round values between two ends.

    Example:
        >>> ticks(0.703, 0.812), ticks(0.0, 7500.0, unit="seconds")
        ([0.72, 0.74, 0.76, 0.78, 0.8], [0, 1800, 3600, 5400, 7200])
    """
    rough = (high - low) / count
    if unit == "seconds" and 1 <= rough <= _SECONDS[-1]:
        step: float = _SECONDS[bisect_left(_SECONDS, rough * 0.85)]
    else:
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(one for one in (1, 2, 5, 10) if one * power >= rough * 0.85)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, unit: str = "number") -> list[float]:
    """Round values between two powers of ten: powers alone where many lie between, and where fewer than two steps do,
    the round values of a linear axis.

    Example:
        >>> log_ticks(0.9, 2.1), log_ticks(2.36, 2.63)
        ([10.0, 20.0, 50.0, 100.0], [250.0, 300.0, 350.0, 400.0])
    """
    powers = range(math.floor(low), math.ceil(high) + 1)
    steps: tuple[float, ...] = tuple(
        one * 10.0**power for power in powers for one in ((1, 2, 5) if high - low < 3 else (1,))
    )
    if unit == "seconds":
        steps = tuple(step for step in steps if step < 60) + tuple(one for one in _SECONDS if one >= 60)
    found = [one for one in steps if low <= math.log10(one) <= high]
    return found if len(found) > 1 else ticks(10.0**low, 10.0**high, 4, unit=unit)


def written(value: Any, axis: Axis) -> str:
    """A value beside an axis, as short as it can be.

    Example:
        >>> written(0.805, Axis("accuracy", unit="share")), written(7200, Axis("time", unit="seconds"))
        ('80.5 %', '2 h')
        >>> written(60_000_000.0, Axis("steps")), written(-0.025, Axis("difference (points)", unit="points"))
        ('60,000,000', '\u22122.5')
    """
    if axis.kind == "names":
        return str(value)
    if axis.unit == "share":
        return f"{100 * value:.4g} %"
    if axis.unit == "points":  # which the axis names
        return signed(f"{100 * value:.4g}")
    if axis.unit == "seconds":
        if value < 10:
            return f"{value:.4g} s"
        return format_value(value, "seconds").replace(" 0 s", "").replace(" 0 min", "")
    if axis.unit in ("bytes", "count"):
        return format_value(value, axis.unit)
    return signed(f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}")


def apart(places: Sequence[tuple[float, Any, str]], letter: float) -> list[tuple[float, Any, str]]:
    """Those of some places with labels, from left to right, whose labels do not touch: all, else every
    second, third, and so on.

    Example:
        >>> [label for _, _, label in apart([(0, 1, "1 min"), (20, 2, "2 min"), (60, 5, "5 min")], letter=6.5)]
        ['1 min', '5 min']
    """
    widths = [letter * len(label) + 8 for _, _, label in places]
    for every in range(1, len(places) + 1):
        kept = range(0, len(places), every)
        if all(places[b][0] - places[a][0] >= (widths[a] + widths[b]) / 2 for a, b in pairwise(kept)):
            return [places[one] for one in kept]
    return list(places)
