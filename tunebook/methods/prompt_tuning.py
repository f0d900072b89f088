"""Prompt tuning: learned vectors before the words of every text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def prompt_tuning(
    encoder: Encoder,
    *,
    length: Annotated[int, Field(ge=1, le=512)] = 20,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-3, 5e-2)] = 1e-2,
    head_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3,
) -> Recipe:
    """Train `length` virtual tokens that stand before every text in the encoder's input, and the head.

    They take positions: a text may have `length` tokens less. The head reads the first of them where the family's
    head reads the first token, as PEFT has it. They start as words of the whole vocabulary drawn at random (the
    source draws from its 5,000 most frequent). 20 is among the source's lengths; of its large rates 1e-2, the peak
    per step, suits AdamW. Every pass computes `length` tokens more a text; cannot be merged. The head has a rate of
    its own, as its matrices do not bear those of single vectors.

    Source: Lester et al. 2021, The power of scale for parameter-efficient prompt tuning, arXiv 2104.08691.
    """
    from peft import PromptTuningConfig

    from tunebook.models.prompts import add_prompt, prompt_sizes

    config = PromptTuningConfig(**prompt_sizes(encoder), num_virtual_tokens=length)
    adapter = add_prompt(encoder, config)
    return Recipe.adapting(
        encoder, adapter.names(encoder), learning_rate, adapter, head_learning_rate=head_learning_rate
    )
