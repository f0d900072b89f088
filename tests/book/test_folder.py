"""A run's folder: its name, and its status in every state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.book.made import begin, fill_snapshot, finish, result
from tunebook import durable
from tunebook.book import Book, snapshots
from tunebook.book import folder as book_folder
from tunebook.book.lock import hold
from tunebook.errors import Failure, IntegrityError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return begin(Book(tmp_path))


def test_status_is_derived(run: Path) -> None:
    assert book_folder.status(run) == "interrupted"
    with hold(run):
        assert book_folder.status(run) == "running"
    for kind in ("diverged", "failed"):
        durable.write_json(run / "failure.json", {"status": kind, "message": "no", "exit_code": 1})
        assert book_folder.status(run) == kind
        with hold(run):
            assert book_folder.status(run) == "running"
    finish(run)
    assert book_folder.status(run) == "finished"
    with hold(run):
        assert book_folder.status(run) == "finished"


def test_what_has_not_begun_is_planned(run: Path) -> None:
    (run / "metrics.jsonl").unlink()
    assert book_folder.status(run) == book_folder.status(run / "nowhere") == "planned"
    snapshots.save_snapshot(run, 1, fill_snapshot, extra={})
    assert book_folder.status(run) == "interrupted"


def test_a_result_is_there_once_sealed(run: Path) -> None:
    assert book_folder.read_result(run) is None
    finish(run)
    assert book_folder.read_result(run) == result()


def test_training_is_sealed_once(run: Path) -> None:
    with pytest.raises(Failure, match=r"is not sealed: it has no trained\.json"):
        book_folder.Seal(run)
    facts = {"steps": 7, "best_step": None, "trainable_parameters": {"head": 2}}
    seal = book_folder.seal_training(run, facts)
    assert seal == book_folder.seal_training(run, dict(reversed(facts.items()))) == book_folder.Seal(run)
    assert durable.read_json(run / book_folder.TRAINED) == facts
    for other in ({**facts, "steps": 8}, {"steps": 7}, {**facts, "more": 1}):
        with pytest.raises(
            IntegrityError, match=r'trained\.json says .*"steps":7.*but training came to .*--fresh'
        ):
            book_folder.seal_training(run, other)
    assert durable.read_json(run / book_folder.TRAINED) == facts
    assert book_folder.status(run) == "interrupted"


def test_weights_are_the_sealed_ones(run: Path) -> None:
    (run / "model.safetensors").write_bytes(b"weights")
    digest = durable.sha256_file(run / "model.safetensors")
    book_folder.check_weights(run, digest)
    (run / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(IntegrityError, match=rf"expected sha256 {digest}"):
        book_folder.check_weights(run, digest)
    (run / "model.safetensors").unlink()
    with pytest.raises(IntegrityError, match="damaged or missing"):
        book_folder.check_weights(run, digest)


def test_names_from_anywhere_make_one_safe_folder_name() -> None:
    for name in ("../../etc/passwd", "/abs", "a/b\\c", "CON", "a\0b", "%2e%2e", "..", "", "x" * 300, "日本"):
        made = book_folder.folder_name(name, "full", name, 0, "0" * 64)
        parts = made.split("--")
        assert len(parts) == 5 and len(made) < 200
        assert not set(made) & set("/\\\0%") and ".." not in made
