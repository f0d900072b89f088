"""From the owners' file to the token store in little more than tokenising takes: a ratio, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.alone
def test_reading_and_checking_add_little_to_tokenising(minilm: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "benchmarks/data.py", "--rows", "60000", "--rounds", "3", "--tokenizer"]
    done = subprocess.run(
        [*command, str(minilm / "tokenizer.json")],
        cwd=root,
        env={"PYTHONPATH": str(root), "TOKENIZERS_PARALLELISM": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Of the best of each: on cores that others use too, a median of three is their luck as much as ours.
    best = {kind: min(one["seconds"] for one in taken) for kind, taken in found["measurements"].items()}
    # 0.9 to 1.8 on the machines seen: the faster a machine tokenises, the more reading is beside it.
    assert best["pipeline"] / best["alone"] < 2.2, found
    assert found["cached_seconds"] < 2 and found["peak_memory_bytes"] < 2 * 2**30
