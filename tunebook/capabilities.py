"""What works on which family: every method tried on every one by a step on a tiny model, and kept with the versions.

The kept table tells a plan what to expect; a run relies on nothing but what it tries itself.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import methods
from tunebook.durable import write_file
from tunebook.errors import TunebookError, UsageError

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore
    from tunebook.models.load import Encoder

FILE = Path(__file__).with_suffix(".json")
_TRIED_WITH = ("torch", "transformers", "peft")
_LENGTHS = (12, 9, 5, 3)
UNTRIED = ("tried when it begins", "the family's layers")


@functools.cache
def stored() -> dict[str, Any]:
    """The kept table: `versions`, and `cells[method][family]` with `path` and `kernel`, or why it is `refused`."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def expected_path(
    method: str, family: str, padding: str = "auto", settings: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """The path and the kernel that a run is expected to take on a CPU; low-rank methods whose `settings` have dropout
    run in the family's layers.

    Example:
        >>> expected_path("full", "bert")
        ('packed', 'own layers')
        >>> expected_path("full", "bert", "stock")[0], expected_path("full", "unheard-of")[0]
        ('stock', 'tried when it begins')
    """
    if padding == "stock":
        return "stock", UNTRIED[1]
    cell = stored()["cells"].get(method, {}).get(family, {})
    kernel = UNTRIED[1] if (settings or {}).get("dropout") else cell.get("kernel", UNTRIED[1])
    return cell.get("path", UNTRIED[0]), kernel


def parameters(checkpoint: str) -> dict[str, dict[str, Any]]:
    """For each method how many values it trains of a checkpoint with a head for two classes, in the `encoder` and in
    the `head`; None of both, and why, where it is `refused`.

    Raises:
        UsageError: the checkpoint is not on this machine.
        IntegrityError: its files are damaged.
    """
    import copy

    from tunebook.models.load import load
    from tunebook.models.resolve import resolve

    encoder = load(resolve(checkpoint), label_names=("0", "1"))
    found: dict[str, dict[str, Any]] = {}
    for row in (row for row in methods.rows().values() if row.needs_checkpoint):
        fresh = replace(encoder, model=copy.deepcopy(encoder.model))
        try:
            recipe = methods.apply(row.name, row.settings().model_dump(), fresh, seed=0)
            found[row.name] = dict(recipe.parameters(fresh))
        except UsageError as error:
            found[row.name] = {"encoder": None, "head": None, "refused": str(error)}
    return found


def tried() -> dict[str, Any]:
    """The table as it is found now, by one step of each method on a tiny model of each family."""
    from tunebook.models import tiny

    names = [row.name for row in methods.rows().values() if row.needs_checkpoint]
    cells = {name: {family: cell(name, family) for family in tiny.rows()} for name in names}
    return {"versions": {name: version(name).split("+")[0] for name in _TRIED_WITH}, "cells": cells}


def store(table: dict[str, Any]) -> None:
    """Keep a table, in the package.

    Raises:
        Failure: the package's folder cannot be written.
    """
    write_file(FILE, (json.dumps(table, indent=1) + "\n").encode())
    stored.cache_clear()


def cell(method: str, family: str) -> dict[str, str]:
    """What one method does on one family: its `path` and `kernel`, or why it is `refused`."""
    import torch

    from tunebook.models import tiny

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = tiny.encoder(family)
        settings = methods.method(method).settings().model_dump()
        try:
            return _one_step(methods.apply(method, settings, encoder, seed=0), encoder)
        except TunebookError as error:
            return {"refused": str(error)}
        except Exception as error:  # a combination that was never seen fails in ways that nobody can name
            return {"refused": f"{method} fails on {family}: {type(error).__name__}: {error}"}


def _one_step(recipe: methods.Recipe, encoder: Encoder) -> dict[str, str]:
    """Take a step of each phase on four texts; every parameter that trains must have been reached."""
    import numpy as np
    import torch

    from tunebook import environment, paths
    from tunebook.data.tokens import after

    hardware = environment.hardware("cpu", "float32")
    path = paths.choose(encoder, hardware)
    store = after(encoder.virtual_ids, _texts(encoder.model.config.vocab_size))
    names = []
    for phase in recipe.phases:
        taken = paths.keeping_features(path, encoder, hardware, trains=phase.learning_rates)
        logits = taken.logits(taken.load(np.arange(len(_LENGTHS)), store))
        wanted = [value for name, value in encoder.model.named_parameters() if name in phase.learning_rates]
        for value in wanted:
            value.requires_grad_()
        reached = torch.autograd.grad(logits.square().sum(), wanted, allow_unused=True)
        if not any(one is not None and one.abs().sum() > 0 for one in reached):
            raise ArithmeticError("no gradient reaches what trains")
        names.append(taken.name)
    return {"path": ", then ".join(dict.fromkeys(names)), "kernel": path.kernel.split(",")[0]}


def _texts(words: int) -> TokenStore:
    """A few texts of random tokens, none of them special."""
    import numpy as np

    from tunebook.data.tokens import TokenStore

    ids = np.random.default_rng(0).integers(3, words, sum(_LENGTHS))
    offsets = np.concatenate([[0], np.cumsum(_LENGTHS)])
    return TokenStore(ids, offsets, np.arange(len(_LENGTHS) + 1), None, {"texts": len(_LENGTHS)})
