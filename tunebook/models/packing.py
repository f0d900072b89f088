"""How texts lie end to end in a packed pass: a pure function of their lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

# Shapes that recur find their matrix kernels made: token counts are filled up to a multiple of this.
TOKEN_MULTIPLE = 32
# A group is as wide as its longest text, filled up to a multiple of this: the softmax runs whole vectors, which
# hold more values where attention is computed in half precision.
WIDTH_MULTIPLE = 8
WIDE_MULTIPLE = 32
# Up to this width attention is faster in float32 on a CPU than in bfloat16, and closer.
WIDE = 64
# A new group begins where a text is under this share of the group's width ...
_NARROWER = 0.75
# ... unless the group would hold fewer texts than this, as each one costs some twenty calls a layer ...
_FEWEST_TEXTS = 12
# ... and where its attention scores would be more than this many for each head.
_MOST_SCORES = 2**19


@dataclass(frozen=True)
class Group:
    """Texts of similar length, neighbours in the pack, which attention sees as one rectangle.

    `start` and `stop` are the first of them and the end; `width` is the rectangle's, in tokens; `places` is where
    its rows begin among all rectangles' rows. `is_real` `(texts, width)` says where a token is.
    """

    start: int
    stop: int
    width: int
    places: int
    is_real: torch.Tensor

    @property
    def texts(self) -> int:
        """How many texts it has."""
        return self.stop - self.start

    @property
    def is_wide(self) -> bool:
        """Whether half precision pays off in its attention."""
        return self.width > WIDE


@dataclass(frozen=True)
class Layout:
    """Where the texts of a packed pass lie; they stand longest first.

    `num_texts` counts the texts, but for a filler that may stand last and that nobody reads; `longest` is the tokens
    of the longest. `ends` `(texts + 1,)`, int32, is 0 and where each text ends. All else is int64: `positions`
    `(tokens,)` counts from 0 in every text and is 0 in a filler; `owners` `(tokens,)` is the text of each token;
    `first` `(texts,)` each text's first token; `spread` `(places,)` has for each place of the groups' rectangles a
    token (any one, where none is), and `gather` `(tokens,)` for each token its place.
    """

    num_texts: int
    longest: int
    ends: torch.Tensor
    positions: torch.Tensor
    owners: torch.Tensor
    first: torch.Tensor
    spread: torch.Tensor
    gather: torch.Tensor
    groups: tuple[Group, ...]

    def to(self, device: torch.device) -> Layout:
        """The same layout with its tensors on a device."""
        if device.type == "cpu":
            return self

        def there(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(device, non_blocking=True)

        moved: dict[str, Any] = {
            name: there(value) for name, value in vars(self).items() if isinstance(value, torch.Tensor)
        }
        groups = tuple(replace(group, is_real=there(group.is_real)) for group in self.groups)
        return replace(self, groups=groups, **moved)


def lay_out(lengths: np.ndarray) -> Layout:
    """Lay out texts of `lengths` tokens, `(texts,)`, which stand longest first and have one token at least.

    Example:
        >>> layout = lay_out(np.array([3, 1]))
        >>> layout.first.tolist(), layout.positions.tolist()[:4], len(layout.positions)
        ([0, 3, 4], [0, 1, 2, 0], 32)
    """
    assert lengths.min() > 0 and (np.diff(lengths) <= 0).all()
    filler = -int(lengths.sum()) % TOKEN_MULTIPLE
    full = np.append(lengths, filler) if filler else lengths
    ends = np.concatenate([[0], np.cumsum(full)])
    owners = np.repeat(np.arange(len(full)), full)
    columns_of = np.arange(ends[-1]) - ends[owners]
    # A filler may be longer than the model has positions for.
    positions = np.where(owners < len(lengths), columns_of, 0)
    groups, spread, gather, places = [], [], np.empty(ends[-1], np.int64), 0
    for start, stop in _cut(full):
        width = _width(int(full[start:stop].max()))
        columns = np.arange(width)
        is_real = columns < full[start:stop, None]
        spread.append(np.where(is_real, ends[start:stop, None] + columns, ends[start]).reshape(-1))
        rows = slice(ends[start], ends[stop])
        gather[rows] = places + (owners[rows] - start) * width + columns_of[rows]
        groups.append(Group(start, stop, width, places, torch.from_numpy(is_real)))
        places += is_real.size
    tensors: dict[str, Any] = {
        "positions": positions,
        "owners": owners,
        "first": ends[:-1],
        "spread": np.concatenate(spread),
        "gather": gather,
    }
    return Layout(
        len(lengths),
        int(full.max()),
        torch.from_numpy(ends.astype(np.int32)),
        groups=tuple(groups),
        **{name: torch.from_numpy(values) for name, values in tensors.items()},
    )


def _cut(lengths: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of the groups of texts of these lengths, longest first (the filler last)."""
    starts = [0]
    for text, length in enumerate(lengths):
        width = _width(int(lengths[starts[-1]]))
        texts = text - starts[-1]
        is_narrow = length < _NARROWER * width and texts >= _FEWEST_TEXTS
        if texts and (is_narrow or (texts + 1) * width * width > _MOST_SCORES):
            starts.append(text)
    return list(pairwise([*starts, len(lengths)]))


def _width(tokens: int) -> int:
    multiple = WIDTH_MULTIPLE if tokens <= WIDE else WIDE_MULTIPLE
    return -(-tokens // multiple) * multiple
