"""Settings out of their range are refused with what is allowed, before anything is loaded or before anything trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tests.methods import cells
from tests.methods.cells import FAMILIES, METHODS
from tests.training import load_encoder
from tunebook import methods, spec
from tunebook.errors import UsageError
from tunebook.models.load import Encoder
from tunebook.models.peft_adapter import target_names

Checkpoint = Callable[..., Path]

PARTS = ("query", "key", "value", "out", "up", "down")
WITH_TARGETS = ("adalora", "dora", "lora", "rslora", "vera")


WORDS = {
    "ge": "greater than or equal to",
    "gt": "greater than",
    "le": "less than or equal to",
    "lt": "less than",
}
"""How a message tells of each kind of bound."""


def numeric() -> Iterator[tuple[str, str, dict[str, Any], type]]:
    """Every numeric setting of every method: method, setting, its bounds by kind, int or float."""
    for method in METHODS:
        for name, field in methods.method(method).settings.model_fields.items():
            if field.annotation in (int, float):
                found = [(kind, getattr(one, kind, None)) for one in field.metadata for kind in WORDS]
                bounds = {kind: limit for kind, limit in found if limit is not None}
                yield method, name, bounds, field.annotation


def outside() -> Iterator[tuple[str, str, Any, str]]:
    """For both bounds of every numeric setting a value just beyond it, and what the message says of the bound."""
    for method, name, bounds, kind in numeric():
        step = 1 if kind is int else 1e-6
        for key, limit in bounds.items():
            beyond = {"ge": limit - step, "gt": limit, "le": limit + step, "lt": limit}[key]
            yield method, name, kind(beyond), f"{WORDS[key]} {limit}"


def refuse(method: dict[str, Any]) -> str:
    """What a run of BERT is told that asks for this method."""
    values = {"checkpoint": "bert-tiny", "dataset": "pocket", "method": method}
    with pytest.raises(UsageError) as caught:
        spec.run_spec(values, "the test")
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_every_number_has_a_range() -> None:
    found = {(method, name): list(bounds) for method, name, bounds, _ in numeric()}
    assert len(found) >= 40
    for where, keys in found.items():
        assert len(keys) == 2 and keys[0] in ("ge", "gt") and keys[1] in ("le", "lt"), where
    assert {method for method, name in found if name == "learning_rate"} == set(METHODS)


@pytest.mark.parametrize(("method", "name", "value", "words"), list(outside()))
def test_beyond_its_range(method: str, name: str, value: Any, words: str) -> None:
    message = refuse({"name": method, name: value})
    assert "1 fault\n" in message and f"{method}: {name}: got {value}" in message
    assert message.rstrip("0").rstrip(".").endswith(words.rstrip("0").rstrip("."))


@pytest.mark.parametrize(("method", "name", "bounds", "kind"), list(numeric()))
def test_at_its_bounds(method: str, name: str, bounds: dict[str, Any], kind: type) -> None:
    """What is inclusive is allowed."""
    for key, limit in bounds.items():
        if key in ("ge", "le"):
            settings = methods.method(method).settings(**{name: kind(limit)})
            assert getattr(settings, name) == limit


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_number(method: str) -> None:
    for value in ("1e-3", True, float("nan"), float("inf"), None, [1e-3]):
        message = refuse({"name": method, "learning_rate": value})
        assert f"{method}: learning_rate: got " in message
        assert "valid number" in message or "finite" in message
    message = refuse({"name": method, "learning_rat": 1e-3})
    assert f"{method}: learning_rat: unknown key; did you mean 'learning_rate'" in message


def test_all_faults_are_told_together() -> None:
    message = refuse({"name": "lora", "rank": 0, "dropout": 1.0, "targets": "everything"})
    for part in ("lora: rank: got 0;", "lora: dropout: got 1.0;", "lora: targets"):
        assert part in message


def applied(method: str, encoder: Encoder, **settings: Any) -> methods.Recipe:
    chosen = methods.method(method).settings(**settings).model_dump()
    return methods.apply(method, chosen, encoder, seed=0)


# --- targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", ["everything", ["qury"], ["query", "pooler"], [], ["attention"], 3])
@pytest.mark.parametrize("method", WITH_TARGETS)
def test_unknown_targets(method: str, targets: Any) -> None:
    message = refuse({"name": method, "targets": targets})
    assert f"{method}: targets" in message
    if isinstance(targets, list) and targets:
        assert all(repr(part) in message for part in PARTS), "the parts that there are"
    if targets == "everything":
        assert "'attention'" in message and "'all_linear'" in message


@pytest.mark.parametrize("family", FAMILIES)
def test_all_linear_is_every_linear_map_of_a_layer(family: str, checkpoint: Checkpoint) -> None:
    """But for the projections of relative positions, which are of no text."""
    encoder = load_encoder(checkpoint(family))
    layers = ("layer.", "layers.", "albert_layers.")
    expected = {
        name
        for name, module in encoder.model.base_model.named_modules(prefix=encoder.model.base_model_prefix)
        if isinstance(module, nn.Linear) and any(part in name for part in layers) and ".pos_" not in name
    }
    recipe = applied("lora", encoder, rank=2, targets="all_linear")
    found = {name.partition(".lora_")[0] for name in recipe.trained_names if ".lora_" in name}
    assert found == expected and len(found) >= 4


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_are_what_they_are_called(family: str, checkpoint: Checkpoint) -> None:
    """A part is one map a layer; parts that are one map are adapted once; "attention" are queries and values."""
    encoder = load_encoder(checkpoint(family))
    by_part = {part: set(target_names(encoder, [part])) for part in PARTS}
    attention = set(target_names(encoder, "attention"))
    layers = 1 if family == "albert" else 2
    for part, names in by_part.items():
        assert len(names) == layers, part
        for name in names:
            module = encoder.model.get_submodule(name)
            widths = {"up": (32, 64), "down": (64, 32)}.get(part, (32, 32))
            is_fused = part in PARTS[:3] and module.out_features == 96
            is_gated = family == "modernbert" and part == "up"  # makes what is gated and its gate
            factor = 3 if is_fused else 2 if is_gated else 1
            assert (module.in_features, module.out_features) == (widths[0], widths[1] * factor), name
    assert attention == by_part["query"] | by_part["value"]
    is_fused = family in ("deberta", "modernbert")
    assert (by_part["query"] == by_part["key"] == by_part["value"]) == is_fused
    assert len({name for names in by_part.values() for name in names}) == layers * (4 if is_fused else 6)


# --- what only an encoder can tell --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rank", "start_rank"), [(4, 4), (5, 4), (1024, 2)])
def test_adalora_takes_ranks_away(rank: int, start_rank: int, checkpoint: Checkpoint) -> None:
    encoder = load_encoder(checkpoint("bert"))
    expected = f"adalora: rank is {rank}, expected 1 to {start_rank - 1}, as start_rank is {start_rank}"
    with pytest.raises(UsageError, match=expected):
        applied("adalora", encoder, rank=rank, start_rank=start_rank)
    assert applied("adalora", encoder, rank=start_rank - 1, start_rank=start_rank)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "albert"])
def test_more_top_layers_than_there_are(family: str, checkpoint: Checkpoint) -> None:
    encoder = load_encoder(checkpoint(family))
    expected = f"top_layers: layers is 3, but this {family} has 2: expected 1 to 2"
    with pytest.raises(UsageError, match=expected):
        applied("top_layers", encoder, layers=3)
    assert applied("top_layers", encoder, layers=2)


@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_that_leaves_no_room(family: str, method: str, checkpoint: Checkpoint) -> None:
    """Tiny checkpoints read 64 tokens, of which a text needs four at least."""
    encoder = load_encoder(checkpoint(family))
    with pytest.raises(UsageError, match=r"length is 61, .* positions for 64 tokens: expected 1 to 60"):
        applied(method, encoder, length=61)
    assert applied(method, encoder, length=60)


@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning", "prefix_tuning"])
def test_a_prompt_shortens_what_a_text_may_be(
    method: str, checkpoint: Checkpoint, task: Path, book_root: Path
) -> None:
    """A prefix takes no positions; a prompt does, and who asks for all of them is told how many are left."""
    from tunebook import flow
    from tunebook.book import Book
    from tunebook.environment import hardware
    from tunebook.steering import Control

    book = Book(book_root)
    chosen = {"name": method, "length": 10}
    run = cells.prepared(checkpoint("roberta"), task, book, method=chosen, max_length=64)
    run.folder.mkdir(parents=True)
    encoder = flow.load_encoder(run)
    if method == "prefix_tuning":
        assert flow.build_loop(run, book, encoder, hardware("cpu", "float32"), Control())
    else:
        with pytest.raises(UsageError, match=r"max_length is 64, but .* has positions for 54 tokens"):
            flow.build_loop(run, book, encoder, hardware("cpu", "float32"), Control())
