"""AdaLoRA: low-rank changes whose ranks are taken from where they matter least while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe, Targets
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def adalora(
    encoder: Encoder,
    *,
    start_rank: Annotated[int, Field(ge=2, le=1024)] = 12,
    rank: Annotated[int, Field(ge=1, le=1024)] = 8,
    alpha: Annotated[int, Field(ge=1, le=1024)] = 32,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    targets: Targets = "attention",
    orthogonality: Annotated[float, Field(ge=0, le=100)] = 0.1,
    first_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.1,
    last_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.3,
    every: Annotated[int, Field(ge=1, le=10_000)] = 10,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-4, 5e-3)] = 2e-3,
) -> Recipe:
    """Train W x + s P diag(e) Q x in place of W x, and the head; small values of e are set to zero on the way.

    The scale s is alpha / start_rank. Each matrix begins with `start_rank` values e; from `first_share` of the
    steps on, every `every` steps those that matter least by a running mean of |value * gradient| are zeroed, over
    all matrices, until `rank` are left on average at 1 - `last_share` of them. (`first_share`, `last_share` and
    `every` are PEFT's tinit, tfinal and deltaT.) Between two such steps a zeroed value may grow again; a snapshot
    selected before the last of them has more than `rank`. `orthogonality` weighs the mean of ||P^T P - I|| and ||Q
    Q^T - I|| over all matrices, norms not squared as PEFT has it, which is added to the gradient and not told with
    the loss. 12, 8, 0.1 and alpha 32 are those of the source's code for GLUE; `learning_rate` is the peak per step.
    Merges into a plain checkpoint.

    Raises:
        UsageError: `rank` is not below `start_rank`.

    Source: Zhang et al. 2023, AdaLoRA, arXiv 2303.10512, sections 3.1 to 3.3 and appendix C.
    """
    from peft import AdaLoraConfig

    from tunebook.errors import UsageError
    from tunebook.models.adalora import RankAllocation
    from tunebook.models.peft_adapter import PeftAdapter, target_names

    if rank >= start_rank:
        raise UsageError(
            f"adalora: rank is {rank}, expected 1 to {start_rank - 1}, as start_rank is {start_rank}"
        )
    config = AdaLoraConfig(
        init_r=start_rank,
        target_r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_names(encoder, targets),
        orth_reg_weight=orthogonality,
        deltaT=every,
        tinit=0,
        tfinal=0,
        total_step=1,
    )
    adapter = PeftAdapter(encoder, config)
    companion = RankAllocation(adapter.wrapped.base_model, first_share=first_share, last_share=last_share)
    scales = {name for name in adapter.names if ".lora_E." in name}
    return Recipe.adapting(encoder, adapter.names, learning_rate, adapter, companion, spared=scales)
