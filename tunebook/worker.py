"""The process of one run: reads what to do on standard input, tells how it goes on standard output, a JSON line each.

A run has a process of its own so that its memory can be measured, a crash takes nothing with it, and a grid goes on.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from tunebook import spec
from tunebook.book import open_book
from tunebook.errors import Failure, TunebookError
from tunebook.flow import Options, run
from tunebook.measure import measure
from tunebook.prepare import Shelf, prepare
from tunebook.run_object import as_object

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_SECONDS_BETWEEN_EVENTS = 0.2
_SECOND_INTERRUPT_SECONDS = 5.0
_DIE_WITH_PARENT = 1


class Stop:
    """Remembers that a signal asked to stop; a second interrupt within five seconds ends the process at once."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._asked = 0.0

    def listen(self) -> None:
        """Take over the signals that ask a run to stop."""
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        is_again = self.signal_number == signal.SIGINT == number
        if is_again and time.monotonic() - self._asked < _SECOND_INTERRUPT_SECONDS:
            os._exit(128 + signal.SIGINT)
        self.signal_number = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
        self._asked = time.monotonic()


class Teller:
    """Writes events as JSON lines, training steps at most five times a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = 0.0

    def step(self, event: dict[str, Any]) -> None:
        """Tell of a training step or a validation, unless a step was told a moment ago."""
        is_step = "train/loss" in event and event["step"] < event["total_steps"] and "event" not in event
        if is_step and time.monotonic() - self._last < _SECONDS_BETWEEN_EVENTS:
            return
        self._last = time.monotonic()
        self.tell("step", event)

    def tell(self, kind: str, values: dict[str, Any]) -> None:
        """Tell of something now."""
        print(json.dumps({"kind": kind, **values}), file=self._stream, flush=True)


def main() -> int:
    """Run what standard input asks for; the exit code is that of the design's table."""
    teller = Teller(_take_stdout())
    stop = Stop()
    stop.listen()
    _die_with_parent()
    asked = json.load(sys.stdin)
    try:
        teller.tell("finished", {"object": work(asked, stop, teller)})
        return 0
    except TunebookError as error:
        teller.tell("failed", {"message": str(error), "exit_code": error.exit_code})
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        teller.tell("failed", {"message": f"{type(error).__name__}: {error}", "exit_code": Failure.exit_code})
        return Failure.exit_code


def work(asked: dict[str, Any], stop: Stop, teller: Teller) -> dict[str, Any]:
    """Prepare and run one specification; the run's object."""
    from transformers.utils import logging

    from tunebook.steering import Control

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.disable_progress_bar()
    options = Options(**asked["options"])
    book = open_book(Path(asked["root"]))
    prepared = prepare(
        spec.run_spec(asked["spec"], "the run"), book, Shelf(book, allow_download=options.allow_download)
    )
    if "--measure" in sys.argv:
        return measure(prepared, book, options)
    control = Control(
        stop=lambda: stop.signal_number,
        tell=teller.step,
        snapshot_seconds=options.snapshot_seconds,
        snapshot_steps=options.snapshot_steps,
    )
    run(prepared, book, options, control)
    return as_object(prepared.folder)


def _take_stdout() -> TextIO:
    """Standard output for events alone: whatever libraries print goes to standard error."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return events


def _die_with_parent() -> None:
    """Where the kernel offers it (Linux), be killed when the parent is: no orphan keeps the run's lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
