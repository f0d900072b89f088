"""The table of what works on which family: it is what trying finds, with the versions that are pinned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.cli.calls import here
from tunebook import capabilities, methods

Tiny = Callable[..., Path]


def test_the_kept_table_is_what_trying_finds() -> None:
    found, kept = capabilities.tried(), capabilities.stored()
    assert kept["versions"] == found["versions"]
    assert kept["cells"] == found["cells"]


def test_the_table_is_whole_and_refuses_what_has_no_meaning_alone() -> None:
    cells = capabilities.stored()["cells"]
    assert cells.keys() == {row.name for row in methods.rows().values() if row.needs_checkpoint}
    assert all(row.keys() == tiny.FAMILIES.keys() for row in cells.values())
    refused = {
        (name, family): cell["refused"]
        for name, row in cells.items()
        for family, cell in row.items()
        if "refused" in cell
    }
    assert refused == {
        ("bitfit", "modernbert"): "bitfit: this modernbert has no biases in its encoder",
        (
            "top_layers",
            "albert",
        ): "top_layers: the layers of albert share their parameters, none can train alone",
    }


def test_trying_finds_a_method_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **settings: Any) -> Any:
        raise ValueError("no such module")

    def reaches_nothing(name: str, settings: Any, encoder: Any, *, seed: int) -> methods.Recipe:
        encoder.model.unused = type(encoder.model.classifier)(2, 2)
        return methods.Recipe((methods.Phase({"unused.weight": 1e-3}),))

    monkeypatch.setattr(methods, "apply", broken)
    assert capabilities.cell("lora", "bert") == {"refused": "lora fails on bert: ValueError: no such module"}
    monkeypatch.setattr(methods, "apply", reaches_nothing)
    assert "no gradient reaches what trains" in capabilities.cell("lora", "bert")["refused"]


def test_the_list_says_own_packed_or_refused_and_why() -> None:
    done = here("list", "capabilities")
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    families = rows["method"]
    assert dict(zip(families, rows["bitfit"], strict=True))["modernbert"] == "refused"
    lora = dict(zip(families, rows["lora"], strict=True))
    assert (lora["bert"], lora["albert"], lora["mpnet"]) == ("own", "packed", "micro-batched")
    assert "refused: bitfit: this modernbert has no biases in its encoder" in done.err
    assert "tried with torch 2.13.0, transformers" in done.err


def test_dropout_of_a_low_rank_change_takes_the_familys_layers() -> None:
    assert capabilities.expected_path("lora", "bert", "auto", {"dropout": 0.0})[1] == "own layers"
    assert capabilities.expected_path("lora", "bert", "auto", {"dropout": 0.1})[1] == "the family's layers"


def test_trying_again_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = {
        "versions": {"torch": "9"},
        "cells": {"lora": {"bert": {"path": "packed", "kernel": "own layers"}}},
    }
    monkeypatch.setattr(capabilities, "FILE", tmp_path / "capabilities.json")
    monkeypatch.setattr(capabilities, "tried", lambda: table)
    try:
        assert here("list", "capabilities", "--try", "--json").json == [
            {"method": "lora", "bert": {"path": "packed", "kernel": "own layers"}}
        ]
        assert capabilities.stored() == table
    finally:
        capabilities.stored.cache_clear()


def test_parameters_are_counted_apart(tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("bert")
    rows = {row["name"]: row for row in here("list", "methods", "--checkpoint", folder, "--json").json}
    width, layers, rank = tiny.WIDTH, 2, 8
    head = width * width + width + 2 * width + 2  # the pooler is of it
    assert rows["linear_probe"]["encoder"] == 0 and {row["head"] for row in rows.values()} == {0, head}
    assert rows["lora"]["encoder"] == layers * 2 * rank * 2 * width
    assert rows["prefix_tuning"]["encoder"] == layers * 2 * 5 * width
    assert rows["majority"]["head"] == 0
    assert all(row["source"] for row in rows.values() if row["name"] != "majority")


@pytest.mark.parametrize(
    "arguments",
    [
        ("checkpoints", "--checkpoint", "minilm-l6"),
        ("methods", "--try"),
        ("methods", "--checkpoint", "no-such"),
    ],
)
def test_options_of_another_list_are_refused(arguments: tuple[str, ...]) -> None:
    assert here("list", *arguments).code == 2
