"""The gradient of a batch when memory runs out: smaller passes, the same sum, the same passes when resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training import build_loop, load_encoder
from tunebook import durable
from tunebook.errors import Failure
from tunebook.train import Loop

Tiny = Callable[..., Path]
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0}
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")


def with_memory_for(tokens: int, loop: Loop, error: Exception = CUDA) -> list[int]:
    """Let the model's first layer fail on passes of more tokens; returns the sizes of those that were tried."""
    tried: list[int] = []

    def hook(module: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        tried.append(arguments[0].numel())
        if tried[-1] > tokens:
            raise error

    loop.encoder.model.get_input_embeddings().register_forward_pre_hook(hook)
    return tried


@pytest.mark.parametrize("error", [CUDA, CPU], ids=["accelerator", "processor"])
@pytest.mark.parametrize(("family", "padding"), [("bert", "auto"), ("mpnet", "auto"), ("bert", "stock")])
def test_smaller_passes_have_the_same_gradient(
    family: str, padding: str, error: Exception, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    folder, batch = tiny_checkpoint(family), np.arange(0, 252, 8)
    whole = build_loop(
        load_encoder(folder, **NO_DROPOUT), tmp_path / "whole", padding=padding, micro_batch_tokens=1000
    )
    expected = float(whole.gradient.add(3, batch)[0])
    poor = build_loop(
        load_encoder(folder, **NO_DROPOUT), tmp_path / "poor", padding=padding, micro_batch_tokens=1000
    )
    tried = with_memory_for(130, poor, error)
    loss, tokens = poor.gradient.add(3, batch)
    assert float(loss) == pytest.approx(expected, abs=1e-5)
    assert tokens == whole.train.store.text_lengths[batch].sum() and max(tried) > 130
    for (name, ours), theirs in zip(
        poor.encoder.model.named_parameters(), whole.encoder.model.parameters(), strict=True
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4, msg=name)
    limits = json.loads((tmp_path / "poor" / "memory.json").read_text())["limits"]
    assert {step for step, _ in limits} == {3}
    assert [tokens for _, tokens in limits] == sorted({tokens for _, tokens in limits}, reverse=True)
    assert poor.gradient.limit_at(2) == (None if padding == "stock" else 1000)
    assert poor.gradient.limit_at(3) == poor.gradient.limit_at(99) == limits[-1][1] <= 130


def test_a_resumed_run_takes_the_same_passes(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Memory ran out at step 4; the second time it does not, and the passes are small from step 4 on all the same."""
    folder = tmp_path / "run"
    folder.mkdir()
    durable.write_json(folder / "memory.json", {"limits": [[4, 60]]})
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), folder, batch_size=16)
    sizes = [len(loop.gradient.path.passes(np.arange(16), loop.train.store, max_tokens=loop.gradient.limit_at(step)))
             for step in range(6)]  # fmt: skip
    assert sizes[:4] == [1, 1, 1, 1] and sizes[4] == sizes[5] > 1
    loop.run()
    once = (folder / "metrics.jsonl").read_bytes()
    again = tmp_path / "again"
    again.mkdir()
    durable.write_json(again / "memory.json", {"limits": [[4, 60]]})
    build_loop(load_encoder(tiny_checkpoint("bert")), again, batch_size=16).run()
    assert (again / "metrics.jsonl").read_bytes() == once


def test_memory_for_less_than_a_text_is_a_failure(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path)
    with_memory_for(0, loop)
    with pytest.raises(Failure, match=r"memory does not suffice to train on one text of \d+ tokens"):
        loop.gradient.add(0, np.arange(8))


def test_memory_for_no_features_is_a_failure(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path, method="linear_probe")
    with_memory_for(0, loop)
    with pytest.raises(Failure, match="memory does not suffice to compute or keep the features"):
        loop.gradient.add(0, np.arange(8))
    assert not (tmp_path / "memory.json").exists()


def test_a_limit_never_rises(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Memory ran out at step 9 first, and at step 4 when it was taken again."""
    durable.write_json(tmp_path / "memory.json", {"limits": [[9, 50], [4, 80]]})
    gradient = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path).gradient
    assert [gradient.limit_at(step) for step in (3, 4, 9)] == [4096, 80, 50]


def test_other_errors_are_not_taken_for_memory(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path)

    def hook(module: Any, arguments: Any) -> None:
        raise RuntimeError("something else")

    loop.encoder.model.get_input_embeddings().register_forward_pre_hook(hook)
    with pytest.raises(RuntimeError, match="something else"):
        loop.gradient.add(0, np.arange(8))
    assert not (tmp_path / "memory.json").exists()


def test_what_is_loaded_ahead_changes_nothing(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(load_encoder(tiny_checkpoint("bert"), **NO_DROPOUT), tmp_path)
    batch = np.arange(12)
    expected = float(loop.gradient.add(0, batch)[0])
    loop.gradient.prefetch(0, batch)
    assert float(loop.gradient.add(0, batch)[0]) == expected
    loop.gradient.prefetch(7, np.arange(100, 112))  # a step that does not come
    assert float(loop.gradient.add(0, batch)[0]) == expected
