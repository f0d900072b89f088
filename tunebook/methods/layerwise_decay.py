"""Layer-wise decay: full fine-tuning whose learning rates fall from the head to the embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Phase, Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def layerwise_decay(
    encoder: Encoder,
    *,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-5, 5e-4)] = 1e-4,
    decay: Annotated[float, Field(gt=0, le=1)] = 0.9,
) -> Recipe:
    """Train everything, the lower a layer the slower: of layers 0 to L - 1, layer l at learning_rate * decay^(L - l).

    The head trains at `learning_rate`, the peak per step, the embeddings at learning_rate * decay^(L + 1). Costs what
    `full` costs. 0.9 is the middle of the values that the source found (0.8 for large, 0.9 for base, 0.95 in ULMFiT's
    line); 1e-4 lets the top layers go at `full`'s rate for small encoders.

    Source: Clark et al. 2020, ELECTRA, arXiv 2003.10555, appendix B; Howard and Ruder 2018, ULMFiT, arXiv 1801.06146.
    """
    from tunebook.models import targets

    layers = [f"{name}." for name, _ in targets.layers(encoder)]
    depth = {name: 0 for name in encoder.head_names}
    for name in encoder.parameter_names:
        number = next((n for n, layer in enumerate(layers) if name.startswith(layer)), None)
        is_after = number is None and not _is_before_layers(name, layers)
        below = 0 if is_after else len(layers) + 1 if number is None else len(layers) - number
        depth.setdefault(name, below)
    return Recipe((Phase({name: learning_rate * decay**below for name, below in depth.items()}),))


def _is_before_layers(name: str, layers: list[str]) -> bool:
    """Whether a parameter outside the layers acts before or in them, as embeddings and positions do."""
    return "embed" in name or name.startswith(layers[0].split(".")[0] + ".encoder.")
