"""AdaLoRA's part beside the optimiser: the orthogonality term, and the ranks that are given and taken, by `peft`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_REMEMBERED = ("ipt", "exp_avg_ipt", "exp_avg_unc")
_PATTERN = "rank_pattern"


class RankAllocation:
    """Runs `peft`'s allocator over a run's steps, of which `first_share` warm up and `last_share` keep the ranks."""

    def __init__(self, tuner: Any, *, first_share: float, last_share: float) -> None:
        self.tuner, self.first_share, self.last_share = tuner, first_share, last_share
        self.config, self.allocator = tuner.peft_config["default"], tuner.rankallocator

    def begin(self, total_steps: int) -> None:
        """Lay the allocator's schedule over the steps."""
        self.config.total_step = total_steps
        self.config.tinit = int(total_steps * self.first_share)
        self.config.tfinal = max(1, int(total_steps * self.last_share))

    def loss(self) -> torch.Tensor:
        """The weighted mean of ||P^T P - I|| and ||Q Q^T - I|| over all P `(out, rank)`, Q `(rank, in)`: a scalar."""
        terms = []
        for name, value in self.tuner.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                product = value @ value.T if "lora_A" in name else value.T @ value
                terms.append(torch.linalg.norm(product - torch.eye(len(product), device=product.device)))
        weight: float = self.config.orth_reg_weight
        return weight * torch.stack(terms).mean()

    def after_step(self, step: int) -> None:
        """Weigh each value by its gradient, and zero what is over the budget of this step (from 0).

        The ranks are settled at one step; where that was skipped, as its loss was not finite, at the next one.
        """
        settling = self.config.total_step - self.config.tfinal
        is_late = step > settling and bool(self.allocator.ipt)  # forgotten when the ranks are settled
        self.tuner.update_and_allocate(settling if is_late else step)

    def state(self) -> dict[str, torch.Tensor]:
        """The running means by parameter, each of its shape, and which values are kept, `(values,)` a matrix."""
        found = {
            f"{what}/{name}": tensor.detach().cpu().contiguous()
            for what in _REMEMBERED
            for name, tensor in getattr(self.allocator, what).items()
        }
        pattern = self.config.rank_pattern or {}
        return found | {f"{_PATTERN}/{name}": torch.tensor(kept) for name, kept in pattern.items()}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `state` gave; which values are kept is `(values,)` a matrix."""
        parameters = dict(self.tuner.model.named_parameters())
        for what in _REMEMBERED:
            getattr(self.allocator, what).clear()
        pattern = {}
        for key, tensor in tensors.items():
            what, _, name = key.partition("/")
            if what == _PATTERN:
                pattern[name] = tensor.tolist()
            else:
                getattr(self.allocator, what)[name] = tensor.clone().to(parameters[name].device)
        self.config.rank_pattern = pattern or None
