"""How many texts are longer than a checkpoint takes, by its own tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunebook.data.dataset import Dataset, Split
from tunebook.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

USUAL_LIMIT = 512
"""The most tokens that a run takes of a text where nothing else is said."""
_CHUNK_TEXTS = 4096


def truncation(dataset: Dataset, checkpoint: str, *, max_length: int | None = None) -> dict[str, Any]:
    """By split, how many rows have more tokens than `max_length`, special ones counted (else as many as a run takes).

    Raises:
        UsageError: there is no such checkpoint here, or `max_length` is more than it has positions for.
        IntegrityError: its files are damaged.
    """
    from transformers import AutoConfig

    from tunebook.data.windows import bare_copy
    from tunebook.models.load import load_tokenizer, token_limit
    from tunebook.models.resolve import resolve

    found = resolve(checkpoint)
    whole = load_tokenizer(found.folder)
    longest = token_limit(AutoConfig.from_pretrained(found.folder, local_files_only=True), whole)
    if max_length is not None and not 1 <= max_length <= longest:
        raise UsageError(
            f"max_length is {max_length}, but {checkpoint} has positions for 1 to {longest} tokens"
        )
    limit = max_length or min(USUAL_LIMIT, longest)
    tokenizer = bare_copy(whole.backend_tokenizer)
    return {
        "checkpoint": found.name,
        "max_length": limit,
        "splits": {
            name: {"rows": _over(split, tokenizer, limit), "of": len(split)}
            for name, split in dataset.splits.items()
        },
    }


def _over(split: Split, tokenizer: Tokenizer, limit: int) -> int:
    """How many rows have more than `limit` tokens.

    A text of more words than that surely has; one of fewer bytes than that, special tokens allowed for, surely has not.
    """
    over = 0
    for start in range(0, len(split), _CHUNK_TEXTS):
        texts = split.texts().slice(start, _CHUNK_TEXTS).to_pylist()
        pairs = split.pairs()
        second = [None] * len(texts) if pairs is None else pairs.slice(start, _CHUNK_TEXTS).to_pylist()
        unsure: list[Any] = []
        for text, pair in zip(texts, second, strict=True):
            whole = text if pair is None else f"{text} {pair}"
            if len(whole.split()) > limit:
                over += 1
            elif len(whole.encode()) + 8 > limit:
                unsure.append(text if pair is None else (text, pair))
        over += sum(len(one.ids) > limit for one in tokenizer.encode_batch(unsure)) if unsure else 0
    return over
