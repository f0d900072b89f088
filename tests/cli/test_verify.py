"""`tunebook verify` from the command line: verdicts, numbers and exit codes, of a book's run and of open data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import here, shell
from tests.cli.conftest import reviews
from tests.cli.test_merge import DECLARED
from tunebook.book import Book
from tunebook.publish.export import export


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Path:
    """A folder with a book of one training and two baselines, and the open data of it."""
    folder = tmp_path_factory.mktemp("verified")
    (folder / "reviews.csv").write_text(reviews())
    (folder / "tiny").symlink_to(tiny_checkpoint("bert"))
    toml = DECLARED.replace('["lora", "prefix_tuning"]', '["linear_probe"]').replace("baselines = false", "")
    (folder / "one.toml").write_text(toml)
    done = shell("run", "one.toml", "--root", folder / "book", cwd=folder)
    assert done.code == 0, done.err
    export(Book(folder / "book"), folder / "data")
    return folder


@pytest.fixture
def at(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a copy of that folder; a process has one thread, as the runs had."""
    copy = tmp_path / "copy"
    shutil.copytree(ran, copy, symlinks=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("TUNEBOOK_HOME", str(copy / "book"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return copy


def file_of(at: Path, method: str) -> Path:
    (found,) = (at / "data" / "runs").glob(f"*--{method}--*")
    return found


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def test_a_run_comes_again(at: Path) -> None:
    book = sorted(str(path) for path in (at / "book").rglob("*"))
    done = here("verify", "tiny--linear_probe", "--quiet")
    assert done.code == 0, done.out + done.err
    name, verdict, *rest = done.out.splitlines()
    assert name.startswith("tiny--linear_probe--reviews--s0--") and verdict.startswith("identical: ")
    assert [line.split()[:2] for line in rest[2:4]] == [["test", "accuracy"], ["validation", "accuracy"]]
    assert done.err == ""
    assert sorted(str(path) for path in (at / "book").rglob("*")) == book


def test_open_data_come_again(at: Path) -> None:
    before = sorted(str(path) for path in at.rglob("*"))
    done = here("verify", "data", "--json", "--quiet")
    assert done.code == 0, done.out + done.err
    assert done.json["counts"]["identical"] == len(done.json["runs"]) == 3 and done.json["faults"] == {}
    for run in done.json["runs"]:
        assert run["word"] == "identical" and {one["split"] for one in run["numbers"]} == {
            "validation",
            "test",
        }
    assert sorted(str(path) for path in at.rglob("*")) == before


def test_a_changed_number_is_shown_and_ends_with_5(at: Path) -> None:
    path = file_of(at, "majority")
    change(path, lambda value: value["result"]["metrics"]["test"].update(f1=0.875))
    for words in ([path], ["data", "--run", "none--majority"], ["data", "--run", path.stem[-12:-4]]):
        done = here("verify", *words, "--quiet")
        assert done.code == 5 and done.out.count("differs: ") == 1 and "identical" not in done.out
        (row,) = [
            line.split() for line in done.out.splitlines() if line.startswith("test ") and " f1 " in line
        ]
        assert row[2] == "0.8750" and row[-1] == "no" and row[4].startswith("-0.")
        assert "not the same: test: other scores: f1" in done.out


def test_several_runs_are_counted(at: Path) -> None:
    change(file_of(at, "majority"), lambda value: value["result"]["metrics"]["test"].update(accuracy=0.875))
    done = here("verify", "data", "--run", "none--", "--quiet")
    assert done.code == 5 and done.out.splitlines()[-1] == "2 runs: 1 identical, 1 differs"


def test_changed_data_end_with_5(at: Path) -> None:
    (at / "reviews.csv").write_text(reviews().replace("review 3:", "story 3:"))
    done = here("verify", "none--majority")
    assert done.code == 5 and "other inputs: " in done.out and "\ninputs: splits." in done.out


def test_what_is_not_here_ends_with_2(at: Path) -> None:
    (at / "tiny").unlink()
    done = here("verify", "tiny--linear_probe")
    assert done.code == 2 and "cannot be run here: " in done.out and "./tiny" in done.out
    some = here("verify", "data", "--quiet", "--json")
    assert some.code == 0 and some.json["counts"]["cannot be run here"] == 1, "the others were"
    (at / "reviews.csv").unlink()
    assert here("verify", "data", "--quiet").code == 2


def test_damaged_open_data_end_with_5(at: Path) -> None:
    file_of(at, "majority").write_text("{")
    done = here("verify", "data", "--run", "none--", "--quiet")
    assert done.code == 5 and "majority" in done.err and "is damaged, and was not made again" in done.err
    assert "identical" in done.out, "the other one was"
    alone = here("verify", file_of(at, "majority"))
    assert alone.code == 5 and alone.out.splitlines() == ["0 runs: "]
    for path in (at / "data" / "splits").iterdir():
        path.unlink()
    assert here("verify", "data", "--run", "none--tfidf").code == 5


def test_a_book_is_kept_on_request(at: Path) -> None:
    done = here("verify", "none--majority", "--keep", "kept", "--quiet")
    assert done.code == 0 and len(Book(at / "kept").run_folders()) == 1
    again = here("verify", "none--majority", "--keep", "kept")
    assert again.code == 2 and "not an empty folder" in again.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-such-run"], "unknown run 'no-such-run'"),
        (["book"], "has no published runs: expected runs/*.json"),
        (["data", "--run", "zzz"], "no published run that begins with zzz"),
        (["none--majority", "--run", "zzz"], "--run chooses of open data"),
        (["none--majority", "--keep", "book/again"], "lies in the book"),
        (["none--majority", "--device", "abacus"], "unknown device 'abacus'"),
    ],
)
def test_what_is_not_there_is_told(at: Path, words: list[str], message: str) -> None:
    done = here("verify", *words)
    assert (done.code, done.out) == (2, "") and message in done.err
