"""Killed and run again, every method ends in the bytes of a run that was left alone; and one method on every family."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.methods import cells
from tests.methods.cells import FAMILIES, METHODS
from tests.training import spec_values
from tests.zygote import Zygote
from tunebook import durable

STEPS = 12
SNAPSHOT_STEPS = 2
EARLY, MIDDLE, LATE = 4, 7, 10
"""Steps after which a run is killed; the snapshot before the middle one is a step old."""
CONTRACT = (
    "model.safetensors",
    "adapter_model.safetensors",
    "adapter_config.json",
    "metrics.jsonl",
    "trained.json",
    "predictions.parquet",
    "result.json",
    "run.json",
)
"""The files of a run that are functions of its identity and environment, byte for byte, those that it has of them."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    found = Zygote()
    yield found
    found.close()


@dataclass
class Place:
    """A book of its own with one run in it, worked on by processes of the zygote."""

    zygote: Zygote
    values: dict[str, Any]
    root: Path

    def run(self, *, kill_after: int | None = None, setup: str = "") -> int:
        """The run in a process, to its end, or until a step was logged (without evaluations); its exit code."""
        options = {"snapshot_steps": SNAPSHOT_STEPS, "device": "cpu"}
        asked = {"spec": self.values, "root": str(self.root / "book"), "options": options}
        how: dict[str, Any] = {"setup": setup}
        if kill_after is not None:  # a line a step, and one of the cost before every snapshot
            lines = kill_after + (kill_after - 1) // SNAPSHOT_STEPS
            how["env"] = {"TUNEBOOK_CRASH": f"line.written#{lines}"}
        return self.zygote.wait(self.zygote.start(asked, self.root / "process", **how))

    @property
    def folder(self) -> Path:
        (found,) = (self.root / "book" / "runs").iterdir()
        return found

    def contract(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in CONTRACT if (self.folder / name).exists()}


@pytest.fixture
def place(
    zygote: Zygote, checkpoint: Callable[..., Path], task: Path, tmp_path: Path
) -> Callable[..., Place]:
    """A function `(name, method, family, *, evaluations=0)` that gives a place: dropout, several passes a step."""

    def build(name: str, method: str, family: str, *, evaluations: int = 0, **more: Any) -> Place:
        validation = str(task / "validation.csv") if evaluations else "none"
        values = spec_values(
            checkpoint(family),
            task / "train.csv",
            method={"name": method, **cells.settings(method, family), **more},
            columns={"validation": validation, "test": str(task / "test.csv")},
            min_steps=STEPS,
            batch_size=10,
            micro_batch_tokens=40,
            dropout=0.2,
            eval_steps=STEPS // max(evaluations, 1),
            select_on="accuracy",
            warmup_fraction=0.0,
        )
        return Place(zygote, values, tmp_path / name)

    return build


def steps_logged(folder: Path) -> int:
    return sum("train/loss" in line for line in durable.read_lines(folder / "metrics.jsonl"))


def killed_and_run_again(killed: Place, after: int) -> None:
    """Kill the run after a step, find that it was then, and run it to its end from the snapshot before."""
    assert killed.run(kill_after=after) == -signal.SIGKILL
    assert steps_logged(killed.folder) == after and not (killed.folder / "result.json").exists()
    snapshots = {int(path.name.partition("-")[2]) for path in killed.folder.glob("checkpoint-*")}
    assert max(snapshots) == (after - 1) // SNAPSHOT_STEPS * SNAPSHOT_STEPS
    assert killed.run() == 0
    spent = [line["steps"] for line in durable.read_lines(killed.folder / "cost.jsonl") if "steps" in line]
    assert sum(spent) == STEPS, "it did not begin anew"


def assert_same(killed: Place, whole: Place) -> None:
    found, expected = killed.contract(), whole.contract()
    assert found.keys() == expected.keys() and len(found) >= 5
    assert [name for name in expected if found[name] != expected[name]] == []
    assert json.loads(expected["result.json"])["steps"] == STEPS == steps_logged(whole.folder)


@pytest.mark.parametrize(
    ("method", "family"),
    [
        *((method, "bert") for method in METHODS),
        *(("lora", family) for family in FAMILIES if family != "bert"),
    ],
)
def test_killed_in_the_middle(method: str, family: str, place: Callable[..., Place]) -> None:
    whole, killed = place("whole", method, family), place("killed", method, family)
    assert whole.run() == 0
    killed_and_run_again(killed, MIDDLE)
    assert_same(killed, whole)


def test_probing_then_fine_tuning_is_killed_in_both_phases(place: Callable[..., Place]) -> None:
    """Before the boundary, at it, and after it: the optimiser of the second phase begins anew, and only there."""
    probe_share = 0.5
    whole = place("whole", "lp_ft", "bert", probe_share=probe_share)
    assert whole.run() == 0
    for after in (EARLY, int(STEPS * probe_share), int(STEPS * probe_share) + 1, LATE):
        killed = place(f"killed after {after}", "lp_ft", "bert", probe_share=probe_share)
        killed_and_run_again(killed, after)
        assert_same(killed, whole)


def test_ranks_that_are_gone_stay_gone(place: Callable[..., Place]) -> None:
    """AdaLoRA killed before ranks are taken, while they are, and when the budget is reached."""
    schedule = {"first_share": 0.25, "last_share": 0.25, "every": 1}
    whole = place("whole", "adalora", "bert", **schedule)
    assert whole.run() == 0
    for after in (3, MIDDLE, LATE, STEPS):
        killed = place(f"killed after {after}", "adalora", "bert", **schedule)
        killed_and_run_again(killed, after)
        assert_same(killed, whole)


@pytest.mark.parametrize("method", ["adalora", "bitfit", "lp_ft"])
def test_the_best_snapshot_is_gone_back_to(method: str, place: Callable[..., Place]) -> None:
    """Where validation chooses, and rates are so large that an early one is as good as any."""
    rates = {
        name: 3 * rate for name, rate in cells.SETTINGS[method].items() if name.endswith("learning_rate")
    }
    whole, killed = (place(name, method, "bert", evaluations=6, **rates) for name in ("whole", "killed"))
    assert whole.run() == 0
    assert killed.run(kill_after=LATE) == -signal.SIGKILL
    assert 1 < steps_logged(killed.folder) < STEPS
    assert killed.run() == 0
    assert_same(killed, whole)
    assert json.loads(whole.contract()["result.json"])["best_step"] < STEPS


@pytest.mark.parametrize("method", ["adalora", "lora"])
def test_a_companion_that_forgets_changes_the_bytes(method: str, place: Callable[..., Place]) -> None:
    """What shows that the tests above can fail: without AdaLoRA's running means it resumes to other ranks."""
    schedule = {"first_share": 0.0, "last_share": 0.25, "every": 1, "start_rank": 8, "targets": "all_linear"}
    forgetful = (
        "from tunebook.models.adalora import RankAllocation\n"
        "RankAllocation.restore = lambda self, tensors: None\n"
    )
    more = schedule if method == "adalora" else {}
    whole, killed = (place(name, method, "bert", **more) for name in ("whole", "killed"))
    assert whole.run() == 0
    assert killed.run(kill_after=MIDDLE) == -signal.SIGKILL
    assert killed.run(setup=forgetful) == 0
    differing = [name for name, content in whole.contract().items() if killed.contract()[name] != content]
    assert bool(differing) == (method == "adalora")
