"""Paths through a model: features that are kept, evaluation, what a batch is cut into, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import tiny
from tests.stores import store_of
from tests.training import build_loop, load_encoder, tokens
from tunebook import evaluate, paths
from tunebook.data import batches
from tunebook.environment import hardware
from tunebook.models.stack import Stack
from tunebook.paths import FeaturesPath, PaddedPath, choose, keeping_features

Tiny = Callable[..., Path]
CPU = hardware("cpu", "float32")
FAMILIES = sorted(tiny.FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("long", ["head", "windows"])
def test_kept_features_give_the_logits_of_the_whole_model(
    family: str, long: str, tiny_checkpoint: Tiny
) -> None:
    encoder = load_encoder(tiny_checkpoint(family))
    encoder.model.eval()
    texts = [*tiny.CORPUS[:9], " ".join(tiny.CORPUS[:8])]
    store = tokens(encoder, texts, max_length=24, long=long)
    kept = keeping_features(choose(encoder, CPU), encoder, CPU, trains=encoder.head_names)
    assert isinstance(kept, FeaturesPath) and kept.name.endswith(", features kept")
    some = np.array([9, 2, 5, 0])
    with torch.no_grad():
        padded = choose(encoder, CPU, padding="stock")
        expected = padded.logits(padded.load(some, store))
        torch.testing.assert_close(kept.logits(kept.load(some, store)), expected, atol=1e-5, rtol=0)


def test_features_have_no_dropout(tiny_checkpoint: Tiny) -> None:
    """Also where the loop has the model in training mode."""
    encoder = load_encoder(tiny_checkpoint("bert"), dropout=0.5, attention_dropout=0.5)
    store, texts = store_of([20, 9, 4], avoid=encoder.pad_id), np.arange(3)
    kept = keeping_features(choose(encoder, CPU), encoder, CPU, trains=encoder.head_names)
    encoder.model.train()
    features = kept.load(texts, store).inputs
    assert encoder.model.base_model.training, "the mode is as it was"
    encoder.model.eval()
    padded = choose(encoder, CPU, padding="stock")
    assert isinstance(padded, PaddedPath)
    with torch.no_grad():
        torch.testing.assert_close(features, padded.read(padded.load(texts, store)), atol=1e-5, rtol=0)


def test_features_too_many_for_memory_lie_in_a_file(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"))
    store, texts = store_of([20, 9, 4], avoid=encoder.pad_id), np.array([2, 0])
    found = []
    for limit in (paths._MOST_BYTES_IN_MEMORY, 10):
        monkeypatch.setattr(paths, "_MOST_BYTES_IN_MEMORY", limit)
        kept = keeping_features(choose(encoder, CPU), encoder, CPU, trains=encoder.head_names)
        found.append(kept.load(texts, store).inputs)
    assert torch.equal(*found)


def test_a_head_that_reads_something_else_is_computed_whole(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(tiny_checkpoint("deberta-v2"))
    monkeypatch.setattr(
        Stack, "read_padded", lambda self, **inputs: self.model.base_model(**inputs)[0][:, -1]
    )
    path = keeping_features(choose(encoder, CPU), encoder, CPU, trains=encoder.head_names)
    assert path.name == "micro-batched" and path.note is not None
    assert "features are not kept: its kept logits differ from the whole ones" in path.note


def test_frozen_work_is_done_once(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Two epochs and two validations: every text goes through the layers once."""
    encoder = load_encoder(tiny_checkpoint("bert"))
    loop = build_loop(encoder, tmp_path, method="linear_probe", epochs=2, validation=range(0, 252, 6))
    seen = []
    encoder.model.get_input_embeddings().register_forward_pre_hook(
        lambda module, arguments: seen.append(arguments[0].numel()) if arguments[0].shape[0] == 1 else None
    )
    loop.run()
    assert loop.validation is not None
    stores = (loop.train.store, loop.validation.store)
    assert 0 <= sum(seen) - sum(store.meta["tokens"] for store in stores) < 64


def test_features_are_kept_only_where_nothing_below_the_head_trains(tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint("bert"))
    head = set(encoder.head_names) | {"bert.pooler.dense.weight"}
    path = choose(encoder, CPU)
    assert keeping_features(path, encoder, CPU, trains=head).name == "packed, features kept"
    for name in ("bert.encoder.layer.1.output.dense.bias", "bert.embeddings.LayerNorm.weight"):
        assert keeping_features(path, encoder, CPU, trains=head | {name}).name == "packed"
    stock = choose(encoder, CPU, padding="stock")
    assert keeping_features(stock, encoder, CPU, trains=head).name == "stock"


@pytest.mark.parametrize("family", ["bert", "modernbert", "deberta-v2"])
def test_predictions_come_back_in_order(family: str, tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint(family))
    lengths = np.random.default_rng(0).integers(1, 60, 50).tolist()
    store = store_of(lengths, avoid=encoder.pad_id)
    path = choose(encoder, CPU)
    logits = evaluate.predict(path, store, CPU, max_tokens=200)
    for text in (0, 7, 49):
        alone = evaluate.predict(path, store, CPU, max_tokens=200, texts=np.array([text]))
        np.testing.assert_allclose(alone[0], logits[text], atol=1e-5)
    some = np.array([13, 2, 44])
    np.testing.assert_allclose(
        evaluate.predict(path, store, CPU, max_tokens=64, texts=some), logits[some], atol=1e-5
    )


def test_a_batch_is_cut_into_all_of_it() -> None:
    store = store_of([5, 60, 3, 17, 60, 8, 9, 2], windows=[1, 2, 1, 1, 1, 1, 1])
    texts = np.array([6, 0, 1, 5, 3])
    for max_tokens in (1, 30, 70, 10**6):
        packed = batches.packed_passes(texts, store, max_tokens=max_tokens)
        boxes = batches.rectangles(texts, store, max_tokens=max_tokens)
        assert sorted(np.concatenate(packed)) == sorted(np.concatenate(boxes)) == sorted(texts)
        assert np.concatenate(boxes).tolist() == texts.tolist(), "stock batches stay as they come"
        for some in packed:
            assert len(some) == 1 or store.text_lengths[some].sum() <= max_tokens
        for some in boxes:
            assert len(some) == 1 or store.widths[some].max() * store.rows[some].sum() <= max_tokens
    assert len(batches.rectangles(texts, store, max_tokens=None)) == 1


def test_a_pack_holds_the_texts_tokens() -> None:
    store = store_of([5, 60, 3, 17], windows=[1, 2, 1])
    packed = batches.pack(np.array([2, 1]), store)
    assert packed.windows.tolist() == [1, 3, 2] and packed.owners.tolist() == [1, 0, 1]
    assert packed.lengths.tolist() == [60, 17, 3] and len(packed.input_ids) == 80
    expected = np.concatenate([store.window(window) for window in (1, 3, 2)])
    np.testing.assert_array_equal(packed.input_ids, expected)


def test_a_batch_whose_texts_are_all_cut(tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint("roberta"), dropout=0.0, attention_dropout=0.0)
    store = tokens(encoder, [" ".join(tiny.CORPUS[i : i + 30]) for i in range(6)], max_length=64)
    assert store.meta["cut"] == 6 and set(store.lengths) == {64}
    packed, stock = (choose(encoder, CPU, padding=padding) for padding in ("auto", "stock"))
    texts = np.arange(6)
    torch.testing.assert_close(
        packed.logits(packed.load(texts, store)), stock.logits(stock.load(texts, store)), atol=1e-5, rtol=0
    )


def test_loading_is_told_apart(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    from tunebook import cost, durable

    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path)
    loop.run()
    spent = cost.summary(durable.read_lines(tmp_path / "cost.jsonl"))
    assert 0 < spent["loader_share"] < 1 and loop.gradient.loading_seconds > 0
