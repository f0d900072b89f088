"""How far fine-tuning moved an encoder: its weights, and what it makes of texts, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tunebook.stats.checked import finite

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import ArrayLike

Pooling = Literal["mean", "first"]
_LAYER = re.compile(r"(?:^|\.)(?:layer|layers|albert_layers)\.(\d+)\.")
_EMBEDDING = re.compile(r"(?:^|\.)embeddings\.")

# --- representations ----------------------------------------------------------------------------------------


def cka(first: ArrayLike, second: ArrayLike, *, is_debiased: bool = False) -> float | None:
    """How alike two representations of the same texts are, `(texts, width)` each: 1 if turning one gives the other.

    Widths may differ. It is linear: what a rotation, a shift or one factor for all does is not seen, and
    what a few directions of large variance do is seen most. The plain value is too high where texts are few for the
    width: independent noise of width d on n texts gives about d / (n + d), so that 1,000 texts and 768 dimensions look
    alike by 0.4. `is_debiased` takes that off: noise is 0 on average, and a value may be a little below. None where a
    representation does not vary.

    Source: Kornblith et al. 2019, Similarity of neural network representations revisited, arXiv 1905.00414, equations 3
    to 5; without bias by the estimator of Song et al. 2012, Feature selection via dependence maximization, equation 5.

    Raises:
        ValueError: the texts are not the same number or fewer than 2 (4 without bias), or a value is NaN or infinite.

    Example:
        >>> cka([[0, 1], [1, 0], [2, 2]], [[0, 10], [10, 0], [20, 20]])
        1.0
    """
    least = 4 if is_debiased else 2
    one, other = (
        finite(values, "representations", axes=("texts", "width"), least=(least, 1))
        for values in (first, second)
    )
    if len(one) != len(other):
        raise ValueError(f"representations are of {len(one)} and {len(other)} texts, expected the same")
    one, other = _centred(one), _centred(other)
    together, alone = (_debiased if is_debiased else _shared)(one, other)
    if not min(alone) > 0:
        return None
    return float(together / (alone[0] * alone[1]) ** 0.5)


def _centred(values: np.ndarray) -> np.ndarray:
    """Less its mean and of size 1, `(texts, width)`; what only rounding tells from a constant is 0."""
    import numpy as np

    rest = values - values.mean(axis=0)
    size, before = float(np.linalg.norm(rest)), float(np.linalg.norm(values))
    return rest / size if size > 1e-12 * before else np.zeros_like(rest)


def _shared(one: np.ndarray, other: np.ndarray) -> tuple[float, tuple[float, float]]:
    """The similarity of centred representations and of each with itself, in whichever form is smaller."""
    import numpy as np

    if len(one) > max(one.shape[1], other.shape[1]):
        products = (other.T @ one, one.T @ one, other.T @ other)
        crossed, first, second = (float(np.square(product).sum()) for product in products)
    else:
        grams = (one @ one.T, other @ other.T)
        crossed = float((grams[0] * grams[1]).sum())
        first, second = (float(np.square(gram).sum()) for gram in grams)
    return crossed, (first, second)


def _debiased(one: np.ndarray, other: np.ndarray) -> tuple[float, tuple[float, float]]:
    import numpy as np

    grams = [values @ values.T for values in (one, other)]
    for gram in grams:
        np.fill_diagonal(gram, 0)
    count = len(one)

    def shared(first: np.ndarray, second: np.ndarray) -> float:
        sums = first.sum(axis=0), second.sum(axis=0)
        both = sums[0].sum() * sums[1].sum() / ((count - 1) * (count - 2))
        return float((first * second).sum() + both - 2 * (sums[0] @ sums[1]) / (count - 2))

    return shared(*grams), (shared(grams[0], grams[0]), shared(grams[1], grams[1]))


def representations(
    model: Any,
    texts: Sequence[str],
    tokenizer: Any,
    *,
    pooling: Pooling = "mean",
    max_length: int | None = None,
    batch_size: int = 32,
) -> list[np.ndarray]:
    """What each layer makes of each text, `(texts, width)` float64 each: layer 0 is the embeddings, then every layer.

    `model` is an encoder of `transformers`, with or without a head, as it is: with an adapter in it, a prefix, or
    virtual tokens. `pooling` is the mean over a text's tokens, its special ones included and padding and virtual
    tokens not, or its `first` token. Virtual tokens push a text to later positions, so that layer 0 moves too. Texts
    longer than `max_length` tokens (what the encoder can read, where it is not given) are cut. The model is left as it
    was, in training or not.

    Raises:
        ValueError: there is no text, or `pooling` is another word.
    """
    import numpy as np
    import torch

    from tunebook.models.embedding import virtual_ids
    from tunebook.models.load import token_limit

    if not texts or pooling not in ("mean", "first"):
        raise ValueError(f"got {len(texts)} texts and pooling {pooling!r}, expected texts, and mean or first")
    virtual = virtual_ids(model)
    longest = token_limit(model.config, tokenizer) - len(virtual)
    longest = min(longest, max_length or longest)
    found, was_training = [], model.training
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(texts), batch_size):
                inputs = _inputs(tokenizer, texts[start : start + batch_size], longest, virtual, model.device)
                states = model.base_model(**inputs, output_hidden_states=True).hidden_states
                mask = inputs["attention_mask"].clone()
                mask[:, : len(virtual)] = 0
                found.append([_pooled(state, mask, pooling, len(virtual)) for state in states])
    finally:
        model.train(was_training)
    return [np.concatenate(layer) for layer in zip(*found, strict=True)]


def _inputs(
    tokenizer: Any, texts: Sequence[str], longest: int, virtual: tuple[int, ...], device: Any
) -> dict[str, torch.Tensor]:
    """A padded batch, with a method's virtual tokens before every text."""
    import torch

    made = tokenizer(
        list(texts),
        padding=True,
        padding_side="right",
        truncation=True,
        max_length=longest,
        return_tensors="pt",
    )
    before = {
        "input_ids": torch.tensor(virtual, dtype=torch.long),
        "attention_mask": torch.ones(len(virtual)),
    }
    inputs = {}
    for name, values in made.items():
        start = before.get(name, torch.zeros(len(virtual))).to(values.dtype)
        inputs[name] = torch.cat([start.expand(len(values), -1), values], dim=1).to(device)
    return inputs


def _pooled(state: torch.Tensor, mask: torch.Tensor, pooling: Pooling, start: int) -> np.ndarray:
    """One vector a text, `(texts, width)`, of states `(texts, tokens, width)`."""
    values = state.double()
    if pooling == "first":
        values = values[:, start]
    else:
        weights = mask.to(values)[..., None]
        values = (values * weights).sum(dim=1) / weights.sum(dim=1)
    pooled: np.ndarray = values.cpu().numpy()
    return pooled


def layers(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """How alike each `layer` is in a model before and after: `cka`, and `cka_debiased` of 4 texts on.

    Either is what `representations` gives of the same texts, `(texts, width)` for each layer; 0 is the embeddings.

    Raises:
        ValueError: layers are not as many, texts are not as many or fewer than 2, or a value is NaN or infinite.
    """
    return [
        {
            "layer": number,
            "cka": cka(one, other),
            "cka_debiased": cka(one, other, is_debiased=True) if len(one) >= 4 else None,
        }
        for number, (one, other) in enumerate(zip(before, after, strict=True))
    ]


# --- weights ------------------------------------------------------------------------------------------------


def weights(
    start: Mapping[str, torch.Tensor], now: Mapping[str, torch.Tensor]
) -> dict[str, dict[str, float | int | None]]:
    """How far weights moved, by part of the model, from two mappings of names to tensors of any shape.

    Parts are `embeddings`, `layer 1` and so on (the layer that makes representation 1), `rest` (head, pooler, final
    norms) and `all`. Each has `relative`, the distance over the size at the start, ||now - start|| / ||start|| by
    Frobenius (None where that was 0), `distance`, and how many `weights` it has. Only what is in both under one
    name and shape is compared.

    A method that leaves the weights and adds to them has to be folded first (`Adapter.fold`), or nothing seems to
    move; what stands beside a text, such as a prefix, is in no weight, and shows in `layers` alone.

    Raises:
        ValueError: no tensor is in both.
    """
    sums: dict[str, list[float]] = {}
    for name, tensor in start.items():
        other = now.get(name)
        if other is None or other.shape != tensor.shape or not tensor.is_floating_point():
            continue
        before, after = tensor.detach().cpu().double(), other.detach().cpu().double()
        moved = (float((after - before).square().sum()), float(before.square().sum()), before.numel())
        for part in (_part(name), "all"):
            sums[part] = [held + more for held, more in zip(sums.get(part, [0, 0, 0]), moved, strict=True)]
    if not sums:
        raise ValueError(f"no tensor is in both: one has {list(start)[:3]}, the other {list(now)[:3]}")
    return {
        part: {
            "relative": (moved / size) ** 0.5 if size else None,
            "distance": moved**0.5,
            "weights": int(count),
        }
        for part, (moved, size, count) in sorted(sums.items(), key=lambda item: _order(item[0]))
    }


def _part(name: str) -> str:
    if match := _LAYER.search(name):
        return f"layer {int(match.group(1)) + 1}"
    return "embeddings" if _EMBEDDING.search(name) else "rest"


def _order(part: str) -> tuple[int, int]:
    places = ("embeddings", "layer", "rest", "all")
    kind, _, number = part.partition(" ")
    return places.index(kind), int(number or 0)
