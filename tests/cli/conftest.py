"""A book with every kind of end in it, made once by the command line, and files of somebody's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.calls import Done, shell

GOOD, BAD = ("great", "lovely", "perfect", "fine"), ("terrible", "boring", "broken", "awful")


def reviews(count: int = 80) -> str:
    """The text of a CSV file with columns body, stars and author."""
    rows = [
        f"review {number}: the phone was {(GOOD if number % 2 else BAD)[number // 2 % 4]},"
        f"{'positive' if number % 2 else 'negative'},a{number % 9}\n"
        for number in range(count)
    ]
    return "body,stars,author\n" + "".join(rows)


def overflowing(checkpoint: Path, folder: Path) -> None:
    """A copy of a checkpoint whose first layer makes every loss infinite or NaN."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(checkpoint, folder)
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.LayerNorm.weight"].fill_(3e38)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@dataclass(frozen=True)
class Made:
    """A folder with an experiment's file, what running it printed, and the book it ran into."""

    folder: Path
    root: Path
    done: Done

    def run(self, **wanted: object) -> str:
        """The hash of the run that has these values."""
        (found,) = [
            line["run"]
            for line in self.done.lines
            if all(line[key] == value for key, value in wanted.items())
        ]
        return str(found)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Made:
    """A run that finishes, one that diverges, one whose checkpoint is missing, and the baselines."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "reviews.csv").write_text(reviews())
    (folder / "tiny").symlink_to(tiny_checkpoint("bert"))
    overflowing(folder / "tiny", folder / "overflowing")
    (folder / "ends.toml").write_text(
        """
        question = "How do runs end?"
        checkpoints = ["./tiny", "./overflowing", "bert-tiny"]
        datasets = [{ path = "reviews.csv", text = ["body"], label = "stars" }]
        methods = [{ name = "full", learning_rate = 1e-3 }]
        seeds = 1
        [train]
        epochs = 1
        min_steps = 12
        """
    )
    root = folder / "book"
    return Made(folder, root, shell("run", "ends.toml", "--json", "--root", root, cwd=folder))


@pytest.fixture
def user(
    tiny_checkpoint: Callable[..., Path], book_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder of somebody's own to stand in, with reviews, a tiny checkpoint, and an empty book."""
    (tmp_path / "tiny").symlink_to(tiny_checkpoint("bert"))
    (tmp_path / "reviews.csv").write_text(reviews())
    monkeypatch.chdir(tmp_path)
    return tmp_path
