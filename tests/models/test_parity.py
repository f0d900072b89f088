"""Every family packed against its stock padded model: logits and gradients; and what happens where they differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import tiny
from tests.stores import store_of
from tests.training import load_encoder
from tunebook.capabilities import expected_path
from tunebook.environment import hardware
from tunebook.models import parity
from tunebook.models.load import Encoder
from tunebook.models.stack import Stack
from tunebook.paths import PackedPath, PaddedPath, choose

Tiny = Callable[..., Path]
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0}
CPU = hardware("cpu", "float32")
BATCHES = {
    "mixed": [64, 40, 33, 20, 17, 9, 9, 5, 3, 2, 1],
    "one token each": [1, 1, 1],
    "the most tokens": [64, 64, 64],
    "one text": [23],
    "one token": [1],
}
PACKED_TINY = sorted(family for family in tiny.FAMILIES if expected_path("full", family)[0] == "packed")
OWN_LAYERS = sorted(family for family in tiny.FAMILIES if expected_path("full", family)[1] == "own layers")


def outcome(
    path: PackedPath | PaddedPath, lengths: list[int]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits of a batch, and the gradients of a loss that weighs each of them differently."""
    model = path.stack.model
    model.zero_grad(set_to_none=True)
    pad_id = model.config.pad_token_id or 0
    store = store_of(lengths, vocabulary=min(100, model.config.vocab_size), avoid=pad_id)
    logits = path.logits(path.load(np.arange(len(store)), store))
    (logits * torch.linspace(-1, 1, logits.numel()).view(logits.shape)).sum().backward()
    return logits.detach(), {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def assert_same(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=1e-5)
    total = float(torch.stack([gradient.norm() for gradient in wanted[1].values()]).norm())
    assert found[1].keys() == wanted[1].keys()
    for name, gradient in wanted[1].items():
        error = float((found[1][name] - gradient).norm())
        assert error <= 1e-4 * (float(gradient.norm()) + 1e-3 * total), name


def stock(encoder: Encoder) -> PaddedPath:
    return PaddedPath(Stack(encoder.model), CPU.device, encoder.pad_id, "stock")


@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("family", PACKED_TINY)
def test_packed_is_what_the_stock_model_computes(
    family: str, lengths: list[int], tiny_checkpoint: Tiny
) -> None:
    encoder = load_encoder(tiny_checkpoint(family, num_labels=3), label_names=("a", "b", "c"), **NO_DROPOUT)
    encoder.model.train()
    path = choose(encoder, CPU)
    assert isinstance(path, PackedPath) and path.stack.has_own_layers == (family in OWN_LAYERS)
    assert_same(outcome(path, lengths), outcome(stock(encoder), lengths))


@pytest.mark.parametrize("family", OWN_LAYERS)
@pytest.mark.parametrize("kernel", ["grouped attention", "the family's layers"])
def test_whatever_computes_the_layers(family: str, kernel: str, tiny_checkpoint: Tiny) -> None:
    """Without a compiler, and where our own layers step aside."""
    encoder = load_encoder(tiny_checkpoint(family), **NO_DROPOUT)
    path = choose(encoder, CPU)
    assert isinstance(path, PackedPath)
    path.stack.compiled = None
    path.stack.has_own_layers = kernel == "grouped attention"
    assert kernel in path.kernel
    assert_same(outcome(path, BATCHES["mixed"]), outcome(stock(encoder), BATCHES["mixed"]))


@pytest.mark.parametrize("lengths", [[300, 128, 64, 22, 5, 1], [512, 2]], ids=["mixed", "longest"])
@pytest.mark.parametrize("kernel", ["compiled", "grouped"])
def test_minilm_packed_is_what_the_stock_model_computes(
    lengths: list[int], kernel: str, minilm: Path
) -> None:
    encoder = load_encoder(minilm, **NO_DROPOUT)
    path = choose(encoder, CPU)
    assert isinstance(path, PackedPath)
    if kernel == "grouped":
        path.stack.compiled = None
    elif path.stack.compiled is None:
        pytest.skip("no C compiler here: attention is grouped")
    assert_same(outcome(path, lengths), outcome(stock(encoder), lengths))


@pytest.mark.parametrize("family", PACKED_TINY)
def test_company_does_not_matter(family: str, tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint(family), **NO_DROPOUT)
    path = choose(encoder, CPU)
    store = store_of(BATCHES["mixed"], avoid=encoder.pad_id)
    together = path.logits(path.load(np.arange(len(store)), store))
    for text in range(len(store)):
        alone = path.logits(path.load(np.array([text]), store))
        torch.testing.assert_close(alone[0], together[text], atol=1e-5, rtol=0)
    order = np.array([3, 0, 10, 5])
    torch.testing.assert_close(path.logits(path.load(order, store)), together[order], atol=1e-5, rtol=0)


def test_a_head_that_reads_the_mean(tiny_checkpoint: Tiny) -> None:
    """ModernBERT's published checkpoints do, over the text's own tokens."""
    encoder = load_encoder(tiny_checkpoint("modernbert"), **NO_DROPOUT)
    encoder.model.config.classifier_pooling = "mean"
    path = choose(encoder, CPU)
    assert isinstance(path, PackedPath)
    assert_same(outcome(path, BATCHES["mixed"]), outcome(stock(encoder), BATCHES["mixed"]))


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "camembert"])
def test_positions_skip_padding_tokens_inside_a_text(family: str, tiny_checkpoint: Tiny) -> None:
    """Someone may write `<pad>`: RoBERTa does not count it, packed or padded."""
    encoder = load_encoder(tiny_checkpoint(family), **NO_DROPOUT)
    path = choose(encoder, CPU)
    store = store_of([9, 6, 3], avoid=encoder.pad_id)
    store.ids[[2, 3, 10]] = encoder.pad_id
    texts = np.arange(3)
    expected = [
        encoder.model(input_ids=torch.from_numpy(store.window(text).astype(np.int64))[None]).logits[0]
        for text in texts
    ]
    torch.testing.assert_close(path.logits(path.load(texts, store)), torch.stack(expected), atol=1e-5, rtol=0)


# --- trying ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_the_table_says_what_trying_finds(family: str, tiny_checkpoint: Tiny) -> None:
    path = choose(load_encoder(tiny_checkpoint(family)), CPU)
    expected, kernel = expected_path("full", family)
    assert path.name == expected and path.kernel.startswith(kernel)
    assert (expected == "micro-batched") == (path.note is not None)
    if path.note is not None:
        assert "this family does not hand its arguments on to its layers" in path.note


def test_a_model_that_computes_something_else_packed_is_not_packed(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong positions: off by a little, never silently."""
    encoder = load_encoder(tiny_checkpoint("bert"))
    monkeypatch.setattr(Stack, "_positions", lambda self, ids, layout: (layout.positions + 1) % 64)
    path = choose(encoder, CPU)
    assert path.name == "micro-batched" and path.note is not None
    assert "its packed logits differ from the padded ones by" in path.note
    store = store_of([9, 4], avoid=encoder.pad_id)
    assert_same(outcome(path, [9, 4]), outcome(stock(encoder), [9, 4]))
    assert path.passes(np.arange(2), store, max_tokens=4096)


def test_a_wrong_gradient_is_found(tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunebook.models import post_norm

    stack = Stack(load_encoder(tiny_checkpoint("bert")).model)
    assert parity.packed_fault(stack, pad_id=0, longest=64) is None
    right = post_norm._undropped
    monkeypatch.setattr(post_norm, "_undropped", lambda gradient, *rest: right(gradient * 1.001, *rest))
    fault = parity.packed_fault(stack, pad_id=0, longest=64)
    assert fault is not None and "differs packed from padded by" in fault
    assert parity.packed_fault(stack, pad_id=0, longest=64, with_gradients=False) is None


def test_a_window_that_is_ignored_is_found(tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunebook.models import attention

    encoder = load_encoder(tiny_checkpoint("modernbert"))
    encoder.model.config.sliding_window = 40  # wider than the usual texts of the test
    for layer in encoder.model.model.layers:
        layer.attn.sliding_window = layer.attn.sliding_window and 41
    assert choose(encoder, CPU).name == "packed"
    whole = attention._sees
    monkeypatch.setattr(attention, "_sees", lambda group, sliding_window: whole(group, None))
    assert choose(encoder, CPU).name == "micro-batched"


def test_token_types_that_are_ignored_are_found(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"))
    call = Stack._call
    monkeypatch.setattr(
        Stack, "_call", lambda self, module, ids, types, layout: call(self, module, ids, None, layout)
    )
    path = choose(encoder, CPU)
    assert path.name == "micro-batched" and path.note is not None and "packed logits differ" in path.note


@pytest.mark.parametrize("family", ["bert", "electra", "albert"])
def test_pairs_have_their_types(family: str, tiny_checkpoint: Tiny) -> None:
    from tests.training import tokens

    encoder = load_encoder(tiny_checkpoint(family), **NO_DROPOUT)
    pairs = list(zip(tiny.CORPUS[:6], tiny.CORPUS[50:56], strict=True))
    store, texts = tokens(encoder, pairs, max_length=40), np.arange(6)
    assert store.type_ids is not None
    packed, padded = choose(encoder, CPU), stock(encoder)
    torch.testing.assert_close(
        packed.logits(packed.load(texts, store)), padded.logits(padded.load(texts, store)), atol=1e-5, rtol=0
    )


def test_what_is_tested_for_a_gpu_is_what_would_run_there(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunebook.environment import Hardware
    from tunebook.models import attention

    encoder = load_encoder(tiny_checkpoint("bert"))
    elsewhere = Hardware(torch.device("cuda"), "bfloat16")
    path = choose(encoder, elsewhere)
    assert path.name == "packed" and path.kernel == "the family's layers, grouped attention"
    encoder.model.config.attention_probs_dropout_prob = 0.0
    assert path.kernel == "the family's layers, varlen attention"
    in_float = choose(encoder, Hardware(torch.device("cuda"), "float32"))
    assert in_float.kernel == "the family's layers, grouped attention"
    right = attention._grouped
    monkeypatch.setattr(attention, "_grouped", lambda *arguments: right(*arguments) * 1.5)
    assert choose(encoder, elsewhere).name == "micro-batched"
    assert choose(encoder, CPU).name == "packed", "our own layers do not go through it"


def test_without_gradients_the_path_is_the_same(tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"))
    with torch.inference_mode():
        assert choose(encoder, CPU).name == "packed"


def test_a_filler_needs_no_positions(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """A model that reads 16 tokens: the pack is filled up with more than that."""
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        RobertaConfig,
        RobertaForSequenceClassification,
    )

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    tokenizer = load_encoder(tiny_checkpoint("bert")).tokenizer
    for config, kind, positions in (
        (BertConfig, BertForSequenceClassification, 16),
        (RobertaConfig, RobertaForSequenceClassification, 18),
    ):
        model = kind(config(vocab_size=100, max_position_embeddings=positions, **sizes))
        encoder = Encoder(model.eval(), tokenizer, "tiny", frozenset())
        path = choose(encoder, CPU)
        assert path.name == "packed", path.note
        assert_same(outcome(path, [3, 2]), outcome(stock(encoder), [3, 2]))


def test_trying_leaves_no_trace(tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"))
    encoder.model.train()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    choose(encoder, CPU)
    assert encoder.model.training and encoder.model.config._attn_implementation == "sdpa"
    assert all(parameter.grad is None for parameter in encoder.model.parameters())
    assert "forward" not in vars(encoder.model.base_model.encoder)
    assert torch.equal(torch.rand(3), expected), "the random state is not touched"
