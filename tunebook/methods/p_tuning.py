"""P-tuning: virtual tokens that a small network makes while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def p_tuning(
    encoder: Encoder,
    *,
    length: Annotated[int, Field(ge=1, le=512)] = 20,
    hidden: Annotated[int, Field(ge=1, le=8192)] = 128,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-4, 5e-3)] = 1e-3,
) -> Recipe:
    """Train `length` virtual tokens that a network with two hidden layers of `hidden` units makes, and the head.

    The source has an LSTM before it, which is left out, as PEFT does by default. The network is dropped afterwards,
    the vectors are kept. Otherwise as `prompt_tuning`: they stand before every text, take positions, and the first
    of them is read by the head. 20 tokens and 128 units are PEFT's examples' for GLUE; `learning_rate` is the peak
    per step. Every pass computes `length` tokens more a text; cannot be merged.

    Source: Liu et al. 2021, GPT understands, too, arXiv 2103.10385, section 3.2.
    """
    from peft import PromptEncoder, PromptEncoderConfig

    from tunebook.models.prompts import add_prompt, prompt_sizes

    config = PromptEncoderConfig(
        **prompt_sizes(encoder), num_virtual_tokens=length, encoder_hidden_size=hidden
    )
    made_by: Any = PromptEncoder(config)  # type: ignore[no-untyped-call]
    adapter = add_prompt(encoder, config, made_by.embedding.weight.detach(), made_by.mlp_head)
    return Recipe.adapting(encoder, adapter.names(encoder), learning_rate, adapter)
