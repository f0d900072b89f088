"""What the tests of training share: reviews of the tiny checkpoints' words, loops over them, runs of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import tiny

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore
    from tunebook.models.load import Encoder
    from tunebook.steering import Control
    from tunebook.train import Loop

GOOD = ("great!", "fine, I guess", "worth 20 dollars", ":) lovely")
CONTRACT = (
    "model.safetensors",
    "metrics.jsonl",
    "trained.json",
    "predictions.parquet",
    "result.json",
    "run.json",
)
"""The files of a run that are functions of its identity and environment, byte for byte."""


def is_good(text: str) -> bool:
    """What the reviews of `CORPUS` are labelled by: their last words."""
    return text.endswith(GOOD)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_reviews(path: Path) -> Path:
    """The corpus as a CSV file: 252 texts in `body`, `good` or `bad` in `stars`."""
    return write_csv(
        path, ["body", "stars"], [(text, "good" if is_good(text) else "bad") for text in tiny.CORPUS]
    )


def spec_values(
    checkpoint: Path | str,
    file: Path,
    *,
    method: Any = "full",
    seed: int = 0,
    columns: Any = None,
    **train: Any,
) -> dict[str, Any]:
    """A run's specification on an own file: one epoch of seven steps unless `train` says otherwise."""
    settings = {"epochs": 1, "min_steps": 0, "precision": "float32", "max_length": 32, **train}
    dataset = {"path": str(file), "text": ["body"], "label": "stars", **(columns or {})}
    return {
        "checkpoint": str(checkpoint),
        "dataset": dataset,
        "method": method,
        "seed": seed,
        "train": settings,
    }


def contract(folder: Path) -> dict[str, bytes]:
    """The bytes of the files that a run's identity and environment decide."""
    return {name: (folder / name).read_bytes() for name in CONTRACT}


def load_encoder(
    folder: Path, *, label_names: tuple[str, ...] = ("bad", "good"), **dropout: float
) -> Encoder:
    """A checkpoint's folder in memory, its new weights drawn with seed 0."""
    import torch

    from tunebook.models import load, resolve

    torch.manual_seed(0)
    return load.load(resolve.resolve(str(folder)), label_names=label_names, **dropout)


def tokens(encoder: Encoder, texts: Sequence[Any], *, max_length: int = 32, long: str = "head") -> TokenStore:
    from tunebook.data.tokens import after, tokenise_now

    store = tokenise_now(texts, encoder.tokenizer.backend_tokenizer, max_length=max_length, long=long)
    return after(encoder.virtual_ids, store)


def build_loop(
    encoder: Encoder,
    folder: Path,
    *,
    texts: Sequence[Any] = tuple(tiny.CORPUS),
    labels: Sequence[float] | None = None,
    validation: Sequence[int] = (),
    label_names: tuple[str, ...] = ("bad", "good"),
    method: str = "full",
    method_settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    long: str = "head",
    control: Control | None = None,
    **train: Any,
) -> Loop:
    """A loop over some texts, which are good or bad unless `labels` says; `validation` are indices of texts."""
    import numpy as np

    from tunebook import methods, paths
    from tunebook.environment import hardware
    from tunebook.spec import TrainSpec
    from tunebook.steering import Control
    from tunebook.train import Labelled, Loop

    given = [int(is_good(text)) for text in texts] if labels is None else labels
    values = np.array(given, np.int64 if label_names else np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    values_of_method = methods.method(method).settings(**(method_settings or {})).model_dump()
    recipe = methods.apply(method, values_of_method, encoder, seed=seed)
    held = [texts[index] for index in validation]
    settings = TrainSpec(**{"min_steps": 0, "epochs": 1, "precision": "float32", **train})
    chosen = hardware("cpu", settings.precision)
    path = paths.choose(encoder, chosen, padding=settings.padding)
    by_phase = [
        paths.keeping_features(path, encoder, chosen, trains=phase.learning_rates) for phase in recipe.phases
    ]
    return Loop(
        encoder,
        recipe,
        by_phase,
        Labelled(tokens(encoder, texts, long=long), values),
        Labelled(tokens(encoder, held, long=long), values[list(validation)]) if held else None,
        settings=settings,
        seed=seed,
        label_names=label_names,
        hardware=chosen,
        folder=folder,
        control=control or Control(),
    )
