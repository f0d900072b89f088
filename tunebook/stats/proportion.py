"""A share of examples: how far it could be another one on other examples."""

from __future__ import annotations


def wilson(successes: int, examples: int, *, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of examples, from its low to its high end; it never leaves 0 to 1, and is never empty.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.

    Raises:
        ValueError: there is no example, or the successes are not among them.

    Example:
        >>> [round(end, 3) for end in wilson(9, 10)]
        [0.596, 0.982]
    """
    from scipy.special import ndtri

    if examples < 1 or not 0 <= successes <= examples:
        raise ValueError(
            f"{successes} successes of {examples} examples, expected 0 to {examples} of at least 1"
        )
    z, share = float(ndtri((1 + level) / 2)), successes / examples
    middle = share + z**2 / (2 * examples)
    half = z * (share * (1 - share) / examples + (z / (2 * examples)) ** 2) ** 0.5
    low, high = ((middle + side) / (1 + z**2 / examples) for side in (-half, half))
    return max(low, 0.0), min(high, 1.0)
