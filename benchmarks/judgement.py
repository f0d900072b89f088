"""How long does a comparison take, and how much memory? A large one, and a small one out of a book of 10,000 runs.

Runs are made up, nothing is trained; what is measured are whole commands, start-up included, the fastest of some
rounds. Prints a table; `--json` all of it.

    python -m benchmarks.judgement [--json] [--rounds 3] [--runs 10000] [--examples 60000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROWS, SEEDS = 20, 5
EXPERIMENT = """
question = "Is a small comparison quick in a large book?"
checkpoints = ["minilm-l6"]
datasets = ["pocket"]
methods = ["full", "lora", "bitfit", "linear_probe", "prefix_tuning", "bottleneck_adapter"]
seeds = 5
baselines = false
"""


def fill(folder: Path, runs: int, examples: int) -> None:
    """Make both books, and the file of the experiment."""
    fill_large(folder / "large", examples)
    fill_many(folder / "many", runs, folder / "small.toml")


def fill_large(root: Path, examples: int) -> None:
    """A book with rows that lie close together, as good ones do, on one large test set."""
    from tests import results
    from tunebook.book import Book

    of = results.examples(examples)
    for row in range(ROWS):
        for seed in range(SEEDS):
            run = results.Run(seed=seed, skill=1 + row / 100, train={"epochs": row + 1}, examples=of)
            results.finish(Book(root), run)


def fill_many(root: Path, runs: int, file: Path) -> None:
    """A book with a recorded experiment of 30 runs, and many others, on other datasets, without predictions."""
    from tests import results
    from tunebook import grid, toml_file
    from tunebook.book import Book

    book = Book(root)
    file.write_text(EXPERIMENT)
    declared = grid.experiment(toml_file.parse(EXPERIMENT, str(file)), str(file))
    of, mine = results.examples(150), []
    for number, one in enumerate(declared.runs()):
        run = results.Run(
            method=one.method.name, seed=one.seed, skill=1 + number / 100, dataset="pocket", examples=of
        )
        folder = results.finish(book, run)
        mine.append(json.loads((folder / "run.json").read_text())["run"])
    book.record_experiment(file.stem, EXPERIMENT, declared.model_dump(), mine)
    others = {name: (folder / name).read_text() for name in ("result.json", "cost.jsonl")}
    for number in range(len(mine), runs):
        other = results.begin(book, replace(run, seed=number, dataset=f"reviews-{number % 100}"))
        for name, text in others.items():
            (other / name).write_text(text)
    book.reindex()


def measure(rounds: int, root: Path, *words: str) -> dict[str, Any]:
    """The least wall and processor seconds of a command, and its peak memory."""
    found = []
    for _ in range(rounds):
        command = [sys.executable, "-m", "tunebook", *words, "--root", str(root)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        found.append((seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024))
    names = ("seconds", "processor_seconds", "peak_memory_bytes")
    return dict(zip(names, map(min, zip(*found, strict=True)), strict=True))


def main() -> None:
    """Parse the arguments, make the books, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: the kernel counts this one's memory to a command that it starts.
        filling = multiprocessing.get_context("spawn").Process(
            target=fill, args=(folder, asked.runs, asked.examples)
        )
        filling.start()
        filling.join()
        assert filling.exitcode == 0
        large, many, file = folder / "large", folder / "many", str(folder / "small.toml")
        size = f"{ROWS} rows, {SEEDS} seeds, {asked.examples:,} examples"
        f1 = ("compare", "--pairs", "--metric", "f1")
        found = {
            f"`compare --pairs`, {size}": measure(asked.rounds, large, "compare", "--pairs"),
            f"`compare --pairs --metric f1`, {size}": measure(asked.rounds, large, *f1),
            f"`list runs`, {asked.runs:,} runs": measure(asked.rounds, many, "list", "runs"),
            f"`compare FILE`, 30 of {asked.runs:,} runs": measure(asked.rounds, many, "compare", file),
        }
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    print("| `tunebook ...` | seconds | processor seconds | peak memory, MB |\n|---|---|---|---|")
    for what, one in found.items():
        print(f"| {what} | {one['seconds']:.2f} | {one['processor_seconds']:.2f} "
              f"| {one['peak_memory_bytes'] / 1e6:,.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
