"""BitFit: only biases train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def bitfit(
    encoder: Encoder,
    *,
    biases: Literal["all", "query_and_up"] = "all",
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(5e-4, 1e-2)] = 5e-3,
    head_learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3,
) -> Recipe:
    """Train the biases of the encoder and the head: every map W x + b keeps its W.

    `biases` "query_and_up" is the paper's small variant: those of the queries (b_q) and of the wide feed-forward
    map (b_m2, the second of its three MLP maps), which do as well there. `learning_rate` is the peak per step. A
    tenth of a percent of the parameters; the backward pass computes no weight's gradient. Merges into a plain
    checkpoint. The head has a rate of its own, as its matrices do not bear those of single vectors. Both rates did
    best on 1,000 validation phrases of SST-2 with MiniLM-L6, three seeds.

    Raises:
        UsageError: the encoder has no such biases.

    Source: Ben Zaken, Goldberg and Ravfogel 2022, BitFit, arXiv 2106.10199, sections 3 and 4.
    """
    from tunebook.errors import UsageError
    from tunebook.models import targets

    found = [
        name for name in encoder.parameter_names if name.endswith("bias") and name not in encoder.head_names
    ]
    if biases == "query_and_up":
        modules = tuple(f"{name}." for name in targets.names(encoder, ("query", "up")))
        found = [name for name in found if name.startswith(modules) or name.endswith(".q_bias")]
    if not found:
        raise UsageError(f"bitfit: this {encoder.family} has no biases in its encoder")
    return Recipe.adapting(encoder, found, learning_rate, None, head_learning_rate=head_learning_rate)
