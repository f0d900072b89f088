"""`tunebook merge` from the command line: a plain checkpoint, or a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calls import here, shell
from tests.cli.conftest import reviews

DECLARED = """
checkpoints = ["./tiny"]
datasets = [{ path = "reviews.csv", text = ["body"], label = "stars" }]
methods = ["lora", "prefix_tuning"]
seeds = 1
baselines = false
[train]
epochs = 1
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Path:
    """A folder with a book in which two runs left adapters."""
    folder = tmp_path_factory.mktemp("adapters")
    (folder / "reviews.csv").write_text(reviews())
    (folder / "tiny").symlink_to(tiny_checkpoint("bert"))
    (folder / "two.toml").write_text(DECLARED)
    done = shell("run", "two.toml", "--root", folder / "book", cwd=folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def at(ran: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in that folder."""
    monkeypatch.chdir(ran)
    monkeypatch.setenv("TUNEBOOK_HOME", str(ran / "book"))
    return ran


def test_a_run_is_folded_into_a_plain_checkpoint(at: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    answer = here("predict", "tiny--lora", "the phone was great", "--json").json
    done = here("merge", "tiny--lora", tmp_path / "plain")
    assert done.code == 0, done.err
    (found,) = pipeline("text-classification", str(tmp_path / "plain"))("the phone was great")
    assert found["label"] == answer["label"] and abs(found["score"] - answer["probability"]) < 1e-2
    again = here("merge", "tiny--lora", tmp_path / "plain")
    assert again.code == 2 and "plain exists; name a folder that does not" in again.err


def test_what_cannot_be_folded_says_why(at: Path, tmp_path: Path) -> None:
    done = here("merge", "tiny--prefix_tuning", tmp_path / "plain")
    assert (done.code, (tmp_path / "plain").exists()) == (2, False)
    assert "cannot be folded into a plain checkpoint: its keys and values stand beside" in done.err


def test_an_adapter_without_its_checkpoint_says_so(
    at: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here("predict", "tiny--lora", "the phone was great")
    assert done.code == 2 and "holds what was learned on a checkpoint, and needs it" in done.err
    assert "--checkpoint FOLDER" in done.err
    moved = here("predict", "tiny--lora", "the phone was great", "--checkpoint", at / "tiny", "--json")
    assert moved.code == 0 and moved.json["label"] in ("positive", "negative")


def test_what_is_no_run_is_refused(at: Path) -> None:
    assert here("merge", "no-such-run", "plain").code == 2
