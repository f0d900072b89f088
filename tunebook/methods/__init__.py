"""Methods: one method = one file = one function; its keyword-only signature is its configuration.

A method either takes the `encoder` and returns a `Recipe` (what trains, and how fast), or takes the `train`
split and returns a function that scores texts: a baseline without a checkpoint.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from tunebook.registry import lookup, scan


@dataclass(frozen=True)
class Recipe:
    """What a method decided about an encoder.

    `learning_rates` maps the name of every parameter that trains to its learning rate (per step, before the
    schedule); parameters that are not named are frozen. `encoder_dropout` says whether dropout acts inside the
    encoder while training; the head's own dropout always does.
    """

    learning_rates: Mapping[str, float]
    encoder_dropout: bool = True


@dataclass(frozen=True)
class MethodRow:
    """A method as the tables show it: its function, its version, and its configuration by signature."""

    name: str
    function: Callable[..., Any]
    version: int
    settings: type[BaseModel]

    @property
    def needs_checkpoint(self) -> bool:
        """Whether the method fine-tunes an encoder; the others are baselines of checkpoint `none`."""
        return next(iter(inspect.signature(self.function).parameters)) == "encoder"

    @property
    def summary(self) -> str:
        """The first sentence of the method's documentation."""
        return (inspect.getdoc(self.function) or "").split("\n")[0]


def settings_of(function: Callable[..., Any]) -> type[BaseModel]:
    """The strict configuration that a method's keyword-only arguments declare: names, types, bounds, defaults."""
    namespace = vars(inspect.getmodule(function))
    fields: dict[str, Any] = {
        parameter.name: (eval(parameter.annotation, namespace), parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    return create_model(function.__name__, __config__=config, **fields)


@functools.cache
def rows() -> Mapping[str, MethodRow]:
    """Every method by name, found in this folder: the function that bears its file's name."""
    return {row.name: row for row in map(_row, scan(__name__))}


def _row(module: ModuleType) -> MethodRow:
    name = module.__name__.rpartition(".")[2]
    function = getattr(module, name)
    return MethodRow(name, function, module.VERSION, settings_of(function))


def method(name: str) -> MethodRow:
    """The method called `name`.

    Raises:
        UsageError: there is none; the message names the nearest ones.
    """
    return lookup(rows(), name, "method")
