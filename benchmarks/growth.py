"""Does a step stay as fast, and memory as small, when there are more texts? 10 thousand to 1.6 million of them.

Real tweets, over and over, in a token store on disk; MiniLM-L6, batches of 64. Every size is a process of its own,
and the sizes are taken in turns. Prints a table; `--json` all of it.

    TUNEBOOK_DATA=DIR python -m benchmarks.growth [--json] [--rounds 3] [--steps 40]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contenders
from benchmarks.workloads import WORKLOADS, encoder_of, texts_of

SIZES = (10_000, 100_000, 400_000, 1_600_000)


def write(folder: Path, sizes: tuple[int, ...]) -> None:
    """A token store on disk for each size, as `open_store` reads it."""
    workload = WORKLOADS["tweets-minilm"]
    for size in sizes:
        store, labels = texts_of(replace(workload, texts=size), encoder_of(workload), folder / "cache")
        place = folder / str(size)
        place.mkdir()
        dtypes = {"ids": str(store.ids.dtype), "offsets": "int64", "first_window": "int64"}
        for name in dtypes:
            getattr(store, name).tofile(place / f"{name}.bin")
        np.save(place / "labels.npy", labels)
        (place / "meta.json").write_text(json.dumps({**store.meta, "dtypes": dtypes}))


def child(folder: Path, steps: int) -> dict[str, Any]:
    """Train some steps on the texts of a folder."""
    from tunebook.data.tokens import open_store

    workload = replace(WORKLOADS["tweets-minilm"], steps={"tunebook": steps})
    encoder = encoder_of(workload)
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    with tempfile.TemporaryDirectory() as run:
        return contenders.tunebook(workload, open_store(folder), labels, encoder, Path(run))


def main() -> None:
    """Parse the arguments and measure; or be one of the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(child(asked.child, asked.steps)))
        return
    from tunebook.experiment import PROCESS_ENVIRONMENT

    found: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    command = [sys.executable, "-m", "benchmarks.growth", "--steps", str(asked.steps), "--child"]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), SIZES)
        for _ in range(asked.rounds):
            for size in SIZES:
                done = subprocess.run(
                    [*command, f"{folder}/{size}"],
                    env=PROCESS_ENVIRONMENT | os.environ,
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                found[size].append(json.loads(done.stdout.splitlines()[-1]))
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    print(
        "| texts | microseconds per token | peak memory, MB | loader's share of a step |\n|---|---|---|---|"
    )
    for size, measured in found.items():
        median = {key: statistics.median(one[key] for one in measured)
                  for key in ("tokens_per_second", "peak_memory_bytes", "loader_share")}  # fmt: skip
        print(f"| {size:,} | {1e6 / median['tokens_per_second']:.0f} | {median['peak_memory_bytes'] / 1e6:,.0f} "
              f"| {median['loader_share']:.2%} |")  # fmt: skip


if __name__ == "__main__":
    main()
