"""A run's life as the book sees it, told by a process that may be killed anywhere and started again.

`python story.py BOOK` begins or resumes: a line of metrics per step, a snapshot every second step, of which
the best and the newest stay, then what was trained, the result, the index, and an experiment: training without
its arithmetic.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tunebook import durable
from tunebook.book import Book, snapshots
from tunebook.book import folder as book_folder
from tunebook.book.lock import hold
from tunebook.errors import TunebookError

STEPS = 6
RUN = {
    "run": "5" * 64,
    "identity": {"splits": {"train": "t"}},
    "spec": {"method": {"name": "full"}, "seed": 0},
    "checkpoint": {"name": "tiny"},
    "dataset": {"name": "story"},
}


def weights_after(step: int) -> bytes:
    """The weights after so many steps."""
    return f"weights after {step} steps ".encode() * 50


def best_step(step: int) -> int:
    """Of the snapshots so far, the one with the best score: that of step 2, beaten only by the last."""
    return 2 if step < STEPS else STEPS


def save(run: Path, step: int) -> None:
    def fill(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(weights_after(step))
        durable.write_json(folder / "train_state.json", {"step": step})

    snapshots.save_snapshot(run, step, fill, extra={"step": step, "best_step": best_step(step)})
    snapshots.prune_snapshots(run, keep={step, best_step(step)})


def resume(run: Path) -> int:
    """The step to go on from, the log cut back to it."""
    found = snapshots.latest_snapshot(run)
    step = 0 if found is None else json.loads((found[1] / "train_state.json").read_bytes())["step"]
    durable.truncate_lines(run / "metrics.jsonl", step)
    return int(step)


def train(run: Path) -> None:
    for step in range(resume(run) + 1, STEPS + 1):
        durable.append_line(run / "metrics.jsonl", {"step": step, "loss": 1 / step})
        if step % 2 == 0:
            save(run, step)
    durable.write_file(run / "model.safetensors", weights_after(best_step(STEPS)))
    book_folder.seal_training(run, {"steps": STEPS, "best_step": best_step(STEPS)})


def live(book: Book) -> dict[str, Any]:
    """Begin, resume, or find finished; the result."""
    book.require_writable()
    run = book.runs / book_folder.folder_name("tiny", "full", "story", 0, str(RUN["run"]))
    with hold(run):
        if book_folder.read_result(run) is None:
            durable.sweep(run)
            durable.write_json(run / "run.json", RUN)
            train(run)
            book_folder.seal(
                run, {"run": RUN["run"], "lines": len(durable.read_lines(run / "metrics.jsonl"))}
            )
        snapshots.prune_snapshots(run, keep=set())
    book.ingest(run)
    book.record_experiment("story", "seeds = 1\n", {}, [str(RUN["run"])])
    return book_folder.read_result(run) or {}


if __name__ == "__main__":
    try:
        live(Book(Path(sys.argv[1])))
    except TunebookError as error:
        sys.exit(error.exit_code)
