"""Labels beside points without overlaps. Notebooks carry this file's text too, so it is plain Python alone."""

from __future__ import annotations

GAPS = (9, 20, 34, 50, 70, 95, 125, 160)
"""How far from its point a label may stand, in pixels: the nearest first; the first needs no line to it."""
_SIDES = (
    *((1, 0), (0, -1), (0, 1), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1)),
    *((1, -0.5), (1, 0.5), (-1, -0.5), (-1, 0.5), (0.5, -1), (0.5, 1), (-0.5, -1), (-0.5, 1)),
)


def beside(
    points: list[tuple[float, float]],
    sizes: list[tuple[float, float]],
    *,
    taken: list[tuple[float, float, float, float]],
    frame: tuple[float, float, float, float],
) -> list[tuple[float, float, float, float]]:
    """A box `(left, top, right, bottom)` for each point's label of some size, inside of `frame` and over no point, no
    other label and, where that can be had nearby, nothing of what is `taken`.

    Example:
        >>> beside([(50, 50)], [(20, 10)], taken=[], frame=(0, 0, 100, 100))
        [(59.0, 45.0, 79.0, 55.0)]
    """
    dots = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    boxes: list[tuple[float, float, float, float]] = []
    lines: list[tuple[float, float, float, float]] = []
    for point, size in zip(points, sizes, strict=True):
        found = []
        for gap in GAPS:
            for side in _SIDES:
                box = _box(point, size, side=side, gap=gap)
                own = line(point, box) if gap > GAPS[0] else []
                is_out = box[0] < frame[0] or box[1] < frame[1] or box[2] > frame[2] or box[3] > frame[3]
                hits = sum(meet(box, other) for other in [*dots, *boxes])
                crossings = sum(meet(box, other) for other in lines)
                crossings += sum(meet(spot, other) for spot in own for other in boxes)
                lines_hit = sum(meet(box, other) for other in taken)
                cost = gap + 2000 * (is_out + hits) + 200 * crossings + 45 * lines_hit
                found.append((cost, box, own))
        _, best, spots = min(found, key=lambda one: one[0])
        boxes.append(best)
        lines += spots
    return boxes


def _box(
    point: tuple[float, float], size: tuple[float, float], *, side: tuple[float, float], gap: float
) -> tuple[float, float, float, float]:
    x = point[0] + side[0] * (gap + size[0] / 2)
    y = point[1] + side[1] * (0.8 * gap + size[1] / 2)
    return (x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)


def end(point: tuple[float, float], box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Where the line from a point to its label ends: at the nearest place of its box."""
    return min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3])


def is_far(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    """Whether a label needs a line to its point."""
    x, y = end(point, box)
    return max(abs(x - point[0]), abs(y - point[1])) > GAPS[0] + 1


def line(
    point: tuple[float, float], box: tuple[float, float, float, float]
) -> list[tuple[float, float, float, float]]:
    """Spots along the line from a point to its label, as small boxes."""
    to = end(point, box)
    across, down = to[0] - point[0], to[1] - point[1]
    spots = [(point[0] + across * part, point[1] + down * part) for part in (0.4, 0.6, 0.8)]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in spots]


def meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Whether two boxes have a place in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
