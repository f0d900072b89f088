"""How far fine-tuning moved the models of a row from their checkpoint, and what of plain text they forgot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tunebook import finished
from tunebook.behaviour import drift, forgetting
from tunebook.book import folder as book_folder
from tunebook.models import resolve

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tunebook.behaviour.asking import Respondent
    from tunebook.models.resolve import Checkpoint

Told = dict[str, Any]
_FEWEST = 4
"""Of fewer texts the likeness of layers cannot be told."""


def of_row(asked: Sequence[Respondent], texts: Sequence[str]) -> Iterator[tuple[str, Told]]:
    """`moved` for each layer of a row's models, and `forgetting` where the checkpoint can tell, over seeds.

    Of a layer: `cka` and `cka_debiased` of what it makes of `texts` before and after, `relative`, how far its weights
    moved over their size, each a mean over seeds; None where nothing can be said, as of weights beside which a method
    puts others that cannot be folded in. Layer 0 is the embeddings.

    Raises:
        UsageError: a run kept no weights, or its checkpoint is not on this machine.
        IntegrityError: weights are not the ones that were sealed.
    """
    checkpoint = resolve.resolve(book_folder.read_json(asked[0].folder / "run.json")["spec"]["checkpoint"])
    found = [_one(one, checkpoint, tuple(texts) if len(texts) >= _FEWEST else ()) for one in asked]
    for number in range(_layers(found)):
        layers = [one["layers"][number] if one["layers"] else {} for one in found]
        part = f"layer {number}" if number else "embeddings"
        relative = [one["weights"].get(part, {}).get("relative") for one in found]
        yield (
            "moved",
            {
                "layer": number,
                **{key: _mean([layer.get(key) for layer in layers]) for key in ("cka", "cka_debiased")},
                "relative": _mean(relative),
            },
        )
    forgot = [one["forgetting"] for one in found if one["forgetting"]]
    if forgot:
        yield "forgetting", {key: _mean([one[key] for one in forgot]) for key in forgot[0]}


def _layers(found: Sequence[Told]) -> int:
    """How many layers can be spoken of, the embeddings among them; by weights alone where there were too few texts."""
    layers, parts = found[0]["layers"], found[0]["weights"]
    return len(layers) or (1 + sum(part.startswith("layer ") for part in parts) if parts else 0)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) and known else None


def _one(respondent: Respondent, checkpoint: Checkpoint, texts: tuple[str, ...]) -> Told:
    predictor = respondent.predictor
    start, before = _start(checkpoint, texts, predictor.max_length)
    layers = []
    if texts:
        after = drift.representations(
            predictor.encoder.model, texts, predictor.encoder.tokenizer, max_length=predictor.max_length
        )
        layers = drift.layers(before, after)
    now = _plain_weights(respondent.folder)
    return {
        "layers": layers,
        "weights": drift.weights(start, now) if now else {},
        "forgetting": forgetting.delta(checkpoint.folder, now)
        if now and forgetting.has_head(checkpoint.folder)
        else None,
    }


@lru_cache(maxsize=4)
def _start(
    checkpoint: Checkpoint, texts: tuple[str, ...], max_length: int
) -> tuple[Mapping[str, torch.Tensor], list[np.ndarray]]:
    """The checkpoint's own parameters by name, and what its layers make of the texts."""
    from tunebook.models.load import load

    encoder = load(checkpoint, label_names=("0", "1"))  # the head is none of what is compared
    states = (
        drift.representations(encoder.model, texts, encoder.tokenizer, max_length=max_length) if texts else []
    )
    return dict(encoder.model.named_parameters()), states


def _plain_weights(folder: Path) -> Mapping[str, torch.Tensor] | None:
    """The parameters of a finished run by name, with all that it learned in them; None where they cannot hold it."""
    encoder, recipe = finished.load(folder)
    model = encoder.model
    if recipe is not None and recipe.adapter is not None:
        if recipe.adapter.reason is not None:
            return None
        model = recipe.adapter.fold(model)
    return dict(model.named_parameters())
