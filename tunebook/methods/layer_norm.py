"""LayerNorm tuning: only the norms train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def layer_norm(
    encoder: Encoder,
    *,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(5e-4, 1e-2)] = 3e-3,
    head_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3,
) -> Recipe:
    """Train gain and bias of every layer normalisation of the encoder, and the head.

    `learning_rate` is the peak per step; as for other vectors, ten times and more that of `full`. A few hundredths
    of a percent of the parameters. Merges into a plain checkpoint. The head has a rate of its own, as its matrices
    do not bear those of single vectors.

    Source: Zhao et al. 2024, Tuning LayerNorm in attention, arXiv 2312.11420; Qi et al. 2022, arXiv 2211.08682.
    """
    from peft import LNTuningConfig

    from tunebook.models import targets
    from tunebook.models.peft_adapter import PeftAdapter

    norms = targets.norms(encoder.model.base_model, encoder.model.base_model_prefix)
    adapter = PeftAdapter(encoder, LNTuningConfig(target_modules=[name for name, _ in norms]))
    return Recipe.adapting(
        encoder, adapter.names, learning_rate, adapter, head_learning_rate=head_learning_rate
    )
