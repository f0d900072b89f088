"""Killed, stopped, crashed, damaged or out of disk: resumed, a run ends in the bytes of one that was left alone."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.training import contract, spec_values, write_reviews
from tests.zygote import ROOT, Zygote
from tunebook import durable
from tunebook.book import Book

STEPS = 30
SNAPSHOT_STEPS = 4
SECONDS = 60
PACKAGE = ROOT / "tunebook"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    found = Zygote()
    yield found
    found.close()


@pytest.fixture(scope="module")
def values(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run that uses what could go astray: dropout, several micro-batches, validation, selection, decay."""
    file = write_reviews(tmp_path_factory.mktemp("reviews") / "reviews.csv")
    return spec_values(
        tiny_checkpoint("bert"),
        file,
        method={"name": "full", "learning_rate": 2e-3},
        min_steps=STEPS,
        eval_steps=5,
        batch_size=16,
        micro_batch_tokens=100,
        dropout=0.2,
        select_on="log_loss",
    )


@dataclass
class Place:
    """A book of its own with one run in it, worked on by processes of the zygote."""

    zygote: Zygote
    values: dict[str, Any]
    root: Path

    def start(self, *, how: Any = None, **options: Any) -> int:
        asked = {
            "spec": self.values,
            "root": str(self.root / "book"),
            "options": {"snapshot_steps": SNAPSHOT_STEPS, "device": "cpu", **options},
        }
        return self.zygote.start(asked, self.root / "process", **(how or {}))

    def run(self, *, how: Any = None, **options: Any) -> int:
        """The run in a process, to its end; its exit code."""
        return self.zygote.wait(self.start(how=how, **options))

    @property
    def folder(self) -> Path:
        (found,) = (self.root / "book" / "runs").iterdir()
        return found

    @property
    def told(self) -> dict[str, Any]:
        """The process' last word."""
        last: dict[str, Any] = json.loads((self.root / "process" / "told").read_text().splitlines()[-1])
        return last

    def lines(self) -> int:
        """How many steps and validations are logged by now."""
        logs = list((self.root / "book" / "runs").glob("*/metrics.jsonl"))
        return logs[0].read_bytes().count(b"\n") if logs else 0

    def wait_for_lines(self, count: int) -> None:
        deadline = time.monotonic() + SECONDS
        while self.lines() < count and time.monotonic() < deadline:
            time.sleep(0.001)
        assert self.lines() >= count

    def snapshots(self) -> list[Path]:
        """Newest last."""
        found = [path for path in self.folder.glob("checkpoint-*") if path.suffix != ".corrupt"]
        return sorted(found, key=lambda path: int(path.name.partition("-")[2]))


@pytest.fixture
def place(zygote: Zygote, values: dict[str, Any], tmp_path: Path) -> Place:
    return Place(zygote, values, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(
    zygote: Zygote, values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The bytes of the run that nothing happened to."""
    place = Place(zygote, values, tmp_path_factory.mktemp("undisturbed"))
    assert place.run() == 0
    result = json.loads((place.folder / "result.json").read_bytes())
    assert result["steps"] == STEPS and re.fullmatch("[0-9a-f]{64}", result["optimizer_sha256"])
    assert result["best_step"] and {"validation", "test"} == set(result["metrics"])
    return contract(place.folder)


def interrupted(place: Place, lines: int = 20) -> Place:
    """The run, killed when so many lines were logged."""
    pid = place.start()
    place.wait_for_lines(lines)
    os.kill(pid, signal.SIGKILL)
    assert place.zygote.wait(pid) == -signal.SIGKILL
    assert not (place.folder / "result.json").exists()
    return place


# --- kills and signals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments(seed: int, place: Place, undisturbed: dict[str, bytes]) -> None:
    moments = random.Random(seed)
    kills = 0
    for _ in range(3):
        pid = place.start()
        place.wait_for_lines(place.lines() // 2 + moments.randrange(1, 12))
        time.sleep(moments.random() * 0.05)
        os.kill(pid, signal.SIGKILL)
        kills += place.zygote.wait(pid) == -signal.SIGKILL
    assert kills >= 2
    assert place.run() == 0
    assert contract(place.folder) == undisturbed
    assert not list(place.folder.glob("checkpoint-*")) and not list(place.folder.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143), (signal.SIGUSR1, 143)],
)
def test_stopped_by_a_signal(number: int, code: int, place: Place, undisturbed: dict[str, bytes]) -> None:
    pid = place.start()
    place.wait_for_lines(9)
    os.kill(pid, number)
    assert place.zygote.wait(pid) == code
    assert place.told["kind"] == "failed" and place.told["exit_code"] == code
    assert "stopped while" in place.told["message"]
    assert not (place.folder / "failure.json").exists()
    saved = int(place.snapshots()[-1].name.partition("-")[2])
    assert place.run() == 0
    assert contract(place.folder) == undisturbed
    done = [line["steps"] for line in durable.read_lines(place.folder / "cost.jsonl") if "steps" in line]
    assert sum(done) == STEPS and saved in (sum(done[:count]) for count in range(len(done))), (
        "no step was trained twice"
    )


def test_stopped_again_and_again(place: Place, undisturbed: dict[str, bytes]) -> None:
    """A stop at once, then after every few lines, validations among them: each start gets further."""
    for target in (0, 4, 5, 6, 11, 12, 17, 30):
        pid = place.start()
        place.wait_for_lines(target)
        os.kill(pid, signal.SIGTERM)
        assert place.zygote.wait(pid) in (143, -signal.SIGTERM)
    assert place.run() == 0
    assert contract(place.folder) == undisturbed


def points() -> list[str]:
    """The crash points that a run's own process passes."""
    sources = [
        *(PACKAGE / "durable").rglob("*.py"),
        PACKAGE / "book" / "snapshots.py",
        PACKAGE / "book" / "folder.py",
    ]
    names = {
        name for source in sources for name in re.findall(r'\bpoint\("([a-z._]+)"\)', source.read_text())
    }
    return sorted(names - {"snapshot.set_aside"})


@pytest.mark.parametrize("point", points())
def test_killed_at_a_crash_point(point: str, place: Place, undisturbed: dict[str, bytes]) -> None:
    """At its third passing, or its first where it is passed but once; then to the end."""
    if place.run(how={"env": {"TUNEBOOK_CRASH": f"{point}#3"}}) == 0:
        code = place.run(how={"env": {"TUNEBOOK_CRASH": point}}, fresh=True)
        assert code == -signal.SIGKILL, f"{point} is never passed"
    assert place.run() == 0
    assert contract(place.folder) == undisturbed
    Book(place.root / "book").gc(dry_run=False)
    assert not list(place.folder.glob("checkpoint-*")) and not list(place.folder.glob(".tmp-*"))


# --- damage -----------------------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("model.safetensors", flip_a_bit),
        ("optimizer.safetensors", flip_a_bit),
        ("optimizer.safetensors", truncate),
        ("train_state.json", truncate),
        ("MANIFEST.json", Path.unlink),
    ],
)
@pytest.mark.parametrize("lines", [16, 25])
def test_a_damaged_snapshot_is_not_used(
    name: str, damage: Callable[[Path], None], lines: int, place: Place, undisturbed: dict[str, bytes]
) -> None:
    """The one before is, also where the newest is the best; and the bytes are the same in the end."""
    interrupted(place, lines)
    older, newest = place.snapshots()[-2:]
    damage(newest / name)
    assert place.run() == 0
    assert contract(place.folder) == undisturbed
    events = durable.read_lines(place.folder / "cost.jsonl")
    assert [event["snapshot"] for event in events if event.get("event") == "snapshot damaged"] == [
        newest.name
    ]
    resumed_at = int(older.name.partition("-")[2])
    damaged = next(place for place, event in enumerate(events) if event.get("event") == "snapshot damaged")
    assert sum(event["steps"] for event in events[damaged:] if "steps" in event) == STEPS - resumed_at


def test_with_every_snapshot_damaged_only_fresh_helps(place: Place, undisturbed: dict[str, bytes]) -> None:
    interrupted(place)
    for snapshot in place.snapshots():
        truncate(snapshot / "model.safetensors")
    assert place.run() == 5
    assert "every snapshot of" in place.told["message"] and "--fresh" in place.told["message"]
    assert place.run(fresh=True) == 0
    assert contract(place.folder) == undisturbed


# --- two at once, other environments, full disks ------------------------------------------------------------------


def test_a_second_process_is_told_who_is_at_it(place: Place, undisturbed: dict[str, bytes]) -> None:
    pid = place.start()
    place.wait_for_lines(5)
    os.kill(pid, signal.SIGSTOP)
    second = Place(place.zygote, place.values, place.root)
    asked = {"spec": place.values, "root": str(place.root / "book"), "options": {}}
    assert place.zygote.wait(place.zygote.start(asked, place.root / "second")) == 75
    told = json.loads((place.root / "second" / "told").read_text().splitlines()[-1])
    assert f"process {pid} on " in told["message"] and "--wait" in told["message"]
    os.kill(pid, signal.SIGCONT)
    waiting = place.zygote.start(asked | {"options": {"wait": True}}, place.root / "second")
    assert place.zygote.wait(pid) == 0
    before = (second.folder / "result.json").stat().st_mtime_ns
    assert place.zygote.wait(waiting) == 0
    assert (second.folder / "result.json").stat().st_mtime_ns == before, "who waited found it finished"
    assert contract(second.folder) == undisturbed


def test_another_environment_is_refused_or_marked(place: Place) -> None:
    interrupted(place, lines=30)
    assert place.run(how={"threads": 2}) == 2
    assert "another environment" in place.told["message"] and "threads: 1 -> 2" in place.told["message"]
    assert place.run(how={"threads": 2}, accept_environment=True) == 0
    environment = json.loads((place.folder / "environment.json").read_bytes())
    assert (environment["threads"], environment["began_in"]["threads"]) == (2, 1)


def test_another_environment_may_begin_anew(place: Place, undisturbed: dict[str, bytes]) -> None:
    interrupted(place)
    assert place.run(how={"threads": 2}) == 2
    assert place.run(fresh=True) == 0
    assert "began_in" not in json.loads((place.folder / "environment.json").read_bytes())
    assert contract(place.folder) == undisturbed


def test_a_full_disk_ends_with_6_and_can_be_resumed(place: Place, undisturbed: dict[str, bytes]) -> None:
    """No file may grow over 60 kB, which the first snapshot's weights do."""
    assert place.run(how={"file_bytes": 60_000}) == 6
    assert place.told["exit_code"] == 6 and "bytes" in place.told["message"]
    assert not list(place.folder.glob("checkpoint-*")) and not list(place.folder.glob(".tmp-*"))
    assert place.run() == 0
    assert contract(place.folder) == undisturbed


def test_a_disk_that_fills_up_later_keeps_what_was_saved(place: Place, undisturbed: dict[str, bytes]) -> None:
    interrupted(place)
    saved = [path.name for path in place.snapshots()]
    assert place.run(how={"file_bytes": 60_000}) == 6
    assert [path.name for path in place.snapshots()] == saved
    assert place.run() == 0
    assert contract(place.folder) == undisturbed


# --- finished runs and fresh processes ----------------------------------------------------------------------------


def test_a_finished_run_is_not_repeated(place: Place, undisturbed: dict[str, bytes]) -> None:
    assert place.run() == 0
    before = {path: path.stat().st_mtime_ns for path in place.folder.iterdir() if path.name != ".lock"}
    assert place.run() == 0
    assert {
        path: path.stat().st_mtime_ns for path in place.folder.iterdir() if path.name != ".lock"
    } == before
    assert place.told["kind"] == "finished" and place.told["object"]["status"] == "finished"


def test_fresh_processes_elsewhere_give_the_same_bytes(
    values: dict[str, Any], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """As a user starts it: another hash seed, working directory, temporary folder, home and time zone."""
    asked = {"spec": values, "root": str(tmp_path / "book"), "options": {"device": "cpu"}}
    (tmp_path / "temporary").mkdir()
    surroundings = {
        "PYTHONHASHSEED": "4711",
        "TMPDIR": str(tmp_path / "temporary"),
        "HOME": str(tmp_path),
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "TOKENIZERS_PARALLELISM": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tunebook.worker"],
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | surroundings,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "book" / "runs").iterdir()
    assert contract(folder) == undisturbed
    for name, content in undisturbed.items():
        assert str(tmp_path).encode() not in content or name == "run.json"


# --- without a guard ----------------------------------------------------------------------------------------------

UNSEEDED = (
    "import torch, tunebook.gradient as gradient\n"
    "gradient._mixed = lambda *numbers: int(torch.randint(2**62, ()))\n"
)
"""Dropout that goes on from the random state of the step before, instead of being a function of (seed, step)."""


def test_without_a_seed_for_each_step_resuming_changes_the_bytes(
    zygote: Zygote, values: dict[str, Any], tmp_path: Path
) -> None:
    whole, resumed = (Place(zygote, values, tmp_path / name) for name in ("whole", "resumed"))
    assert whole.run(how={"setup": UNSEEDED}) == 0
    pid = resumed.start(how={"setup": UNSEEDED})
    resumed.wait_for_lines(15)
    os.kill(pid, signal.SIGKILL)
    assert zygote.wait(pid) == -signal.SIGKILL
    assert resumed.run(how={"setup": UNSEEDED}) == 0
    ours, theirs = contract(whole.folder), contract(resumed.folder)
    assert ours["run.json"] == theirs["run.json"]
    assert all(ours[name] != theirs[name] for name in ours if name != "run.json")


def test_another_seed_is_another_run(
    zygote: Zygote, values: dict[str, Any], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    place = Place(zygote, {**values, "seed": 1}, tmp_path)
    assert place.run() == 0
    assert all(content != undisturbed[name] for name, content in contract(place.folder).items())


# --- a real checkpoint --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_a_real_run(minilm: Path, zygote: Zygote, tmp_path: Path) -> None:
    """minilm-l6 on pocket: ten kills at random moments, ten resumptions, the same bytes."""
    train = {
        "epochs": 1,
        "min_steps": 24,
        "eval_steps": 8,
        "batch_size": 16,
        "precision": "float32",
        "max_length": 48,
    }
    values = {
        "checkpoint": "minilm-l6",
        "dataset": {"name": "pocket"},
        "method": "full",
        "seed": 0,
        "train": train,
    }
    whole, killed = (Place(zygote, values, tmp_path / name) for name in ("whole", "killed"))
    assert whole.run(snapshot_steps=2) == 0
    moments, kills = random.Random(0), 0
    while kills < 10:
        pid = killed.start(snapshot_steps=2)
        killed.wait_for_lines(killed.lines() + 1)
        time.sleep(moments.random() * 0.8)
        os.kill(pid, signal.SIGKILL)
        assert zygote.wait(pid) == -signal.SIGKILL, "it ended before it was killed ten times"
        kills += 1
    assert killed.run(snapshot_steps=2) == 0
    assert contract(killed.folder) == contract(whole.folder)
