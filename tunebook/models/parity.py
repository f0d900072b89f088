"""Whether a model computes packed what it computes padded: tried, never assumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tunebook.models.embedding import virtual_ids
from tunebook.models.packing import lay_out
from tunebook.models.stack import Stack

LOGITS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
_LENGTHS = (24, 17, 9, 4, 2, 1)
_BEYOND_WINDOW = 8

Outcome = tuple[torch.Tensor, dict[str, torch.Tensor]]


def packed_fault(stack: Stack, *, pad_id: int, longest: int, with_gradients: bool = True) -> str | None:
    """Why a model cannot be computed packed, or None where it can: in float32, without dropout.

    Six texts of 1 to 24 tokens, one longer than the model's local window where it has one, none longer than
    `longest`, are computed both ways. Logits must agree within 1e-5 (relative where they are large) and, unless
    the model is only to predict, the gradient of every parameter within 1e-4 of its size.
    """

    def difference() -> str | None:
        texts = _texts(stack.model, pad_id, longest)
        padded = _outcome(stack.model, _padded(stack, texts, pad_id), with_gradients)
        packed = _outcome(stack.model, _packed(stack, texts), with_gradients)
        return _between(packed, padded, "packed", "padded")

    return _tried(stack, difference, "it cannot be called packed")


def features_fault(stack: Stack, *, pad_id: int, longest: int) -> str | None:
    """Why the head cannot be computed from what `Stack.read_padded` says that it reads, or None where it can."""

    def difference() -> str | None:
        inputs = _inputs(_texts(stack.model, pad_id, longest), stack.model.config, pad_id)
        with torch.no_grad():
            whole = stack.model(**inputs).logits
            from_features = stack.head(stack.read_padded(**inputs))
        return _between((from_features, {}), (whole, {}), "kept", "whole")

    return _tried(stack, difference, "its head cannot be called apart")


def _tried(stack: Stack, difference: Callable[[], str | None], failure: str) -> str | None:
    """What a comparison finds, with dropout off; whatever is raised on the way is a finding too."""
    model, was_training = stack.model, stack.model.training
    model.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            return difference()
    except Exception as error:  # a family that was never seen fails in ways that nobody can name
        return f"{failure} ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    finally:
        model.train(was_training)


def _between(found: Outcome, wanted: Outcome, here: str, there: str) -> str | None:
    allowed = LOGITS_TOLERANCE * max(1.0, float(wanted[0].abs().max()))
    error = float((found[0] - wanted[0]).abs().max())
    if not error <= allowed:
        return f"its {here} logits differ from the {there} ones by {error:.1e}, allowed is {allowed:.1e}"
    total = float(sum(float(gradient.norm()) ** 2 for gradient in wanted[1].values()) ** 0.5)
    for name, gradient in wanted[1].items():
        # A bias of the keys has a gradient of zero but for rounding: errors count against the whole as well.
        allowed = GRADIENT_TOLERANCE * (float(gradient.norm()) + 1e-3 * total)
        error = float((found[1].get(name, torch.zeros(())) - gradient).norm())
        if not error <= allowed:
            return (
                f"the gradient of {name} differs {here} from {there} by {error:.1e}, allowed is {allowed:.1e}"
            )
    return None


def _texts(model: Any, pad_id: int, longest: int) -> list[np.ndarray]:
    """Token ids of a few texts, the same every time, longest first, without padding, after virtual ones if any."""
    config, virtual = model.config, virtual_ids(model)
    window = getattr(config, "sliding_window", None) or 0
    lengths = sorted((*_LENGTHS, *([window + _BEYOND_WINDOW] if window else [])), reverse=True)
    allowed = np.setdiff1d(np.arange(config.vocab_size), [pad_id])
    generator = np.random.default_rng(0)
    texts = [generator.choice(allowed, min(length, longest)) for length in lengths]
    return [np.concatenate([virtual, text]).astype(np.int64) for text in texts]


def _types(config: Any, text: np.ndarray) -> np.ndarray:
    """Types of a text's tokens, as of a pair: its second half is another text where the model tells them apart."""
    kinds = getattr(config, "type_vocab_size", None) or 0
    return (np.arange(len(text)) >= len(text) // 2).astype(np.int64) * (kinds > 1)


def _inputs(texts: list[np.ndarray], config: Any, pad_id: int) -> dict[str, torch.Tensor]:
    """The texts as a padded rectangle, `(texts, longest)` each."""
    ids = np.full((len(texts), len(texts[0])), pad_id)
    types = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        types[row, : len(text)] = _types(config, text)
    mask = np.arange(ids.shape[1]) < np.array([[len(text)] for text in texts])
    inputs = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
    if types.any():
        inputs["token_type_ids"] = types
    return {name: torch.from_numpy(value) for name, value in inputs.items()}


def _padded(stack: Stack, texts: list[np.ndarray], pad_id: int) -> torch.Tensor:
    logits: torch.Tensor = stack.model(**_inputs(texts, stack.model.config, pad_id)).logits
    return logits


def _packed(stack: Stack, texts: list[np.ndarray]) -> torch.Tensor:
    layout = lay_out(np.array([len(text) for text in texts]))
    size = len(layout.positions)
    ids = np.resize(np.concatenate(texts), size)
    types = np.resize(np.concatenate([_types(stack.model.config, text) for text in texts]), size)
    return stack.logits(torch.from_numpy(ids), torch.from_numpy(types) if types.any() else None, layout)


def _outcome(model: Any, logits: torch.Tensor, with_gradients: bool) -> Outcome:
    """Logits, and the gradients of a loss that weighs each of them differently."""
    if not with_gradients:
        return logits.detach(), {}
    weights = torch.linspace(-1, 1, logits.numel()).view(logits.shape)
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    gradients = torch.autograd.grad((logits * weights).sum(), list(parameters.values()), allow_unused=True)
    found = zip(parameters, gradients, strict=True)
    return logits.detach(), {name: gradient for name, gradient in found if gradient is not None}
