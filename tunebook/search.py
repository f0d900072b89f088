"""Search spaces: from where the values of a hyperparameter are drawn when it is tuned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tunebook.registry import did_you_mean

Scalar = bool | int | float | str
Condition = dict[str, Annotated[list[Scalar], Field(min_length=1)]]
EDGE = 0.1
"""The outer part of a range, of each side, in which a value is said to lie on its edge."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Range(_Strict):
    """Numbers from `low` to `high`, spread evenly over their logarithms unless `log` is off; whole ones if asked.

    `when` names other settings and the values that they must have for this one to be drawn; it keeps its default
    otherwise.
    """

    low: float
    high: float
    log: bool = True
    whole: bool = False
    when: Condition = {}

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low}, high is {self.high}: expected low below high")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}: logarithms need a low above 0, or log = false")
        if self.whole and (self.low % 1 or self.high % 1):
            raise ValueError(
                f"low is {self.low}, high is {self.high}: expected whole bounds of whole numbers"
            )
        return self

    def at(self, place: float) -> float | int:
        """The value at a place from 0 (low) to 1 (high), to three digits; of whole ones each has as much room.

        Example:
            >>> round(Range(low=1e-4, high=1e-2).at(0.5), 6)
            0.001
        """
        beyond = 0.5 if self.whole else 0.0
        low, high = self.low - beyond, self.high + beyond
        if self.log:
            value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        else:
            value = low + place * (high - low)
        inside = min(max(round(value) if self.whole else float(f"{value:.3g}"), self.low), self.high)
        return int(inside) if self.whole else inside

    def is_edge(self, value: Any) -> bool:
        """Whether a value lies in the outer tenth of the range, where a better one may lie beyond."""
        inner = (self.at(EDGE), self.at(1 - EDGE))
        return not inner[0] < value < inner[1]


class Choice(_Strict):
    """One of some `values`, each as likely; `when` as in `Range`."""

    values: Annotated[list[Scalar], Field(min_length=2)]
    when: Condition = {}

    def at(self, place: float) -> Scalar:
        """The value at a place from 0 to 1."""
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]

    def is_edge(self, value: Any) -> bool:
        """Whether a number is the smallest or the largest of three or more; other things have no edge."""
        numbers = [one for one in self.values if isinstance(one, int | float) and not isinstance(one, bool)]
        return len(numbers) == len(self.values) > 2 and value in (min(numbers), max(numbers))


Distribution = Range | Choice
Space = Mapping[str, Distribution]


@dataclass(frozen=True)
class Searched:
    """Beside a setting's type in a method's signature: where it is searched unless an experiment says otherwise."""

    kind: Distribution


def log_range(low: float, high: float) -> Searched:
    """The search range of a method's setting, spread over logarithms."""
    return Searched(Range(low=low, high=high))


def distribution(value: Any) -> Distribution:
    """A distribution as an experiment writes it: a table for a range, a list, or a table with `values`, for a choice.

    Raises:
        ValueError: it is none; the message says what is wrong.

    Example:
        >>> distribution([4, 8, 16]).at(0.9)
        16
    """
    if isinstance(value, Range | Choice):
        return value
    if isinstance(value, list):
        value = {"values": value}
    if not isinstance(value, dict):
        raise ValueError(f"expected a list of values, or a table with low and high, got {value!r}")
    kind: type[Distribution] = Choice if "values" in value else Range
    try:
        return kind.model_validate(_as_floats(value))
    except ValidationError as error:
        raise ValueError("; ".join(dict.fromkeys(_fault(one, kind) for one in error.errors()))) from None


def _as_floats(value: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds as floats: `low = 1` is a number like another."""
    return {
        key: float(one) if key in ("low", "high") and type(one) is int else one for key, one in value.items()
    }


def _fault(error: Any, kind: type[Distribution]) -> str:
    path: tuple[str | int, ...] = error["loc"]
    key = ".".join(str(part) for part in path if isinstance(part, str))
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {did_you_mean(key, kind.model_fields)}"
    if any(isinstance(part, int) for part in path):  # each type that a scalar may have has its own complaint
        return f"{path[0]}: got {error['input']!r}; expected numbers, texts, or true and false"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: got {error['input']!r}; {message[0].lower()}{message[1:]}" if key else message


def draw(space: Space, places: Mapping[str, float], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with what the space draws at the places (0 to 1, by name); conditional ones where they apply.

    A condition may name a setting that is drawn itself: those stand before it in the space.

    Example:
        >>> draw({"rank": Choice(values=[4, 8])}, {"rank": 0.6}, {"rank": 16, "alpha": 32})
        {'rank': 8, 'alpha': 32}
    """
    drawn = dict(settings)
    for name, kind in space.items():
        if applies(kind, drawn):
            drawn[name] = kind.at(places[name])
    return drawn


def applies(kind: Distribution, settings: Mapping[str, Any]) -> bool:
    """Whether a distribution's conditions hold for some settings."""
    return all(settings.get(name) in allowed for name, allowed in kind.when.items())


def on_edge(space: Space, settings: Mapping[str, Any]) -> list[str]:
    """The names of the settings that lie on the edge of what was searched."""
    return [name for name, kind in space.items() if applies(kind, settings) and kind.is_edge(settings[name])]
