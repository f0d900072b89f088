"""What the tests of methods find prepared: checkpoints that tell texts apart, the task, and each cell's run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.methods import cells


@pytest.fixture(autouse=True, scope="module")
def _on_one_thread(one_thread: None) -> None:
    """Every test here."""


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function `(family, *, seed=0)` that gives a headless checkpoint's folder, made once; it is shared."""
    made: dict[tuple[str, int], Path] = {}

    def build(family: str, *, seed: int = 0) -> Path:
        if (family, seed) not in made:
            folder = tmp_path_factory.mktemp(f"published-{family}")
            made[family, seed] = cells.build_checkpoint(folder, family, seed=seed)
        return made[family, seed]

    return build


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `train.csv`, `validation.csv` and `test.csv`."""
    folder = tmp_path_factory.mktemp("task")
    cells.write_task(folder)
    return folder


@pytest.fixture(scope="session")
def ran(
    checkpoint: Callable[..., Path], task: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], cells.Ran]:
    """A function `(method, family)` that gives the cell's finished run, made once; do not change its folder."""
    from tunebook.book import Book

    book = Book(tmp_path_factory.mktemp("cells") / "book")
    made: dict[tuple[str, str], cells.Ran] = {}

    def run(method: str, family: str) -> cells.Ran:
        if (method, family) not in made:
            chosen = {"name": method, **cells.settings(method, family)}
            prepared = cells.prepared(checkpoint(family), task, book, method=chosen)
            made[method, family] = cells.train(method, family, prepared, book)
        return made[method, family]

    return run
