"""A run's process that is killed by another hand, and a signal that comes while something cannot be stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calls import here
from tests.cli.test_stop import command, start, wait_for_steps

__all__ = ["command"]  # the fixture of the tests beside


@pytest.mark.skipif(sys.platform != "linux", reason="finds the run's process in /proc")
def test_a_killed_process_is_a_failure_and_not_a_success(command: list[str], tmp_path: Path) -> None:
    process = start([*command, "--json", "-q"], tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_steps(tmp_path, 3)
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b'"status": "failed"' in out and b"was killed (code 137)" in out
    assert b"was killed (code 137)" in err  # quiet means no progress, not no reason


def test_a_signal_during_a_baseline_stops_the_grid(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    """The baseline cannot be stopped halfway, but what comes after it is not begun."""
    from tests.cli.conftest import reviews

    (tmp_path / "reviews.csv").write_text(reviews())
    arguments = ["run", "--dataset", "reviews.csv", "--text", "body", "--label", "stars", "--checkpoint"]
    process = start([*arguments, str(tiny_checkpoint("bert"))], tmp_path)
    while process.poll() is None and not list((tmp_path / "book").glob("runs/none--*/run.json")):
        pass
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    assert process.returncode == 143
    assert not list((tmp_path / "book").glob("runs/*bert*/run.json"))


@pytest.mark.parametrize(
    "name", ["./up", "a b/c", "~/x", "x/", "/x", "-x/y", "ü/ö", "a/b.git", "a/" + "b" * 99]
)
def test_a_name_that_no_hub_has_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    done = here("run", "--dataset", "pocket", "--checkpoint", name, "--root", tmp_path / "book")
    assert done.code == 2 and f"there is no checkpoint folder {name!r}" in done.err


def test_a_table_that_is_none_is_refused(tmp_path: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    asked = ("run", "--dataset", "pocket", "--checkpoint", tiny_checkpoint("bert"), "--no-baselines")
    done = here(*asked, "--set", "train=5", "--root", tmp_path / "book")
    assert done.code == 2 and "train: got 5" in done.err


def test_options_that_a_file_would_drown_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('checkpoints = ["minilm-l6"]\ndatasets = ["pocket"]\n')
    for given in (
        ("--method", "linear_probe"),
        ("--train-size", "50"),
        ("--text", "body"),
        ("--keep-leaks",),
    ):
        done = here("run", tmp_path / "x.toml", *given, "--root", tmp_path / "book")
        assert done.code == 2 and f"({given[0]} goes with the latter)" in done.err


def test_measuring_what_cannot_be_loaded_tells_why(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = shutil.copytree(tiny_checkpoint("bert"), tmp_path / "torn")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    values = f'checkpoints = ["{folder}"]\ndatasets = ["pocket"]\nseeds = 1\nbaselines = false\n'
    (tmp_path / "x.toml").write_text(values)
    done = here("plan", tmp_path / "x.toml", "--measure", "--root", tmp_path / "book")
    assert "the weights cannot be read" in done.err and "planned" in done.out
