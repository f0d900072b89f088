"""The weights of a linear map as they act, whatever method changed them: what our own layers multiply with.

LoRA and its kin add to a weight or scale it. Without dropout on their input that is a function of the weight alone,
cheap beside the products with it; autograd takes the gradient on to what the method trains.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_NAME = "default"


def is_known(module: Any) -> bool:
    """Whether `linear` knows the module: the stock one, or one of PEFT's that drops nothing of its input."""
    if type(module) is nn.Linear:
        return module.bias is not None
    kind = _kind(module)
    if (
        kind not in ("lora", "adalora", "vera", "ia3")
        or type(getattr(module, "base_layer", None)) is not nn.Linear
    ):
        return False
    dropout = getattr(module, "vera_dropout" if kind == "vera" else "lora_dropout", {})
    drops_nothing = _NAME not in dropout or type(dropout[_NAME]) is nn.Identity
    return drops_nothing and module.base_layer.bias is not None


def linear(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight `(out, in)` and bias `(out,)` of a module that `is_known`."""
    kind = _kind(module)
    if kind is None:
        return module.weight, module.bias
    weight, bias = module.base_layer.weight, module.base_layer.bias
    if kind == "ia3":
        scale = module.ia3_l[_NAME]
        return weight * scale, bias if module.is_feedforward else bias * scale[:, 0]
    changed = weight + module.get_delta_weight(_NAME)
    if kind == "lora" and _NAME in module.lora_magnitude_vector:
        # The norm counts as a constant, as in DoRA's paper, section 4.3.
        norm = torch.linalg.norm(changed.detach(), dim=1)
        changed = changed * (module.lora_magnitude_vector[_NAME].weight / norm)[:, None]
    return changed, bias


def norm(module: Any) -> nn.Module:
    """The norm that acts: the trained copy where there is one, else the module itself."""
    trained: nn.Module = module.ln_tuning_layers[_NAME] if _kind(module) == "ln_tuning" else module
    return trained


def _kind(module: nn.Module) -> str | None:
    """Which of PEFT's methods a module is of, None for any other module."""
    parts = type(module).__module__.split(".")
    return parts[2] if parts[:2] == ["peft", "tuners"] else None
