"""What a run sees of its data: labels that only the seal of its training opens, and the two splits of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunebook import data, durable, spec
from tunebook.book import folder as book_folder
from tunebook.book import open_book
from tunebook.errors import Failure, UsageError
from tunebook.prepare import Prepared, describe, prepare

POCKET = {"dataset": "pocket", "method": "majority", "checkpoint": "none"}
SEALED = "labels of test are sealed until training is"


def prepared(root: Path, **changes: Any) -> Prepared:
    return prepare(spec.run_spec({**POCKET, **changes}, "the test"), open_book(root))


def begun(root: Path, **changes: Any) -> Prepared:
    """A run with a folder, nothing in it."""
    found = prepared(root, **changes)
    durable.make_folder(found.folder)
    return found


# --- sealed labels ------------------------------------------------------------------------------------------


def test_labels_of_test_cannot_be_read(tmp_path: Path) -> None:
    whole = data.load(data.DataSource(name="pocket"))
    splits = prepared(tmp_path).dataset.splits
    assert list(splits) == ["train", "validation", "test"]
    for name, split in splits.items():
        assert split.fingerprint == whole.splits[name].fingerprint and split.ids == whole.splits[name].ids
        assert split.texts().equals(whole.splits[name].texts())
    assert (splits["validation"].labels == whole.splits["validation"].labels).all()
    with pytest.raises(Failure, match=SEALED):
        _ = splits["test"].labels


def test_no_column_of_the_table_has_them(tmp_path: Path) -> None:
    table = prepared(tmp_path).dataset.splits["test"].table
    assert table.column_names == ["id", "text", "group"]
    with pytest.raises(KeyError):
        table["label"]


def test_only_the_seal_of_its_own_training_opens_them(tmp_path: Path) -> None:
    run, other = begun(tmp_path), begun(tmp_path, seed=1)
    expected = data.load(data.DataSource(name="pocket")).splits["test"].labels
    with pytest.raises(Failure, match=f"{run.folder.name} is not sealed: it has no trained.json"):
        book_folder.Seal(run.folder)
    foreign = book_folder.seal_training(other.folder, {"steps": 1})
    for wrong in (foreign, None, run.folder):
        with pytest.raises(Failure, match=f"{SEALED}: expected the seal of {run.folder.name}, got "):
            run.labels("test", wrong)  # type: ignore[arg-type]
    seal = book_folder.seal_training(run.folder, {"steps": 1})
    assert (run.labels("test", seal) == expected).all()
    assert (run.labels("validation", seal) == run.dataset.splits["validation"].labels).all()


# --- what a run is made for ---------------------------------------------------------------------------------


def test_a_trial_has_no_split_to_be_judged_on(tmp_path: Path) -> None:
    run, trial = prepared(tmp_path), prepared(tmp_path, purpose="tune")
    assert list(trial.dataset.splits) == ["train", "validation"] and not trial.sealed
    splits = {name: run.identity["splits"][name] for name in ("train", "validation")}
    assert trial.identity == {**run.identity, "splits": splits, "purpose": "tune"}
    assert trial.run_id != run.run_id and trial.folder != run.folder
    assert describe(trial)["spec"]["purpose"] == "tune"


def test_tuning_needs_a_validation_split(tmp_path: Path) -> None:
    dataset = {"name": "pocket", "validation": "none"}
    assert set(prepared(tmp_path, dataset=dataset).dataset.splits) == {"train", "test"}
    with pytest.raises(UsageError, match="tuning needs a validation split to choose by, and pocket has none"):
        prepared(tmp_path, dataset=dataset, purpose="tune")


# --- what identifies a run ----------------------------------------------------------------------------------


def test_what_was_not_asked_for_is_not_in_an_identity(tmp_path: Path) -> None:
    """Runs keep the names that they had before there were trials and other cuts."""
    identity = prepared(tmp_path).identity
    assert set(identity) == {"checkpoint", "splits", "data", "method", "train", "seed", "loop"}
    assert set(identity["data"]) == {"task", "label_names", "train_size", "reader"}


def test_a_split_seed_is_part_of_an_identity(tmp_path: Path) -> None:
    usual, *cuts = (
        prepared(tmp_path, dataset={"name": "pocket", "split_seed": seed}) for seed in (None, 0, 1)
    )
    assert [cut.identity["data"]["split_seed"] for cut in cuts] == [0, 1]
    assert len({run.run_id for run in (usual, *cuts)}) == 3
    assert usual.run_id == prepared(tmp_path).run_id
    for wrong in (-1, 2**31):
        with pytest.raises(UsageError, match=r"dataset\.split_seed"):
            prepared(tmp_path, dataset={"name": "pocket", "split_seed": wrong})
