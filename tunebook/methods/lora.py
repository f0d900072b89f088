"""LoRA: a low-rank change of frozen matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe, Targets
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def lora(
    encoder: Encoder,
    *,
    rank: Annotated[int, Field(ge=1, le=1024)] = 8,
    alpha: Annotated[int, Field(ge=1, le=1024)] = 16,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    targets: Targets = "attention",
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-4, 5e-3)] = 2e-3,
) -> Recipe:
    """Train W x + (alpha / rank) B A x in place of W x: A and B alone, and the head.

    A is `(rank, in)`, B `(out, rank)` and zero at first. `targets` are queries and values, as in the source, every
    linear map ("all_linear"), or maps by name; `dropout` is of the low-rank part's input. Rank 8 is the source's
    for RoBERTa (table 9), with alpha 8 to 16. `learning_rate` is the peak per step: the source's 5e-4 is for
    RoBERTa-base; of 1e-3 and 2e-3 the latter did better on 1,000 validation tweets with MiniLM-L6. Where queries
    and values are one map with the keys (ModernBERT, DeBERTa v1), that whole map is adapted. Without dropout the
    change is computed on the weight: a step costs as much as the gradients of the adapted weights more than a
    frozen encoder's, so little with the default targets, nearly what `full` costs with "all_linear". Merges into a
    plain checkpoint.

    Source: Hu et al. 2022, LoRA, arXiv 2106.09685, section 4.1 and appendix D.
    """
    from tunebook.models.peft_adapter import low_rank

    adapter = low_rank(encoder, rank=rank, alpha=alpha, dropout=dropout, targets=targets)
    return Recipe.adapting(encoder, adapter.names, learning_rate, adapter)
