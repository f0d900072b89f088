"""Killed at any durable step and started again, a run ends in the bytes of one that was left alone."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from tests.crash import story
from tunebook import durable
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.lock import holder
from tunebook.errors import IntegrityError

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "tunebook"
BYTES = ("metrics.jsonl", "model.safetensors", "result.json", "run.json", "trained.json")


def points() -> list[str]:
    """Every crash point that the durable layer and the book declare."""
    sources = [*(PACKAGE / "durable").rglob("*.py"), *(PACKAGE / "book").rglob("*.py")]
    return sorted(
        {name for source in sources for name in re.findall(r'\bpoint\("([a-z._]+)"\)', source.read_text())}
    )


def live(root: Path, crash: str) -> None:
    """The story in a process of its own, which may be killed at a crash point."""
    os.environ["TUNEBOOK_CRASH"] = crash
    story.live(Book(root))


def run_story(root: Path, *, crash: str) -> int:
    """How the process ended: 0, or minus the signal. It is forked from a server that imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=live, args=(root, crash))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def dump(book: Book) -> list[str]:
    if not book.index.exists():
        return []
    with closing(sqlite3.connect(book.index)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


@cache
def undisturbed() -> tuple[dict[str, bytes], list[str]]:
    """The files and the index of a run that nothing happened to."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        book = Book(Path(folder) / "book")
        story.live(book)
        (run,) = book.run_folders()
        return {name: (run / name).read_bytes() for name in BYTES}, dump(book)


def assert_consistent(book: Book) -> None:
    """What must hold right after a kill, before anything is repaired."""
    for run in book.runs.glob("*"):
        assert holder(run) is None
        assert book_folder.status(run) in ("planned", "interrupted", "finished")
        durable.read_lines(run / "metrics.jsonl")
        for snapshot in run.glob("checkpoint-*"):
            step = durable.check_folder(snapshot)["extra"]["step"]
            assert (snapshot / "model.safetensors").read_bytes() == story.weights_after(step)
        for path in run.glob("*.json"):
            durable.read_json(path)
    indexed = {line for line in dump(book) if line.startswith('INSERT INTO "runs"')}
    assert all(any(run.name in line for run in book.run_folders()) for line in indexed)
    assert len(book.listing()) == len(book.run_folders())


def assert_ends_well(book: Book) -> None:
    """Started again it finishes, in the bytes of an undisturbed run, and leaves nothing behind."""
    story.live(book)
    files, index = undisturbed()
    (run,) = book.run_folders()
    assert {name: (run / name).read_bytes() for name in BYTES} == files
    assert dump(book) == index
    book.reindex()
    assert dump(book) == index
    book.gc(dry_run=False)
    assert sorted(path.name for path in run.iterdir()) == sorted([".lock", *BYTES])
    assert not list(book.root.rglob(".tmp-*"))


def test_there_are_crash_points() -> None:
    assert {"file.written", "folder.sealed", "folder.renamed", "line.written", "index.written"} <= set(
        points()
    )


@pytest.mark.parametrize("point", [point for point in points() if point != "snapshot.set_aside"])
@pytest.mark.parametrize("passing", [1, 2, 5])
def test_killed_at_a_crash_point(tmp_path: Path, point: str, passing: int) -> None:
    book = Book(tmp_path / "book")
    ended = run_story(book.root, crash=f"{point}#{passing}")
    if ended == 0:
        assert passing > 1, f"{point} is never passed"
        return
    assert ended == -signal.SIGKILL
    assert_consistent(book)
    assert_ends_well(book)


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Every start gets a little further; none harms what the one before reached."""
    book = Book(tmp_path / "book")
    for point in ("folder.renamed", "line.written", "snapshot.pruned", "folder.sealed#2", "file.synced#3"):
        assert run_story(book.root, crash=point) in (0, -signal.SIGKILL)
        assert_consistent(book)
    assert_ends_well(book)


def test_killed_while_a_damaged_snapshot_is_set_aside(tmp_path: Path) -> None:
    book = Book(tmp_path / "book")
    run_story(book.root, crash="snapshot.saved#2")
    (run,) = book.run_folders()
    (run / "checkpoint-4" / "model.safetensors").write_bytes(b"")
    assert run_story(book.root, crash="snapshot.set_aside") == -signal.SIGKILL
    assert (run / "checkpoint-4.corrupt").is_dir()
    story.live(book)
    (event,) = durable.read_lines(run / "cost.jsonl")
    assert event["snapshot"] == "checkpoint-4"
    (run / "cost.jsonl").unlink()  # what was measured or happened is not part of the bytes that are compared
    assert_ends_well(book)


# --- without a guard ----------------------------------------------------------------------------------------


def test_a_folder_written_in_place_would_be_seen_half(tmp_path: Path) -> None:
    """The guard is the rename: written under their final name, files are there without a manifest."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom tunebook.durable import folders, point\n"
        "final = Path(sys.argv[1])\nfinal.mkdir()\n(final / 'a').write_bytes(b'1')\npoint('half')\n"
        "folders._seal(final, {})\n"
    )
    environment = {**os.environ, "TUNEBOOK_CRASH": "half"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "checkpoint-1")], env=environment, cwd=ROOT)
    assert (tmp_path / "checkpoint-1").is_dir()
    with pytest.raises(IntegrityError, match="not saved whole"):
        durable.check_folder(tmp_path / "checkpoint-1")
