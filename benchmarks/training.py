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
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

WARM_STEPS = 3


@dataclass(frozen=True)
class Workload:
    """What is trained on what; `steps` are those measured, by contender (0: left out)."""

    name: str
    checkpoint: str
    dataset: str
    max_length: int
    batch_size: int
    steps: dict[str, int]
    method: str = "full"
    epochs: int = 1
    texts: int = 8_000
    for_gpu: bool = False


TRAINERS: dict[str, dict[str, Any]] = {
    "trainer-128": {"padding": "max_length"},
    "trainer-dynamic": {},
    "trainer-bf16": {"bf16": True},
    "trainer-grouped": {"bf16": True, "train_sampling_strategy": "group_by_length"},
}
"""What a user of `transformers.Trainer` would set, from the least to the most."""

WORKLOADS = {
    row.name: row
    for row in (
        Workload(
            "tweets-minilm",
            "minilm-l6",
            "sentiment140",
            128,
            64,
            {
                "trainer-128": 6,
                "trainer-dynamic": 15,
                "trainer-bf16": 20,
                "trainer-grouped": 50,
                "tunebook": 60,
            },
        ),
        Workload(
            "tweets-distilbert",
            "distilbert-shape",
            "sentiment140",
            128,
            64,
            {"trainer-dynamic": 5, "trainer-bf16": 6, "trainer-grouped": 25, "tunebook": 15},
        ),
        Workload("reviews-minilm", "minilm-l6", "imdb", 256, 32, {"trainer-grouped": 8, "tunebook": 12}),
        Workload(
            "tweets-probe",
            "minilm-l6",
            "sentiment140",
            128,
            64,
            {"trainer-bf16": 0, "trainer-grouped": 0, "tunebook": 0},
            method="linear_probe",
            epochs=3,
            texts=3_200,
        ),
        Workload(  # as many steps as the reference experiment's: 6,564 of 64 tweets
            "gpu-reference",
            "distilbert-shape",
            "sentiment140",
            128,
            64,
            {"trainer-grouped": 400, "tunebook": 6_564 - WARM_STEPS},
            texts=420_000,
            for_gpu=True,
        ),
        Workload(
            "gpu-large-batch",
            "distilbert-shape",
            "sentiment140",
            128,
            1024,
            {"trainer-grouped": 100, "tunebook": 300},
            texts=420_000,
            for_gpu=True,
        ),
    )
}


# --- what both train -----------------------------------------------------------------------------------------


def encoder_of(workload: Workload) -> Any:
    """A checkpoint with a new head for two classes; a shape has random weights and BERT's word pieces."""
    import torch

    from tunebook.models import load, resolve

    torch.manual_seed(0)
    names = ("negative", "positive")
    if workload.checkpoint != "distilbert-shape":
        return load.load(resolve.resolve(workload.checkpoint), label_names=names)
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    tokenizer = load.load_tokenizer(resolve.resolve("minilm-l6").folder)
    config = DistilBertConfig(vocab_size=len(tokenizer), num_labels=2)
    return load.Encoder(DistilBertForSequenceClassification(config), tokenizer, "distilbert", frozenset())


def texts_of(workload: Workload, encoder: Any, cache: Path) -> tuple[Any, Any]:
    """Token store and labels of the workload's training texts."""
    from tunebook import data

    dataset = data.load(data.DataSource(name=workload.dataset), cache=cache)
    split = dataset.splits["train"]
    store = data.tokenise(
        split,
        encoder.tokenizer.backend_tokenizer,
        tokenizer_hash="benchmark",
        max_length=workload.max_length,
        cache=cache,
    )
    return repeated(store, split.labels, workload.texts)


def repeated(store: Any, labels: Any, texts: int) -> tuple[Any, Any]:
    """The first `texts` of a store; where there are too few of them, all of them over and over."""
    import numpy as np

    from tunebook.data.tokens import TokenStore

    taken = np.resize(np.arange(len(store)), texts)
    lengths = store.lengths[taken]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    source = np.arange(offsets[-1]) + np.repeat(store.offsets[taken] - offsets[:-1], lengths)
    meta = {**store.meta, "texts": texts, "windows": texts}
    return TokenStore(store.ids[source], offsets, np.arange(texts + 1), None, meta), labels[taken]


def finished(*, seconds: float, samples: int, tokens: int, **more: Any) -> dict[str, Any]:
    """What a contender answers."""
    from tunebook import cost

    found = {
        "samples_per_second": samples / seconds,
        "tokens_per_second": tokens / seconds,
        "seconds": seconds,
    }
    return {**found, "peak_memory_bytes": cost.peak_memory_bytes(), **more}


# --- the contenders ------------------------------------------------------------------------------------------


def tunebook(workload: Workload, store: Any, labels: Any, encoder: Any, folder: Path) -> dict[str, Any]:
    """Tunebook's own loop, as a run has it."""
    from tunebook import environment, methods, paths
    from tunebook.spec import TrainSpec
    from tunebook.steering import Control
    from tunebook.train import Labelled, Loop

    settings = TrainSpec(epochs=workload.epochs, batch_size=workload.batch_size)
    begin = time.perf_counter()
    hardware = environment.hardware()
    environment.make_repeatable(hardware)
    row = methods.method(workload.method)
    recipe = row.function(encoder, **row.settings().model_dump())
    path = paths.choose(encoder, hardware, trains=recipe.learning_rates)
    options = {"settings": settings, "seed": 0, "label_names": ("negative", "positive"), "hardware": hardware}
    loop = Loop(
        encoder, recipe, path, Labelled(store, labels), None, folder=folder, control=Control(), **options
    )
    is_whole = workload.method != "full"
    for _ in range(0 if is_whole else WARM_STEPS):
        loop.step()
    if not is_whole:
        begin = time.perf_counter()
    before = loop.meter.samples, loop.meter.tokens
    for _ in range(loop.plan.total_steps if is_whole else workload.steps["tunebook"]):
        loop.step()
    seconds = time.perf_counter() - begin
    samples, tokens = loop.meter.samples - before[0], loop.meter.tokens - before[1]
    loading = loop.meter.loading_seconds / loop.meter.seconds
    found = finished(seconds=seconds, samples=samples, tokens=tokens, loader_share=loading)
    return found | {"path": path.name, "kernel": path.kernel, "precision": hardware.precision}


def trainer(
    workload: Workload, store: Any, labels: Any, encoder: Any, folder: Path, *, name: str
) -> dict[str, Any]:
    """`transformers.Trainer` on the same texts, with its usual collator."""
    import torch
    from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    options = dict(TRAINERS[name])
    is_whole = workload.method != "full"
    if is_whole:
        encoder.model.base_model.requires_grad_(False)
    collator = DataCollatorWithPadding(
        encoder.tokenizer, padding=options.pop("padding", True), max_length=workload.max_length
    )
    rows = [
        {"input_ids": store.window(text).tolist(), "labels": int(labels[text])} for text in range(len(store))
    ]
    seen: list[tuple[float, int]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *arguments: Any, **more: Any) -> None:
            seen.append((time.perf_counter(), counted[0]))

    counted = [0]

    def collate(batch: list[dict[str, Any]]) -> Any:
        counted[0] += sum(len(row["input_ids"]) for row in batch)
        return collator(batch)

    total = -1 if is_whole else WARM_STEPS + workload.steps[name]
    begin = time.perf_counter()
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=total,
        num_train_epochs=workload.epochs,
        per_device_train_batch_size=workload.batch_size,
        learning_rate=5e-5,
        seed=0,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        **options,
    )
    run = Trainer(
        model=encoder.model,
        args=arguments,
        train_dataset=rows,  # type: ignore[arg-type]
        data_collator=collate,
        callbacks=[Clock()],
    )
    run.train()
    if is_whole:
        seconds, steps = seen[-1][0] - begin, len(seen)
        return finished(seconds=seconds, samples=len(rows) * workload.epochs, tokens=counted[0], steps=steps)
    first, last = seen[WARM_STEPS - 1], seen[-1]
    samples = workload.steps[name] * workload.batch_size
    return finished(seconds=last[0] - first[0], samples=samples, tokens=last[1] - first[1])


def rate() -> dict[str, Any]:
    """The machine's rate in one matrix product, in the precision that training would use: of a layer's shape on a CPU,
    large on a GPU."""
    import torch

    from tunebook.environment import hardware

    chosen = hardware()
    dtype = torch.bfloat16 if chosen.precision == "bfloat16" else torch.float32
    rows, width, wide = (8192, 8192, 8192) if chosen.device.type == "cuda" else (1504, 384, 1536)
    left = torch.randn(rows, width).to(chosen.device, dtype)
    right = torch.randn(wide, width).to(chosen.device, dtype)

    def once() -> float:
        begin = time.perf_counter()
        torch.nn.functional.linear(left, right)
        if chosen.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    # The fastest tenth: what else the machine does may slow a product down, and nothing makes it faster.
    seconds = statistics.quantiles((once() for _ in range(300)), n=10)[0]
    return {"flops_per_second": 2 * rows * width * wide / seconds, "precision": chosen.precision}


def products(workload: Workload, tokens: float, samples: float, *, last_layer_whole: bool) -> float:
    """Floating point operations of the layers' matrix products, forward and backward, for so many texts.

    Attention's own (scores and mixing) are left out: under 3 % for tweets. `last_layer_whole` counts the last layer
    as everybody computes it; Tunebook computes of it what the head reads.
    """
    width, layers, wide = (768, 6, 3072) if "distilbert" in workload.checkpoint else (384, 6, 1536)
    layer = 4 * width * width + 2 * width * wide
    saved = 0 if last_layer_whole else (2 * width * width + 2 * width * wide) * (tokens - samples)
    return 6 * (layer * layers * tokens - saved)


# --- in turns ------------------------------------------------------------------------------------------------


def child(asked: argparse.Namespace) -> dict[str, Any]:
    """One measurement, in this process."""
    if asked.child == "rate":
        return rate()
    workload = WORKLOADS[asked.workload[0]]
    if asked.steps:
        workload = replace(
            workload, steps={name: min(steps, asked.steps) for name, steps in workload.steps.items()}
        )
    encoder = encoder_of(workload)
    store, labels = texts_of(workload, encoder, Path(asked.cache))
    with tempfile.TemporaryDirectory() as folder:
        if asked.child == "tunebook":
            return tunebook(workload, store, labels, encoder, Path(folder))
        return trainer(workload, store, labels, encoder, Path(folder), name=asked.child)


def measured(contender: str, workload: str, cache: str, steps: int | None) -> dict[str, Any]:
    """One measurement, in a process of its own; Tunebook's has the environment of a run."""
    from tunebook.experiment import PROCESS_ENVIRONMENT

    extra = PROCESS_ENVIRONMENT if contender == "tunebook" else {}
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
    tokens = statistics.median(one["tokens_per_second"] for one in found["tunebook"])
    peak = max(rates)
    return {
        "samples_per_second": speeds,
        "ratios": {name: ours / speed for name, speed in speeds.items() if name != "tunebook"},
        "peak_memory_bytes": {
            name: max(one["peak_memory_bytes"] for one in all_) for name, all_ in found.items()
        },
        "matrix_rate": peak,
        "share_of_rate": products(workload, tokens, ours, last_layer_whole=False) / peak,
        "share_as_usually_counted": products(workload, tokens, ours, last_layer_whole=True) / peak,
        "ran": {key: found["tunebook"][0][key] for key in ("path", "kernel", "precision", "loader_share")},
        "measurements": found,
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
        print(f"\n{name}: Tunebook {result['samples_per_second']['tunebook']:.0f} samples/s ({result['ran']['path']}, "
              f"{result['ran']['kernel']}, {result['ran']['precision']}), "
              f"{result['share_of_rate']:.0%} of the matrix rate, "
              f"{result['ran']['loader_share']:.1%} of a step is loading")  # fmt: skip
        for other, ratio in result["ratios"].items():
            print(f"  {ratio:5.2f} x {other} ({result['samples_per_second'][other]:.1f} samples/s)")


if __name__ == "__main__":
    main()
