"""What single methods promise besides the contract of all: ranks, layers, rates, and which parameters are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import tiny
from tests.methods import cells
from tests.methods.cells import FAMILIES, Ran
from tests.training import build_loop, load_encoder
from tunebook import durable, methods
from tunebook.train import Loop

Run = Callable[[str, str], Ran]
Checkpoint = Callable[..., Path]

LAYERS = {"albert": 1}
"""How many layers have parameters of their own, where that is not two."""
TEXTS = [" ".join(words) for words in (cells.GOOD, cells.BAD) for _ in range(5)]
LABELS = [int(text.startswith(cells.GOOD[0])) for text in TEXTS]


def looped(
    checkpoint: Path, folder: Path, method: str, *, steps: int, train: Any = None, **settings: Any
) -> Loop:
    return build_loop(
        load_encoder(checkpoint), folder, texts=TEXTS, labels=LABELS, method=method, method_settings=settings,
        min_steps=steps, batch_size=5, **(train or {}),
    )  # fmt: skip


def applied(method: str, checkpoint: Path, **settings: Any) -> tuple[Any, methods.Recipe]:
    encoder = load_encoder(checkpoint)
    chosen = methods.method(method).settings(**settings).model_dump()
    return encoder, methods.apply(method, chosen, encoder, seed=0)


def layer_of(name: str) -> int | None:
    """The number of the layer that a parameter is in, None outside of the layers."""
    found = re.search(r"\.(?:layer|layers|albert_layers)\.(\d+)\.", name)
    return int(found.group(1)) if found else None


# --- AdaLoRA ----------------------------------------------------------------------------------------------------


def kept(model: Any) -> int:
    """How many values of all matrices are not zero."""
    values = [value for name, value in model.named_parameters() if "lora_E" in name]
    return sum(int(value.count_nonzero()) for value in values)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_budget_is_met(family: str, ran: Run) -> None:
    found = ran("adalora", family)
    matrices = [tensor for name, tensor in found.ended.items() if "lora_E" in name]
    is_fused = family in ("deberta", "modernbert")
    assert len(matrices) == LAYERS.get(family, 2) * (1 if is_fused else 2)
    chosen = cells.SETTINGS["adalora"]
    assert {tensor.numel() for tensor in matrices} == {chosen["start_rank"]}
    assert sum(int(tensor.count_nonzero()) for tensor in matrices) == chosen["rank"] * len(matrices)


@pytest.mark.parametrize(
    ("steps", "schedule"),
    [
        (40, {"every": 7}),
        (40, {"every": 10_000}),
        (40, {"first_share": 0.0, "every": 3}),
        (40, {"last_share": 0.001, "every": 3}),
        (40, {"first_share": 0.49, "last_share": 0.49, "every": 1}),
        (40, {"last_share": 0.001, "every": 10_000}),
        (3, {"every": 1}),
        (3, {"every": 10}),
        (2, {"every": 1}),
    ],
    ids=str,
)
def test_the_budget_is_met_on_any_schedule(
    steps: int, schedule: dict[str, Any], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Also where no regular moment to take ranks is left, and where a run has few steps."""
    loop = looped(checkpoint("bert"), tmp_path, "adalora", steps=steps, start_rank=6, rank=2, **schedule)
    loop.run()
    assert kept(loop.encoder.model) == 4 * 2


def test_ranks_are_taken_between_the_first_and_the_last_share(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """All are there while it warms up, fewer and fewer then, and the same ones are gone from the end of that on."""
    schedule: dict[str, Any] = {"first_share": 0.25, "last_share": 0.25, "every": 1}
    loop = looped(checkpoint("bert"), tmp_path, "adalora", steps=40, start_rank=6, rank=2, **schedule)
    counts, values = [], []
    for _ in range(40):
        loop.step()
        counts.append(kept(loop.encoder.model))
        named = loop.encoder.model.named_parameters()
        values.append([bool(one) for name, value in named if "lora_E" in name for one in value.flatten()])
    assert counts[1:10] == [24] * 9, "zeros before the first step with a rate"
    assert counts[10:] == sorted(counts[10:], reverse=True) and 8 < counts[20] < 24
    assert counts[31:] == [8] * 9 and all(one == values[31] for one in values[31:])


def test_orthogonality_is_in_the_gradient_and_not_in_the_loss(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The term is the weighted mean over all matrices of ||P^T P - I|| or ||Q Q^T - I||."""
    outcomes = {}
    for weight in (0.0, 5.0):
        settings = {"start_rank": 6, "rank": 2, "orthogonality": weight}
        loop = looped(checkpoint("bert"), tmp_path / str(weight), "adalora", steps=4, **settings)
        parameters = dict(loop.encoder.model.named_parameters())
        torch.manual_seed(0)
        with torch.no_grad():
            for name, value in parameters.items():
                if "lora_E" in name:
                    value.normal_()
        loss, _ = loop.gradient.add(0, np.arange(5))
        outcomes[weight] = float(loss), {name: value.grad for name, value in parameters.items()}
        loop.gradient.clear()
        loop.step()
    logged = [
        durable.read_lines(tmp_path / str(weight) / "metrics.jsonl")[0]["train/loss"] for weight in (0.0, 5.0)
    ]
    assert outcomes[0.0][0] == outcomes[5.0][0] and logged[0] == logged[1]
    parts = {name: value for name, value in parameters.items() if "lora_A" in name or "lora_B" in name}
    fresh, _ = applied("adalora", checkpoint("bert"), start_rank=6, rank=2)
    begun = {name: value for name, value in fresh.model.named_parameters() if name in parts}
    term = 5.0 * torch.stack([off_orthogonal(name, value) for name, value in begun.items()]).mean()
    expected = torch.autograd.grad(term, list(begun.values()))
    for name, gradient in zip(begun, expected, strict=True):
        added = outcomes[5.0][1][name] - outcomes[0.0][1][name]
        torch.testing.assert_close(added, gradient, atol=1e-5, rtol=1e-4)
        assert gradient.norm() > 0.1
    for name, gradient in outcomes[0.0][1].items():
        if gradient is not None and name not in parts:
            assert torch.equal(gradient, outcomes[5.0][1][name]), name


def off_orthogonal(name: str, value: torch.Tensor) -> torch.Tensor:
    product = value @ value.T if "lora_A" in name else value.T @ value
    return ((product - torch.eye(len(product))) ** 2).sum().sqrt()


# --- rates and layers -------------------------------------------------------------------------------------------

IN_NO_LAYER = {
    "deberta": ("deberta.encoder.rel_embeddings.weight",),
    "deberta-v2": (
        "deberta.encoder.rel_embeddings.weight",
        "deberta.encoder.LayerNorm.weight",
        "deberta.encoder.LayerNorm.bias",
    ),
    "mpnet": ("mpnet.encoder.relative_attention_bias.weight",),
    "albert": (
        "albert.encoder.embedding_hidden_mapping_in.weight",
        "albert.encoder.embedding_hidden_mapping_in.bias",
    ),
    "electra": ("electra.embeddings_project.weight", "electra.embeddings_project.bias"),
}
"""Parameters outside the embeddings that act before the layers or in all of them: they go with the embeddings."""
AFTER = {"bert": "bert.pooler.", "albert": "albert.pooler.", "modernbert": "model.final_norm."}
"""What of the encoder stands after its layers: it goes with the head."""


def places(encoder: Any) -> Iterator[tuple[str, str, int]]:
    """Every parameter with where it is, embeddings, a layer or after the layers, and the number of that layer."""
    family = encoder.family
    for name in encoder.parameter_names:
        number = layer_of(name)
        if number is not None:
            yield name, "layer", number
        elif name in encoder.head_names or name.startswith(AFTER.get(family, "nothing")):
            yield name, "after", 0
        else:
            assert ".embeddings." in name or name in IN_NO_LAYER[family], name
            yield name, "embeddings", 0


@pytest.mark.parametrize("family", FAMILIES)
def test_rates_fall_from_the_head_to_the_embeddings(family: str, checkpoint: Checkpoint) -> None:
    encoder, recipe = applied("layerwise_decay", checkpoint(family), learning_rate=1.0, decay=0.5)
    (phase,) = recipe.phases
    layers = LAYERS.get(family, 2)
    assert phase.learning_rates.keys() == set(encoder.parameter_names)
    seen = set()
    for name, where, number in places(encoder):
        below = {"after": 0, "layer": layers - number, "embeddings": layers + 1}[where]
        assert phase.learning_rates[name] == 0.5**below, name
        seen.add(below)
    assert seen == set(range(layers + 2))
    assert {name for name, _, _ in places(encoder)} >= set(IN_NO_LAYER.get(family, ()))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "albert"])
def test_top_layers_and_what_stands_after_them_train(
    family: str, layers: int, checkpoint: Checkpoint
) -> None:
    encoder, recipe = applied("top_layers", checkpoint(family), layers=layers)
    expected = {
        name
        for name, where, number in places(encoder)
        if where == "after" or (where == "layer" and number >= 2 - layers)
    }
    assert recipe.trained_names == expected
    assert any(layer_of(name) == 1 for name in expected)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "albert"])
def test_no_gradient_goes_below_the_top_layers(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    loop = looped(checkpoint(family), tmp_path, "top_layers", steps=3, layers=1)
    before = cells.tensors(loop.encoder.model)
    loop.gradient.add(0, np.arange(5))
    got = {name for name, value in loop.encoder.model.named_parameters() if value.grad is not None}
    assert got == loop.recipe.trained_names
    loop.run()
    for name, where, number in places(loop.encoder):
        if where == "embeddings" or (where == "layer" and number == 0):
            assert torch.equal(before[name], loop.encoder.model.get_parameter(name)), name


@pytest.mark.parametrize("method", [m for m, row in cells.SETTINGS.items() if "head_learning_rate" in row])
def test_the_head_has_a_rate_of_its_own(method: str, checkpoint: Checkpoint) -> None:
    encoder, recipe = applied(method, checkpoint("bert"), learning_rate=0.5, head_learning_rate=0.25)
    (phase,) = recipe.phases
    head = set(encoder.head_names)
    assert {phase.learning_rates[name] for name in head} == {0.25}
    assert {rate for name, rate in phase.learning_rates.items() if name not in head} == {0.5}


# --- which parameters are meant ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "modernbert"])
def test_biases_of_queries_and_wide_maps(family: str, checkpoint: Checkpoint) -> None:
    """BitFit's small variant has two biases a layer, the large one all that there are."""
    encoder, recipe = applied("bitfit", checkpoint(family), biases="query_and_up")
    found = recipe.trained_names - set(encoder.head_names)
    assert len(found) == 2 * LAYERS.get(family, 2) and all(layer_of(name) is not None for name in found)
    wide = {name for name in found if encoder.model.get_parameter(name).numel() == 64}
    assert len(wide) == len(found) // 2
    assert all(re.search(r"query|\.q\.|q_lin|q_bias", name) for name in found - wide)
    encoder, recipe = applied("bitfit", checkpoint(family))
    biases = {name for name in encoder.parameter_names if name.endswith("bias")} - {
        "mpnet.encoder.relative_attention_bias"
    }
    assert recipe.trained_names - set(encoder.head_names) == biases - set(encoder.head_names)


@pytest.mark.parametrize("family", FAMILIES)
def test_places_of_bottlenecks(family: str, checkpoint: Checkpoint) -> None:
    """Houlsby's are two a layer and train the layers' norms, Pfeiffer's one."""
    layers = LAYERS.get(family, 2)
    stock = load_encoder(checkpoint(family))
    norms = {name for name in norms_of(stock) if layer_of(name) is not None}
    for placement, count in (("houlsby", 2 * layers), ("pfeiffer", layers)):
        encoder, recipe = applied("bottleneck_adapter", checkpoint(family), size=5, placement=placement)
        found = recipe.trained_names - set(encoder.head_names)
        added = found - set(stock.parameter_names)
        assert found - added == (norms if placement == "houlsby" else set())
        assert len([name for name in added if name.endswith(".down.weight")]) == count
        sizes = [encoder.model.get_parameter(name).numel() for name in added]
        assert sum(sizes) == count * (2 * 5 * tiny.WIDTH + 5 + tiny.WIDTH)
    assert norms


def norms_of(encoder: Any) -> set[str]:
    """The parameters of the encoder's norms, by their names."""
    is_norm = re.compile(r"norm", re.IGNORECASE)
    return {
        name for name in encoder.parameter_names if is_norm.search(name) and name not in encoder.head_names
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_every_norm_of_the_encoder_trains(family: str, checkpoint: Checkpoint) -> None:
    norms = norms_of(load_encoder(checkpoint(family)))
    encoder, recipe = applied("layer_norm", checkpoint(family))
    trained = {
        name.replace(".ln_tuning_layers.default", "")
        for name in recipe.trained_names - set(encoder.head_names)
    }
    assert trained == norms and len(norms) >= 3


@pytest.mark.parametrize("family", FAMILIES)
def test_random_matrices_are_the_same_in_all_layers(family: str, ran: Run) -> None:
    begun = ran("vera", family).begun
    for part in ("vera_A", "vera_B"):
        found = {tuple(tensor.flatten().tolist()) for name, tensor in begun.items() if part in name}
        assert len(found) == 1
