"""Predict the texts of a split: logits per text, in the split's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tunebook.data import batches
from tunebook.environment import Hardware

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore

BATCH_TEXTS = 64


def logits_of(model: Any, padded: batches.Padded, device: torch.device, num_texts: int) -> torch.Tensor:
    """Float32 logits of shape `(num_texts, outputs)`; the logits of a text's windows are averaged."""
    inputs = {
        "input_ids": torch.from_numpy(padded.input_ids).to(device),
        "attention_mask": torch.from_numpy(padded.attention_mask).to(device),
    }
    if padded.type_ids is not None:
        inputs["token_type_ids"] = torch.from_numpy(padded.type_ids).to(device)
    logits: torch.Tensor = model(**inputs).logits.float()
    if len(padded.owners) == num_texts:
        return logits
    owners = torch.from_numpy(padded.owners).to(device)
    sums = torch.zeros(num_texts, logits.shape[1], device=logits.device).index_add(0, owners, logits)
    return sums / torch.bincount(owners, minlength=num_texts)[:, None]


def predict(
    model: Any,
    store: TokenStore,
    hardware: Hardware,
    *,
    pad_id: int,
    max_tokens: int,
    texts: np.ndarray | None = None,
    between: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Float32 logits of shape `(texts, outputs)` for a token store, or some of its texts, dropout off.

    Texts run in batches of similar length of at most `max_tokens` padded tokens, and come back in order. Which
    texts share a batch is a function of the lengths alone. `between` is called between batches and may raise.
    """
    was_training = model.training
    model.eval()
    wanted = np.arange(len(store)) if texts is None else texts
    order = np.argsort(-store.widths[wanted], kind="stable")
    answers: list[np.ndarray] = []
    with torch.inference_mode(), hardware.autocast():
        for start in range(0, len(order), BATCH_TEXTS):
            between()
            some = wanted[order[start : start + BATCH_TEXTS]]
            for group in batches.micro_batches(some, store, max_tokens=max_tokens):
                padded = batches.pad(group, store, pad_id=pad_id)
                answers.append(logits_of(model, padded, hardware.device, len(group)).cpu().numpy())
    model.train(was_training)
    restored = np.empty((len(order), answers[0].shape[1]), np.float32)
    restored[order] = np.concatenate(answers)
    return restored
