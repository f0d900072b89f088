"""Full fine-tuning: everything trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Phase, Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def full(
    encoder: Encoder, *, learning_rate: Annotated[float, Field(gt=0, le=1), log_range(1e-5, 2e-4)] = 5e-5
) -> Recipe:
    """Train every weight of the encoder and of the head with one learning rate.

    `learning_rate` is the peak per step, before the schedule. 5e-5 is the upper end of the range that BERT was
    published with (2e-5 to 5e-5); encoders of under 30 million parameters often want 1e-4.

    Source: Devlin et al. 2019, BERT, arXiv 1810.04805, section 4 and appendix A.3.
    """
    return Recipe((Phase(dict.fromkeys(encoder.parameter_names, learning_rate)),))
