"""A published run made again and compared: the same bytes in the same environment, else within an interval."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunebook import environment, methods, spec
from tunebook.book import Book
from tunebook.durable import canonical_json
from tunebook.errors import Interrupted, NoSpace, UsageError
from tunebook.experiment import Watcher, disk_free, disk_needed, execute, plan
from tunebook.flow import Options
from tunebook.verification.comparing import (
    LEVEL,
    MISMATCHES,
    ROUNDING,
    WORDS,
    Number,
    Verdict,
    Word,
    compare,
    shortened,
)
from tunebook.verification.recorded import Recorded

__all__ = [
    "LEVEL",
    "MISMATCHES",
    "ROUNDING",
    "WORDS",
    "Number",
    "Recorded",
    "Verdict",
    "Word",
    "book_apart",
    "compare",
    "verify",
]
_STOPPED = (130, 143)


@contextmanager
def book_apart(users: Book, keep: Path | None = None) -> Iterator[Book]:
    """An empty book to make runs again in: in the system's temporary folder, removed at the end, or `keep`.

    Raises:
        UsageError: `keep` is not empty, or lies in the user's book.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="tunebook-verify-") as folder:
            yield Book(Path(folder))
        return
    if keep.resolve().is_relative_to(users.root.resolve()):
        raise UsageError(f"{keep} lies in the book {users.root}: runs are made again apart from it")
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"{keep} exists and is not an empty folder; name one that does not exist")
    yield Book(keep.absolute())


def verify(recorded: Recorded, book: Book, options: Options, watcher: Watcher) -> Verdict:
    """Make a run again in `book`, in a process of its own, and compare; other inputs than the recorded are not trained.

    Where what was recorded is of another version of the loop or the method, inputs are others whatever else is here.

    Raises:
        Interrupted: a signal asked to stop.
        NoSpace: the disk is too full, or became so.
    """
    versions = _other_versions(recorded.declared["identity"])
    missing: Word = "other inputs" if versions else "cannot be run here"
    try:
        asked = spec.run_spec(recorded.declared["spec"], recorded.name)
    except UsageError as error:
        return _without_numbers(recorded, missing, str(error), versions)
    (planned,) = plan([asked], book, allow_download=options.allow_download)
    if planned.prepared is None:
        word = missing if isinstance(planned.error, UsageError) else "other inputs"
        return _without_numbers(recorded, word, str(planned.error), versions)
    if inputs := _other_inputs(recorded.declared, planned.prepared.identity, planned.prepared.run_id):
        why = "what is here is not what it was made from; nothing was trained"
        return _without_numbers(recorded, "other inputs", why, inputs)
    if (needed := disk_needed([planned], keep=options.keep)) > (free := disk_free(book)):
        raise NoSpace(
            f"making {recorded.name} again needs up to {needed:,} bytes of disk, {free:,} are free at {book.root}; "
            "set TMPDIR to a folder with more room"
        )
    # More may follow: a signal that comes too late for this run ends the whole.
    outcome = execute([planned], book, options, watcher, is_all=False)
    if outcome.exit_code in _STOPPED:
        raise Interrupted(
            "stopped; a run that is made again begins anew the next time", outcome.exit_code - 128
        )
    (run,) = outcome.runs
    if run["status"] == "finished":
        return compare(recorded, Recorded.of_run_folder(planned.prepared.folder))
    if outcome.exit_code == NoSpace.exit_code:
        raise NoSpace(run["error"])
    diverged = run["status"] == "diverged"
    why = f"made again it {run['status']}: {run.get('error', 'no reason is known')}"
    return _without_numbers(recorded, "differs" if diverged else "cannot be run here", why)


def _without_numbers(recorded: Recorded, word: Word, why: str, inputs: Iterable[str] = ()) -> Verdict:
    return Verdict(recorded.name, recorded.declared["run"], word, why, inputs=list(inputs))


def _other_versions(identity: Mapping[str, Any]) -> list[str]:
    """Whether the loop or the method is of another version here, or the method is gone."""
    row = methods.rows().get(identity["method"]["name"])
    before = {"loop": identity.get("loop"), "method": {"version": identity["method"].get("version")}}
    now = {"loop": spec.LOOP_VERSION, "method": {"version": row.version if row else None}}
    return environment.differences(before, now)


def _other_inputs(declared: Mapping[str, Any], identity: Mapping[str, Any], run_id: str) -> list[str]:
    """Which parts of a recorded identity are others here: `part: recorded -> here`, hashes by their beginning."""
    found = environment.differences(declared["identity"], json.loads(canonical_json(identity)))
    if not found and run_id != declared["run"]:
        found = [f"run: {declared['run']} -> {run_id}"]
    return [shortened(line) for line in found]
