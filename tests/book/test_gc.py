"""Collecting garbage: what nobody needs goes, what anybody needs stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.book.made import begin, fill_snapshot, finish
from tunebook import durable
from tunebook.book import Book, snapshots
from tunebook.book.lock import hold


@pytest.fixture
def book(tmp_path: Path) -> Book:
    made = Book(tmp_path / "book")
    made.require_writable()
    return made


def tree(book: Book) -> set[str]:
    return {path.relative_to(book.root).as_posix() for path in book.root.rglob("*") if path.name != ".lock"}


def save(run: Path, step: int) -> Path:
    snapshots.save_snapshot(run, step, fill_snapshot, extra={})
    return run / f"checkpoint-{step}"


def set_aside(run: Path, step: int) -> None:
    (save(run, step) / "model.safetensors").write_bytes(b"")
    snapshots.latest_snapshot(run)


def entry(book: Book, kind: str, text: str) -> Path:
    path = durable.make_folder(book.cache / kind) / text.replace(" ", "-")
    durable.write_folder(
        path, lambda f: durable.write_json(f / "meta.json", {"split": text}), manifest_extra={}
    )
    return path


def removed(found: dict[str, object]) -> set[str]:
    assert isinstance(found["removed"], list)
    return {item["path"] for item in found["removed"]}


def test_what_nobody_needs_goes(book: Book) -> None:
    finished, interrupted, lost = (begin(book, seed=seed) for seed in range(3))
    save(finished, 5), set_aside(finished, 6), finish(finished)
    save(interrupted, 5), set_aside(interrupted, 6)
    (save(lost, 5) / "model.safetensors").write_bytes(b"")
    with pytest.raises(Exception, match="every snapshot"):
        snapshots.latest_snapshot(lost)
    for folder in (book.root, book.runs, finished, interrupted, durable.make_folder(book.cache / "tokens")):
        (folder / ".tmp-half-1-00000000").mkdir()
        (folder / ".tmp-half-1-00000000" / "data").write_bytes(b"12345")
    used, unused = entry(book, "tokens", "train reviews"), entry(book, "datasets", "train nothing")
    before = tree(book)

    told = book.gc(dry_run=True)
    assert tree(book) == before
    assert removed(told) == {
        path.relative_to(book.root).as_posix()
        for path in (
            *(folder / ".tmp-half-1-00000000" for folder in (book.root, book.runs, finished, interrupted)),
            book.cache / "tokens" / ".tmp-half-1-00000000",
            finished / "checkpoint-5", finished / "checkpoint-6.corrupt",
            interrupted / "checkpoint-6.corrupt",
            unused,
        )
    }  # fmt: skip

    done = book.gc(dry_run=False)
    assert done == told
    assert (interrupted / "checkpoint-5").is_dir() and used.is_dir()
    assert (lost / "checkpoint-5.corrupt").is_dir(), "without it the run would begin anew and not say why"
    assert (finished / "result.json").is_file()
    assert tree(book) == {
        name
        for name in before
        if not any(name == gone or name.startswith(gone + "/") for gone in removed(done))
    }
    assert book.gc(dry_run=False) == {"removed": [], "bytes": 0}


def test_bytes_are_counted(book: Book) -> None:
    (book.root / ".tmp-a-1-00000000").write_bytes(b"123")
    (book.runs / ".tmp-b-1-00000000").mkdir()
    (book.runs / ".tmp-b-1-00000000" / "data").write_bytes(b"12345")
    assert book.gc(dry_run=True)["bytes"] == 8


def test_a_run_that_is_worked_on_is_left_alone(book: Book) -> None:
    run = begin(book)
    save(run, 5), set_aside(run, 6)
    (run / ".tmp-half-1-00000000").mkdir()
    before = tree(book)
    with hold(run):
        assert book.gc(dry_run=False)["removed"] == []
    assert tree(book) == before


def test_an_empty_book_has_no_garbage(tmp_path: Path) -> None:
    assert Book(tmp_path / "nowhere").gc(dry_run=True) == {"removed": [], "bytes": 0}
    assert not (tmp_path / "nowhere").exists()
