"""The optimiser and its schedule: AdamW with decay on matrices alone, and its state as named tensors."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import Any

import torch
from torch import nn

from tunebook.spec import TrainSpec


def build(
    model: nn.Module,
    learning_rates: Mapping[str, float],
    settings: TrainSpec,
    *,
    spared: Container[str] = (),
) -> torch.optim.AdamW:
    """Freeze what has no learning rate and return a fused AdamW over the rest.

    Weight decay acts on matrices and embeddings, not on norms and biases (everything of one dimension), nor on what is
    `spared`.

    Source: Loshchilov and Hutter 2019, Decoupled weight decay regularisation, arXiv 1711.05101.
    """
    groups: dict[tuple[float, float], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in learning_rates)
        if name in learning_rates:
            decay = settings.weight_decay if parameter.ndim > 1 and name not in spared else 0.0
            groups.setdefault((learning_rates[name], decay), []).append((name, parameter))
    optimizer = torch.optim.AdamW(
        [
            {"params": named, "lr": rate, "peak": rate, "weight_decay": decay}
            for (rate, decay), named in groups.items()
        ],
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )
    optimizer.register_step_post_hook(_tell_changed)
    return optimizer


def _tell_changed(optimizer: torch.optim.Optimizer, *args: Any) -> None:
    """Raise the version of every parameter: the fused kernel does not, and casts of weights are kept by version."""
    torch.autograd.graph.increment_version(
        [parameter for group in optimizer.param_groups for parameter in group["params"]]
    )


def step(optimizer: torch.optim.Optimizer, *, loss: float, max_grad_norm: float) -> float:
    """Update the weights with gradients clipped to `max_grad_norm`, and return their norm before clipping.

    Nothing is updated where `loss` or the norm is not finite. The clipping is done by the optimiser's own kernel,
    in its one pass over the gradients; the factor is that of `torch.nn.utils.clip_grad_norm_`.
    """
    norm = torch.nn.utils.get_total_norm(_gradients(optimizer))
    if not (math.isfinite(loss) and math.isfinite(float(norm))):
        return float(norm)
    optimizer.grad_scale = ((norm + 1e-6) / max_grad_norm).clamp(min=1.0)  # type: ignore[attr-defined]
    optimizer.step()
    return float(norm)


def clear(optimizer: torch.optim.Optimizer, *, kept: torch.Tensor | None) -> None:
    """Forget the gradients; that of `kept`, `(words, width)`, which adds into its own, is zeroed in its place."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter is not kept:
                parameter.grad = None
    if kept is not None and kept.grad is not None:
        kept.grad.zero_()


def _gradients(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]


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
