"""Training is sealed before a label of test is read: those labels change nothing of what was trained."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.training import contract, is_good, spec_values, write_csv
from tunebook import durable, flow, spec
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.predictions import read_predictions
from tunebook.errors import IntegrityError, Interrupted
from tunebook.flow import Options
from tunebook.prepare import Prepared, prepare
from tunebook.steering import Control

Values = dict[str, Any]
BASELINE = {"checkpoint": "none", "method": "majority"}

pytestmark = pytest.mark.usefixtures("one_thread")


def reviews(path: Path, swapped: set[str]) -> Path:
    """The corpus as a file, with the other label for some of its texts."""
    rows = [(text, "good" if is_good(text) != (text in swapped) else "bad") for text in tiny.CORPUS]
    return write_csv(path, ["body", "stars"], rows)


def prepared(values: Values, root: Path) -> Prepared:
    return prepare(spec.run_spec(values, "the test"), Book(root / "book"))


def finished(values: Values, root: Path) -> Path:
    """The folder of a run that was trained to its end."""
    run = prepared(values, root)
    flow.run(run, Book(root / "book"), Options(device="cpu"), Control())
    return run.folder


def killed_after_sealing(values: Values, root: Path) -> Path:
    """The folder of a run that was stopped while it predicted, its training sealed."""
    run = prepared(values, root)
    is_sealed = (run.folder / book_folder.TRAINED).exists
    with pytest.raises(Interrupted, match="predicting"):
        flow.run(
            run,
            Book(root / "book"),
            Options(device="cpu"),
            Control(stop=lambda: signal.SIGINT if is_sealed() else None),
        )
    assert is_sealed() and not (run.folder / book_folder.RESULT).exists()
    return run.folder


@pytest.fixture
def values(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> Values:
    return spec_values(tiny_checkpoint("bert"), reviews(tmp_path / "reviews.csv", set()))


def trained_bytes(folder: Path) -> list[bytes]:
    """Every byte that training left: weights, log, and what it sealed."""
    weights = book_folder.weights_file(folder)
    assert weights is not None
    return [path.read_bytes() for path in (weights, folder / "metrics.jsonl", folder / book_folder.TRAINED)]


@pytest.mark.parametrize("method", ["full", "linear_probe"])
def test_other_labels_in_test_change_nothing_that_is_trained(
    method: str, values: Values, tmp_path: Path
) -> None:
    values = {**values, "method": method}
    texts = {
        name: set(split.texts().to_pylist())
        for name, split in prepared(values, tmp_path).dataset.splits.items()
    }
    folders = {"none": finished(values, tmp_path)}
    for name in ("test", "train"):
        file = reviews(tmp_path / f"{name}-swapped.csv", texts[name])
        table = {**values["dataset"], "path": str(file)}
        folders[name] = finished({**values, "dataset": table}, tmp_path)

    assert trained_bytes(folders["test"]) == trained_bytes(folders["none"])
    assert all(
        ours != theirs
        for ours, theirs in zip(trained_bytes(folders["train"]), trained_bytes(folders["none"]), strict=True)
    ), "labels that are trained on do change it"

    plain, swapped = (read_predictions(folders[name] / "predictions.parquet") for name in ("none", "test"))
    for split in ("validation", "test"):
        assert swapped[split][0] == plain[split][0] and (swapped[split][2] == plain[split][2]).all()
    assert (swapped["validation"][1] == plain["validation"][1]).all()
    assert (swapped["test"][1] == 1 - plain["test"][1]).all()
    ours, theirs = (json.loads((folders[name] / "result.json").read_bytes()) for name in ("none", "test"))
    assert ours["metrics"]["validation"] == theirs["metrics"]["validation"]
    assert ours["metrics"]["test"]["accuracy"] == pytest.approx(1 - theirs["metrics"]["test"]["accuracy"])


def test_a_result_repeats_what_was_sealed(values: Values, tmp_path: Path) -> None:
    folder = finished(values, tmp_path)
    sealed = durable.read_json(folder / book_folder.TRAINED)
    result = durable.read_json(folder / "result.json")
    assert {key: result[key] for key in sealed} == sealed
    assert set(result) - set(sealed) == {"run", "metrics", "examples", "cut_texts"}
    assert {"weights_sha256", "optimizer_sha256", "steps", "best_step", "selected_on"} <= set(sealed)


def test_a_baseline_is_sealed_too(values: Values, tmp_path: Path) -> None:
    folder = finished({**values, **BASELINE}, tmp_path)
    assert durable.read_json(folder / book_folder.TRAINED)["weights_bytes"] == 0


# --- killed in between --------------------------------------------------------------------------------------


def test_killed_after_sealing_a_run_ends_with_the_same_bytes(values: Values, tmp_path: Path) -> None:
    folder = killed_after_sealing(values, tmp_path)
    sealed = (folder / book_folder.TRAINED).read_bytes()
    finished(values, tmp_path)
    assert contract(folder) == contract(finished(values, tmp_path / "undisturbed"))
    assert (folder / book_folder.TRAINED).read_bytes() == sealed


def test_what_was_sealed_is_not_sealed_otherwise(values: Values, tmp_path: Path) -> None:
    folder = killed_after_sealing(values, tmp_path)
    sealed = durable.read_json(folder / book_folder.TRAINED)
    durable.write_json(folder / book_folder.TRAINED, {**sealed, "best_step": 0})
    with pytest.raises(IntegrityError, match=r'"best_step":0.* but training came to .*--fresh'):
        finished(values, tmp_path)
    run = prepared(values, tmp_path)
    flow.run(run, Book(tmp_path / "book"), Options(device="cpu", fresh=True), Control())
    assert durable.read_json(folder / book_folder.TRAINED) == sealed


# --- trials -------------------------------------------------------------------------------------------------


def test_a_trial_trains_as_its_run_does_and_keeps_its_validation_alone(
    values: Values, tmp_path: Path
) -> None:
    run, trial = (finished({**values, "purpose": purpose}, tmp_path) for purpose in ("result", "tune"))
    for name in ("metrics.jsonl", book_folder.TRAINED):
        assert (trial / name).read_bytes() == (run / name).read_bytes()
    assert book_folder.weights_file(run) is not None and book_folder.weights_file(trial) is None
    result = durable.read_json(trial / "result.json")
    assert set(result["metrics"]) == {"validation"} and set(result["examples"]) == {"train", "validation"}
    assert set(read_predictions(trial / "predictions.parquet")) == {"validation"}
    assert book_folder.status(trial) == "finished"


def test_a_baseline_can_be_a_trial(values: Values, tmp_path: Path) -> None:
    folder = finished({**values, **BASELINE, "purpose": "tune"}, tmp_path)
    assert set(durable.read_json(folder / "result.json")["metrics"]) == {"validation"}
