"""What of a long text a model sees: its head, both ends, or windows; and pairs, cut longest first.

Texts are cut by characters before they are tokenised, so that a text of a million characters costs little
more than a long one. The cut is made at white space and widened up to 128 characters per token that is wanted
until it holds enough of them, so it changes nothing but what hides behind thousands of blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunebook.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_WINDOWS = 16
_CHARACTERS_PER_TOKEN = 16
_SPARE_TOKENS = 16
_WIDENINGS = 3

Ids = list[int]


@dataclass
class Tokenised:
    """Tokenised texts: all windows' ids, each window's length, each text's windows, how many were cut."""

    ids: Ids = field(default_factory=list)
    type_ids: Ids = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    cut: int = 0


def _head(ids: Ids, budget: int) -> list[Ids]:
    return [ids[:budget]]


def _both_ends(ids: Ids, budget: int) -> list[Ids]:
    if len(ids) <= budget:
        return [ids]
    tail = budget // 2
    return [ids[: budget - tail] + (ids[-tail:] if tail else [])]


def _windows(ids: Ids, budget: int) -> list[Ids]:
    end = min(len(ids), MAX_WINDOWS * budget)
    return [ids[start : start + budget] for start in range(0, end, budget)] or [[]]


LONG: Mapping[str, Callable[[Ids, int], list[Ids]]] = {
    "head": _head,
    "head+tail": _both_ends,
    "windows": _windows,
}


def bare_copy(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of a tokenizer that neither cuts nor pads."""
    copy = type(tokenizer).from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def special_tokens(tokenizer: Tokenizer) -> tuple[Ids, Ids]:
    """The ids that the tokenizer puts before and after a single text, found by letting it do so.

    Raises:
        UsageError: it changes the text's own tokens when it adds the special ones.
    """
    content = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(whole) - len(content) + 1):
        if whole[start : start + len(content)] == content:
            return whole[:start], whole[start + len(content) :]
    raise UsageError("this tokenizer's special tokens do not stand around a text; use another checkpoint")


class Cutter:
    """Tokenises single texts to windows of at most `max_length` tokens, special tokens included."""

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, long: str) -> None:
        self._tokenizer = bare_copy(tokenizer)
        self._before, self._after = special_tokens(self._tokenizer)
        self._budget = _content_budget(max_length, len(self._before) + len(self._after))
        self._choose = LONG[long]
        self._both_ends = long == "head+tail"
        self._enough = self._budget * (MAX_WINDOWS if long == "windows" else 1)
        self._widenings = 1 if long == "windows" else _WIDENINGS

    def cut(self, texts: Sequence[str]) -> Tokenised:
        """The windows of each text."""
        limit = max(1024, self._enough * _CHARACTERS_PER_TOKEN)
        result = Tokenised()
        for ids, is_whole in self._contents(texts, limit, self._widenings):
            result.cut += not is_whole or len(ids) > self._enough
            windows = self._choose(ids, self._budget)
            result.windows.append(len(windows))
            for window in windows:
                result.ids += self._before
                result.ids += window
                result.ids += self._after
                result.lengths.append(len(self._before) + len(window) + len(self._after))
        return result

    def _contents(self, texts: Sequence[str], limit: int, widenings: int) -> list[tuple[Ids, bool]]:
        """Each text's ids and whether these are all: a long text's come from its first (and last) characters.

        Where those hold too few tokens (white space can be long), the text is tried again with twice as many.
        """
        longest = 2 * limit if self._both_ends else limit
        heads = self._encode([text if len(text) <= longest else cut_head(text, limit) for text in texts])
        contents = [(head, len(text) <= longest) for head, text in zip(heads, texts, strict=True)]
        long = [index for index, text in enumerate(texts) if len(text) > longest]
        tails = self._encode([cut_tail(texts[index], limit) for index in long]) if self._both_ends else None
        again = []
        for place, index in enumerate(long):
            ends = [heads[index]] if tails is None else [heads[index], tails[place]]
            contents[index] = ([token for end in ends for token in end], False)
            if min(map(len, ends)) < self._enough + _SPARE_TOKENS:
                again.append(index)
        if again and widenings:
            wider = self._contents([texts[index] for index in again], 2 * limit, widenings - 1)
            for index, content in zip(again, wider, strict=True):
                contents[index] = content
        return contents

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


class PairCutter:
    """Tokenises pairs of texts to at most `max_length` tokens; the longer text is cut first."""

    def __init__(self, tokenizer: Tokenizer, *, max_length: int) -> None:
        self._tokenizer = bare_copy(tokenizer)
        _content_budget(max_length, self._tokenizer.num_special_tokens_to_add(is_pair=True))
        self._tokenizer.enable_truncation(max_length, strategy="longest_first", direction="right")
        self._max_length = max_length

    def cut(self, pairs: Sequence[tuple[str, str]]) -> Tokenised:
        """One window for each pair, with the type of each token."""
        limit = max(1024, self._max_length * _CHARACTERS_PER_TOKEN)
        heads = [(cut_head(first, limit), cut_head(second, limit)) for first, second in pairs]
        result = Tokenised()
        for pair, head, encoding in zip(pairs, heads, self._tokenizer.encode_batch_fast(heads), strict=True):
            for widened in (limit << doubling for doubling in range(1, _WIDENINGS + 1)):
                if head == pair or len(encoding.ids) == self._max_length:
                    break
                head = cut_head(pair[0], widened), cut_head(pair[1], widened)
                encoding = self._tokenizer.encode(*head)
            ids = encoding.ids
            result.cut += head != pair or (len(ids) == self._max_length and bool(encoding.overflowing))
            result.ids += ids
            result.type_ids += encoding.type_ids
            result.lengths.append(len(ids))
            result.windows.append(1)
        return result


def cut_head(text: str, limit: int) -> str:
    """The first characters of a text, at most `limit`, to the last white space where there is one.

    Example:
        >>> cut_head("a good film", 8)
        'a good'
    """
    if len(text) <= limit:
        return text
    pieces = text[:limit].rsplit(maxsplit=1)
    return text[: text.rfind(pieces[-1], 0, limit)].rstrip() if len(pieces) > 1 else text[:limit]


def cut_tail(text: str, limit: int) -> str:
    """The last characters of a text, at most `limit`, from the first white space where there is one.

    Example:
        >>> cut_tail("a good film", 7)
        ' film'
    """
    if len(text) <= limit:
        return text
    tail = text[-limit:]
    first = tail.split(maxsplit=1)
    return tail[len(tail) - len(tail.lstrip()) + len(first[0]) :] if len(first) > 1 else tail


def _content_budget(max_length: int, special: int) -> int:
    """The tokens of text that fit beside the special tokens."""
    if max_length <= special:
        raise UsageError(
            f"max_length = {max_length} leaves no room for text beside {special} special tokens; "
            f"give at least {special + 1}"
        )
    return max_length - special
