"""rsLoRA: LoRA whose scale stays right as the rank grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe, Targets
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def rslora(
    encoder: Encoder,
    *,
    rank: Annotated[int, Field(ge=1, le=1024)] = 32,
    alpha: Annotated[int, Field(ge=1, le=1024)] = 8,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    targets: Targets = "attention",
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-4, 5e-3)] = 2e-3,
) -> Recipe:
    """Train W x + (alpha / sqrt(rank)) B A x in place of W x, and the head: LoRA with another scale.

    Made for ranks far over 8, where alpha / rank lets learning collapse: 32 is the default, alpha 8 gives the scale
    1.4, near that of `lora`'s default. Other settings as in `lora`; `learning_rate` is the peak per step. Merges
    into a plain checkpoint.

    Source: Kalajdzievski 2023, A rank stabilization scaling factor for fine-tuning with LoRA, arXiv 2312.03732.
    """
    from tunebook.models.peft_adapter import low_rank

    adapter = low_rank(encoder, rank=rank, alpha=alpha, dropout=dropout, targets=targets, use_rslora=True)
    return Recipe.adapting(encoder, adapter.names, learning_rate, adapter)
