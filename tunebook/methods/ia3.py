"""(IA)^3: learned scales of keys, values and the feed-forward layer's inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def ia3(
    encoder: Encoder,
    *,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-3, 5e-2)] = 1e-2,
    head_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3,
) -> Recipe:
    """Train vectors that scale keys, values and what enters the second feed-forward map, and the head.

    That is l_k * K, l_v * V and W_2 (l_ff * gelu(W_1 x)). All start at one. Where queries, keys and values are one
    map, its whole output is scaled. `learning_rate` is the peak per step; few values far from zero want a large one
    (the source: 3e-3 with Adafactor, which scales it by the parameter). Hundredths of a percent of the parameters.
    Merges into a plain checkpoint. The head has a rate of its own, as its matrices do not bear those of single
    vectors.

    Source: Liu et al. 2022, Few-shot parameter-efficient fine-tuning is better, arXiv 2205.05638, section 3.3.
    """
    from peft import IA3Config

    from tunebook.models import targets
    from tunebook.models.peft_adapter import PeftAdapter

    down = targets.names(encoder, ("down",))
    config = IA3Config(
        target_modules=targets.names(encoder, ("key", "value")) + down, feedforward_modules=down
    )
    adapter = PeftAdapter(encoder, config)
    return Recipe.adapting(
        encoder,
        adapter.names,
        learning_rate,
        adapter,
        spared=adapter.names,
        head_learning_rate=head_learning_rate,
    )
