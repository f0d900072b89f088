"""Probing, then fine-tuning: two phases of one run, each with its own parameters, schedule, optimiser and path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.methods import cells
from tests.methods.cells import FAMILIES, Ran
from tests.training import build_loop, load_encoder
from tunebook import durable
from tunebook.optim import scale_at
from tunebook.train import Loop

Checkpoint = Callable[..., Path]

PROBE, FINE = 2e-2, 3e-3
MICRO_BATCHED = ("deberta", "deberta-v2", "mpnet")
TEXTS = [" ".join(words) for words in (cells.GOOD, cells.BAD) for _ in range(5)]


def looped(checkpoint: Path, folder: Path, *, share: float, steps: int, **train: Any) -> Loop:
    settings = {"learning_rate": FINE, "probe_learning_rate": PROBE, "probe_share": share}
    labels = [int(text.startswith(cells.GOOD[0])) for text in TEXTS]
    options = {"min_steps": steps, "batch_size": 5, **train}
    encoder = load_encoder(checkpoint)
    return build_loop(
        encoder, folder, texts=TEXTS, labels=labels, method="lp_ft", method_settings=settings, **options
    )


def changed(before: cells.Tensors, after: cells.Tensors) -> set[str]:
    import torch

    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("family", FAMILIES)
def test_first_the_head_alone_then_everything(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    loop = looped(checkpoint(family), tmp_path, share=0.5, steps=8, warmup_fraction=0.0)
    model, head = loop.encoder.model, set(loop.encoder.head_names)
    begun = cells.tensors(model)
    for _ in range(4):
        assert loop.phase == 0
        loop.step()
    probed = cells.tensors(model)
    assert changed(begun, probed) == head and loop.phase == 1
    for _ in range(4):
        loop.step()
    assert changed(probed, cells.tensors(model)) == set(loop.encoder.parameter_names)


def test_the_schedule_and_the_optimiser_begin_anew(checkpoint: Checkpoint, tmp_path: Path) -> None:
    loop = looped(checkpoint("bert"), tmp_path, share=0.4, steps=20, warmup_fraction=0.25)
    assert loop.ends == [8, 20]
    for _ in range(9):
        loop.step()
    moments = loop.optimizer.state.values()
    assert {float(state["step"]) for state in moments} == {1.0}, "one step of the second phase"
    assert len(moments) == len(loop.encoder.parameter_names)
    loop.run()
    rates = [line["train/learning_rate"] for line in durable.read_lines(tmp_path / "metrics.jsonl")]
    expected = [PROBE * scale_at(step, 8, loop.settings) for step in range(8)]
    expected += [FINE * scale_at(step, 12, loop.settings) for step in range(12)]
    assert rates == pytest.approx(expected) and rates[0] == rates[8] == 0
    assert max(rates[:8]) == PROBE and max(rates[8:]) == FINE


@pytest.mark.parametrize(
    ("share", "steps", "ends"),
    [
        (0.01, 10, [1, 10]),
        (0.06, 10, [1, 10]),
        (0.5, 10, [5, 10]),
        (0.99, 10, [9, 10]),
        (0.3, 2, [1, 2]),
        (0.3, 1, [0, 1]),
        (0.9, 1, [0, 1]),
    ],
)
def test_each_phase_has_a_step(
    share: float, steps: int, ends: list[int], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Where there are two; a single one is the last phase's."""
    train = {"schedule": "constant", "warmup_fraction": 0.0, "batch_size": 10}
    loop = looped(checkpoint("bert"), tmp_path, share=share, steps=steps, **train)
    assert loop.ends == ends
    loop.run()
    rates = [line["train/learning_rate"] for line in durable.read_lines(tmp_path / "metrics.jsonl")]
    assert rates == [PROBE] * ends[0] + [FINE] * (steps - ends[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_environment_names_both_paths(family: str, ran: Callable[[str, str], Ran]) -> None:
    """Texts go through the encoder once for the first phase."""
    environment = json.loads((ran("lp_ft", family).folder / "environment.json").read_bytes())
    one = "micro-batched" if family in MICRO_BATCHED else "packed"
    assert environment["path"] == f"{one}, features kept, then {one}"
    plain = json.loads((ran("full", family).folder / "environment.json").read_bytes())
    assert plain["path"] == one
    probe = json.loads((ran("linear_probe", family).folder / "environment.json").read_bytes())
    assert probe["path"] == f"{one}, features kept"
