"""What the tests of methods share: every (method, family) cell, a task that each can learn, and its run, made once."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import tiny
from tests.training import spec_values, write_csv
from tunebook import methods

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tunebook.book import Book
    from tunebook.models.load import Encoder
    from tunebook.prepare import Prepared

    Tensors = dict[str, torch.Tensor]

FAMILIES = tuple(tiny.FAMILIES)
METHODS = tuple(sorted(row.name for row in methods.rows().values() if row.needs_checkpoint))
REFUSED = {
    ("bitfit", "modernbert"): "has no biases in its encoder",
    ("top_layers", "albert"): "share their parameters, none can train alone",
}
CELLS = [cell for cell in itertools.product(METHODS, FAMILIES) if cell not in REFUSED]

PEFTS = ("adalora", "dora", "ia3", "layer_norm", "lora", "p_tuning", "prompt_tuning", "rslora", "vera")
"""Methods whose files `PeftModel.from_pretrained` reads."""
OWN_FILES = ("bitfit", "bottleneck_adapter", "linear_probe", "prefix_tuning", "top_layers")
WHOLE = ("full", "layerwise_decay", "lp_ft")
UNFOLDABLE = {
    "bottleneck_adapter": "a bottleneck is not linear",
    "p_tuning": "its virtual tokens are in the input, not in a weight",
    "prefix_tuning": "its keys and values stand beside those of a text, not in a weight",
    "prompt_tuning": "its virtual tokens are in the input, not in a weight",
}

SETTINGS: dict[str, dict[str, Any]] = {
    "adalora": {"learning_rate": 3e-2, "start_rank": 4, "rank": 2, "every": 2},
    "bitfit": {"learning_rate": 3e-2, "head_learning_rate": 3e-2},
    "bottleneck_adapter": {"learning_rate": 1e-2, "size": 8},
    "dora": {"learning_rate": 2e-2, "rank": 4},
    "full": {"learning_rate": 3e-3},
    "ia3": {"learning_rate": 5e-2, "head_learning_rate": 3e-2},
    "layer_norm": {"learning_rate": 3e-2, "head_learning_rate": 3e-2},
    "layerwise_decay": {"learning_rate": 5e-3, "decay": 0.8},
    "linear_probe": {"learning_rate": 5e-2},
    "lora": {"learning_rate": 2e-2, "rank": 4},
    "lp_ft": {"learning_rate": 3e-3, "probe_learning_rate": 3e-2},
    "p_tuning": {"learning_rate": 1e-2, "length": 3, "hidden": 16},
    "prefix_tuning": {"learning_rate": 5e-2, "head_learning_rate": 3e-2, "length": 3},
    "prompt_tuning": {"learning_rate": 3e-2, "head_learning_rate": 3e-2, "length": 3},
    "rslora": {"learning_rate": 1e-2, "rank": 6, "alpha": 6},
    "top_layers": {"learning_rate": 5e-3, "layers": 1},
    "vera": {"learning_rate": 3e-2, "head_learning_rate": 3e-2, "rank": 8},
}
"""Few steps want large rates, tiny encoders small adapters."""
CALMER = {"modernbert": 0.3}
"""Factors on the rates: a head with a dense layer and a norm jumps about at those that heads of one layer want."""
STEPS = 36
GAIN = 8
"""How much larger the weights are than a tiny checkpoint's, to whose head all texts look the same."""

GOOD, BAD = ("great", "lovely", "fine"), ("boring", "terrible", "weather")


def settings(method: str, family: str) -> dict[str, Any]:
    """A method's settings that learn the task on a family within `STEPS`."""
    factor = CALMER.get(family, 1.0)
    return {
        name: value * factor if name.endswith("learning_rate") else value
        for name, value in SETTINGS[method].items()
    }


def write_task(folder: Path) -> None:
    """Texts of good words or of bad ones: `train.csv` has each word once in a text, `test.csv` and, with longer texts,
    `validation.csv` have words twice."""
    texts: dict[str, list[tuple[str, str]]] = {"train": [], "test": [], "validation": []}
    for words, label in ((GOOD, "good"), (BAD, "bad")):
        for count in (2, 3):
            for drawn in itertools.product(words, repeat=count):
                is_train = len(set(drawn)) == count
                texts["train" if is_train else "test"].append((" ".join(drawn), label))
        longer = list(itertools.product(words, repeat=4))[::9]
        texts["validation"] += [(" ".join(drawn), label) for drawn in longer]
    for split, rows in texts.items():
        write_csv(folder / f"{split}.csv", ["body", "stars"], rows)


def build_checkpoint(folder: Path, family: str, *, seed: int = 0) -> Path:
    """A tiny checkpoint as encoders are published, without a head; its weights are large enough to tell texts apart."""
    from safetensors.torch import load_file, save_file

    tiny.build_checkpoint(folder, family, seed=seed)
    kept = {
        name: tensor * GAIN if tensor.ndim > 1 else tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
        if name.startswith(f"{base_prefix(folder)}.")
    }
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    return folder


def base_prefix(folder: Path) -> str:
    """What the names of a checkpoint's encoder begin with."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    return str(AutoModelForSequenceClassification._model_mapping[type(config)].base_model_prefix)


def prepared(
    checkpoint: Path, task: Path, book: Book, *, method: dict[str, Any], seed: int = 0, **train: Any
) -> Prepared:
    """A run of a method on the task, with a test split and no validation: the last step's weights are the run's."""
    from tunebook import spec
    from tunebook.prepare import prepare

    settings = {
        "min_steps": STEPS,
        "batch_size": 24,
        "weight_decay": 0.0,
        "dropout": 0.0,
        "attention_dropout": 0.0,
    }
    columns = {"validation": "none", "test": str(task / "test.csv")}
    values = spec_values(
        checkpoint, task / "train.csv", method=method, seed=seed, columns=columns, **(settings | train)
    )
    return prepare(spec.run_spec(values, "the test"), book)


@dataclass(frozen=True)
class Ran:
    """A run of a cell, trained under the eyes of the tests, then finished by `flow.run`, which resumed it.

    `loaded` are the tensors of the checkpoint in memory, `begun` those with the method in it, `ended` those after the
    last step; parameters and buffers by name.
    """

    method: str
    family: str
    prepared: Prepared
    recipe: methods.Recipe
    encoder: Encoder
    loaded: Tensors
    begun: Tensors
    ended: Tensors
    first: np.ndarray
    """Logits of the training texts before the first step, `(texts, 2)`."""
    accuracy: float
    """Share of the training texts that are answered right after the last step."""

    @property
    def folder(self) -> Path:
        return self.prepared.folder

    def logits(self) -> np.ndarray:
        """What the run answered for its test split, `(texts, 2)`."""
        from tunebook.book.predictions import read_predictions

        return read_predictions(self.folder / "predictions.parquet")["test"][2]

    def test_texts(self) -> list[str]:
        found: list[str] = self.prepared.dataset.splits["test"].texts().to_pylist()
        return found


def train(method: str, family: str, run: Prepared, book: Book) -> Ran:
    """Train a run as `flow.run` does, look at its tensors, and let `flow.run` resume and seal it."""
    from tunebook import environment, flow
    from tunebook.steering import Control

    encoder = flow.load_encoder(run)
    loaded = tensors(encoder.model)
    run.folder.mkdir(parents=True)
    hardware = environment.hardware("cpu", "float32")
    loop = flow.build_loop(run, book, encoder, hardware, Control())
    begun, first = tensors(encoder.model), loop.predict(loop.train.store)
    loop.run()
    ended = tensors(encoder.model)
    right = loop.predict(loop.train.store).argmax(1) == loop.train.labels
    flow.run(run, book, flow.Options(device="cpu"), Control())
    return Ran(method, family, run, loop.recipe, encoder, loaded, begun, ended, first, float(right.mean()))


def tensors(model: Any) -> Tensors:
    """Copies of a model's parameters and buffers, by name."""
    found = itertools.chain(model.named_parameters(), model.named_buffers())
    return {name: value.detach().clone() for name, value in found}


def stock_logits(model: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """What a plain model answers to padded texts, `(texts, outputs)`, as everybody calls it."""
    import torch

    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits: torch.Tensor = model.eval()(**inputs).logits
    return logits.numpy()


def answer(folder: Path) -> None:
    """In a fresh process: load each run that `runs.json` names, and leave its logits for its texts as `<run>.npy`."""
    import numpy as np

    from tunebook import evaluate, predict
    from tunebook.data.tokens import after, tokenise_now

    asked = json.loads((folder / "runs.json").read_text())
    for name, path in asked["runs"].items():
        predictor = predict.load(Path(path), device="cpu")
        backend = predictor.encoder.tokenizer.backend_tokenizer
        store = tokenise_now(asked["texts"], backend, max_length=predictor.max_length, long=predictor.long)
        store = after(predictor.encoder.virtual_ids, store)
        logits = evaluate.predict(predictor.path, store, predictor.hardware, max_tokens=4096)
        np.save(folder / f"{name}.npy", logits)
