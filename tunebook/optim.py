"""The optimiser and its schedule: AdamW with decay on matrices alone, and its state as named tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from tunebook.spec import TrainSpec


def build(model: nn.Module, learning_rates: Mapping[str, float], settings: TrainSpec) -> torch.optim.AdamW:
    """Freeze what has no learning rate and return a fused AdamW over the rest.

    Weight decay acts on matrices and embeddings, not on norms and biases (everything of one dimension).

    Source: Loshchilov and Hutter 2019, Decoupled weight decay regularisation, arXiv 1711.05101.
    """
    groups: dict[tuple[float, float], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in learning_rates)
        if name in learning_rates:
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((learning_rates[name], decay), []).append((name, parameter))
    return torch.optim.AdamW(
        [
            {"params": named, "lr": rate, "peak": rate, "weight_decay": decay}
            for (rate, decay), named in groups.items()
        ],
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )


def scale_at(step: int, total_steps: int, settings: TrainSpec) -> float:
    """The factor on every learning rate at step `step` (from 0): linear warm-up, then the schedule, from 1 to 0.

    Example:
        >>> [round(scale_at(step, 10, TrainSpec(warmup_fraction=0.2)), 2) for step in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    warmup = math.ceil(total_steps * settings.warmup_fraction)
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / max(1, total_steps - warmup)
    if settings.schedule == "linear":
        return max(0.0, 1.0 - progress)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress))) if settings.schedule == "cosine" else 1.0


def set_scale(optimizer: torch.optim.Optimizer, scale: float) -> None:
    """Set every group's learning rate to its peak times `scale`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * scale


def state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimiser's state as tensors named `<what>/<parameter>`, ready for a safetensors file.

    The moments have the shape of their parameter, `step` is a scalar, shape `()`.
    """
    return {
        f"{what}/{name}": tensor.detach().cpu().contiguous()
        for name, parameter in _named(optimizer)
        for what, tensor in optimizer.state.get(parameter, {}).items()
    }


def restore(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what `state` gave, each tensor with the same shape as its parameter, steps scalar."""
    for name, parameter in _named(optimizer):
        for what in ("step", "exp_avg", "exp_avg_sq"):
            if f"{what}/{name}" in tensors:
                optimizer.state[parameter][what] = tensors[f"{what}/{name}"].clone().to(parameter.device)


def _named(optimizer: torch.optim.Optimizer) -> list[tuple[str, nn.Parameter]]:
    return [
        (name, parameter)
        for group in optimizer.param_groups
        for name, parameter in zip(group["param_names"], group["params"], strict=True)
    ]
