"""Plan the runs of an experiment, skip what is finished, and hand the rest to an executor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from tunebook import capabilities, spec
from tunebook.book import folder as book_folder
from tunebook.errors import Failure, Interrupted, TunebookError
from tunebook.flow import Options
from tunebook.prepare import Prepared, Shelf, prepare
from tunebook.run_object import as_object, never_begun

if TYPE_CHECKING:
    from tunebook.book import Book

# The first of these that any run ended with is the exit code of the whole.
_WORST_FIRST = (130, 143, 6, 5, 4, 3, 75, 2, 1)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
# Set for every run's process, unless the user has set them. Threads that wait give up spinning after a while: on cores
# that others use too, waiting for a neighbour at the end of each product costs more than falling asleep. Not early,
# which costs 7 % on quiet cores, nor at once (OMP_WAIT_POLICY=PASSIVE), which costs a third.
#
# Huge pages spare a step a thousand page faults (glibc 2.35 and later; others take no notice).
#
# glibc gives large tensors back to the kernel at every step and faults them in again, page by page. Told to keep
# them, a step on 32 reviews of 256 tokens took 4.1 s instead of 18 s. Values of the user's own stay.
PROCESS_ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "GOMP_SPINCOUNT": "100000",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
# Weights and AdamW's two moments, in three kept snapshots and the one being written, and the selected weights.
_SNAPSHOT_COPIES = 4 * 3 + 1


class Watcher(Protocol):
    """Somebody who looks on while runs are executed."""

    def begins(self, number: int, total: int, planned: Planned) -> None:
        """Run `number` (from 1) of `total` begins."""

    def steps(self, event: dict[str, Any]) -> None:
        """A training step or a validation, as the loop tells it."""

    def ends(self, run: dict[str, Any]) -> None:
        """A run ended, well or not; `run` is its object."""


@dataclass(frozen=True)
class Planned:
    """A run with what is known of it before it begins: its identity where data and weights are here."""

    spec: spec.RunSpec
    prepared: Prepared | None
    status: str
    error: TunebookError | None = None

    @property
    def disk_bytes(self) -> int:
        """The most disk that training will hold at once."""
        if self.prepared is None or self.prepared.checkpoint is None or self.status == "finished":
            return 0
        weights = sum(path.stat().st_size for path in self.prepared.checkpoint.folder.glob("*.safetensors"))
        return weights * _SNAPSHOT_COPIES

    def as_object(self) -> dict[str, Any]:
        """The planned run as `--json` shows it."""
        return {
            "run": self.prepared.run_id if self.prepared else None,
            "folder": self.prepared.folder.name if self.prepared else None,
            "status": self.status,
            "checkpoint": self.spec.checkpoint,
            "dataset": self.spec.dataset.name or self.spec.dataset.path,
            "method": self.spec.method.name,
            "settings": self.spec.method.settings,
            "seed": self.spec.seed,
            "purpose": self.spec.purpose,
            "disk_bytes": self.disk_bytes,
            **self._expected(),
            **({"error": str(self.error)} if self.error else {}),
        }

    def _expected(self) -> dict[str, Any]:
        """The path and kernel that are expected and the precision that is asked for; None of all where weights are
        missing or none are needed."""
        checkpoint = self.prepared.checkpoint if self.prepared else None
        if checkpoint is None:
            return {"path": None, "kernel": None, "precision": None}
        path, kernel = capabilities.expected_path(
            self.spec.method.name, checkpoint.family, self.spec.train.padding, self.spec.method.settings
        )
        return {"path": path, "kernel": kernel, "precision": self.spec.train.precision}


@dataclass
class Outcome:
    """What became of the runs: their objects in order, and the exit code of the whole."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)

    @property
    def exit_code(self) -> int:
        """0, or the first that applies of 130, 143, 6, 5, 4, 3, 75, 2, 1."""
        return next((code for code in _WORST_FIRST if code in self.codes), 0)


def plan(specs: Sequence[spec.RunSpec], book: Book, *, allow_download: bool = False) -> list[Planned]:
    """What would run and what is there already; a run whose data or weights are missing says so."""
    shelf = Shelf(book, allow_download=allow_download)
    return [_planned(run_spec, book, shelf) for run_spec in specs]


def _planned(run_spec: spec.RunSpec, book: Book, shelf: Shelf) -> Planned:
    try:
        prepared = prepare(run_spec, book, shelf)
    except TunebookError as error:
        return Planned(run_spec, None, "identity pending", error)
    return Planned(run_spec, prepared, book_folder.status(prepared.folder))


def execute(
    planned: Sequence[Planned], book: Book, options: Options, watcher: Watcher, *, is_all: bool = True
) -> Outcome:
    """Run what is not finished, one process after another, past failures, until a signal asks to stop.

    Unless it `is_all`, more runs follow, and a signal that comes too late for the last one is meant for those.
    """
    outcome = Outcome()
    for number, item in enumerate(planned, start=1):
        watcher.begins(number, len(planned), item)
        run, code = _execute_one(item, book, options, watcher)
        if code in (130, 143) and run["status"] == "finished" and number == len(planned) and is_all:
            code = 0  # the signal came too late to stop anything
        outcome.runs.append(run)
        outcome.codes.add(code)
        watcher.ends(run)
        if code in (130, 143):
            break
    return outcome


def _execute_one(item: Planned, book: Book, options: Options, watcher: Watcher) -> tuple[dict[str, Any], int]:
    if item.prepared is None:
        assert item.error is not None
        return never_begun(item.as_object(), str(item.error)), item.error.exit_code
    # A trial that diverged has been made, and would diverge again: it counts as the worst.
    ended = ("finished", "diverged") if item.spec.purpose == "tune" else ("finished",)
    if item.status in ended and not options.fresh:
        return as_object(item.prepared.folder), 0
    last, code = run_in_process(item.spec, book, options, watcher.steps)
    book.ingest(item.prepared.folder)
    if last.get("kind") == "finished":
        return last["object"], code
    message = last.get("message", f"the run's process ended with code {code}")
    if code not in _WORST_FIRST:  # by another's hand: a crash, or a system that is out of memory
        message = (
            f"the run's process was killed (code {code}), as happens without memory; run it again to go on"
        )
        code = Failure.exit_code
    known = (
        as_object(item.prepared.folder)
        if (item.prepared.folder / "run.json").is_file()
        else never_begun(item.as_object(), message)
    )
    status = {4: "diverged", 130: "interrupted", 143: "interrupted", 75: "running"}.get(code, "failed")
    return {**known, "status": status, "error": message}, code


def run_in_process(
    run_spec: spec.RunSpec, book: Book, options: Options, tell: Callable[[dict[str, Any]], None]
) -> tuple[dict[str, Any], int]:
    """Run a specification in a process of its own; its last word and its exit code.

    The process has a session of its own and hears of signals only through this one, each exactly once. One that
    it heard too late to stop is in the exit code nevertheless: it was meant for the runs that follow as well.
    """
    asked = {"spec": run_spec.model_dump(), "root": str(book.root), "options": asdict(options)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tunebook.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=PROCESS_ENVIRONMENT | os.environ,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    last: dict[str, Any] = {}
    with _forwarding_to(process) as forwarded, process.stdout:
        with process.stdin:
            process.stdin.write(json.dumps(asked))
        for line in process.stdout:
            last = json.loads(line)
            if last["kind"] == "step":
                tell(last)
        code = process.wait()
    if code == 0 and forwarded:
        code = -signal.SIGINT if forwarded[-1] == signal.SIGINT else -signal.SIGTERM
    return last, 128 - code if code < 0 else code


@contextmanager
def _forwarding_to(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Hand the signals that ask to stop to the process while it lives; signals reach the main thread alone.

    Gives the list of those that were handed on.
    """
    forwarded: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if process.poll() is not None:
            raise Interrupted("stopped between two runs", number)
        forwarded.append(number)
        os.kill(process.pid, number)

    if threading.current_thread() is not threading.main_thread():
        yield forwarded
        return
    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield forwarded
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def disk_needed(planned: Sequence[Planned], *, keep: str = "best") -> int:
    """Bytes that the largest run of a plan holds while it trains, and all the weights that are kept."""
    pending = [item.disk_bytes for item in planned if item.disk_bytes]
    kept = sum(size // _SNAPSHOT_COPIES for size in pending) if keep == "best" else 0
    return max(pending, default=0) + kept


def disk_free(book: Book) -> int:
    """Bytes that are free where the book lies."""
    existing = next(path for path in (book.root, *book.root.parents) if path.exists())
    return shutil.disk_usage(existing).free
