"""Ctrl-C and SIGTERM reach the run through the command line that the user sees, and the same command goes on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calls import shell
from tests.cli.conftest import reviews

LONG = ("--set", "train.epochs=400", "--set", "train.eval_steps=500", "--no-baselines")


@pytest.fixture
def command(tmp_path: Path, tiny_checkpoint: Callable[..., Path]) -> list[str]:
    """A run of the command line that takes half a minute, on a file of the user's own."""
    (tmp_path / "reviews.csv").write_text(reviews())
    arguments = ["run", "--dataset", "reviews.csv", "--text", "body", "--label", "stars"]
    return [*arguments, "--checkpoint", str(tiny_checkpoint("bert")), *LONG]


def start(command: list[str], folder: Path, **how: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tunebook", *command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TUNEBOOK_HOME": str(folder / "book")},
        **{"stdout": subprocess.DEVNULL, **how},  # type: ignore[call-overload]
    )


def wait_for_steps(folder: Path, count: int) -> None:
    """Until the run has logged so many steps."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        logs = list((folder / "book" / "runs").glob("*/metrics.jsonl"))
        if logs and logs[0].read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.05)
    raise AssertionError("no step was taken in 90 seconds")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_command_line_saves_and_stops(
    command: list[str], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = start(command, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_steps(tmp_path, 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err.decode()
    assert b"interrupted" in err and b"saved" in err and b"Traceback" not in err
    assert b"0 of 1 runs are finished" in out
    assert list((tmp_path / "book" / "runs").glob("*bert*/checkpoint-*/MANIFEST.json"))
    shown = shell("list", "runs", "--json", "--root", tmp_path / "book", cwd=tmp_path)
    assert [run["status"] for run in shown.json] == ["interrupted"]


def test_control_c_on_a_terminal(command: list[str], tmp_path: Path) -> None:
    """A terminal sends the signal to its whole foreground group; the run hears of it once."""
    ours, theirs = pty.openpty()
    process = start(command, tmp_path, stdin=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    wait_for_steps(tmp_path, 3)
    os.killpg(process.pid, signal.SIGINT)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait(timeout=60) == 130
    assert b"\r" in shown and b"samples/s" in shown and b"saved" in shown


def test_the_run_dies_with_the_command_line(command: list[str], tmp_path: Path) -> None:
    """Killed outright, the command line leaves no orphan behind that would hold the run's lock."""
    process = start(command, tmp_path, stderr=subprocess.DEVNULL)
    wait_for_steps(tmp_path, 3)
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        shown = shell("list", "runs", "--json", "--root", tmp_path / "book", cwd=tmp_path)
        if [run["status"] for run in shown.json] == ["interrupted"]:
            return
    raise AssertionError("the run goes on without its parent")
