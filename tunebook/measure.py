"""What a run would cost, measured from a few real steps of each kind; nothing is stored."""

from __future__ import annotations

import json
import operator
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tunebook.experiment import PROCESS_ENVIRONMENT, Planned
from tunebook.flow import Options
from tunebook.prepare import Prepared

if TYPE_CHECKING:
    from tunebook.book import Book
    from tunebook.train import Loop

_STEPS = 6
_PREDICTED_TEXTS = 128


def estimates(planned: Sequence[Planned], book: Book, device: str = "auto") -> list[dict[str, Any] | None]:
    """For each planned run its estimated `seconds` and `peak_memory_bytes`; None for what is finished, missing
    or a baseline. Runs that differ by their seed alone share one measurement."""
    known: dict[str, dict[str, Any]] = {}
    found: list[dict[str, Any] | None] = []
    for item in planned:
        if item.prepared is None or item.prepared.checkpoint is None or item.status == "finished":
            found.append(None)
            continue
        key = json.dumps({**item.prepared.identity, "seed": None}, sort_keys=True)
        if key not in known:
            known[key] = _in_process(item, book, device)
        found.append(known[key])
    return found


def _in_process(item: Planned, book: Book, device: str) -> dict[str, Any]:
    asked = {
        "spec": item.spec.model_dump(),
        "root": str(book.root),
        "options": asdict(Options(device=device)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tunebook.worker", "--measure"],
        env=PROCESS_ENVIRONMENT | os.environ,
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
    )
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return (
        last["object"] if last["kind"] == "finished" else {"seconds": None, "peak_memory_bytes": None, **last}
    )


def measure(prepared: Prepared, book: Book, options: Options) -> dict[str, Any]:
    """Take a few steps and predict a few texts of a run, and multiply.

    Returns `seconds` (training and evaluating), `steps`, `seconds_per_step`, `seconds_per_text`,
    `peak_memory_bytes`, and the `path`, `kernel` and `precision` that it would run with.
    """
    from tunebook import cost, environment
    from tunebook.flow import build_loop, load_encoder
    from tunebook.paths import FeaturesPath
    from tunebook.steering import Control

    hardware = environment.hardware(options.device, prepared.spec.train.precision)
    encoder = load_encoder(prepared)
    with TemporaryDirectory() as folder:
        loop = build_loop(replace(prepared, folder=Path(folder)), book, encoder, hardware, Control())
        path = loop.paths[-1]
        kept = [isinstance(path, FeaturesPath) for path in loop.paths]
        by_phase = [_seconds_of_phase(loop, number) for number in range(len(kept))]
        per_text = _seconds_per_text(loop)
    steps = [end - begin for begin, end in pairwise((0, *loop.ends))]
    training = sum(map(operator.mul, steps, by_phase))
    splits = {name: len(split) for name, split in prepared.dataset.splits.items()}
    evaluations = 1 if all(kept) else loop.plan.total_steps // loop.plan.eval_every
    predicted = sum(size for name, size in splits.items() if any(kept) or name != "train")
    texts = evaluations * splits.get("validation", 0) + predicted
    return {
        "seconds": training + texts * per_text,
        "steps": loop.plan.total_steps,
        "seconds_per_step": training / loop.plan.total_steps,
        "seconds_per_text": per_text,
        "peak_memory_bytes": cost.peak_memory_bytes(),
        "path": loop.path_name,
        "kernel": path.kernel,
        "precision": hardware.precision,
    }


def _seconds_of_phase(loop: Loop, number: int) -> float:
    """The median seconds of a step of a phase, features known where they are kept."""
    from tunebook.paths import FeaturesPath

    loop.state.step = (0, *loop.ends)[number]
    loop.enter(number)
    path = loop.gradient.path
    if isinstance(path, FeaturesPath):  # every text is read once: measured on the path that reads
        loop.gradient.path = path.inner
    seconds = _seconds_of_head if isinstance(path, FeaturesPath) else _seconds_of_step
    return statistics.median(seconds(loop) for _ in range(_STEPS))


def _seconds_of_step(loop: Loop) -> float:
    loop.step()
    return loop.meter.last_seconds


def _seconds_of_head(loop: Loop) -> float:
    """A step whose features are known: head, its gradient and the update."""
    import numpy as np
    import torch

    from tunebook import optim
    from tunebook.paths import PackedPath, PaddedPath

    path, store = loop.gradient.path, loop.train.store
    assert isinstance(path, PackedPath | PaddedPath)
    with torch.no_grad():
        read = path.read(path.load(np.arange(1), store))
    begin = time.monotonic()
    logits = path.stack.head(read.float().repeat(loop.settings.batch_size, 1))
    logits.sum().backward()  # type: ignore[no-untyped-call]
    optim.step(loop.optimizer, loss=0.0, max_grad_norm=1.0)
    return time.monotonic() - begin


def _seconds_per_text(loop: Loop) -> float:
    import numpy as np

    some = np.random.default_rng(0).permutation(len(loop.train.store))[:_PREDICTED_TEXTS]
    begin = time.monotonic()
    loop.predict(loop.train.store, some)
    return (time.monotonic() - begin) / len(some)
