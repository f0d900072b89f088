"""The lock of a run: one process at a time, the kernel lets go for the dead, and the holder is named."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from tests.book.made import begin
from tunebook.book import Book, lock
from tunebook.book.folder import status
from tunebook.errors import Busy

HOLD = (
    "import sys\nfrom pathlib import Path\nfrom tunebook.book.lock import hold\n"
    "with hold(Path(sys.argv[1])):\n print('held', flush=True)\n sys.stdin.read()\n"
)


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder; it lets go when its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return begin(Book(tmp_path))


def test_the_holder_is_named_and_the_second_is_busy(run: Path) -> None:
    with other_process(run) as process:
        who = lock.holder(run)
        assert who is not None and who["pid"] == process.pid
        assert status(run) == "running"
        with (
            pytest.raises(Busy, match=rf"is being worked on by process {process.pid} on .* since 2.*--wait"),
            lock.hold(run),
        ):
            pass
    assert lock.holder(run) is None
    with lock.hold(run):
        assert lock.holder(run) is not None
    assert (run / ".lock").read_bytes() == b""


def test_a_killed_holder_holds_nothing(run: Path) -> None:
    with other_process(run) as process:
        process.kill()
        process.wait()
        assert json.loads((run / ".lock").read_text())["pid"] == process.pid
        assert lock.holder(run) is None
        assert status(run) == "interrupted"
        with lock.hold(run):
            assert (lock.holder(run) or {})["pid"] == os.getpid()


def test_waiting_takes_over_when_the_holder_is_killed(run: Path) -> None:
    with other_process(run) as process:
        code = HOLD.replace("sys.argv[1])", "sys.argv[1]), wait=True")
        with subprocess.Popen(
            [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as second:
            process.send_signal(signal.SIGKILL)
            assert second.stdout is not None and second.stdout.readline() == "held\n"
            assert (lock.holder(run) or {})["pid"] == second.pid


@pytest.mark.parametrize("change", [{"boot_id": "of an earlier boot"}, {"pid": 2**22 + 1}])
def test_a_stale_signature_names_nobody(run: Path, change: dict[str, object]) -> None:
    """The lock is free: interrupted. It is held by somebody who has not signed: nobody is blamed."""
    with other_process(run) as process:
        stale = {**json.loads((run / ".lock").read_text()), **change}
        (run / ".lock").write_text(json.dumps(stale))
        assert lock.holder(run) == {}
        with pytest.raises(Busy, match="by another process"), lock.hold(run):
            pass
        process.kill()
    assert (lock.holder(run), status(run)) == (None, "interrupted")


def test_a_signature_from_another_machine_is_believed(run: Path) -> None:
    with other_process(run):
        told = {"pid": 1, "host": "elsewhere", "boot_id": "other", "started": "2024-05-01T00:00:00Z"}
        (run / ".lock").write_text(json.dumps(told))
        assert lock.holder(run) == told


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\0" * 5000])
def test_an_unreadable_signature_names_nobody(run: Path, text: str) -> None:
    with other_process(run):
        (run / ".lock").write_text(text)
        assert lock.holder(run) == {}


def test_looking_does_not_make_anybody_busy(run: Path) -> None:
    """Whoever asks who holds the lock has it for a moment; a run that starts then is not refused."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom tunebook.book.lock import holder\n"
        "print('on', flush=True)\nwhile True: holder(Path(sys.argv[1]))"
    )
    (run / ".lock").touch()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == "on\n"
        for _ in range(200):
            with lock.hold(run):
                pass
        reader.kill()


def compete(folder: Path, barrier: Barrier, rounds: int) -> None:
    """Reach for the lock at the same moment as the other, round after round; who has it leaves a mark."""
    for number in range(rounds):
        barrier.wait()
        try:
            with lock.hold(folder):
                (folder / f"{number}-won-{os.getpid()}").touch()
                barrier.wait()
        except Busy as error:
            (folder / f"{number}-lost-{os.getpid()}").write_text(str(error))
            barrier.wait()
        barrier.wait()


def test_of_two_at_once_exactly_one_works(run: Path) -> None:
    rounds, context = 50, multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    both = [context.Process(target=compete, args=(run, barrier, rounds)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    for number in range(rounds):
        (winner,) = run.glob(f"{number}-won-*")
        (loser,) = run.glob(f"{number}-lost-*")
        assert f"by process {winner.name.rpartition('-')[2]} on" in loser.read_text()
