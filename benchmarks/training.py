"""How fast Tunebook trains beside `transformers.Trainer`: same weights, same texts, alternating, medians, ratios.

Every measurement is a process of its own, so that one's memory and threads are not another's. A contender trains a
few steps to get warm and then so many that its batches are typical. Trainer runs as a user would start it.

    TUNEBOOK_DATA=DIR python -m benchmarks.training [--json] [--rounds 3] [--workload tweets-minilm ...]

README.md beside this file says what the workloads are and what was measured.
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

from benchmarks import contenders
from benchmarks.workloads import WORKLOADS, Workload, encoder_of, texts_of

METHODS = {"tunebook-full": "full"}
"""Contenders that train by another method than the workload's: what the method saves, within one run."""

_WEIGHT_GRADIENTS = {"full": 1.0, "lora": 1 / 6}
"""The share of the layers' weights whose gradient is computed: LoRA's are query and value, other adapters have none."""


def products(workload: Workload, tokens: float, samples: float, *, last_layer_whole: bool) -> float:
    """Floating point operations of the layers' matrix products, forward and backward, for so many texts.

    Attention's own (scores and mixing) and an adapter's are left out: under 3 % for tweets each. `last_layer_whole`
    counts the last layer as everybody computes it; Tunebook computes of it what the head reads.
    """
    width, layers, wide = (768, 6, 3072) if "distilbert" in workload.checkpoint else (384, 6, 1536)
    layer = 4 * width * width + 2 * width * wide
    saved = 0 if last_layer_whole else (2 * width * width + 2 * width * wide) * (tokens - samples)
    operations = 4 + 2 * _WEIGHT_GRADIENTS.get(workload.method, 0.0)
    return operations * (layer * layers * tokens - saved)


# --- in turns ------------------------------------------------------------------------------------------------


def child(asked: argparse.Namespace) -> dict[str, Any]:
    """One measurement, in this process."""
    if asked.child == "rate":
        return contenders.rate()
    workload = WORKLOADS[asked.workload[0]]
    workload = replace(workload, method=METHODS.get(asked.child, workload.method))
    if asked.steps:
        workload = replace(
            workload, steps={name: min(steps, asked.steps) for name, steps in workload.steps.items()}
        )
    encoder = encoder_of(workload)
    store, labels = texts_of(workload, encoder, Path(asked.cache))
    trains = contenders.tunebook if is_ours(asked.child) else contenders.trainer
    with tempfile.TemporaryDirectory() as folder:
        return trains(workload, store, labels, encoder, Path(folder), name=asked.child)


def is_ours(contender: str) -> bool:
    """Whether a contender is Tunebook, in whatever setting."""
    return contender.startswith("tunebook")


def measured(contender: str, workload: str, cache: str, steps: int | None) -> dict[str, Any]:
    """One measurement, in a process of its own; Tunebook's has the environment of a run."""
    from tunebook.experiment import PROCESS_ENVIRONMENT

    extra = PROCESS_ENVIRONMENT if is_ours(contender) else {}
    command = [sys.executable, "-m", "benchmarks.training", "--child", contender, "--cache", cache]
    done = subprocess.run(
        [*command, "--workload", workload, *(["--steps", str(steps)] if steps else [])],
        env={**extra, **os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{contender} on {workload} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(workload: Workload, rounds: int, cache: str, steps: int | None) -> dict[str, Any]:
    """Every contender in turns, `rounds` times: medians, and Tunebook's speed as a multiple of the others'."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in workload.steps}
    rates: list[float] = []
    for _ in range(rounds):
        rates.append(measured("rate", workload.name, cache, steps)["flops_per_second"])
        for name in workload.steps:
            found[name].append(measured(name, workload.name, cache, steps))
            print(f"{workload.name}: {name} {found[name][-1]['samples_per_second']:.1f}/s", file=sys.stderr)
    speeds = {
        name: statistics.median(one["samples_per_second"] for one in all_) for name, all_ in found.items()
    }
    ours = speeds["tunebook"]
    return {
        "samples_per_second": speeds,
        "ratios": {name: ours / speed for name, speed in speeds.items() if name != "tunebook"},
        "peak_memory_bytes": {
            name: max(one["peak_memory_bytes"] for one in all_) for name, all_ in found.items()
        },
        "trainable_parameters": {name: all_[0]["trainable_parameters"] for name, all_ in found.items()},
        "matrix_rate": max(rates),
        **shares(workload, found["tunebook"], max(rates)),
        "ran": {key: found["tunebook"][0][key] for key in ("path", "kernel", "precision", "loader_share")},
        "measurements": found,
    }


def shares(workload: Workload, ours: list[dict[str, Any]], rate: float) -> dict[str, float | None]:
    """The matrix products that Tunebook computes per second, as a share of the machine's rate; None of a probe, which
    computes the layers once for all epochs."""
    samples, tokens = (
        statistics.median(one[f"{what}_per_second"] for one in ours) for what in ("samples", "tokens")
    )
    counts = {"share_of_rate": False, "share_as_usually_counted": True}
    return {
        name: None
        if workload.method == "linear_probe"
        else products(workload, tokens, samples, last_layer_whole=is_whole) / rate
        for name, is_whole in counts.items()
    }


def main() -> None:
    """Parse the arguments and measure; or be one of the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    usual = [name for name, row in WORKLOADS.items() if not row.for_gpu]
    parser.add_argument("--workload", nargs="+", choices=tuple(WORKLOADS), default=usual)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="measure at most so many steps: to see that it works")
    parser.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(child(asked)))
        return
    with tempfile.TemporaryDirectory() as cache:
        results = {
            name: compare(WORKLOADS[name], asked.rounds, cache, asked.steps) for name in asked.workload
        }
    if asked.json:
        print(json.dumps({"cores": os.cpu_count(), "workloads": results}, indent=1))
        return
    for name, result in results.items():
        show(name, result)


def show(workload: str, result: dict[str, Any]) -> None:
    """Print what was found of a workload, a line for each contender."""
    ran, share = result["ran"], result["share_of_rate"]
    print(f"\n{workload}: {ran['path']}, {ran['kernel']}, {ran['precision']}")
    print(f"  loading takes {ran['loader_share']:.1%} of a step", end="\n" if share is None else "; ")
    if share is not None:
        print(f"{share:.0%} of the matrix rate, {result['matrix_rate'] / 1e9:.0f} GFLOP/s")
    for name, speed in result["samples_per_second"].items():
        ratio = f"{result['ratios'][name]:6.2f} x" if name in result["ratios"] else " " * 8
        memory = result["peak_memory_bytes"][name] / 1e6
        trains = result["trainable_parameters"][name]
        print(f"  {ratio} {name:<16}{speed:8.1f} samples/s{memory:8,.0f} MB{trains:12,} parameters train")


if __name__ == "__main__":
    main()
