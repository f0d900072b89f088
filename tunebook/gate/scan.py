"""One look at every text of a split, chunk by chunk: lengths, keys, signatures, and what its characters are like."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunebook.data.dataset import Split
from tunebook.data.normal import as_keys, normalise
from tunebook.gate import decoding
from tunebook.gate.shingles import Signatures, signatures

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHUNK_ROWS = 16_384
_BETWEEN_PAIR = "\x1f"
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class Scanned:
    """What was seen of each row of a split, `(rows,)` each: `characters` and `words` of the text as it is (both of a
    pair together), `normal_characters` of the normalised one, `keys` that are equal where normalised texts are,
    `hashes` that are where texts are equal as they stand (in this process alone); `signatures` for near duplicates;
    and the numbers of `wordless` and of oddly decoded rows."""

    characters: Array
    words: Array
    normal_characters: Array
    keys: Array
    hashes: Array
    signatures: Signatures
    wordless: list[int]
    decoding: dict[str, list[int]]

    def __len__(self) -> int:
        return len(self.keys)


def scan(split: Split) -> Scanned:
    """Look at every text of a split once; memory is about 130 bytes a row."""
    import numpy as np

    numbers: list[Array] = []
    keys, hashes, marks = [], [], []
    wordless: list[int] = []
    odd: dict[str, list[int]] = {kind: [] for kind in decoding.KINDS}
    done = 0
    for chunk in _chunks(split):
        normal = [_joined(text, pair) for text, pair in chunk]
        numbers.append(np.array([_lengths(*texts) for texts in chunk], np.int64))
        keys.append(as_keys([hashlib.blake2b(one.encode(), digest_size=8).digest() for one in normal]))
        hashes.append(np.fromiter(map(hash, chunk), np.int64, len(chunk)))
        marks.append((signatures(normal), np.fromiter(map(len, normal), np.int64, len(normal))))
        for row, (text, pair) in enumerate(chunk, start=done):
            whole = text if pair is None else f"{text}\n{pair}"
            for kind in decoding.kinds(whole):
                odd[kind].append(row)
            if not _WORD.search(whole):
                wordless.append(row)
        done += len(chunk)
    table = np.concatenate(numbers)
    signed = Signatures.joined([one for one, _ in marks])
    lengths = np.concatenate([length for _, length in marks])
    return Scanned(
        table[:, 0], table[:, 1], lengths, np.concatenate(keys), np.concatenate(hashes), signed, wordless, odd
    )


def normal_texts(split: Split, rows: Array) -> list[str]:
    """The normalised texts of some rows, `(rows,)`; those of a pair are one."""
    table = split.table.take(rows)
    texts = table["text"].to_pylist()
    pairs = table["pair"].to_pylist() if split.pairs() is not None else [None] * len(texts)
    return [_joined(text, pair) for text, pair in zip(texts, pairs, strict=True)]


def _chunks(split: Split) -> Iterator[list[tuple[str, str | None]]]:
    """The texts and second texts of a split, a chunk of rows in memory at a time."""
    for start in range(0, len(split), _CHUNK_ROWS):
        texts = split.texts().slice(start, _CHUNK_ROWS).to_pylist()
        pairs = split.pairs()
        second = [None] * len(texts) if pairs is None else pairs.slice(start, _CHUNK_ROWS).to_pylist()
        yield list(zip(texts, second, strict=True))


def _joined(text: str, pair: str | None) -> str:
    """What of a text or a pair is compared; equal where `data.normal.text_key` is."""
    return normalise(text) if pair is None else f"{normalise(text)}{_BETWEEN_PAIR}{normalise(pair)}"


def _lengths(text: str, pair: str | None) -> tuple[int, int]:
    if pair is None:
        return len(text), len(text.split())
    return len(text) + len(pair), len(text.split()) + len(pair.split())
