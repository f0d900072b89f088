"""What the tests of tuning share: trials and runs made in this process, which is what a run's own process does."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tunebook import flow, tune
from tunebook.book import Book
from tunebook.errors import Diverged
from tunebook.experiment import Planned, plan
from tunebook.flow import Options
from tunebook.grid import Experiment
from tunebook.steering import Control


class Seen:
    """Remembers which runs began and how they ended."""

    def __init__(self) -> None:
        self.began: list[Planned] = []
        self.ended: list[dict[str, Any]] = []

    def begins(self, number: int, total: int, planned: Planned) -> None:
        self.began.append(planned)

    def steps(self, event: dict[str, Any]) -> None:
        raise AssertionError(f"a step was taken: {event}")

    def ends(self, run: dict[str, Any]) -> None:
        self.ended.append(run)


def make(planned: Iterable[Planned], book: Book) -> int:
    """Make those of the runs that were not begun and can be; how many."""
    count = 0
    for item in planned:
        if item.status == "planned" and item.prepared is not None:
            count += 1
            with suppress(Diverged):
                flow.run(item.prepared, book, Options(device="cpu"), Control())
    return count


def make_trials(asked: Experiment, book: Book) -> dict[str, dict[str, Any]]:
    """Make every trial of an experiment; what they chose."""
    while True:
        trials, chosen = tune.known(asked, book)
        if not make(trials, book):
            return chosen


def make_all(asked: Experiment, book: Book) -> None:
    """Make every trial of an experiment, and then its runs."""
    make(plan(asked.runs(make_trials(asked, book)), book), book)
