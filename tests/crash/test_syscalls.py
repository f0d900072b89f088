"""Faults of the kernel, injected by strace: a kill while syncing, a full, broken or read-only disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.crash.test_crash import ROOT, assert_consistent, assert_ends_well
from tunebook.book import Book

SOME = (1, 3, 6, 12, 30)
FAULTS = {
    "fsync:signal=KILL": {-9, 137},
    "fdatasync:signal=KILL": {-9, 137},
    "rename:signal=KILL": {-9, 137},
    "write:error=ENOSPC": {6},
    "pwrite64:error=ENOSPC": {6},
    "fsync:error=EIO": {1, 2},
    "rename:error=EROFS": {1, 2},
}
"""What is injected, and how the process may end: 6 no space, 2 before anything began, 1 later."""


@cache
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed: no faults of the kernel can be injected")
    if subprocess.run([found, "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("strace may not trace processes here: no faults of the kernel can be injected")
    return found


def run_traced(book: Path, *options: str) -> int:
    command = [strace(), "-f", "-qq", *options, sys.executable, "-m", "tests.crash.story", str(book)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=60).returncode


def check_fault(root: Path, fault: str, whens: Iterable[int]) -> int:
    """The story with the fault at each of some calls, an error from there on; how many of them hit."""
    for count, when in enumerate(whens):
        book = Book(root / str(when))
        lasts = "+" if "error" in fault else ""
        ended = run_traced(book.root, "-o", os.devnull, "-e", f"inject={fault}:when={when}{lasts}")
        if ended == 0:
            return count
        assert ended in FAULTS[fault], f"call {when}: ended with {ended}"
        if book.root.exists():
            assert_consistent(book)
            assert_ends_well(book)
    return len(list(whens))


@pytest.mark.parametrize("fault", FAULTS)
def test_some_calls_fail(tmp_path: Path, fault: str) -> None:
    assert check_fault(tmp_path, fault, SOME) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_any_call_fails(tmp_path: Path, fault: str) -> None:
    assert 8 < check_fault(tmp_path, fault, range(1, 200)) < 199


# --- the order of syncing -----------------------------------------------------------------------------------

_WRITE = re.compile(r"\b(?:write|pwrite64)\(\d+<(?P<path>[^>]*)>")
_SYNC = re.compile(r"\b(?:fsync|fdatasync)\(\d+<(?P<path>[^>]*)>")
_RENAME = re.compile(r'\brename\("(?P<source>[^"]*)", "(?P<target>[^"]*)"\)')


def order_faults(log: str, book: Path) -> list[str]:
    """Renames that publish bytes, or rest on lines, not yet on the disk; and renames never synced."""
    faults: list[str] = []
    dirty: set[str] = set()
    unsynced_folders: set[str] = set()
    for line in log.splitlines():
        if found := _WRITE.search(line):
            dirty |= {found["path"]} if found["path"].startswith(f"{book}/runs") else set()
        elif found := _SYNC.search(line):
            dirty.discard(found["path"])
            unsynced_folders.discard(found["path"])
        elif found := _RENAME.search(line):
            source, target = Path(found["source"]), Path(found["target"])
            rests_on = {str(source), str(target.parent / "metrics.jsonl")}
            if not target.name.startswith(".tmp-"):
                early = [path for path in sorted(dirty) if rests_on & {path, str(Path(path).parent)}]
                faults += [f"{target.name} before {path}" for path in early]
                unsynced_folders.add(str(target.parent))
    return faults + [f"{path} at the end" for path in unsynced_folders]


def test_bytes_are_on_the_disk_before_the_name_that_speaks_of_them(tmp_path: Path) -> None:
    book, log = tmp_path / "book", tmp_path / "log"
    assert run_traced(book, "-y", "-o", str(log), "-e", "trace=write,pwrite64,fsync,fdatasync,rename") == 0
    text = log.read_text()
    assert text.count("rename(") > 10
    assert order_faults(text, book) == []
    syncs = [line for line in text.splitlines() if _SYNC.search(line) and f"{book}/runs" in line]
    lost = [line for line in syncs if order_faults(text.replace(line + "\n", "", 1), book)]
    assert len(lost) > 10, "leaving out a sync would not be noticed"
