"""What is promised of training as a whole: half precision changes no curve, packing costs no memory, size neither."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training import build_loop, load_encoder
from tunebook import durable

ROOT = Path(__file__).parent.parent


def losses(minilm: Path, folder: Path, *, seed: int, precision: str) -> np.ndarray:
    """The training loss of 200 steps on pocket, averaged over windows of 20."""
    from tunebook.data import DataSource, load

    train = load(DataSource(name="pocket")).splits["train"]
    loop = build_loop(
        load_encoder(minilm),
        folder,
        texts=train.texts().to_pylist(),
        labels=train.labels.tolist(),
        method_settings={"learning_rate": 1e-4},
        seed=seed,
        precision=precision,
        batch_size=16,
        min_steps=200,
    )
    while loop.state.step < 200:
        loop.step()
    curve = [line["train/loss"] for line in durable.read_lines(folder / "metrics.jsonl")]
    return np.array(curve[:200]).reshape(10, 20).mean(1)


@pytest.mark.slow
def test_half_precision_follows_the_curve_of_float32(minilm: Path, tmp_path: Path) -> None:
    """bfloat16 is nearer to float32 of the same seed than three seeds of float32 are to each other."""
    exact = [losses(minilm, tmp_path / str(seed), seed=seed, precision="float32") for seed in range(3)]
    half = losses(minilm, tmp_path / "half", seed=0, precision="bfloat16")
    spread = np.max(exact, 0) - np.min(exact, 0)
    assert np.abs(half - exact[0]).mean() < spread.mean()
    assert exact[0][-1] < 0.6 * exact[0][0], "something was learned"


_PEAK = """
import json, sys
from pathlib import Path
from tests.stores import store_of
from tests.training import build_loop, load_encoder
from tunebook import cost
import numpy as np

asked = json.loads(sys.argv[1])
encoder = load_encoder(Path(asked["checkpoint"]))
loop = build_loop(encoder, Path(asked["folder"]), padding=asked["padding"], batch_size=asked["batch_size"])
loop.gradient.store = store_of([asked["tokens"]] * asked["texts"], vocabulary=1000)
loop.gradient.labels = loop.gradient.labels.new_zeros(asked["texts"])
for step in range(asked["steps"]):
    loop.gradient.add(step, np.random.default_rng(step).permutation(asked["texts"])[: asked["batch_size"]])
    loop.gradient.clear()
print(cost.peak_memory_bytes())
"""


def peak(minilm: Path, folder: Path, **asked: Any) -> int:
    """Peak memory of a process that adds up gradients."""
    folder.mkdir()
    values = {"checkpoint": str(minilm), "folder": str(folder), "padding": "auto", "steps": 2, **asked}
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, json.dumps(values)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_packing_takes_no_more_memory_than_padding(minilm: Path, tmp_path: Path) -> None:
    """Full rectangles, where padding loses nothing: 16 texts of 512 tokens."""
    size = {"texts": 16, "tokens": 512, "batch_size": 16, "steps": 1}
    packed = peak(minilm, tmp_path / "packed", **size)
    assert packed <= peak(minilm, tmp_path / "stock", padding="stock", **size)


@pytest.mark.slow
def test_ten_times_the_texts_take_no_more_memory(minilm: Path, tmp_path: Path) -> None:
    size = {"tokens": 24, "batch_size": 64, "steps": 6}
    few, many = (peak(minilm, tmp_path / str(texts), texts=texts, **size) for texts in (10_000, 100_000))
    assert many < 1.02 * few + 16e6  # the store itself lies in memory here: two bytes a token


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.real_data
def test_the_benchmark_runs(real_data: Path) -> None:
    command = ["-m", "benchmarks.training", "--json", "--rounds", "1", "--steps", "2"]
    done = subprocess.run(
        [sys.executable, *command, "--workload", "tweets-minilm"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["workloads"]["tweets-minilm"]
    assert set(found["ratios"]) == {"trainer-128", "trainer-dynamic", "trainer-bf16", "trainer-grouped"}
    assert len(set(found["trainable_parameters"].values())) == 1
    assert found["ran"]["path"] == "packed" and 0 < found["share_of_rate"] < 1
    assert all(
        ratio > 1 for name, ratio in found["ratios"].items() if name in ("trainer-128", "trainer-dynamic")
    )
