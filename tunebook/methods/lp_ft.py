"""LP-FT: first the head alone, then everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Phase, Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def lp_ft(
    encoder: Encoder,
    *,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(1e-5, 2e-4)] = 5e-5,
    probe_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-2,
    probe_share: Annotated[float, Field(gt=0, lt=1)] = 0.3,
) -> Recipe:
    """Train the head on the frozen encoder's features for `probe_share` of the steps, then everything for the rest.

    The head then starts near a good answer, and the encoder's features are distorted less. Learning rates are peaks per
    step, each phase with a schedule of its own: 1e-2 is `linear_probe`'s and 5e-5 `full`'s default. Cheaper than `full`
    for as many steps, as the first phase reads features that are computed once.

    Source: Kumar et al. 2022, Fine-tuning can distort pretrained features, arXiv 2202.10054, section 3.4.
    """
    probe = Phase(
        dict.fromkeys(encoder.head_names, probe_learning_rate), encoder_dropout=False, share=probe_share
    )
    return Recipe(
        (probe, Phase(dict.fromkeys(encoder.parameter_names, learning_rate), share=1 - probe_share))
    )
