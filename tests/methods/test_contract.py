"""Every method on every family: it learns, what it freezes stays bit for bit, what is new trains, the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.methods import cells
from tests.methods.cells import CELLS, FAMILIES, METHODS, REFUSED, Ran
from tests.training import load_encoder
from tunebook import methods
from tunebook.errors import UsageError

Run = Callable[[str, str], Ran]
Checkpoint = Callable[..., Path]

each_cell = pytest.mark.parametrize(("method", "family"), CELLS)

HEADS = {
    "bert": {"classifier"},
    "distilbert": {"classifier", "pre_classifier"},
    "electra": {"classifier.dense", "classifier.out_proj"},
    "mpnet": {"classifier.dense", "classifier.out_proj"},
    "roberta": {"classifier.dense", "classifier.out_proj"},
    "xlm-roberta": {"classifier.dense", "classifier.out_proj"},
    "camembert": {"classifier.dense", "classifier.out_proj"},
    "albert": {"classifier"},
    "deberta": {"classifier", "pooler.dense"},
    "deberta-v2": {"classifier", "pooler.dense"},
    "modernbert": {"classifier", "head.dense", "head.norm"},
}
"""The modules that a published encoder lacks."""

RANDOM = {
    "adalora": ("lora_A", "lora_B"),
    "bottleneck_adapter": ("down.weight", "up.weight"),
    "dora": ("lora_A",),
    "lora": ("lora_A",),
    "p_tuning": ("embeddings.prompt", "embeddings.mlp"),
    "prefix_tuning": ("prefix.start",),
    "prompt_tuning": ("prompt",),
    "rslora": ("lora_A",),
    "vera": ("vera_A", "vera_B"),
}
"""Parts of the names of what each method draws at random; the others start at constants or at what was there."""

PROMPTS = ("p_tuning", "prefix_tuning", "prompt_tuning")


def test_every_cell_is_here() -> None:
    assert len(METHODS) >= 17 and len(FAMILIES) == 11
    assert len(CELLS) == len(METHODS) * len(FAMILIES) - 2
    assert set(cells.SETTINGS) == set(METHODS) == {*cells.PEFTS, *cells.OWN_FILES, *cells.WHOLE}


@pytest.mark.parametrize(("method", "family"), REFUSED)
def test_what_has_no_meaning_is_refused(
    method: str, family: str, checkpoint: Checkpoint, task: Path, book_root: Path
) -> None:
    """With the reason, alone and as a run, which trains nothing; all other cells train below."""
    from tunebook import flow
    from tunebook.book import Book
    from tunebook.steering import Control

    book, chosen = Book(book_root), cells.settings(method, family)
    run = cells.prepared(checkpoint(family), task, book, method={"name": method, **chosen})
    for attempt in (
        lambda: methods.apply(method, run.spec.method.settings, load_encoder(checkpoint(family)), seed=0),
        lambda: flow.run(run, book, flow.Options(device="cpu"), Control()),
    ):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{method}: ") and family in str(caught.value)
        assert REFUSED[method, family] in str(caught.value) and caught.value.exit_code == 2
    assert not (run.folder / "metrics.jsonl").exists()


def is_taken_away(method: str, name: str, found: Ran) -> bool:
    """Whether AdaLoRA began with zeros, and ended with zeros because others mattered more."""
    return method == "adalora" and "lora_E" in name and not found.ended[name].any()


@each_cell
def test_it_learns(method: str, family: str, ran: Run) -> None:
    """Texts of other words are told apart, where a guess is right half of the time."""
    found = ran(method, family)
    assert found.accuracy > 0.95
    labels = found.prepared.dataset.splits["train"].labels
    assert labels.mean() == 0.5 and len(labels) == 24


@each_cell
def test_what_is_frozen_stays_and_what_trains_changes(method: str, family: str, ran: Run) -> None:
    import torch

    found = ran(method, family)
    assert found.begun.keys() == found.ended.keys() >= found.recipe.trained_names
    changed = {name for name, tensor in found.ended.items() if not torch.equal(tensor, found.begun[name])}
    assert changed - found.recipe.trained_names == set(), "frozen, and changed"
    same = found.recipe.trained_names - changed
    assert not {name for name in same if not is_taken_away(method, name, found)}, "trained, and the same"


@each_cell
def test_putting_a_method_in_changes_no_weight_that_was_there(method: str, family: str, ran: Run) -> None:
    import torch

    found = ran(method, family)
    where = {name.replace(".base_layer", "").replace(".words.", "."): name for name in found.begun}
    assert found.loaded.keys() <= where.keys()
    for name, tensor in found.loaded.items():
        assert torch.equal(found.begun[where[name]], tensor), name


@each_cell
def test_where_it_begins(method: str, family: str, ran: Run) -> None:
    """Most begin at what the encoder computes, bottlenecks near it; prefixes and prompts elsewhere."""
    import numpy as np

    found, plain = ran(method, family).first, ran("full", family).first
    distance = float(np.abs(found - plain).max())
    if method in PROMPTS:
        assert distance > 1e-3
    else:
        assert distance < (1e-2 if method == "bottleneck_adapter" else 1e-5) * max(
            1.0, float(np.abs(plain).max())
        )


@each_cell
def test_nothing_new_is_frozen(method: str, family: str, ran: Run) -> None:
    found = ran(method, family)
    lacking = {name.rpartition(".")[0] for name in found.encoder.new_names}
    assert lacking == HEADS[family]
    poolers = {name for name in found.loaded if ".pooler." in name}
    assert bool(poolers) == (family in ("albert", "bert")), "there, and of the head all the same"
    assert set(found.encoder.head_names) == found.encoder.new_names | poolers
    for phase in found.recipe.phases:
        assert set(found.encoder.head_names) <= phase.learning_rates.keys()


@pytest.mark.parametrize("family", ["bert", "albert"])
def test_a_pooler_that_the_checkpoint_lacks_trains_too(
    family: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """As with encoders published from masked language modelling: it is inside the encoder, and new all the same."""
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(checkpoint(family), tmp_path / "published")
    held = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in held.items() if "pooler" not in name}
    assert len(held) - len(kept) == 2
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    for method in METHODS:
        if (method, family) not in REFUSED:
            encoder = load_encoder(folder)
            poolers = {name for name in encoder.new_names if "pooler" in name}
            chosen = methods.method(method).settings(**cells.settings(method, family)).model_dump()
            recipe = methods.apply(method, chosen, encoder, seed=0)
            assert len(poolers) == 2
            assert all(encoder.new_names <= phase.learning_rates.keys() for phase in recipe.phases), method


@each_cell
def test_the_seed_decides_the_first_values(method: str, family: str, ran: Run) -> None:
    """The same seed gives the same bits, whatever was drawn before; another seed another head and another adapter."""
    import torch

    from tunebook import flow

    found = ran(method, family)

    def begun(seed: int) -> cells.Tensors:
        spec = found.prepared.spec.model_copy(update={"seed": seed})
        encoder = flow.load_encoder(replace(found.prepared, spec=spec))
        torch.manual_seed(99)
        methods.apply(method, spec.method.settings, encoder, seed=seed)
        return cells.tensors(encoder.model)

    same, other = begun(0), begun(1)
    assert same.keys() == found.begun.keys() == other.keys()
    assert all(torch.equal(tensor, found.begun[name]) for name, tensor in same.items())
    differ = {name for name, tensor in other.items() if not torch.equal(tensor, same[name])}
    drawn = {
        name for name in same if any(part in name for part in RANDOM.get(method, ())) and "bias" not in name
    }
    assert bool(drawn) == (method in RANDOM)
    heads = {name for name in found.encoder.new_names if name.endswith("weight") and "norm" not in name}
    assert heads and heads | drawn <= differ
    assert all("bias" in name for name in differ - heads - drawn)
