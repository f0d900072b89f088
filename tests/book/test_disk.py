"""A book on a disk that is read-only or full: mounted so, in a name space of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.book.made import begin, finish
from tunebook.book import Book

ROOT = Path(__file__).parent.parent.parent
ACT = """
import json, sys
from pathlib import Path
from tests.book.made import begin
from tunebook.book import Book
from tunebook.errors import TunebookError

def code(act):
    try:
        act()
        return 0
    except TunebookError as error:
        print(error, file=sys.stderr)
        return error.exit_code

book = Book(Path(sys.argv[1]))
"""
READ_ONLY = "mount --bind {0} {0} && mount -o remount,bind,ro {0}"
SMALL = "mount -t tmpfs -o size=256k none {0}"


@cache
def require_mounts() -> None:
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    if done.returncode:
        pytest.skip(f"may not mount here: {done.stderr.decode().strip()}")


def act(book: Book, mount: str, code: str) -> dict[str, object]:
    """What a process says that sees the book's root mounted in some way."""
    require_mounts()
    shell = mount.format(book.root) + ' && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, "-c", ACT + code, str(book.root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_read_only_book_is_read_and_not_written(tmp_path: Path) -> None:
    book = Book(tmp_path / "book")
    book.require_writable()
    for seed in range(2):
        book.ingest(finish(begin(book, seed=seed), seed))
    code = """
print(json.dumps({
    "listing": book.listing(),
    "garbage": book.gc(dry_run=True),
    "found": book.find("minilm-l6--full--reviews--s1").name,
    "codes": [code(book.require_writable), code(book.reindex),
              code(lambda: book.ingest(book.run_folders()[0])),
              code(lambda: book.gc(dry_run=False)), code(lambda: begin(book, seed=5))],
}))
"""
    for has_index in (True, False):
        said = act(book, READ_ONLY, code)
        assert said["listing"] == book.listing() and len(book.listing()) == 2
        assert str(said["found"]).startswith("minilm-l6--full--reviews--s1--")
        assert said["codes"] == [2, 2, 2, 2, 1]
        if has_index:
            book.index.unlink()


def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    book = Book(tmp_path / "book")
    book.root.mkdir()
    code = """
from tests.book.made import fill_snapshot
from tunebook import durable
from tunebook.book import snapshots

book.require_writable()
run = begin(book)
book.ingest(run)
snapshots.save_snapshot(run, 1, fill_snapshot, extra={})
(book.root / "filler").write_bytes(b"")
with (book.root / "filler").open("ab", buffering=0) as filler:
    try:
        while filler.write(b"x" * 4096):
            pass
    except OSError:
        pass
def many():
    from tunebook.book import database
    with database.writing(book.index) as connection:
        connection.execute("CREATE TABLE big AS SELECT randomblob(200000)")
print(json.dumps({
    "codes": [code(lambda: snapshots.save_snapshot(run, 2, fill_snapshot, extra={})),
              code(lambda: durable.write_file(run / "a", b"x" * 9999)), code(many)],
    "latest": snapshots.latest_snapshot(run)[0],
    "listing": len(book.listing()),
    "left": [path.name for path in run.glob(".tmp-*")],
}))
"""
    assert act(book, SMALL, code) == {"codes": [6, 6, 6], "latest": 1, "listing": 1, "left": []}
