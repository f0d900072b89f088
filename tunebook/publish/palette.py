"""Colours, shapes and dashes of groups in charts: told apart without colour too."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F")
"""Okabe and Ito's colours, which people with colour blindness tell apart; yellow is left out, as it is too light."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ((), (6, 3), (2, 2), (8, 3, 2, 3), (10, 4), (4, 4), (1, 3))


def look(place: int) -> tuple[int, int]:
    """Which colour, and which shape and dash, a group has; where colours begin anew, shapes are other ones.

    Example:
        >>> look(0), look(7), look(15)
        ((0, 0), (0, 1), (1, 3))
    """
    return place % len(COLOURS), (place + place // len(COLOURS)) % len(SHAPES)
