"""How long does a comparison take, and how much memory? A large one, and a small one out of a book of 10,000 runs.

Runs are made up, nothing is trained; what is measured are whole commands, start-up included, the fastest of some
rounds. Prints a table; `--json` all of it.

    python -m benchmarks.judgement [--json] [--rounds 3] [--runs 10000] [--examples 60000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import results
from tunebook import grid, toml_file
from tunebook.book import Book

ROWS, SEEDS = 20, 5
EXPERIMENT = """
question = "Is a small comparison quick in a large book?"
checkpoints = ["minilm-l6"]
datasets = ["pocket"]
methods = ["full", "lora", "bitfit", "linear_probe", "prefix_tuning", "bottleneck_adapter"]
seeds = 5
baselines = false
"""


def fill_large(book: Book, examples: int) -> None:
    """Rows that lie close together, as good ones do, on one large test set."""
    of = results.examples(examples)
    for row in range(ROWS):
        for seed in range(SEEDS):
            run = results.Run(seed=seed, skill=1 + 0.01 * row, train={"epochs": row + 1}, examples=of)
            results.finish(book, run)


def fill_many(book: Book, runs: int, file: Path) -> None:
    """A recorded experiment of 30 runs with their predictions, and all the others, on other datasets, without."""
    file.write_text(EXPERIMENT)
    declared = grid.experiment(toml_file.parse(EXPERIMENT, str(file)), str(file))
    of, mine = results.examples(150), []
    for one in declared.runs():
        run = results.Run(method=one.method.name, seed=one.seed, dataset="pocket", examples=of)
        folder = results.finish(book, run)
        mine.append(json.loads((folder / "run.json").read_text())["run"])
    book.record_experiment(file.stem, EXPERIMENT, declared.model_dump(), mine)
    others = [path.read_text() for path in (folder / "result.json", folder / "cost.jsonl")]
    for number in range(len(mine), runs):
        other = results.begin(book, replace(run, seed=number, dataset=f"reviews-{number % 100}"))
        for name, text in zip(("result.json", "cost.jsonl"), others, strict=True):
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
        large, many, file = Book(Path(name) / "large"), Book(Path(name) / "many"), Path(name) / "small.toml"
        fill_large(large, asked.examples)
        fill_many(many, asked.runs, file)
        size = f"{ROWS} rows, {SEEDS} seeds, {asked.examples:,} examples"
        found = {
            f"compare, {size}": measure(1, large.root, "compare", "--pairs"),
            f"compare --metric f1, {size}": measure(1, large.root, "compare", "--pairs", "--metric", "f1"),
            f"list runs, {asked.runs:,} runs": measure(asked.rounds, many.root, "list", "runs"),
            f"compare FILE, 30 of {asked.runs:,} runs": measure(
                asked.rounds, many.root, "compare", str(file)
            ),
        }
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    print("| command | seconds | processor seconds | peak memory, MB |\n|---|---|---|---|")
    for what, one in found.items():
        print(f"| `tunebook {what} | {one['seconds']:.2f} | {one['processor_seconds']:.2f} "
              f"| {one['peak_memory_bytes'] / 1e6:,.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
