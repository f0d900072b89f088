"""Texts tokenised once, in parallel, into memory-mapped arrays: training reads ids, never strings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.cache import ensure
from tunebook.data.dataset import Split
from tunebook.data.windows import LONG, Cutter, PairCutter, Tokenised
from tunebook.durable import canonical_json, write_json
from tunebook.errors import DataRejected, UsageError
from tunebook.registry import lookup

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

    Array = np.ndarray[Any, Any]

STORE_VERSION = 1
_CHUNK_TEXTS = 4096

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TokenStore:
    """The token ids of a split's texts.

    A text is one window, or several under `long="windows"`; the ids of all windows stand one after another.
    `ids` has all windows' token ids, special tokens included, `(tokens,)`, uint16 or int32; `offsets` where
    each window begins in it, and the end, `(windows + 1,)`, int64; `first_window` the first window of each
    text, and the end, `(texts + 1,)`, int64; `type_ids` which of a pair's texts a token is of, `(tokens,)`,
    uint8, or None where the tokenizer does not tell. `meta` has the settings and what was counted: texts,
    windows, cut, tokens, longest.
    """

    ids: Array
    offsets: Array
    first_window: Array
    type_ids: Array | None
    meta: Mapping[str, Any]

    @cached_property
    def lengths(self) -> Array:
        """Tokens of each window, `(windows,)`, int64."""
        import numpy as np

        return np.diff(self.offsets)

    @cached_property
    def text_lengths(self) -> Array:
        """Tokens of each text, the sum of its windows, `(texts,)`, int64."""
        import numpy as np

        return np.diff(self.offsets[self.first_window])

    @cached_property
    def rows(self) -> Array:
        """Windows of each text, `(texts,)`, int64."""
        import numpy as np

        return np.diff(self.first_window)

    @cached_property
    def widths(self) -> Array:
        """Tokens of the longest window of each text, `(texts,)`, int64."""
        import numpy as np

        return np.maximum.reduceat(self.lengths, self.first_window[:-1])

    def __len__(self) -> int:
        return int(self.meta["texts"])

    def window(self, index: int) -> Array:
        """The token ids of a window, `(its tokens,)`."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]


def after(virtual_ids: Sequence[int], store: TokenStore) -> TokenStore:
    """The store with some ids before each of its windows, of type 0; the store itself where there are none."""
    import numpy as np

    count = len(virtual_ids)
    if not count:
        return store
    starts = store.offsets[:-1] + count * np.arange(len(store.lengths))
    places = np.repeat(starts - store.offsets[:-1] + count, store.lengths) + np.arange(len(store.ids))

    def spread(values: Array, dtype: Any) -> Array:
        found = np.zeros(len(values) + count * len(starts), dtype)
        found[places] = values
        return found

    ids = spread(store.ids, np.int32)
    ids[starts[:, None] + np.arange(count)] = virtual_ids
    type_ids = None if store.type_ids is None else spread(store.type_ids, np.uint8)
    offsets = store.offsets + count * np.arange(len(store.offsets))
    return TokenStore(ids, offsets, store.first_window, type_ids, store.meta)


def open_store(folder: Path) -> TokenStore:
    """The token store of a folder, its arrays memory-mapped."""
    import numpy as np

    meta = json.loads((folder / "meta.json").read_text())

    def mapped(name: str) -> Array:
        return np.memmap(folder / f"{name}.bin", dtype=meta["dtypes"][name], mode="r")

    type_ids = mapped("type_ids") if "type_ids" in meta["dtypes"] else None
    return TokenStore(mapped("ids"), mapped("offsets"), mapped("first_window"), type_ids, meta)


def tokenise(
    split: Split,
    tokenizer: Tokenizer,
    *,
    tokenizer_hash: str,
    max_length: int,
    long: str = "head",
    cache: Path,
    progress: Progress | None = None,
) -> TokenStore:
    """The token store of a split: from the cache, or tokenised now in parallel.

    `max_length` counts special tokens. What of a longer text is kept is said by `long`: `head` its beginning,
    `head+tail` both ends, `windows` up to 16 windows one after another. `progress(done, texts)` is called
    after each chunk. The tokenizer is copied: its truncation and padding settings neither matter nor change.

    Raises:
        UsageError: `long` is unknown or not possible for pairs, or `max_length` leaves no room for text.
        DataRejected: a text has no token.
    """
    settings = {
        "max_length": max_length,
        "long": long,
        "tokenizer": tokenizer_hash,
        "version": STORE_VERSION,
        "split": split.fingerprint,
    }
    key = hashlib.sha256(canonical_json(settings).encode()).hexdigest()
    place = cache / "tokens" / key[:32]
    writer = _Writer(_ids_dtype(tokenizer), settings, texts=len(split), progress=progress)

    def fill(folder: Path) -> None:
        cut = _cutter(tokenizer, is_pair=split.pairs() is not None, max_length=max_length, long=long)
        writer.write(_tokenised(split, cut), folder)

    ensure(place, fill)
    return open_store(place)


def tokenise_now(
    texts: Sequence[str] | Sequence[Sequence[str]],
    tokenizer: Tokenizer,
    *,
    max_length: int,
    long: str = "head",
) -> TokenStore:
    """A token store of some texts, or of pairs of texts, in memory alone.

    Raises:
        UsageError: as `tokenise` does; also where there is no text.
        DataRejected: as `tokenise` does.

    Example:
        >>> from tokenizers import Tokenizer, models
        >>> words = Tokenizer(models.WordLevel({"good": 0, "bad": 1}, unk_token="bad"))
        >>> tokenise_now(["good", "bad"], words, max_length=4).ids.tolist()
        [0, 1]
    """
    import numpy as np

    if not texts:
        raise UsageError("there is no text to tokenise; give at least one")
    cut = _cutter(tokenizer, is_pair=not isinstance(texts[0], str), max_length=max_length, long=long)
    found = cut([text if isinstance(text, str) else tuple(text) for text in texts])
    _require_tokens(found, texts, first=0)
    type_ids = np.array(found.type_ids, dtype=np.uint8) if any(found.type_ids) else None
    offsets, first_window = _ends(found.lengths), _ends(found.windows)
    meta = {**_counts(found.lengths, found.windows, found.cut), "max_length": max_length, "long": long}
    return TokenStore(np.array(found.ids, dtype=_ids_dtype(tokenizer)), offsets, first_window, type_ids, meta)


Cut = Callable[[Any], Tokenised]


def _cutter(tokenizer: Tokenizer, *, is_pair: bool, max_length: int, long: str) -> Cut:
    """What tokenises a chunk of texts, or of pairs."""
    lookup(LONG, long, "way with long texts")
    if not is_pair:
        return Cutter(tokenizer, max_length=max_length, long=long).cut
    if long != "head":
        raise UsageError(f'long = "{long}" is not possible for pairs of texts; use long = "head"')
    return PairCutter(tokenizer, max_length=max_length).cut


def _tokenised(split: Split, cut: Cut) -> Iterator[Tokenised]:
    """The split's texts in order, tokenised chunk by chunk."""
    pairs = split.pairs()
    for start in range(0, len(split), _CHUNK_TEXTS):
        texts = split.texts().slice(start, _CHUNK_TEXTS).to_pylist()
        if pairs is not None:
            texts = list(zip(texts, pairs.slice(start, _CHUNK_TEXTS).to_pylist(), strict=True))
        found = cut(texts)
        _require_tokens(found, texts, first=start)
        yield found


def _require_tokens(found: Tokenised, texts: Sequence[Any], *, first: int) -> None:
    """Refuse a text without a single token: there is nothing to attend to, and nothing for a head to read.

    Raises:
        DataRejected: there is one; `first` is the number of the first text.
    """
    if min(found.lengths) > 0:
        return
    window = found.lengths.index(0)
    text = next(index for index, end in enumerate(accumulate(found.windows)) if window < end)
    raise DataRejected(
        f"text {first + text + 1}, {texts[text]!r:.60}, has no token: the tokenizer drops all of it and puts none "
        "around it; remove the text, or take a checkpoint whose tokenizer frames its texts"
    )


def _ids_dtype(tokenizer: Tokenizer) -> str:
    return "uint16" if tokenizer.get_vocab_size(with_added_tokens=True) <= 2**16 else "int32"


def _ends(sizes: Sequence[int]) -> Array:
    """Where each piece begins when they stand one after another, and the end."""
    import numpy as np

    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _counts(lengths: Sequence[int], windows: Sequence[int], cut: int) -> dict[str, int]:
    return {
        "texts": len(windows),
        "windows": len(lengths),
        "cut": cut,
        "tokens": sum(lengths),
        "longest": max(lengths),
    }


class _Writer:
    """Writes a token store, chunk after chunk, with the counts in `meta.json`."""

    def __init__(
        self, ids_dtype: str, settings: dict[str, Any], *, texts: int, progress: Progress | None
    ) -> None:
        self._ids_dtype = ids_dtype
        self._settings = settings
        self._texts = texts
        self._progress = progress

    def write(self, chunks: Iterator[Tokenised], folder: Path) -> None:
        import numpy as np

        lengths: list[int] = []
        windows: list[int] = []
        cut = 0
        has_types = False
        with (folder / "ids.bin").open("wb") as ids_file, (folder / "type_ids.bin").open("wb") as types_file:
            for chunk in chunks:
                ids_file.write(np.array(chunk.ids, dtype=self._ids_dtype).tobytes())
                types_file.write(bytes(chunk.type_ids))
                has_types = has_types or any(chunk.type_ids)
                lengths += chunk.lengths
                windows += chunk.windows
                cut += chunk.cut
                if self._progress is not None:
                    self._progress(len(windows), self._texts)
        dtypes = {"ids": self._ids_dtype, "offsets": "int64", "first_window": "int64"}
        if has_types:
            dtypes["type_ids"] = "uint8"
        else:
            (folder / "type_ids.bin").unlink()
        _ends(lengths).tofile(folder / "offsets.bin")
        _ends(windows).tofile(folder / "first_window.bin")
        counts = _counts(lengths, windows, cut)
        write_json(folder / "meta.json", {**counts, **self._settings, "dtypes": dtypes})
