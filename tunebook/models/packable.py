"""Which families pack, as far as they were tried: what a plan can say before a model is loaded.

A run does not rely on this table, it tries; a test tries every family in it.
"""

from __future__ import annotations

OWN_LAYERS = frozenset({"bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"})
"""Families whose layers have the shape of `post_norm`."""
PACKED = OWN_LAYERS | {"albert", "modernbert"}
MICRO_BATCHED = frozenset({"deberta", "deberta-v2", "mpnet"})
"""Families with attention of their own, which knows nothing of a layout."""


def expected_path(family: str, padding: str) -> tuple[str, str]:
    """The path and the kernel that a run of this family is expected to take on a CPU.

    Example:
        >>> expected_path("bert", "auto")
        ('packed', 'own layers')
        >>> expected_path("bert", "stock")[0], expected_path("unheard-of", "auto")[0]
        ('stock', 'tried when it begins')
    """
    kernel = "the family's layers"
    if padding == "stock":
        return "stock", kernel
    if family in PACKED:
        return "packed", "own layers" if family in OWN_LAYERS else kernel
    return "micro-batched" if family in MICRO_BATCHED else "tried when it begins", kernel
