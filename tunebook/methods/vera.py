"""VeRA: one random low-rank pair for all layers, scaled by learned vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe, Targets
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def vera(
    encoder: Encoder,
    *,
    rank: Annotated[int, Field(ge=1, le=8192)] = 256,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    targets: Targets = "attention",
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-3, 5e-2)] = 1e-2,
    head_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3,
) -> Recipe:
    """Train W x + diag(b) B diag(d) A x in place of W x: the vectors b and d alone, and the head.

    b is zero at first, d 0.1. A `(rank, in)` and B `(out, rank)` are random, frozen, and the same in all layers;
    they are functions of the seed and stored with the vectors. `targets` and `dropout` as in `lora`. The source
    uses ranks of 256 to 1024 and rates of 3e-3 to 1e-2, the peak per step, for RoBERTa (table 8). Merges into a
    plain checkpoint. The head has a rate of its own, as its matrices do not bear those of single vectors.

    Source: Kopiczko, Blankevoort and Asano 2024, VeRA, arXiv 2310.11454, section 3 and appendix A.
    """
    import torch
    from peft import VeraConfig

    from tunebook.models.peft_adapter import PeftAdapter, target_names

    config = VeraConfig(
        r=rank,
        vera_dropout=dropout,
        target_modules=target_names(encoder, targets),
        projection_prng_key=int(torch.randint(2**31, ())),
    )
    adapter = PeftAdapter(encoder, config)
    return Recipe.adapting(
        encoder, adapter.names, learning_rate, adapter, head_learning_rate=head_learning_rate
    )
