"""What a snapshot holds of the tensors: the model as `from_pretrained` reads it, and the optimiser's moments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tunebook import optim
from tunebook.models.load import Encoder

_OPTIMIZER = "optimizer.safetensors"


def write(folder: Path, encoder: Encoder, optimizer: torch.optim.Optimizer) -> None:
    """Write weights, configuration, tokenizer and the optimiser's state; safetensors and JSON, never a pickle."""
    from safetensors.torch import save_file

    encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    save_file(optim.state(optimizer), folder / _OPTIMIZER)


def read_weights(snapshot: Path, model: Any) -> None:
    """Put a snapshot's weights into the model."""
    from safetensors.torch import load_file

    model.load_state_dict(load_file(snapshot / "model.safetensors"))


def read_optimizer(snapshot: Path, optimizer: torch.optim.Optimizer) -> None:
    """Put a snapshot's moments into the optimiser."""
    from safetensors.torch import load_file

    optim.restore(optimizer, load_file(snapshot / _OPTIMIZER))
