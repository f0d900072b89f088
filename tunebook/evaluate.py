"""Predict the texts of a split: logits per text, in the split's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from tunebook.environment import Hardware

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore
    from tunebook.paths import Path

CHUNK_TEXTS = 1024


def predict(
    path: Path,
    store: TokenStore,
    hardware: Hardware,
    *,
    max_tokens: int,
    texts: np.ndarray | None = None,
    between: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Float32 logits of shape `(texts, outputs)` for a token store, or some of its texts, dropout off.

    Texts run in passes of similar length of at most `max_tokens` tokens, and come back in order. Which texts share
    a pass is a function of the lengths alone. `between` is called between passes and may raise.
    """
    wanted = np.arange(len(store)) if texts is None else texts
    order = wanted[np.argsort(-store.widths[wanted], kind="stable")]
    model = path.stack.model
    was_training = model.training
    model.eval()
    groups: list[np.ndarray] = []
    answers: list[np.ndarray] = []
    with torch.inference_mode(), hardware.autocast():
        for start in range(0, len(order), CHUNK_TEXTS):
            for group in path.passes(order[start : start + CHUNK_TEXTS], store, max_tokens=max_tokens):
                between()
                groups.append(group)
                answers.append(path.logits(path.load(group, store)).cpu().numpy())
    model.train(was_training)
    places = np.empty(len(store), np.int64)
    places[np.concatenate(groups)] = np.arange(len(order))
    return np.concatenate(answers)[places[wanted]]
