"""Open data as a whole: forged, foreign and edited files are found, though every page and digest was made anew."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.publish.made import TOML, book_of, published
from tunebook import data, durable
from tunebook.book import Book
from tunebook.book.folder import folder_name
from tunebook.publish import whole
from tunebook.publish.checked import split_name
from tunebook.publish.export import export, texts_of_datasets
from tunebook.publish.open_data import Published, file_bytes
from tunebook.spec import fingerprint


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Open data in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("original")
    published(book_of(folder / "book", tuned=True), folder / "data")
    return folder / "data"


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to forge."""
    return Path(shutil.copytree(original, tmp_path / "data"))


def found(folder: Path) -> list[str]:
    """Everything that is wrong with open data but for scores, in sentences."""
    read = Published(folder)
    faults = list(whole.faults(read))
    return [*faults, *(f"{name}: {why}" for name, why in read.faults.items())]


def one(folder: Path, kind: str, part: str = "") -> Path:
    return next(path for path in sorted((folder / kind).iterdir()) if part in path.name)


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_bytes())
    edit(value)
    path.write_bytes(file_bytes(value))


def test_what_is_published_is_whole(folder: Path) -> None:
    assert found(folder) == []


@pytest.mark.parametrize(
    "name",
    [
        "runs/notes.txt",
        "runs/.hidden",
        "more.json",
        "splits/deeper/x.json",
        "runs/a.JSON",
        "experiments/.gitkeep",
    ],
)
def test_foreign_files_are_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("{}")
    assert found(folder) == [f"{name} belongs to nothing that is published"]


def test_a_link_is_named_wherever_it_leads(folder: Path) -> None:
    path = one(folder, "runs")
    path.rename(folder.parent / "elsewhere.json")
    path.symlink_to(folder.parent / "elsewhere.json")
    assert found(folder) == [f"runs/{path.name} is a link; a catalogue has files alone"]


def test_examples_of_no_run_are_named(folder: Path) -> None:
    for path in (folder / "runs").iterdir():
        path.unlink()
    (fault,) = [fault for fault in found(folder) if "splits/" in fault]
    assert "belongs to no published run; `tunebook publish --prune` removes it" in fault


@pytest.mark.parametrize("kind", ["runs", "splits", "experiments"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "\n",
        lambda text: text.replace(",", ", ", 1),
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":")) + "\n",
        lambda text: text.replace("{", '{"schema":1,', 1),
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_an_edit_that_changes_no_value_is_seen(folder: Path, kind: str, edit: Callable[[str], str]) -> None:
    path = one(folder, kind)
    path.write_bytes(edit(path.read_bytes().decode()).encode())
    assert [fault for fault in found(folder) if fault.startswith(f"{kind}/{path.name} is not as Tunebook")]


# --- names ---------------------------------------------------------------------------------------------------------


def renamed(path: Path, checkpoint: str | None = None, dataset: str | None = None) -> Path:
    """A run that says to be of another checkpoint or dataset, under the name that goes with it."""
    value = json.loads(path.read_bytes())
    told = value["declared"]
    if checkpoint:
        told["checkpoint"]["name"] = told["spec"]["checkpoint"] = checkpoint
    if dataset:
        told["dataset"]["name"] = dataset
    value["name"] = folder_name(
        told["checkpoint"]["name"], told["spec"]["method"]["name"], told["dataset"]["name"],
        told["spec"]["seed"], told["run"],
    )  # fmt: skip
    new = path.with_name(f"{value['name']}.json")
    path.unlink()
    new.write_bytes(file_bytes(value))
    return new


def test_one_checkpoint_has_one_name(folder: Path) -> None:
    path = renamed(one(folder, "runs", "--full--"), checkpoint="bert-large-uncased")
    assert [fault for fault in found(folder) if fault.startswith("runs/")] == [
        f"runs/{path.name}: its checkpoint {hashlib.sha256(b'minilm-l6').hexdigest()[:12]} is called "
        "'bert-large-uncased', elsewhere 'minilm-l6'"
    ]


def test_a_checkpoint_is_the_one_that_was_asked_for(folder: Path) -> None:
    path = one(folder, "runs", "--full--")
    change(path, lambda value: value["declared"]["spec"].update(checkpoint="bert-large-uncased"))
    assert found(folder) == [
        f"runs/{path.name}: it was asked for with checkpoint 'bert-large-uncased', not with 'minilm-l6'"
    ]


def test_a_dataset_is_the_one_of_its_splits(folder: Path) -> None:
    path = renamed(one(folder, "runs", "--full--"), dataset="sst2")
    (fault,) = found(folder)
    assert fault.startswith(f"runs/{path.name}: its predictions on test are of 'reviews--test--")


def test_a_named_dataset_is_the_one_that_was_asked_for(folder: Path) -> None:
    path = one(folder, "runs", "--full--")
    change(path, lambda value: value["declared"]["spec"]["dataset"].update(name="sst2"))
    assert found(folder) == [f"runs/{path.name}: it was asked for on 'sst2', not on 'reviews'"]


@pytest.mark.parametrize("key", ["dataset", "split", "fingerprint"])
def test_a_split_lies_under_the_name_of_what_it_is(folder: Path, key: str) -> None:
    path = one(folder, "splits")
    change(path, lambda value: value.update({key: "other"}))
    assert f"splits/{path.name}: what it says of itself is called" in found(folder)[0]


def test_a_fingerprint_that_begins_alike_is_another(folder: Path) -> None:
    path = one(folder, "splits")
    change(path, lambda value: value.update(fingerprint=value["fingerprint"] + "0"))
    assert sum("its predictions on test are of" in fault for fault in found(folder)) == 11


def test_one_hash_has_one_name(folder: Path) -> None:
    path = one(folder, "runs", "--full--")
    copy = path.with_name("a-copy.json")
    shutil.copy(path, copy)
    change(copy, lambda value: value["declared"]["checkpoint"].update(name="a-minilm"))
    change(copy, lambda value: value["declared"]["spec"].update(checkpoint="a-minilm"))
    copy = renamed(copy)
    first, second = sorted([copy.name, path.name])
    assert f"runs/{second}: is the run of runs/{first} under another name" in found(folder)


def test_a_named_dataset_has_fingerprints_of_its_own(folder: Path) -> None:
    split = json.loads(one(folder, "splits").read_bytes())
    for name in ("sst2", "imdb"):
        path = folder / "splits" / f"{split_name(name, 'test', split['fingerprint'])}.json"
        path.write_bytes(file_bytes({**split, "dataset": name}))
    assert [fault for fault in found(folder) if "is that of a split of imdb" in fault]


def test_a_cost_is_numbers(folder: Path) -> None:
    path = one(folder, "runs")
    change(path, lambda value: value["cost"].update(train_seconds="<b>fast"))
    assert f"runs/{path.name}: its cost is not loader_share, peak_memory_bytes" in found(folder)[0]


# --- texts ---------------------------------------------------------------------------------------------------------


def test_texts_are_those_of_the_fingerprint_and_only_where_they_may_be(tmp_path: Path) -> None:
    split = data.load(data.DataSource(name="pocket")).splits["test"]
    examples = results.Examples(split.labels, split.labels * 0.0, prefix="pocket-test")
    told = results.declared(results.Run(examples=examples))
    told["spec"]["dataset"] = {**told["spec"]["dataset"], "name": "pocket", "path": None}
    told["dataset"]["name"] = "pocket"
    told["identity"]["splits"]["test"] = split.fingerprint
    told["run"] = fingerprint(told["identity"])
    book = Book(tmp_path / "book")
    run = results.finish(book, results.Run(examples=examples), told)
    logits = results.answers(examples, 1.0, 0)
    results.write_predictions(run / "predictions.parquet", {"test": (split.ids, split.labels, logits)})
    export(book, tmp_path / "data", texts=texts_of_datasets(is_all=False))
    path = one(tmp_path / "data", "splits")
    assert len(json.loads(path.read_bytes())["texts"]) == len(split) and found(tmp_path / "data") == []
    change(path, lambda value: value["texts"].__setitem__(0, "Buy this."))
    assert found(tmp_path / "data") == [
        f"splits/{path.name}: its fingerprint is not that of its ids, texts and labels"
    ]
    change(path, lambda value: value["texts"].pop())
    assert "its texts are not as many as its ids" in found(tmp_path / "data")[0]


def test_texts_that_may_not_be_shown_are_named(folder: Path) -> None:
    path = one(folder, "splits")
    change(path, lambda value: value.update(texts=value["ids"]))
    assert found(folder) == [f"splits/{path.name}: texts of reviews may not be shown"]


# --- experiments ---------------------------------------------------------------------------------------------------


def recorded(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """The experiment with another content, under the digest and the name that go with it."""
    path = one(folder, "experiments")
    value = json.loads(path.read_bytes())
    edit(value)
    asked = durable.canonical_json({"toml": value["toml"], "expansion": value["expansion"]})
    value["digest"] = hashlib.sha256(asked.encode()).hexdigest()[:12]
    path.unlink()
    new = path.with_name(f"{value['name']}--{value['digest']}.json")
    new.write_bytes(file_bytes(value))
    return new


def test_an_experiment_lies_under_its_digest(folder: Path) -> None:
    path = one(folder, "experiments")
    change(path, lambda value: value["expansion"].update(seeds=5))
    assert "is not that of its TOML and its expansion" in found(folder)[0]


def test_an_expansion_is_the_tomls(folder: Path) -> None:
    path = recorded(folder, lambda value: value["expansion"].update(seeds=5))
    assert found(folder) == [
        f"experiments/{path.name}: its expansion is not what its TOML expands to: seeds: 5 -> 3 (edited, run with "
        "--set, or by other defaults)"
    ]


def test_a_default_that_the_toml_does_not_say_is_compared_too(folder: Path) -> None:
    recorded(folder, lambda value: value["expansion"]["train"].update(epochs=1))
    faults = found(folder)
    assert "expands to: train.epochs: 1 -> 3" in faults[0]
    assert sum("is none of the runs that it expands to" in fault for fault in faults) == 9


def test_what_cannot_be_expanded_here_is_compared_as_it_stands(folder: Path) -> None:
    def elsewhere(value: dict[str, Any]) -> None:
        value["toml"] = TOML.replace("minilm-l6", "of-my-own")
        value["expansion"].update(checkpoints=["of-my-own"], seeds=2)

    assert "expands to: seeds: 2 -> 3" in found(recorded(folder, elsewhere).parent.parent)[0]


def test_options_have_no_toml_to_compare(folder: Path) -> None:
    recorded(folder, lambda value: value.update(toml=""))
    assert found(folder) == []


@pytest.mark.parametrize(
    ("edit", "count"),
    [
        (lambda value: value["methods"].pop(), 3),
        (lambda value: value.update(seeds=2), 3),
        (lambda value: value.update(seeds=[0, 1, 7]), 3),
        (lambda value: value.update(baselines=False), 2),
        (lambda value: value.update(checkpoints=["of-my-own"]), 9),
        (lambda value: value["datasets"][0].update(label="other"), 11),
        (lambda value: value.update(train_sizes=[100, 200]), 11),
        (lambda value: value.update(train_sizes=[100, "all"]), 0),
        (lambda value: value["methods"][0]["settings"].update(learning_rate=1.0), 3),
    ],
)
def test_runs_are_those_of_the_grid(folder: Path, edit: Callable[[dict[str, Any]], Any], count: int) -> None:
    def without_toml(value: dict[str, Any]) -> None:
        value["toml"] = ""
        edit(value["expansion"])

    recorded(folder, without_toml)
    assert len(found(folder)) == count
    assert all("is none of the runs that it expands to" in fault for fault in found(folder))


def test_an_expansion_that_is_none_is_named(folder: Path) -> None:
    recorded(folder, lambda value: value.update(toml="", expansion={"methods": []}))
    assert "its expansion is none of an experiment's" in found(folder)[0]
