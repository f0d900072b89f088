"""Bottleneck adapters: two small layers with a step between them, after a linear map, with a way around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tunebook.models import targets
from tunebook.models.adapter import Adapter

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

_STD = 1e-2


class Bottleneck(nn.Module):
    """`base_layer`, and added to its output what two small layers make of that output: h + up(gelu(down(h)))."""

    def __init__(self, base_layer: nn.Linear, size: int) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.down = nn.Linear(base_layer.out_features, size)
        self.up = nn.Linear(size, base_layer.out_features)
        for layer in (self.down, self.up):  # near the identity at first, as in the paper, section 2.1
            nn.init.trunc_normal_(layer.weight, std=_STD, a=-2 * _STD, b=2 * _STD)
            nn.init.zeros_(layer.bias)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Outputs `(texts, tokens, width)` for values `(texts, tokens, width)`, or of any number of rows."""
        hidden: torch.Tensor = self.base_layer(values)
        added: torch.Tensor = self.up(nn.functional.gelu(self.down(hidden)))
        return hidden + added


class BottleneckAdapter(Adapter):
    """Bottlenecks, by their names."""

    reason = "a bottleneck is not linear"


def norms_of_layers(encoder: Encoder) -> list[str]:
    """The names of the parameters of the layers' normalisations.

    Raises:
        UsageError: the family's modules are not known.
    """
    return [
        f"{name}.{one}"
        for layer, module in targets.layers(encoder)
        for name, norm in targets.norms(module, layer)
        for one, _ in norm.named_parameters()
    ]


def add_bottlenecks(encoder: Encoder, parts: tuple[str, ...], size: int) -> list[str]:
    """Put a bottleneck after the `parts` of every layer, in place; the names of its parameters.

    Raises:
        UsageError: the family's modules are not known.
    """
    model: Any = encoder.model
    found = []
    for name in targets.names(encoder, parts):
        model.set_submodule(name, Bottleneck(model.get_submodule(name), size))
        added = model.get_submodule(name).named_parameters()
        found += [f"{name}.{one}" for one, _ in added if not one.startswith("base_layer.")]
    return found
