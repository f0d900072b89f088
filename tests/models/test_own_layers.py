"""Our own layers: dropout, frozen parameters, half precision, casts, and attention in C and by torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.stores import store_of
from tests.training import load_encoder
from tunebook.environment import hardware
from tunebook.models import compiled, grouped, post_norm
from tunebook.models.compiled import CompiledAttention
from tunebook.models.dropout import Words
from tunebook.models.grouped import GroupedAttention
from tunebook.models.packing import lay_out
from tunebook.models.stack import Stack
from tunebook.paths import choose

Tiny = Callable[..., Path]
LENGTHS = np.array([70, 40, 33, 31, 12, 9, 9, 3, 1])
HEADS, WIDTH = 3, 32


@pytest.fixture
def library() -> Any:
    found = compiled.library(WIDTH)
    if found is None:
        pytest.skip("no C compiler here: attention is grouped")
    return found


def attentions(library: Any, dtype: torch.dtype, dropout: float = 0.0) -> tuple[Any, Any]:
    layout = lay_out(LENGTHS)
    options: dict[str, Any] = {"num_heads": HEADS, "dropout": dropout, "words": Words(1) if dropout else None}
    by_torch = GroupedAttention(layout, masks=grouped.masks(layout, HEADS, dtype), **options)
    return CompiledAttention(library, layout, **options), by_torch


@pytest.mark.parametrize("is_single", [False, True], ids=["all queries", "one query each"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_attention_in_c_and_by_torch_is_autograds(
    dtype: torch.dtype, tolerance: float, is_single: bool, library: Any
) -> None:
    layout = lay_out(LENGTHS)
    torch.manual_seed(0)
    parts = 2 if is_single else 3
    rest = torch.randn(len(layout.positions), parts * HEADS * WIDTH).to(dtype)
    query = torch.randn(len(layout.first), HEADS * WIDTH).to(dtype) if is_single else None
    gradient = torch.randn(len(layout.first) if is_single else len(rest), HEADS * WIDTH).to(dtype)
    exact_rest = rest.float().clone().requires_grad_()
    exact_query = query.float().clone().requires_grad_() if query is not None else None
    expected = reference(layout, exact_query, exact_rest)
    expected.backward(gradient.float())
    for attention in attentions(library, dtype):
        found = attention.forward(query, rest)
        d_query, d_rest = attention.backward(gradient, is_single=is_single)
        torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(d_rest.float(), exact_rest.grad, atol=tolerance, rtol=tolerance)
        if exact_query is not None:
            torch.testing.assert_close(d_query.float(), exact_query.grad, atol=tolerance, rtol=tolerance)


def reference(layout: Any, query: torch.Tensor | None, rest: torch.Tensor) -> torch.Tensor:
    """Plain attention, text by text."""
    mixed = []
    for text in range(len(layout.first)):
        rows = rest[layout.ends[text] : layout.ends[text + 1]]
        own = rows[:, : HEADS * WIDTH] if query is None else query[text : text + 1]
        key, value = rows[:, -2 * HEADS * WIDTH :].chunk(2, 1)
        q, k, v = (part.view(len(part), HEADS, WIDTH).transpose(0, 1) for part in (own, key, value))
        shares = (q @ k.transpose(1, 2) * WIDTH**-0.5).softmax(-1)
        mixed.append((shares @ v).transpose(0, 1).reshape(len(own), -1))
    return torch.cat(mixed)


@pytest.mark.parametrize("probability", [0.1, 0.37])
def test_attention_in_c_drops_the_share_that_is_asked(probability: float, library: Any) -> None:
    """Values are unit vectors, so that each output is one share, kept or not."""
    layout = lay_out(np.full(4000, WIDTH))
    keys = torch.zeros(len(layout.positions), 2 * HEADS * WIDTH)
    rest = torch.cat([keys, torch.eye(WIDTH).repeat(len(layout.first), HEADS)], 1)
    zeros = total = 0
    for seed in range(8):
        attention = CompiledAttention(
            library, layout, num_heads=HEADS, dropout=probability, words=Words(seed)
        )
        mixed = attention.forward(None, rest)
        zeros, total = zeros + int((mixed == 0).sum()), total + mixed.numel()
    assert abs(zeros / total - probability) < 1e-4
    kept = mixed[mixed != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / WIDTH / (1 - probability)), rtol=1e-5, atol=0)
    again = CompiledAttention(library, layout, num_heads=HEADS, dropout=probability, words=Words(seed))
    assert torch.equal(again.forward(None, rest), mixed), "a function of the seed"


def test_attention_in_c_has_the_gradient_of_its_own_masks(library: Any) -> None:
    """With dropout: against differences of the function itself, in the direction of a random vector."""
    layout = lay_out(np.array([7, 4, 1]))
    torch.manual_seed(0)
    rest = torch.randn(len(layout.positions), 3 * HEADS * WIDTH)
    direction, gradient = torch.randn_like(rest), torch.randn(len(rest), HEADS * WIDTH)

    def attention() -> CompiledAttention:
        return CompiledAttention(library, layout, num_heads=HEADS, dropout=0.3, words=Words(4))

    step = 1e-2
    ahead, behind = (attention().forward(None, rest + sign * step * direction) for sign in (1, -1))
    measured = float(((ahead - behind) / (2 * step) * gradient).sum())
    at = attention()
    at.forward(None, rest)
    _, d_rest = at.backward(gradient, is_single=False)
    assert float((d_rest * direction).sum()) == pytest.approx(measured, rel=1e-2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
@pytest.mark.parametrize("which", ["query", "key", "value"])
def test_what_is_not_finite_is_not_hidden(which: str, value: float, library: Any) -> None:
    """One bad token, or scores that overflow: C says so wherever torch does."""
    layout = lay_out(np.array([40, 7]))
    torch.manual_seed(0)
    rest = torch.randn(len(layout.positions), 3 * HEADS * WIDTH)
    at = {"query": 0, "key": 1, "value": 2}[which] * HEADS * WIDTH
    rest[3, at : at + 2] = value
    if value == 1e38:
        rest[:40, HEADS * WIDTH] = 1e38
        rest[3, :2] = 1e38
    options: dict[str, Any] = {"num_heads": HEADS, "dropout": 0.0, "words": None}
    by_torch = GroupedAttention(layout, masks=grouped.masks(layout, HEADS, torch.float32), **options)
    by_c = CompiledAttention(library, layout, **options)
    is_fine, expected = (torch.isfinite(one.forward(None, rest)).all(1) for one in (by_c, by_torch))
    assert not expected[:40].all() and not is_fine[:40][~expected[:40]].any()
    assert is_fine[40:47].all(), "another text has nothing to do with it"
    gradient = torch.ones(len(rest), HEADS * WIDTH)
    for one in (by_c, by_torch):
        assert not torch.isfinite(one.backward(gradient, is_single=False)[1][:40]).all()


def test_a_damaged_library_is_made_again(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "attention.c"
    source.write_bytes(compiled._SOURCE.read_bytes())
    monkeypatch.setattr(compiled, "_SOURCE", source)
    compiled.library.cache_clear()
    try:
        name = f"attention-{WIDTH}-{library.key}.so"
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "__pycache__" / name).write_bytes(b"torn")
        again = compiled.library(WIDTH)
        assert again is not None and again.key == library.key
        assert (tmp_path / "__pycache__" / name).stat().st_size > 1000
        assert [path.name for path in (tmp_path / "__pycache__").iterdir()] == [name]
    finally:
        compiled.library.cache_clear()


def test_without_a_compiler_attention_is_grouped(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled.library.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: None)
    try:
        path = choose(load_encoder(tiny_checkpoint("bert")), hardware("cpu", "float32"))
        assert path.kernel == "own layers, grouped attention" and path.note is None
    finally:
        compiled.library.cache_clear()


def test_a_compiler_that_fails_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled.library.cache_clear()
    monkeypatch.setattr(compiled, "_FLAGS", ("--no-such-flag",))
    try:
        assert compiled.library(WIDTH) is None
    finally:
        compiled.library.cache_clear()


# --- the layer ------------------------------------------------------------------------------------------------


def gradients(encoder: Any, seed: int, precision: str = "float32") -> dict[str, torch.Tensor]:
    chosen = hardware("cpu", precision)
    path = choose(encoder, chosen)
    encoder.model.train()
    encoder.model.zero_grad(set_to_none=True)
    store = store_of(sorted(LENGTHS[1:].tolist()), avoid=encoder.pad_id)
    torch.manual_seed(seed)
    with chosen.autocast():
        loss = path.logits(path.load(np.arange(len(store)), store)).square().sum()
        loss.backward()
    return {name: value.grad for name, value in encoder.model.named_parameters() if value.grad is not None}


def test_masks_are_functions_of_the_seed(tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"), dropout=0.2, attention_dropout=0.2)
    first, again, other = (gradients(encoder, seed) for seed in (1, 1, 2))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first[name], other[name])


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_what_is_frozen_gets_no_gradient_and_changes_no_other(family: str, tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint(family), dropout=0.0, attention_dropout=0.0)
    everything = {name: value.clone() for name, value in gradients(encoder, 0).items()}
    trained = {name for name in everything if name.endswith("bias")}
    for name, parameter in encoder.model.named_parameters():
        parameter.requires_grad_(name in trained)
    found = gradients(encoder, 0)
    assert found.keys() == trained
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, everything[name], atol=1e-6, rtol=1e-5)


def test_half_precision_is_close(tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"), dropout=0.0, attention_dropout=0.0)
    exact = {name: value.clone() for name, value in gradients(encoder, 0).items()}
    total = float(torch.stack([value.norm() for value in exact.values()]).norm())
    for name, gradient in gradients(encoder, 0, "bfloat16").items():
        assert gradient.dtype == torch.float32, name
        assert float((gradient - exact[name]).norm()) < 0.05 * (float(exact[name].norm()) + 0.05 * total), (
            name
        )


def test_casts_are_made_once_for_weights_that_stay(tiny_checkpoint: Tiny) -> None:
    """And again after every step of the optimiser, whose kernel does not tell that it changed them."""
    from tunebook import optim
    from tunebook.spec import TrainSpec

    encoder = load_encoder(tiny_checkpoint("bert"))
    parts = post_norm.parts_of(encoder.model.bert.encoder.layer[0])
    assert parts is not None
    first = parts.cast(torch.bfloat16)
    assert parts.cast(torch.bfloat16) is first and parts.cast(torch.float32) is not first
    optimizer = optim.build(encoder.model, dict.fromkeys(encoder.parameter_names, 0.1), TrainSpec())
    before = parts.cast(torch.bfloat16)
    for parameter in encoder.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optim.step(optimizer, loss=1.0, max_grad_norm=1.0)
    after = parts.cast(torch.bfloat16)
    assert after is not before and not torch.equal(after.out[0], before.out[0])
    torch.testing.assert_close(after.out[0], parts.out.weight.detach().to(torch.bfloat16))


def test_steps_aside_for_shapes_it_does_not_know(tiny_checkpoint: Tiny) -> None:
    model = load_encoder(tiny_checkpoint("bert")).model
    layer = model.bert.encoder.layer[0]
    assert post_norm.parts_of(layer) is not None
    layer.attention.self.query = torch.nn.Sequential(layer.attention.self.query)
    assert post_norm.parts_of(layer) is None, "something sits in the layer"
    assert not Stack(model).has_own_layers
    for family in ("modernbert", "albert", "deberta-v2", "mpnet"):
        assert not Stack(load_encoder(tiny_checkpoint(family)).model).has_own_layers
    silent = load_encoder(tiny_checkpoint("distilbert")).model
    silent.distilbert.transformer.layer[1].ffn.activation = torch.nn.ReLU()
    assert not Stack(silent).has_own_layers
