"""What a layer of BERT's shape consists of: its modules by what they do, and their weights as products take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

from tunebook.models import effective


@dataclass
class Parts:
    """The modules of a layer by what they do, linear maps as `effective` knows them, and its dropout probabilities.

    `prefix` gives keys and values, `(2, length, width)`, that every token sees before those of its text.
    """

    query: nn.Module
    key: nn.Module
    value: nn.Module
    out: nn.Module
    attention_norm: nn.LayerNorm
    up: nn.Module
    down: nn.Module
    output_norm: nn.LayerNorm
    num_heads: int
    gelu: str
    attention_dropout: float
    out_dropout: float
    down_dropout: float
    prefix: nn.Module | None = None
    _cast: Cast | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """A norm with a trained copy is that copy."""
        self.attention_norm = effective.norm(self.attention_norm)  # type: ignore[assignment]
        self.output_norm = effective.norm(self.output_norm)  # type: ignore[assignment]

    def weights(self) -> tuple[torch.Tensor, ...]:
        """All sixteen as they act, weights `(out, in)` and biases `(out,)`, in the order of the fields."""
        query, key, value, out, up, down = map(effective.linear, self.linears)
        first, second = self.attention_norm, self.output_norm
        norms = (first.weight, first.bias), (second.weight, second.bias)
        return (*query, *key, *value, *out, *norms[0], *up, *down, *norms[1])

    def cast(self, dtype: torch.dtype) -> Cast:
        """The weights of the products in `dtype`, made when what they are made of has changed since the last time."""
        sources = (parameter for linear in self.linears for parameter in linear.parameters())
        versions = (dtype, *(parameter._version for parameter in sources))
        if self._cast is None or self._cast.versions != versions:
            with torch.no_grad():
                self._cast = Cast.of(self, dtype, versions)
        return self._cast

    @property
    def linears(self) -> tuple[nn.Module, ...]:
        """The modules of the products."""
        return self.query, self.key, self.value, self.out, self.up, self.down


class Cast(NamedTuple):
    """Weights and biases of a layer's products in one format; `qkv` has the three projections under each other."""

    versions: tuple[Any, ...]
    qkv: tuple[torch.Tensor, torch.Tensor]
    out: tuple[torch.Tensor, torch.Tensor]
    up: tuple[torch.Tensor, torch.Tensor]
    down: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, parts: Parts, dtype: torch.dtype, versions: tuple[Any, ...]) -> Cast:
        """The weights of some parts as they are now."""
        three = (parts.query, parts.key, parts.value)

        def cast(module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
            weight, bias = effective.linear(module)
            return weight.detach().to(dtype), bias.detach().to(dtype)

        qkv = tuple(torch.cat(some) for some in zip(*map(cast, three), strict=True))
        return cls(versions, qkv, cast(parts.out), cast(parts.up), cast(parts.down))  # type: ignore[arg-type]
