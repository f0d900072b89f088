"""Every declared experiment can be planned, and those of four families run, end to end, on tiny twins of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.cli.calls import here
from tests.data import owners
from tunebook import data, grid, spec, toml_file

FILES = sorted((Path(__file__).parent.parent / "experiments").glob("*.toml"))
FAMILIES = {
    "roberta-base": "roberta",
    "deberta-v3-base": "deberta-v2",
    "bert-base-uncased": "bert",
    "distilbert-base-uncased": "distilbert",
}
METHODS = ("full", "lora", "prefix_tuning", "bitfit")
DATASETS = ("sentiment140", "sst2", "imdb", "amazon_polarity")
KEY_BIASES = ("key.bias", "key_proj.bias", "k_lin.bias")
"""They add the same to all scores of a query, of which a softmax takes no notice: their gradient is rounding alone."""
SMALL = (
    "seeds=1",
    "baselines=false",
    "train.epochs=1",
    "train.min_steps=3",
    "train.batch_size=16",
    "train.max_length=32",
    "train.eval_steps=100",
    "train.precision=float32",
)
"""All that a twin is declared otherwise, `train_size` apart: 60 texts at most, validation at the end alone, and the
precision that is the fastest on matrices this small."""


def declared(file: Path, *overrides: str) -> grid.Experiment:
    values = toml_file.override(toml_file.parse(toml_file.read(file), str(file)), overrides)
    if overrides:
        values["datasets"] = [_few(dataset) for dataset in values["datasets"]]
    return grid.experiment(values, str(file))


def _few(dataset: Any) -> Any:
    return {**dataset, "train_size": 24} if isinstance(dataset, dict) and "train_size" in dataset else dataset


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_it_can_be_planned_without_weights_and_data(file: Path, book_root: Path) -> None:
    done = here("plan", file, "--json")
    assert done.code == 0, done.err
    experiment, planned = declared(file), done.json
    assert planned["question"] == experiment.question and experiment.question.endswith("?")
    trials = [row for row in planned["runs"] if row["purpose"] == "tune"]
    assert len(planned["runs"]) - len(trials) == len(experiment.runs())
    assert bool(trials) if experiment.tune else len(experiment.runs()) > experiment.size
    for row in planned["runs"]:
        assert row["status"] == ("planned" if row["run"] else "identity pending")
        assert ("error" in row) == (row["run"] is None)
        assert row["checkpoint"] and row["dataset"] and row["method"] and row["seed"] is not None


# --- the twins ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four datasets as their owners distribute them, 60 texts each at most."""
    folder = tmp_path_factory.mktemp("data")
    for name in DATASETS:
        owners.WRITERS[name](folder / name)
    return folder


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny checkpoints in folders named as the four that they stand for."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, family in FAMILIES.items():
        tiny.build_checkpoint(folder / name, family)
    return folder


@pytest.mark.parametrize("checkpoint", FAMILIES)
def test_the_grid_is_whole(checkpoint: str) -> None:
    runs = [run for run in declared(_file(checkpoint)).runs() if run.checkpoint != spec.NO_CHECKPOINT]
    found = {(run.checkpoint, run.dataset.name, run.method.name, run.seed) for run in runs}
    expected = {
        (checkpoint, name, method, seed) for name in DATASETS for method in METHODS for seed in range(3)
    }
    assert found == expected and len(runs) == 48


def _file(checkpoint: str) -> Path:
    return next(file for file in FILES if file.stem == f"{checkpoint}-methods")


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("checkpoint", FAMILIES)
def test_a_twin_of_each_cell_runs(
    checkpoint: str,
    method: str,
    dataset: str,
    twins: Path,
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from tunebook import finished, flow, methods
    from tunebook.book import open_book
    from tunebook.book.predictions import read_predictions
    from tunebook.prepare import prepare
    from tunebook.steering import Control

    monkeypatch.setenv("TUNEBOOK_CHECKPOINTS", str(twins))
    monkeypatch.setenv("TUNEBOOK_DATA", str(tiny_data))
    (run,) = [
        run
        for run in declared(_file(checkpoint), *SMALL).runs()
        if (run.method.name, run.dataset.name) == (method, dataset)
    ]
    book = open_book(tmp_path / "book")
    prepared = prepare(run, book)

    result = flow.run(prepared, book, flow.Options(device="cpu"), Control())

    assert flow.book_folder.status(prepared.folder) == "finished" and result["steps"] >= 3
    test = data.load(run.dataset.source()).splits["test"]
    ids, labels, logits = read_predictions(prepared.folder / "predictions.parquet")["test"]
    assert list(ids) == list(test.ids) and labels.tolist() == test.labels.tolist()
    assert logits.shape == (len(test), 2) and np.isfinite(logits).all()

    base = flow.load_encoder(prepared)
    recipe = methods.apply(method, run.method.settings, base, seed=run.seed)
    trained = dict(finished.load(prepared.folder)[0].model.named_parameters())
    before = dict(base.model.named_parameters())
    assert trained.keys() == before.keys()
    changed = {name for name, value in trained.items() if not torch.equal(value, before[name])}
    assert changed <= recipe.trained_names
    unchanged = recipe.trained_names - changed
    assert not {name for name in unchanged if not name.endswith(KEY_BIASES)}
