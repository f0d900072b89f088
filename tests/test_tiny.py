"""The tiny checkpoints stand for real ones: every family loads offline, whole, and tells its texts apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_loads_offline_with_nothing_missing(family: str, tiny_checkpoint: Callable[..., Path]) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny_checkpoint(family, num_labels=3)
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, output_loading_info=True
    )
    assert not any(report.values())
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    batch = tokenizer(
        ["the film was great!", "this phone is not née'd work 😀"], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        logits = model.eval()(**batch).logits
    assert logits.shape == (2, 3)
    assert not torch.equal(logits[0], logits[1])
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".json", ".json", ".safetensors"]


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    first, again = (digests(tiny.build_checkpoint(tmp_path / name, "bert", seed=1)) for name in ("a", "b"))
    other = digests(tiny.build_checkpoint(tmp_path / "c", "bert", seed=2))
    assert first == again
    assert first["model.safetensors"] != other["model.safetensors"]
