"""The benchmarks fit the code, and all contenders train as much: on tiny models here, `make benchmark` measures."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import contenders, training
from benchmarks.workloads import WORKLOADS, Workload, repeated
from tests import tiny
from tests.training import load_encoder, tokens

METHODS = sorted({row.method for row in WORKLOADS.values()})
TINY = Workload("tiny", "", "", 32, 4, {"tunebook": 0, "trainer-grouped": 0}, texts=24)


def test_every_workload_has_tunebook_and_contenders_that_there_are() -> None:
    for row in WORKLOADS.values():
        assert "tunebook" in row.steps
        others = {name for name in row.steps if not training.is_ours(name)}
        assert others and others <= set(contenders.TRAINERS)
        assert {name for name in row.steps if training.is_ours(name)} <= {"tunebook", *training.METHODS}


# PEFT asks a model of transformers by a name that is to go.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("method", METHODS)
def test_both_sides_train_as_much(method: str, tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    if importlib.util.find_spec("accelerate") is None:
        pytest.skip("transformers.Trainer needs accelerate: `make test` installs it")
    steps = {
        name: 0 if method == "linear_probe" else 2 for name in TINY.steps
    }  # a probe is trained to its end
    checkpoint, workload = tiny_checkpoint("bert"), replace(TINY, method=method, steps=steps)
    found = []
    for trains, name in ((contenders.tunebook, "tunebook"), (contenders.trainer, "trainer-grouped")):
        encoder = load_encoder(checkpoint)
        store, labels = repeated(
            tokens(encoder, tiny.CORPUS), np.arange(len(tiny.CORPUS)) % 2, workload.texts
        )
        found.append(trains(workload, store, labels, encoder, tmp_path, name=name))
    assert found[0]["trainable_parameters"] == found[1]["trainable_parameters"] > 0
    assert all(one["samples_per_second"] > 0 for one in found)
