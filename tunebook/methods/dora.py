"""DoRA: a low-rank change of direction, and a magnitude of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe, Targets
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def dora(
    encoder: Encoder,
    *,
    rank: Annotated[int, Field(ge=1, le=1024)] = 8,
    alpha: Annotated[int, Field(ge=1, le=1024)] = 16,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    targets: Targets = "attention",
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-4, 5e-3)] = 2e-3,
) -> Recipe:
    """Train m (W + s B A) / ||W + s B A|| in place of W, with s = alpha / rank: A, B and m alone, and the head.

    The magnitude m, one value for each output, starts as W's own norm; the norm counts as a constant in the
    gradient (section 4.3). Settings as in `lora`, whose rates suit DoRA as well (the source halves the rank for
    equal cost). `learning_rate` is the peak per step. Costs a norm of each adapted weight more than `lora`. Merges
    into a plain checkpoint.

    Source: Liu et al. 2024, DoRA, arXiv 2402.09353, sections 4.1 and 4.3.
    """
    from tunebook.models.peft_adapter import low_rank

    adapter = low_rank(encoder, rank=rank, alpha=alpha, dropout=dropout, targets=targets, use_dora=True)
    return Recipe.adapting(encoder, adapter.names, learning_rate, adapter)
