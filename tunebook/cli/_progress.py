"""Progress of runs: a line that redraws itself on a terminal, plain lines at most once a second elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from tunebook.cli._terminal import duration, is_live, safe, safe_lines, say
from tunebook.experiment import Planned

_SECONDS_BETWEEN_LINES = 1.0
_SECONDS_BETWEEN_PLAIN_LINES = 10.0


class Progress:
    """Watches the runs of an experiment and says how far they are: run i of n, epoch, loss, samples/s, time left."""

    def __init__(self, experiment: str, *, is_quiet: bool = False) -> None:
        self._experiment = experiment
        self._is_quiet = is_quiet
        self._is_live = is_live()
        self._last = 0.0
        self._where = ""
        self._score = ""

    def begins(self, number: int, total: int, planned: Planned) -> None:
        """Say which run begins."""
        spec = planned.spec
        data = spec.dataset.name or spec.dataset.path
        self._where = f"{self._experiment}: {_word(spec.purpose)} {number} of {total}"
        self._score = ""
        self._line(
            f"{self._where}: {safe(spec.checkpoint)}, {spec.method.name}, {safe(data)}, seed {spec.seed}"
        )

    def steps(self, event: dict[str, Any]) -> None:
        """Say how a run goes on, unless something was said a moment ago."""
        for name, value in event.items():
            if name in ("eval/accuracy", "eval/pearson"):
                self._score = f", validation {name.removeprefix('eval/')} {value:.4f}"
        if event.get("event"):
            self._line(f"{self._where}: step {event['step']}: {event['event']}")
        now = time.monotonic()
        pause = _SECONDS_BETWEEN_LINES / 4 if self._is_live else _SECONDS_BETWEEN_PLAIN_LINES
        if event.get("train/loss") is not None and now - self._last >= pause:
            self._last = now
            self._redraw(self._state(event))

    def _state(self, event: dict[str, Any]) -> str:
        step, total, seconds = event["step"], event["total_steps"], event["train_seconds"]
        rate = event["samples"] / seconds if seconds else 0.0
        left = (total - step) * seconds / max(1, event["steps_done"])
        return (
            f"{self._where}: epoch {event['epoch']:.2f}, step {step}/{total}, loss {event['train/loss']:.4f}, "
            f"{rate:.0f} samples/s, {duration(left)} left{self._score}"
        )

    def ends(self, run: dict[str, Any]) -> None:
        """Say how a run ended."""
        split = "test" if "test" in run["metrics"] else "validation"
        scores = run["metrics"].get(split, {})
        name = "accuracy" if "accuracy" in scores else "pearson"
        score = f", {split} {name} {scores[name]:.4f}" if scores.get(name) is not None else ""
        problem = f": {safe_lines(run['error'])}" if run.get("error") and run["status"] != "finished" else ""
        line = f"{self._where}: {run['status']}{score}{problem}"
        say(line) if self._is_quiet and problem else self._line(line)

    def _redraw(self, text: str) -> None:
        if self._is_quiet:
            return
        if self._is_live:
            width = _columns()
            print("\r" + text[: width - 1].ljust(width - 1), end="", file=sys.stderr, flush=True)
        else:
            say(text)

    def _line(self, text: str) -> None:
        if self._is_quiet:
            return
        if self._is_live:
            print("\r" + " " * (_columns() - 1) + "\r", end="", file=sys.stderr)
        say(text)


def _word(purpose: str) -> str:
    return "trial" if purpose == "tune" else "run"


def _columns() -> int:
    import shutil

    return max(20, shutil.get_terminal_size().columns)
