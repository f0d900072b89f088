"""Texts tokenised once, in parallel, into memory-mapped arrays: training reads ids, never strings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.cache import ensure
from tunebook.data.dataset import Split
from tunebook.data.windows import LONG, Cutter, PairCutter, Tokenised
from tunebook.durable import canonical_json, write_json
from tunebook.errors import UsageError
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
    """The token ids of a split's texts, memory-mapped from a folder.

    A text is one window, or several under `long="windows"`; the ids of all windows stand one after another.
    """

    folder: Path

    @cached_property
    def meta(self) -> dict[str, Any]:
        """What was counted: texts, windows, cut texts, tokens, longest window; and the settings."""
        return dict(json.loads((self.folder / "meta.json").read_text()))

    @cached_property
    def ids(self) -> Array:
        """All windows' token ids, special tokens included, `(tokens,)`, uint16 or int32."""
        return self._array("ids")

    @cached_property
    def offsets(self) -> Array:
        """Where each window begins in `ids`, and the end, `(windows + 1,)`, int64."""
        return self._array("offsets")

    @cached_property
    def first_window(self) -> Array:
        """The first window of each text, and the end, `(texts + 1,)`, int64."""
        return self._array("first_window")

    @cached_property
    def type_ids(self) -> Array | None:
        """Which of a pair's texts a token is of, `(tokens,)`, uint8; None where that is not told."""
        return self._array("type_ids") if "type_ids" in self.meta["dtypes"] else None

    @cached_property
    def lengths(self) -> Array:
        """Tokens of each window, `(windows,)`, int64."""
        import numpy as np

        return np.diff(self.offsets)

    @property
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

    def _array(self, name: str) -> Array:
        import numpy as np

        return np.memmap(self.folder / f"{name}.bin", dtype=self.meta["dtypes"][name], mode="r")


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
    """
    lookup(LONG, long, "way with long texts")
    settings = {"max_length": max_length, "long": long, "tokenizer": tokenizer_hash, "version": STORE_VERSION}
    key = hashlib.sha256(canonical_json({**settings, "split": split.fingerprint}).encode()).hexdigest()
    place = cache / "tokens" / key[:32]
    chunks = _tokenised(split, tokenizer, max_length=max_length, long=long)
    is_small = tokenizer.get_vocab_size(with_added_tokens=True) <= 2**16
    writer = _Writer("uint16" if is_small else "int32", settings, texts=len(split), progress=progress)
    ensure(place, lambda folder: writer.write(chunks, folder))
    return TokenStore(place)


def _tokenised(split: Split, tokenizer: Tokenizer, *, max_length: int, long: str) -> Iterator[Tokenised]:
    """The split's texts in order, tokenised chunk by chunk."""
    pairs = split.pairs()
    if pairs is None:
        cutter = Cutter(tokenizer, max_length=max_length, long=long)
    elif long != "head":
        raise UsageError(f'long = "{long}" is not possible for pairs of texts; use long = "head"')
    else:
        pair_cutter = PairCutter(tokenizer, max_length=max_length)
    for start in range(0, len(split), _CHUNK_TEXTS):
        texts = split.texts().slice(start, _CHUNK_TEXTS).to_pylist()
        if pairs is None:
            yield cutter.cut(texts)
        else:
            yield pair_cutter.cut(list(zip(texts, pairs.slice(start, _CHUNK_TEXTS).to_pylist(), strict=True)))


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
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        offsets.tofile(folder / "offsets.bin")
        np.concatenate([[0], np.cumsum(windows)]).astype(np.int64).tofile(folder / "first_window.bin")
        counts = {
            "texts": len(windows),
            "windows": len(lengths),
            "cut": cut,
            "tokens": int(offsets[-1]),
            "longest": max(lengths),
        }
        write_json(folder / "meta.json", {**counts, **self._settings, "dtypes": dtypes})
