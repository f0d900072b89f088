"""Bottleneck adapters: small layers between the frozen ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def bottleneck_adapter(
    encoder: Encoder,
    *,
    size: Annotated[int, Field(ge=1, le=4096)] = 64,
    placement: Literal["houlsby", "pfeiffer"] = "houlsby",
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(2e-4, 5e-3)] = 1e-3,
) -> Recipe:
    """Train h + W_up gelu(W_down h + b_down) + b_up after frozen maps, with `size` values in the middle, and the head.

    `placement` "houlsby" has one after attention's output and one after the feed-forward layer, before what they
    are added to, and trains the layers' norms as well; "pfeiffer" has the latter alone, and norms stay. Inside both
    are as in the first source, with gelu for the encoders that use it; 64 and both places are its too.
    `learning_rate` is the peak per step, for all that is new. Adds about 2 * size * width values a place, and their
    products to every pass; cannot be merged.

    Source: Houlsby et al. 2019, arXiv 1902.00751; Pfeiffer et al. 2021, AdapterFusion, arXiv 2005.00247.
    """
    from tunebook.models.bottleneck import BottleneckAdapter, add_bottlenecks, norms_of_layers

    parts = ("out", "down") if placement == "houlsby" else ("down",)
    names = add_bottlenecks(encoder, parts, size)
    if placement == "houlsby":
        names += norms_of_layers(encoder)
    return Recipe.adapting(encoder, names, learning_rate, BottleneckAdapter())
