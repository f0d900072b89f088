"""Top layers: only the last layers and the head train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Phase, Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def top_layers(
    encoder: Encoder,
    *,
    layers: Annotated[int, Field(ge=1, le=100)] = 2,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-5, 5e-4)] = 1e-4,
) -> Recipe:
    """Train the last `layers` layers of the encoder, what stands after them, and the head; all below stays.

    `learning_rate` is the peak per step. The backward pass ends at the lowest layer that trains. Two layers are a
    compromise: the source finds that a quarter of the layers reach 90 % of the quality of all.

    Raises:
        UsageError: the encoder has fewer layers, or its layers share their parameters.

    Source: Lee, Tang and Lin 2019, What would Elsa do? Freezing layers in fine-tuning, arXiv 1911.03090.
    """
    from tunebook.errors import UsageError
    from tunebook.models import targets

    found = targets.layers(encoder)
    if encoder.model.config.num_hidden_layers > len(found):
        raise UsageError(
            f"top_layers: the layers of {encoder.family} share their parameters, none can train alone"
        )
    if layers > len(found):
        raise UsageError(
            f"top_layers: layers is {layers}, but this {encoder.family} has {len(found)}: expected 1 to {len(found)}"
        )
    wanted = tuple(f"{name}." for name, _ in found[-layers:])
    names = [name for name in encoder.parameter_names if name.startswith(wanted) or _is_above(name, encoder)]
    return Recipe((Phase(dict.fromkeys(names, learning_rate)),))


def _is_above(name: str, encoder: Encoder) -> bool:
    """Whether a parameter stands after the layers: the head's, or those of a last norm."""
    return name in encoder.head_names or name.startswith(f"{encoder.model.base_model_prefix}.final_norm.")
