"""How long 1.6 million tweets take from the owners' file to the token store, against tokenising alone.

Prints JSON. Every measurement is a process of its own (its peak memory is the process's), the two are taken
in turns, and the figure is their ratio: seconds mean little on a machine that does other things too.

    python benchmarks/data.py --tokenizer PATH/tokenizer.json [--rows 1600000] [--rounds 2]
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MAX_LENGTH = 128
CHUNK_TEXTS = 4096
FILE = "training.1600000.processed.noemoticon.csv"


def tweets(rows: int) -> Iterator[str]:
    """Texts with the length, names, links and repeats of tweets, of words that people use."""
    import numpy as np

    from tunebook.data import DataSource, load

    pocket = load(DataSource(name="pocket"))
    texts = [text for split in pocket.splits.values() for text in split.texts().to_pylist()]
    words = " ".join(texts).split()
    generator = np.random.default_rng(0)
    lengths = generator.integers(4, 22, rows)
    chosen = generator.integers(0, len(words), int(lengths.sum()))
    start = 0
    for row, length in enumerate(lengths):
        text = " ".join(words[index] for index in chosen[start : start + length])
        start += length
        if row % 100 == 7:
            yield "good morning everyone "
        elif row % 2:
            yield f"@user{row % 9973} {text} "
        else:
            yield f"{text} http://tinyurl.com/{row:x} café " if row % 10 == 4 else text


def write(folder: Path, rows: int) -> dict[str, Any]:
    """The generated tweets in Sentiment140's format: headerless, latin-1, six quoted columns, by label."""
    with (folder / FILE).open("w", encoding="latin-1", errors="replace", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        for row, text in enumerate(tweets(rows)):
            label = 0 if row < rows // 2 else 4
            date = "Mon Apr 06 22:19:45 PDT 2009"
            writer.writerow((label, 1467810369 + row, date, "NO_QUERY", f"name{row % 5000}", text))
    return {"rows": rows}


def pipeline(folder: Path, tokenizer: Path) -> dict[str, Any]:
    """Read, check, split and tokenise every tweet (the row's own sizes would leave out most of them)."""
    from tokenizers import Tokenizer

    from tunebook.data import DataSource, rows, tokenise
    from tunebook.data.named import load_named
    from tunebook.gate import check

    row = rows()["sentiment140"]
    form = row.forms[0]
    assert form.cut is not None
    whole = dataclasses.replace(form, cut=dataclasses.replace(form.cut, train=None))
    row = dataclasses.replace(row, forms=(whole,))
    loaded = Tokenizer.from_file(str(tokenizer))
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        return result

    source = DataSource(name="sentiment140", files=str(folder))
    cache = folder / "cache"
    is_cached = cache.exists()
    dataset = timed("read", lambda: load_named(row, source, cache=cache))
    if not is_cached:
        found = timed("check", lambda: check(dataset))
        assert found.splits["train"].duplicates > 0
    stores = timed(
        "tokenise",
        lambda: [
            tokenise(split, loaded, tokenizer_hash="benchmark", max_length=MAX_LENGTH, cache=cache)
            for split in dataset.splits.values()
        ],
    )
    counts = {"texts": sum(map(len, stores)), "tokens": sum(store.meta["tokens"] for store in stores)}
    return {"seconds": sum(seconds.values()), "parts": seconds, **counts}


def alone(folder: Path, tokenizer: Path) -> dict[str, Any]:
    """`encode_batch` on the same texts, which are in memory already; its results are thrown away."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer))
    loaded.no_padding()
    loaded.enable_truncation(MAX_LENGTH)
    with (folder / FILE).open(encoding="latin-1", newline="") as file:
        texts = [fields[5] for fields in csv.reader(file)]
    start = time.perf_counter()
    for first in range(0, len(texts), CHUNK_TEXTS):
        loaded.encode_batch(texts[first : first + CHUNK_TEXTS])
    return {"seconds": time.perf_counter() - start, "texts": len(texts)}


def child(kind: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One piece of work in a process of its own."""
    options = {"--child": kind, "--folder": folder, "--tokenizer": asked.tokenizer, "--rows": asked.rows}
    command = [str(part) for option in options.items() for part in option]
    done = subprocess.run([sys.executable, __file__, *command], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


CHILDREN: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "write": lambda folder, asked: write(folder, asked.rows),
    "alone": lambda folder, asked: alone(folder, asked.tokenizer),
    "pipeline": lambda folder, asked: pipeline(folder, asked.tokenizer),
    "cached": lambda folder, asked: pipeline(folder, asked.tokenizer),
}


def rounds(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The measurements in turns, and what they come to."""
    kinds: dict[str, list[dict[str, Any]]] = {"alone": [], "pipeline": [], "cached": []}
    load_before = os.getloadavg()[0]
    child("write", folder, asked)
    for _ in range(asked.rounds):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        for kind in ("alone", "pipeline", "cached"):
            kinds[kind].append(child(kind, folder, asked))
    kinds["alone"].append(child("alone", folder, asked))
    medians = {kind: statistics.median(one["seconds"] for one in found) for kind, found in kinds.items()}
    return {
        "ratio": round(medians["pipeline"] / medians["alone"], 3),
        "cached_seconds": round(medians["cached"], 2),
        "peak_memory_bytes": max(one["peak_memory_bytes"] for one in kinds["pipeline"]),
        "cores": os.cpu_count(),
        "load_average": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "measurements": kinds,
    }


def main() -> None:
    """Parse the arguments, generate the file and measure; or be one of the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_600_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", choices=tuple(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        found = CHILDREN[asked.child](asked.folder, asked)
        found["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(rounds(Path(temporary), asked), indent=1))


if __name__ == "__main__":
    main()
