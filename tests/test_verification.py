"""A run made again: identical, within the interval of another environment, or not; the book stays as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import results
from tests.publish.made import published
from tunebook import verification
from tunebook.book import Book
from tunebook.errors import DataRejected, IntegrityError, UsageError
from tunebook.verification import Recorded


def tunebook(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tunebook", *words], capture_output=True, text=True, timeout=250
    )


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book with a baseline and a short real training on pocket."""
    root = tmp_path_factory.mktemp("book")
    for words in (["--method", "majority", "--checkpoint", "none"], _TRAINED):
        done = tunebook("run", "--dataset", "pocket", *words, "--no-baselines", "--root", str(root))
        assert done.returncode == 0, done.stderr
    return Book(root)


_TRAINED = ["--method", "linear_probe", "--checkpoint", "minilm-l6", "--set", "train.min_steps=0"]


def run_of(book: Book, method: str) -> Path:
    return next(path for path in book.run_folders() if f"--{method}--" in path.name)


@pytest.mark.parametrize("method", ["majority", "linear_probe"])
def test_the_same_environment_gives_the_same_bytes(book: Book, method: str) -> None:
    before = sorted(str(path) for path in book.root.rglob("*"))
    done = tunebook("verify", run_of(book, method).name, "--root", str(book.root))
    assert (done.returncode, done.stdout.split(": ")[1][:9]) == (0, "identical"), done.stdout + done.stderr
    assert sorted(str(path) for path in book.root.rglob("*")) == before, "the book is as it was"


def test_published_runs_are_verified_from_their_data(book: Book, tmp_path: Path) -> None:
    published(book, tmp_path / "data")
    done = tunebook("verify", str(tmp_path / "data"), "--json")
    assert done.returncode == 0, done.stderr
    assert [one["word"] for one in json.loads(done.stdout)] == ["identical", "identical"]
    assert tunebook("verify", str(tmp_path / "data"), "--run", "zzz").returncode == 2


def test_a_score_that_was_changed_is_a_mismatch(book: Book, tmp_path: Path) -> None:
    published(book, tmp_path / "data")
    (path,) = (tmp_path / "data" / "runs").glob("*majority*")
    value = json.loads(path.read_text())
    value["result"]["metrics"]["test"]["f1"] = 0.9
    path.write_text(json.dumps(value))
    done = tunebook("verify", str(tmp_path / "data"), "--run", value["declared"]["run"][:8])
    assert done.returncode == IntegrityError.exit_code
    assert "differs" in done.stdout and "f1 on test was 0.9" in done.stdout


def test_other_inputs_are_not_run(book: Book, tmp_path: Path) -> None:
    recorded = verification.of_folder(run_of(book, "majority"))
    identity = json.loads(json.dumps(recorded.declared["identity"]))
    identity["splits"]["test"] = "0" * 64
    other = replace(recorded, declared={**recorded.declared, "identity": identity, "run": "f" * 64})
    verdict = verification.verify(other, Nobody())
    assert verdict.word == "other inputs" and verdict.differences[0].startswith("splits.test was '0000")


def test_what_is_not_here_cannot_be_run(tmp_path: Path) -> None:
    folder = results.finish(Book(tmp_path), results.Run())
    verdict = verification.verify(verification.of_folder(folder), Nobody())
    assert verdict.word == "cannot be run here" and "reviews.csv" in verdict.why
    done = tunebook("verify", folder.name, "--root", str(tmp_path))
    assert done.returncode == UsageError.exit_code


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = results.begin(Book(tmp_path), results.Run())
    with pytest.raises(UsageError, match="only a finished run can be made again"):
        verification.of_folder(folder)


class Nobody:
    """Somebody who does not look."""

    def begins(self, number: int, total: int, planned: Any) -> None: ...

    def steps(self, event: dict[str, Any]) -> None: ...

    def ends(self, run: dict[str, Any]) -> None: ...


# --- comparing ---------------------------------------------------------------------------------------------------


def made(
    logits: np.ndarray, labels: np.ndarray, *, threads: int = 2, ids: Sequence[str] | None = None
) -> Recorded:
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    return Recorded(
        {"run": "a" * 64},
        {"metrics": {"test": {"accuracy": accuracy}}, "weights_sha256": str(logits.sum())},
        {"threads": threads, "libraries": {"torch": "2.13.0"}},
        {"test": (ids or [str(place) for place in range(len(labels))], labels, logits)},
    )


def drawn(count: int = 1000, *, flipped: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, count)
    logits = draw.normal(size=(count, 2)).astype(np.float32)
    logits[np.arange(count), labels] += 1.5
    logits[:flipped] = logits[:flipped, ::-1]
    return logits, labels


def test_noise_of_another_environment_is_within_the_interval() -> None:
    logits, labels = drawn()
    noisy = logits + 1e-4 * np.random.default_rng(1).normal(size=logits.shape).astype(np.float32)
    verdict = verification.compare(made(logits, labels), made(noisy, labels, threads=4))
    assert verdict.word == "within the interval"
    assert any("threads: 2 -> 4" in one for one in verdict.differences)


def test_the_same_noise_in_the_same_environment_is_a_mismatch() -> None:
    logits, labels = drawn()
    assert (
        verification.compare(made(logits, labels), made(logits + np.float32(0.5) * (logits > 2), labels)).word
        == "differs"
    )


def test_a_run_that_learned_less_is_beyond_the_interval() -> None:
    logits, labels = drawn()
    verdict = verification.compare(made(logits, labels), made(drawn(flipped=200)[0], labels, threads=4))
    assert verdict.word == "differs" and "accuracy on test differs by +0." in verdict.differences[0]


def test_other_examples_are_refused() -> None:
    logits, labels = drawn()
    with pytest.raises(DataRejected, match="different examples of test"):
        verification.compare(
            made(logits, labels), made(logits, labels, ids=[f"x{place}" for place in range(1000)])
        )
