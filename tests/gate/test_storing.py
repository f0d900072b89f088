"""Findings in the book: once for a content, before training, from nothing that is sealed, and never in a run's way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.training import contract, is_good, spec_values, write_csv
from tunebook import durable, flow, gate, spec
from tunebook.book import Book
from tunebook.data import DataSource, load
from tunebook.flow import Options
from tunebook.gate.keeping import key
from tunebook.prepare import Prepared, prepare
from tunebook.steering import Control

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def values(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> dict[str, Any]:
    return spec_values(tiny_checkpoint("bert"), reviews(tmp_path / "reviews.csv", set()))


def reviews(path: Path, swapped: set[str]) -> Path:
    rows = [
        (text, "good" if is_good(text) != (text in swapped) else "bad", number % 7)
        for number, text in enumerate(tiny.CORPUS)
    ]
    return write_csv(path, ["body", "stars", "day"], rows)


def prepared(values: dict[str, Any], root: Path) -> Prepared:
    return prepare(spec.run_spec(values, "the test"), Book(root / "book"))


def finished(values: dict[str, Any], root: Path) -> Prepared:
    run = prepared(values, root)
    flow.run(run, Book(root / "book"), Options(device="cpu"), Control())
    return run


def test_a_run_leaves_findings_and_the_second_one_looks_no_more(
    values: dict[str, Any], tmp_path: Path
) -> None:
    values = {**values, "checkpoint": "none", "method": "majority"}
    run = finished(values, tmp_path)
    found = gate.stored(tmp_path / "book", run.identity["splits"])
    assert found is not None and found["splits"]["train"]["rows"] and not found["is_whole"]
    assert {one["column"] for one in found["metadata"]} == {"day", "position in the file"}
    assert found["splits"]["test"]["balance"] is None and found["splits"]["test"]["contradictions"] is None
    assert found["splits"]["train"]["balance"] and gate.remarks(found) is not None
    (path,) = (tmp_path / "book" / "gate").iterdir()
    assert path.name == f"reviews--{key(run.identity['splits'])}.json"
    path.write_bytes(durable.canonical_json({**found, "mine": True}).encode())
    finished({**values, "seed": 1}, tmp_path)
    assert "mine" in (gate.stored(tmp_path / "book", run.identity["splits"]) or {})
    assert gate.stored(tmp_path / "book", {"train": "another"}) is None


def test_damaged_or_older_findings_count_as_none(values: dict[str, Any], tmp_path: Path) -> None:
    values = {**values, "checkpoint": "none", "method": "majority"}
    splits = finished(values, tmp_path).identity["splits"]
    (path,) = (tmp_path / "book" / "gate").iterdir()
    whole = path.read_bytes()
    for content in (b"{", b"[]", json.dumps({**json.loads(whole), "version": 0}).encode()):
        path.write_bytes(content)
        assert gate.stored(tmp_path / "book", splits) is None
    finished({**values, "seed": 1}, tmp_path)
    assert path.read_bytes() == whole, "the same findings are the same bytes"


def test_trials_do_not_look(values: dict[str, Any], tmp_path: Path) -> None:
    finished({**values, "checkpoint": "none", "method": "majority", "purpose": "tune"}, tmp_path)
    assert not (tmp_path / "book" / "gate").exists()


def test_a_gate_that_fails_or_is_not_there_changes_no_byte_of_a_run(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usual = finished(values, tmp_path / "usual")
    (tmp_path / "blocked" / "book").mkdir(parents=True)
    (tmp_path / "blocked" / "book" / "gate").write_text("a file where the folder belongs")
    blocked = finished(values, tmp_path / "blocked")
    assert usual.run_id == blocked.run_id and contract(usual.folder) == contract(blocked.folder)
    assert "the dataset was not looked at" in caplog.text


def test_other_labels_in_test_change_nothing_that_is_found(values: dict[str, Any], tmp_path: Path) -> None:
    dataset = prepared(values, tmp_path).dataset
    texts = {name: set(split.texts().to_pylist()) for name, split in dataset.splits.items()}
    found = {}
    for name, swapped in (("none", set()), ("test", texts["test"]), ("train", texts["train"])):
        (tmp_path / name).mkdir()
        file = reviews(tmp_path / name / "reviews.csv", swapped)
        source = DataSource(path=str(file), text=("body",), label="stars")
        sealed = prepared(
            {**values, "dataset": {**values["dataset"], "path": str(file)}}, tmp_path / name
        ).dataset
        found[name] = [
            *(gate.check(one, source, test_labels=False).as_object() for one in (load(source), sealed)),
            gate.label_errors(load(source)),
        ]
        assert found[name][0] == found[name][1], "sealed or not"
    assert found["test"] == found["none"]
    assert found["train"] != found["none"], "labels that may be read do change it"


def test_findings_are_plain_and_come_back_equal(tmp_path: Path) -> None:
    dataset = load(DataSource(name="pocket"))
    found = gate.check(dataset, DataSource(name="pocket")).as_object()
    gate.store(tmp_path, dataset, found)
    fingerprints = {name: split.fingerprint for name, split in dataset.splits.items()}
    assert gate.stored(tmp_path, fingerprints) == {**found, "version": 1}
    renamed = replace(dataset, name="../Pocket 2")
    assert gate.store(tmp_path, renamed, found).parent == tmp_path / "gate"
