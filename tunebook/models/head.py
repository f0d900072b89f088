"""The classification head: its last layer, and scores in the user's own units."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def last_layer(model: Any) -> nn.Linear:
    """The linear layer that gives the logits: the last one with as many outputs as there are labels."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return next(layer for layer in reversed(layers) if layer.out_features == model.config.num_labels)


def fold_scale(model: Any, *, mean: float, deviation: float) -> None:
    """Change the head so that it answers in the user's units what it learned as standardised scores, in place.

    Scores are trained on as (score - mean) / deviation: a head that starts near zero would need thousands of steps
    to reach prices of 20,000, and its squared errors would swamp the clipping.
    """
    layer = last_layer(model)
    with torch.no_grad():
        layer.weight.mul_(deviation)
        layer.bias.mul_(deviation).add_(mean)
