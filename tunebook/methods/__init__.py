"""Methods: one method = one file = one function; its keyword-only signature is its configuration.

A method either takes the `encoder` and returns a `Recipe` (what trains, and how fast), or takes the `train`
split and returns a function that scores texts: a baseline without a checkpoint.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, create_model

from tunebook.registry import lookup, scan
from tunebook.search import Searched, Space

if TYPE_CHECKING:
    import torch

    from tunebook.models.adapter import Adapter
    from tunebook.models.load import Encoder

Targets = (
    Literal["attention", "all_linear"]
    | Annotated[list[Literal["query", "key", "value", "out", "up", "down"]], Field(min_length=1)]
)
"""Where low-rank methods act: on queries and values, on every linear map of a layer, or on those that are named."""

_APART = 0x5EED
"""Keeps the random values of what a method adds apart from those of the head, which the seed itself gives."""


@dataclass(frozen=True)
class Phase:
    """A part of training: what trains in it, and how fast.

    `learning_rates` maps the name of every parameter that trains to its learning rate (the peak, per step, before the
    schedule, which begins anew with each phase); parameters that are not named are frozen. `encoder_dropout` says
    whether dropout acts inside the encoder; the head's own dropout always does. `share` is the part of all steps
    that it takes, 0 to 1. Weight decay acts on matrices, but for those that are `spared`.
    """

    learning_rates: Mapping[str, float]
    encoder_dropout: bool = True
    share: float = 1.0
    spared: frozenset[str] = frozenset()


class Companion(Protocol):
    """What acts on the parameters beside the optimiser, where a method's definition has such a thing."""

    def begin(self, total_steps: int) -> None:
        """Called once, before the first step or the first one after resuming."""

    def loss(self) -> torch.Tensor:
        """A scalar, `(1)` value, whose gradient is added to that of each step's loss."""

    def after_step(self, step: int) -> None:
        """Called after the optimiser's step number `step` (from 0), while the gradients are still there."""

    def state(self) -> dict[str, torch.Tensor]:
        """What it remembers, as named tensors such as `(values,)`, for a snapshot."""

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `state` gave, tensors such as `(values,)`."""


@dataclass(frozen=True)
class Recipe:
    """What a method decided about an encoder: its phases, one after the other.

    `adapter` is how what was put into the model is stored apart from the checkpoint; None where a method trains
    parameters that were there before.
    """

    phases: tuple[Phase, ...]
    adapter: Adapter | None = None
    companion: Companion | None = None

    @classmethod
    def adapting(
        cls,
        encoder: Encoder,
        names: Iterable[str],
        learning_rate: float,
        adapter: Adapter | None,
        companion: Companion | None = None,
        *,
        head_learning_rate: float | None = None,
        spared: Iterable[str] = (),
    ) -> Recipe:
        """One phase: the adapter's parameters `names` and the head train, at one rate unless the head has its own."""
        head_rate = learning_rate if head_learning_rate is None else head_learning_rate
        rates = dict.fromkeys(names, learning_rate) | dict.fromkeys(encoder.head_names, head_rate)
        phase = Phase(rates, spared=frozenset(spared))
        return cls((phase,), adapter, companion)

    @functools.cached_property
    def trained_names(self) -> frozenset[str]:
        """The parameters that train in any phase."""
        return frozenset(name for phase in self.phases for name in phase.learning_rates)

    def parameters(self, encoder: Encoder) -> dict[str, int]:
        """How many values train, in the `encoder` and in the `head`; ask before `Adapter.finish` drops some."""
        head, found = set(encoder.head_names), {"encoder": 0, "head": 0}
        for name, parameter in encoder.model.named_parameters():
            if name in self.trained_names:
                found["head" if name in head else "encoder"] += parameter.numel()
        return found


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
    def search(self) -> Space:
        """What is tuned unless an experiment says otherwise: the settings whose annotation has a search range."""
        return {
            name: one.kind
            for name, field in self.settings.model_fields.items()
            for one in field.metadata
            if isinstance(one, Searched)
        }

    @property
    def summary(self) -> str:
        """What trains: the first sentence of the method's documentation."""
        return self._documentation.split("\n")[0]

    @property
    def source(self) -> str:
        """Where method and defaults are from, as its documentation names it; empty where it names none."""
        return " ".join(self._documentation.partition("Source: ")[2].split())

    @property
    def _documentation(self) -> str:
        return inspect.getdoc(self.function) or ""


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


def apply(name: str, settings: Mapping[str, Any], encoder: Encoder, *, seed: int) -> Recipe:
    """Put a method into an encoder, and get its recipe; first values of what is new are a function of `seed`.

    Raises:
        UsageError: the method has no meaning for this encoder, or a setting is out of its range.
    """
    import torch

    torch.manual_seed(seed ^ _APART)
    recipe: Recipe = method(name).function(encoder, **settings)
    return recipe
