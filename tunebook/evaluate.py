"""Predict the texts of a split: logits per text, in the split's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tunebook.data import batches
from tunebook.environment import Hardware

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore

BATCH_TEXTS = 64


def logits_of(model: Any, padded: batches.Padded, hardware: Hardware, num_texts: int) -> torch.Tensor:
    """Float32 logits of shape `(num_texts, outputs)`; the logits of a text's windows are averaged."""
    inputs = {
        "input_ids": torch.from_numpy(padded.input_ids).to(hardware.device),
        "attention_mask": torch.from_numpy(padded.attention_mask).to(hardware.device),
    }
    if padded.type_ids is not None:
        inputs["token_type_ids"] = torch.from_numpy(padded.type_ids).to(hardware.device)
    with hardware.autocast():
        logits: torch.Tensor = model(**inputs).logits
    logits = logits.float()
    if len(padded.owners) == num_texts:
        return logits
    owners = torch.from_numpy(padded.owners).to(hardware.device)
    sums = torch.zeros(num_texts, logits.shape[1], device=logits.device).index_add(0, owners, logits)
    return sums / torch.bincount(owners, minlength=num_texts)[:, None]


def predict(model: Any, store: TokenStore, hardware: Hardware, *, pad_id: int, max_tokens: int) -> np.ndarray:
    """Float32 logits of shape `(texts, outputs)` for a whole token store, dropout off.

    Texts run in batches of similar length of at most `max_tokens` padded tokens, and come back in order. Which
    texts share a batch is a function of the lengths alone.
    """
    was_training = model.training
    model.eval()
    order = np.argsort(-store.widths, kind="stable")
    answers: list[np.ndarray] = []
    with torch.inference_mode():
        for start in range(0, len(order), BATCH_TEXTS):
            for texts in batches.micro_batches(order[start : start + BATCH_TEXTS], store, max_tokens=max_tokens):
                padded = batches.pad(texts, store, pad_id=pad_id)
                answers.append(logits_of(model, padded, hardware, len(texts)).cpu().numpy())
    model.train(was_training)
    restored = np.empty((len(order), answers[0].shape[1]), np.float32)
    restored[order] = np.concatenate(answers)
    return restored
