"""Snapshots: the newest sound one is used, damaged ones are set aside, the clock has no say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.book.made import begin, fill_snapshot
from tunebook import durable
from tunebook.book import Book, snapshots
from tunebook.errors import IntegrityError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return begin(Book(tmp_path))


def save(run: Path, step: int, best_step: int | None = None) -> Path:
    snapshots.save_snapshot(run, step, fill_snapshot, extra={"step": step, "best_step": best_step})
    return run / f"checkpoint-{step}"


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def test_nothing_saved_is_nothing_to_resume(run: Path) -> None:
    assert snapshots.latest_snapshot(run) is None
    assert not snapshots.has_snapshots(run)


def test_the_newest_is_the_one_of_the_most_steps_whatever_the_clock_said(run: Path) -> None:
    for number, step in enumerate((9, 10, 100)):
        path = save(run, step)
        os.utime(path, (10**9 - number * 86400,) * 2)  # a clock that jumps back a day each time
    (run / "checkpoint-999.part").mkdir()
    (run / "checkpoint-x").mkdir()
    assert snapshots.latest_snapshot(run) == (100, run / "checkpoint-100")
    snapshots.prune_snapshots(run, keep={100, 9})
    assert sorted(path.name for path in run.glob("checkpoint-*[0-9]")) == ["checkpoint-100", "checkpoint-9"]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "train_state.json", "MANIFEST.json"]
)
def test_a_damaged_one_is_set_aside_and_the_one_before_is_used(run: Path, name: str) -> None:
    save(run, 1), save(run, 2)
    damage(run / "checkpoint-2" / name)
    assert snapshots.latest_snapshot(run) == (1, run / "checkpoint-1")
    assert [path.name for path in snapshots.set_aside(run)] == ["checkpoint-2.corrupt"]
    (event,) = durable.read_lines(run / "cost.jsonl")
    assert (event["event"], event["snapshot"]) == ("snapshot damaged", "checkpoint-2")
    assert f"checkpoint-2/{name} is damaged" in event["reason"] or name == "MANIFEST.json"
    assert str(run) not in event["reason"]
    assert snapshots.latest_snapshot(run) == (1, run / "checkpoint-1")


@pytest.mark.parametrize("keep", [0, 4, 50, 0.5, -1])
def test_a_truncated_one_is_set_aside(run: Path, keep: float) -> None:
    save(run, 1), save(run, 2)
    for path in (run / "checkpoint-2").iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else int(keep)])
        assert snapshots.latest_snapshot(run) == (1, run / "checkpoint-1"), path
        (run / "checkpoint-2.corrupt").rename(run / "checkpoint-2")
        path.write_bytes(whole)
    assert snapshots.latest_snapshot(run) == (2, run / "checkpoint-2")


def test_with_none_left_it_says_so_each_time(run: Path) -> None:
    for step in (1, 2):
        damage(save(run, step) / "model.safetensors")
    for _ in range(2):
        with pytest.raises(IntegrityError, match=r"every snapshot of .* is damaged.*--fresh begins it anew"):
            snapshots.latest_snapshot(run)
    assert len(snapshots.set_aside(run)) == 2


def test_one_damaged_twice_takes_the_place_of_the_first(run: Path) -> None:
    save(run, 1)
    for _ in range(2):
        damage(save(run, 2) / "model.safetensors")
        assert snapshots.latest_snapshot(run) == (1, run / "checkpoint-1")
    assert [path.name for path in snapshots.set_aside(run)] == ["checkpoint-2.corrupt"]


@pytest.mark.parametrize("fault", ["gone", "damaged"])
def test_one_whose_best_is_of_no_use_is_of_no_use(run: Path, fault: str) -> None:
    save(run, 1, best_step=1), save(run, 2, best_step=2), save(run, 3, best_step=2)
    if fault == "gone":
        shutil.rmtree(run / "checkpoint-2")
    else:
        damage(run / "checkpoint-2" / "model.safetensors")
    assert snapshots.latest_snapshot(run) == (1, run / "checkpoint-1")
    assert "checkpoint-2" in durable.read_lines(run / "cost.jsonl")[0]["reason"]


def test_a_step_is_saved_once(run: Path) -> None:
    save(run, 1)
    with pytest.raises(FileExistsError):
        save(run, 1)


def test_pruning_leaves_what_is_to_be_kept_and_what_was_set_aside(run: Path) -> None:
    save(run, 1), damage(save(run, 2) / "model.safetensors")
    snapshots.latest_snapshot(run)
    save(run, 3)
    snapshots.prune_snapshots(run, keep={3})
    assert sorted(path.name for path in run.glob("checkpoint-*")) == ["checkpoint-2.corrupt", "checkpoint-3"]
    snapshots.prune_snapshots(run, keep=set())
    assert not snapshots.has_snapshots(run)


def test_without_the_check_a_damaged_one_would_be_used(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(run, 1)
    damage(save(run, 2) / "model.safetensors")
    monkeypatch.setattr(snapshots, "_check", lambda run_folder, step: None)
    assert snapshots.latest_snapshot(run) == (2, run / "checkpoint-2")
