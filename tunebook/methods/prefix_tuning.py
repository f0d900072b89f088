"""Prefix tuning: learned keys and values before those of the text, in every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunebook.methods import Recipe
from tunebook.search import log_range

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

VERSION = 1


def prefix_tuning(
    encoder: Encoder,
    *,
    length: Annotated[int, Field(ge=1, le=512)] = 5,
    hidden: Annotated[int, Field(ge=0, le=8192)] = 0,
    learning_rate: Annotated[float, Field(gt=0, le=1), log_range(5e-3, 1e-1)] = 6e-2,
    head_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3,
) -> Recipe:
    """Train `length` keys and values of every layer, softmax(q [K_p; K]^T) [V_p; V], and the head.

    A prefix takes no positions: texts are as long as without it. At first it is the keys and values that each layer
    gives to words drawn at random. With `hidden` over 0 a network with so many hidden units makes it while
    training, tanh between its two layers, and is dropped afterwards (Li and Liang); 0 trains it as it is (P-tuning
    v2), whose lengths for classification are short too. `learning_rate` is the peak per step: a length of 5 at 6e-2
    did better than 10 at that rate and 20 at 3e-2 on 1,000 validation phrases of SST-2 with MiniLM-L6, three seeds;
    with `hidden`, a tenth of it is enough. Adds 2 * length * width values a layer, and their scores to attention;
    cannot be merged. Families that share layers share the prefix. The head has a rate of its own, as its matrices do
    not bear those of single vectors.

    Source: Li and Liang 2021, Prefix-tuning, arXiv 2101.00190; Liu et al. 2022, P-tuning v2, arXiv 2110.07602.
    """
    from tunebook.models.prefix import add_prefixes

    before = set(encoder.parameter_names)
    adapter = add_prefixes(encoder, length, hidden=hidden)
    names = [name for name in encoder.parameter_names if name not in before]
    return Recipe.adapting(encoder, names, learning_rate, adapter, head_learning_rate=head_learning_rate)
