"""What a checkpoint, as it is, makes of each text of a split: a vector, for models that are fitted on top of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunebook.data.dataset import Split

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_TOKENS = 128
_TOKENS_AT_ONCE = 8192


def features(
    split: Split, checkpoint: str, *, progress: Callable[[int, int], None] = lambda done, of: None
) -> Array:
    """The mean of the last layer over a text's first 128 tokens, of length 1, `(rows, width)`, float32. The
    checkpoint is not trained, and dropout is off. `progress` is called with the rows that are done, and all.

    Raises:
        UsageError: there is no such checkpoint here.
        IntegrityError: its files are damaged.

    Source: Reimers and Gurevych 2019, Sentence-BERT, EMNLP, section 3 (mean pooling).
    """
    import numpy as np
    import torch

    from tunebook.models.load import load
    from tunebook.models.resolve import resolve

    encoder = load(resolve(checkpoint), label_names=("", " "))
    model = encoder.model.base_model.eval()
    limit = min(_MOST_TOKENS, encoder.longest)
    texts = split.texts().to_pylist()
    pairs = split.pairs()
    given = texts if pairs is None else list(zip(texts, pairs.to_pylist(), strict=True))
    order = sorted(range(len(given)), key=lambda row: -len(texts[row]))
    found: Array | None = None
    done = 0
    with torch.inference_mode():
        while done < len(order):
            longest = min(
                limit, len(texts[order[done]]) // 2 + 8
            )  # a guess that only sets the size of the pass
            rows = order[done : done + max(1, _TOKENS_AT_ONCE // longest)]
            tokens = encoder.tokenizer(
                [given[row] for row in rows],
                truncation=True,
                max_length=limit,
                padding=True,
                return_tensors="pt",
            )
            states = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None]
            means = (states * mask).sum(1) / mask.sum(1)
            if found is None:
                found = np.zeros((len(order), means.shape[1]), np.float32)
            found[rows] = torch.nn.functional.normalize(means, dim=1).numpy()
            done += len(rows)
            progress(done, len(order))
    assert found is not None
    return found
