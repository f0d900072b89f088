"""The numbers of a tiny run may only change together with LOOP_VERSION: it is part of a run's identity."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.training import build_loop, load_encoder
from tunebook.spec import LOOP_VERSION

GOLDEN_VERSION = 2
GOLDEN = {
    ("2.13.0+cpu", "5.23.0", "AVX512", "03903d5a"): {
        "bert": "07242ba72307bfa9",
        "distilbert": "9680e83714bb0646",
        "modernbert": "8460eece3d4c32ce",
    },
    ("2.13.0+cpu", "5.23.0", "AVX2", "8061f6f1"): {
        "bert": "07242ba72307bfa9",
        "distilbert": "9680e83714bb0646",
        "modernbert": "8460eece3d4c32ce",
    },
}
"""Digests of the weights by what numbers depend on besides our code: versions, instruction set, rounding."""


def rounding() -> str:
    """A digest of plain torch arithmetic, as a tiny encoder uses it: processors of one kind may differ in it."""
    import torch
    from torch.nn import functional

    found = hashlib.sha256()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        table = torch.nn.Parameter(torch.randn(99, 32))
        weight = torch.nn.Parameter(torch.randn(32, 32) / 6)
        optimizer = torch.optim.AdamW([table, weight], lr=1e-2, fused=True)
        for _ in range(3):
            values = functional.embedding(torch.randint(0, 99, (16, 20)), table)
            heads = functional.linear(values, weight).view(16, 20, 4, 8).transpose(1, 2)
            mixed = (
                functional.scaled_dot_product_attention(heads, heads, heads)
                .transpose(1, 2)
                .reshape(16, 20, 32)
            )
            hidden = functional.gelu(functional.layer_norm(values + mixed, (32,)) @ weight).tanh()
            loss = functional.cross_entropy(hidden[:, 0], torch.randint(0, 32, (16,)))
            loss.backward()
            torch.nn.utils.clip_grad_norm_([table, weight], 1.0)
            optimizer.step()
            optimizer.zero_grad()
        for tensor in (table, weight, loss):
            found.update(tensor.detach().numpy().tobytes())
    return found.hexdigest()[:8]


def digest(folder: Path, checkpoint: Path) -> str:
    """The digest of a tiny checkpoint's weights after ten steps with everything on, on one thread."""
    encoder = load_encoder(checkpoint, dropout=0.1, attention_dropout=0.1)
    loop = build_loop(
        encoder,
        folder,
        min_steps=10,
        batch_size=16,
        micro_batch_tokens=100,
        method_settings={"learning_rate": 1e-3},
    )
    loop.gradient.path.stack.compiled = None  # what a compiler makes of C is its own affair
    for _ in range(10):
        loop.step()
    found = hashlib.sha256()
    for name, tensor in sorted(encoder.model.state_dict().items()):
        found.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert"])
def test_what_is_computed_does_not_change_unnoticed(
    family: str, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    key = (version("torch"), version("transformers"), torch.backends.cpu.get_cpu_capability(), rounding())
    if key not in GOLDEN:
        pytest.skip(
            f"no digest is known for torch {key[0]}, transformers {key[1]}, {key[2]} that rounds as {key[3]}"
        )
    found = digest(tmp_path / "run", tiny_checkpoint(family))
    assert found == GOLDEN[key][family], "raise LOOP_VERSION, and write down the new digests"


def test_it_is_computed_the_same_twice(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    first, again = (digest(tmp_path / name, tiny_checkpoint("bert")) for name in ("first", "again"))
    assert first == again


def test_the_digests_are_those_of_this_version() -> None:
    assert LOOP_VERSION == GOLDEN_VERSION
