"""CKA against Gram matrices written out, weights against loops, representations against one text at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from tests import tiny
from tests.training import load_encoder
from tunebook import methods
from tunebook.behaviour import drift
from tunebook.behaviour.drift import cka, layers, representations, weights

Tiny = Callable[..., Path]
TEXTS = ["the film was great!", "this phone", "the weather in Oslo could have been boring", "never"]
pytestmark = pytest.mark.usefixtures("one_thread")

# --- CKA ----------------------------------------------------------------------------------------------------


def hsic(one: np.ndarray, other: np.ndarray) -> float:
    """tr(K H L H) / (n - 1)^2, as Gretton et al. write it."""
    count = len(one)
    centring = np.eye(count) - np.ones((count, count)) / count
    return float(np.trace(one @ one.T @ centring @ other @ other.T @ centring)) / (count - 1) ** 2


def by_grams(one: np.ndarray, other: np.ndarray) -> float:
    return hsic(one, other) / (hsic(one, one) * hsic(other, other)) ** 0.5


def u_centred(values: np.ndarray) -> np.ndarray:
    """The Gram matrix centred as Szekely and Rizzo do: another way to the estimator without bias."""
    gram, count = values @ values.T, len(values)
    np.fill_diagonal(gram, 0)
    rows = gram.sum(axis=1) / (count - 2)
    centred = gram - rows[:, None] - rows[None] + gram.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(centred, 0)
    return centred


sizes = st.tuples(st.integers(0, 10_000), st.integers(5, 40), st.integers(1, 30), st.integers(1, 30))


def pair(seed: int, texts: int, width: int, other: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    draw = np.random.default_rng(seed)
    one = draw.normal(3, 1, (texts, width))
    return one, one @ draw.normal(size=(width, other)) + draw.normal(size=(texts, other)), draw


@settings(max_examples=80, deadline=None)
@given(sizes)
def test_it_is_the_formula_of_gram_matrices(size: tuple[int, int, int, int]) -> None:
    one, other, _ = pair(*size)
    assert cka(one, other) == pytest.approx(by_grams(one, other), rel=1e-9)
    assert cka(other, one) == pytest.approx(cka(one, other), rel=1e-9)
    assert 0 <= cka(one, other) <= 1 + 1e-12  # type: ignore[operator]
    grams = u_centred(one), u_centred(other)
    alone = [(gram * gram).sum() for gram in grams]
    expected = (grams[0] * grams[1]).sum() / (alone[0] * alone[1]) ** 0.5
    assert cka(one, other, is_debiased=True) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(sizes, st.floats(0.01, 100), st.booleans())
def test_turning_scaling_and_shifting_change_nothing(
    size: tuple[int, int, int, int], scale: float, is_debiased: bool
) -> None:
    one, other, draw = pair(*size)
    turn = np.linalg.qr(draw.normal(size=(one.shape[1], one.shape[1])))[0]
    turned = scale * one @ turn + draw.normal(size=one.shape[1])
    before, after = (cka(values, other, is_debiased=is_debiased) for values in (one, turned))
    assert after == pytest.approx(before, abs=1e-7)
    assert cka(one, turned, is_debiased=is_debiased) == pytest.approx(1, abs=1e-9)


def test_stretching_one_direction_is_seen() -> None:
    one, *_ = pair(1, 200, 10, 3)
    assert cka(one, one * np.linspace(1, 10, 10)) < 0.95  # type: ignore[operator]


@pytest.mark.parametrize(("texts", "width"), [(1500, 20), (400, 300), (60, 300)])
def test_noise_is_unlike_noise(texts: int, width: int) -> None:
    draw = np.random.default_rng(2)
    one, other = draw.normal(size=(2, texts, width))
    biased, debiased = cka(one, other), cka(one, other, is_debiased=True)
    assert biased == pytest.approx(width / (texts + width), abs=0.04)  # what the docstring warns of
    assert debiased == pytest.approx(0, abs=0.04)
    if texts == 1500:
        assert biased < 0.02  # type: ignore[operator]


def test_what_does_not_vary_is_like_nothing() -> None:
    for constant in (np.full((6, 3), 0.1), np.zeros((6, 3))):
        assert cka(constant, np.eye(6)) is None and cka(np.eye(6), constant, is_debiased=True) is None
    with pytest.raises(ValueError, match="of 6 and 5 texts"):
        cka(np.eye(6), np.eye(5))
    with pytest.raises(ValueError, match="texts >= 4"):
        cka(np.eye(3), np.eye(3), is_debiased=True)


# --- what an encoder makes of texts -------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_padding_and_batches_change_nothing(family: str, tiny_checkpoint: Tiny) -> None:
    encoder = load_encoder(tiny_checkpoint(family))
    encoder.model.train()
    for pooling in ("mean", "first"):
        together = representations(encoder.model, TEXTS, encoder.tokenizer, pooling=pooling)  # type: ignore[arg-type]
        assert len(together) == 3 and all(layer.shape == (len(TEXTS), tiny.WIDTH) for layer in together)
        alone = [representations(encoder.model, [text], encoder.tokenizer, pooling=pooling) for text in TEXTS]  # type: ignore[arg-type]
        few = representations(encoder.model, TEXTS, encoder.tokenizer, pooling=pooling, batch_size=3)  # type: ignore[arg-type]
        for number, layer in enumerate(together):
            np.testing.assert_allclose(layer, few[number], atol=1e-5)
            np.testing.assert_allclose(layer, np.concatenate([one[number] for one in alone]), atol=1e-5)
    assert encoder.model.training


def test_they_are_what_the_encoder_itself_gives(tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("bert")
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        expected = model(**tokenizer(TEXTS[2], return_tensors="pt"), output_hidden_states=True).hidden_states
    for pooling, pick in (("mean", lambda state: state[0].mean(dim=0)), ("first", lambda state: state[0, 0])):
        found = representations(model, TEXTS[:3], tokenizer, pooling=pooling)  # type: ignore[arg-type]
        for layer, state in zip(found, expected, strict=True):
            np.testing.assert_allclose(layer[2], pick(state).numpy(), atol=1e-5)
    cut = representations(model, ["the film " * 500], tokenizer)  # longer than there are positions
    short = representations(model, ["the film " * 500], tokenizer, max_length=6)
    assert cut[0].shape == (1, tiny.WIDTH) and not np.allclose(cut[0], short[0])


def disturbed(encoder: Any, names: str, size: float) -> Any:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in encoder.model.named_parameters():
            if names in name:
                parameter += size * torch.randn(parameter.shape, generator=generator)
    return encoder


def test_layers_drift_from_where_weights_moved_on(tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("distilbert")
    start, now = load_encoder(folder), disturbed(load_encoder(folder), "transformer.layer.1.", 0.5)
    texts = tiny.CORPUS[:40]
    before, after = (representations(one.model, texts, start.tokenizer) for one in (start, now))
    found = layers(before, after)
    assert [row["layer"] for row in found] == [0, 1, 2]
    assert [row["cka"] for row in found[:2]] == pytest.approx([1, 1]) and found[2]["cka"] < 0.9
    assert found[0]["cka_debiased"] == pytest.approx(1) and found[2]["cka_debiased"] < 0.9
    assert json.loads(json.dumps(found)) == found
    few = layers([states[:3] for states in before], [states[:3] for states in after])
    assert few[0]["cka_debiased"] is None
    with pytest.raises(ValueError, match="shorter"):
        layers(before, after[:2])
    moved = weights(start.model.state_dict(), now.model.state_dict())
    assert {part for part, row in moved.items() if row["distance"]} == {"layer 2", "all"}


@pytest.mark.parametrize("method", ["lora", "prompt_tuning", "prefix_tuning", "bottleneck_adapter"])
def test_adapters_move_representations(method: str, tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("bert")
    start, now = load_encoder(folder), load_encoder(folder)
    recipe = methods.apply(method, {}, now, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in now.model.named_parameters():
            if name in recipe.trained_names and name not in now.head_names:
                parameter += 0.7 * torch.randn(parameter.shape, generator=generator)
    before, after = (representations(one.model, TEXTS, start.tokenizer) for one in (start, now))
    has_moved = [not np.allclose(one, other, atol=1e-5) for one, other in zip(before, after, strict=True)]
    assert has_moved == [method == "prompt_tuning", True, True]  # virtual tokens push the text's own on
    if method == "lora":
        assert recipe.adapter is not None
        moved = weights(start.model.state_dict(), recipe.adapter.fold(now.model).state_dict())
        assert moved["layer 1"]["distance"] > 0 and moved["embeddings"]["distance"] == 0  # type: ignore[operator]


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_virtual_tokens_are_not_pooled(pooling: Any, tiny_checkpoint: Tiny) -> None:
    """Layer 0 is that of the checkpoint at positions pushed on by as many tokens, and nothing else."""
    folder = tiny_checkpoint("bert")
    start, now = load_encoder(folder), load_encoder(folder)
    methods.apply("prompt_tuning", {"length": 5}, now, seed=0)
    found = representations(now.model, TEXTS, now.tokenizer, pooling=pooling)[0]
    for text, vector in zip(TEXTS, found, strict=True):
        given = start.tokenizer(text, return_tensors="pt")
        places = torch.arange(given["input_ids"].shape[1])[None] + 5
        with torch.no_grad():
            start.model.eval()
            state = start.model.base_model(
                **given, position_ids=places, output_hidden_states=True
            ).hidden_states[0][0]
        np.testing.assert_allclose(
            vector, (state.mean(dim=0) if pooling == "mean" else state[0]).numpy(), atol=1e-5
        )


# --- weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_every_weight_is_of_one_part(family: str, tiny_checkpoint: Tiny) -> None:
    start = load_encoder(tiny_checkpoint(family))
    before = {name: value.clone() for name, value in start.model.state_dict().items()}
    after = disturbed(start, "", 0.1).model.state_dict()
    found = weights(before, after)
    depth = 1 if family == "albert" else 2  # whose layers share their weights
    assert list(found) == ["embeddings", *(f"layer {one + 1}" for one in range(depth)), "rest", "all"]
    floats = [name for name, value in before.items() if value.is_floating_point()]
    assert found["all"]["weights"] == sum(before[name].numel() for name in floats)
    assert sum(row["weights"] for part, row in found.items() if part != "all") == found["all"]["weights"]  # type: ignore[misc]
    whole = [torch.cat([values[name].flatten() for name in floats]) for values in (before, after)]
    assert found["all"]["distance"] == pytest.approx(float((whole[1] - whole[0]).norm()), rel=1e-4)
    assert found["all"]["relative"] == pytest.approx(
        float((whole[1] - whole[0]).norm() / whole[0].norm()), rel=1e-4
    )
    assert json.loads(json.dumps(found)) == found


def test_weights_by_hand() -> None:
    start = {"a.layer.0.w": torch.tensor([3.0, 4.0]), "a.layer.10.w": torch.zeros(2), "head": torch.ones(1)}
    now = {"a.layer.0.w": torch.tensor([3.0, 5.0]), "a.layer.10.w": torch.ones(2), "head": torch.ones(2)}
    found = weights(start, now | {"only here": torch.ones(3)})
    assert found["layer 1"] == {"relative": pytest.approx(0.2), "distance": 1.0, "weights": 2}
    assert found["layer 11"] == {"relative": None, "distance": pytest.approx(2**0.5), "weights": 2}
    assert list(found) == ["layer 1", "layer 11", "all"]
    with pytest.raises(ValueError, match=r"no tensor is in both: one has \['x'\]"):
        weights({"x": torch.ones(1)}, {"y": torch.ones(1)})
    with pytest.raises(ValueError, match="pooling 'last'"):
        representations(None, ["a"], None, pooling="last")  # type: ignore[arg-type]
    assert drift._part("deberta.encoder.rel_embeddings.weight") == "rest"
