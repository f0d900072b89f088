"""What a snapshot holds of the tensors: what trains of the model, and the states of what trains it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tunebook import optim
from tunebook.book import folder as book_folder
from tunebook.methods import Recipe
from tunebook.models import adapter
from tunebook.models.load import Encoder
from tunebook.models.resolve import Checkpoint

_TRAINED = "trained.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_COMPANION = "companion.safetensors"


def is_whole(encoder: Encoder, recipe: Recipe) -> bool:
    """Whether everything trains: then a model is stored as `from_pretrained` reads it, else what trains alone."""
    return recipe.adapter is None and recipe.trained_names.issuperset(encoder.parameter_names)


def write(folder: Path, encoder: Encoder, recipe: Recipe, optimizer: torch.optim.Optimizer) -> None:
    """Write weights, tokenizer and states; safetensors and JSON, never a pickle."""
    from safetensors.torch import save_file

    if is_whole(encoder, recipe):
        encoder.model.save_pretrained(folder)
        encoder.tokenizer.save_pretrained(folder)
    else:
        save_file(_trained(encoder, recipe), folder / _TRAINED)
    save_file(optim.state(optimizer), folder / _OPTIMIZER)
    if recipe.companion is not None:
        save_file(recipe.companion.state(), folder / _COMPANION)


def write_finished(
    folder: Path, encoder: Encoder, recipe: Recipe, checkpoint: Checkpoint, method: Mapping[str, Any]
) -> Path:
    """Write what a run learned, and the tokenizer; the file that holds it.

    That is the whole model as `from_pretrained` reads it, or what is apart from the `checkpoint` that `method` (its
    name and settings) was used on.
    """
    encoder.tokenizer.save_pretrained(folder)
    if is_whole(encoder, recipe):
        encoder.model.save_pretrained(folder)
        return folder / book_folder.WHOLE
    used = recipe.adapter or adapter.Adapter()
    adapter.write(folder, encoder, used, recipe.trained_names, checkpoint=checkpoint, method=method)
    return folder / adapter.WEIGHTS


def read_weights(snapshot: Path, model: Any) -> None:
    """Put a snapshot's weights into the model; what it does not hold never changed."""
    from safetensors.torch import load_file

    if (snapshot / book_folder.WHOLE).is_file():
        model.load_state_dict(load_file(snapshot / book_folder.WHOLE))
    else:
        adapter.fill(model, load_file(snapshot / _TRAINED))


def read_states(snapshot: Path, recipe: Recipe, optimizer: torch.optim.Optimizer) -> None:
    """Put a snapshot's moments into the optimiser, and what the companion remembers into that."""
    from safetensors.torch import load_file

    optim.restore(optimizer, load_file(snapshot / _OPTIMIZER))
    if recipe.companion is not None:
        recipe.companion.restore(load_file(snapshot / _COMPANION))


def _trained(encoder: Encoder, recipe: Recipe) -> dict[str, torch.Tensor]:
    return {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in encoder.model.named_parameters()
        if name in recipe.trained_names
    }
