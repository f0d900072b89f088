"""Predict the texts of a split: logits per text, in the split's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from tunebook.environment import Hardware
from tunebook.paths import Path, by_length

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore


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
    model = path.stack.model
    was_training = model.training
    model.eval()
    groups: list[np.ndarray] = []
    answers: list[np.ndarray] = []
    with torch.inference_mode(), hardware.autocast():
        for group in by_length(path, wanted, store, max_tokens=max_tokens):
            between()
            groups.append(group)
            answers.append(path.logits(path.load(group, store)).cpu().numpy())
    model.train(was_training)
    places = np.empty(len(store), np.int64)
    places[np.concatenate(groups)] = np.arange(len(wanted))
    return np.concatenate(answers)[places[wanted]]
