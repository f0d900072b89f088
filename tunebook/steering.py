"""Where a training loop stands and where it goes: its plan, its state, and how the outside steers it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tunebook.data import batches
from tunebook.errors import Interrupted
from tunebook.spec import TrainSpec

MOST_EVALUATIONS = 10


@dataclass(frozen=True)
class Plan:
    """How many steps, and after which of them validation is measured: a function of sizes and settings."""

    steps_per_epoch: int
    total_steps: int
    eval_every: int

    @classmethod
    def of(cls, count: int, settings: TrainSpec) -> Plan:
        """The plan for `count` training texts. Epochs are rounded up to `min_steps`; a validation per epoch,
        but not over ten of them unless `eval_steps` asks."""
        per_epoch = batches.steps_per_epoch(count, settings.batch_size)
        total = max(settings.epochs * per_epoch, settings.min_steps)
        every = settings.eval_steps or max(per_epoch, math.ceil(total / MOST_EVALUATIONS))
        return cls(per_epoch, total, every)

    def evaluates_after(self, step: int) -> bool:
        """Whether validation is measured when `step` steps are done."""
        return step % self.eval_every == 0 or step == self.total_steps


@dataclass
class State:
    """What a snapshot keeps beside weights and optimiser; the rest is a function of seed and step."""

    step: int = 0
    lines: int = 0
    best_step: int | None = None
    best_score: float | None = None
    worse_evaluations: int = 0
    bad_steps: int = 0
    validated_step: int = 0
    has_stopped_early: bool = False


@dataclass
class Control:
    """How the outside steers a loop, none of which changes its results.

    `stop` returns the number of a signal that asked to stop, or None. `tell` hears of every step. A snapshot is
    saved every `snapshot_seconds`, and every `snapshot_steps` where given.
    """

    stop: Callable[[], int | None] = lambda: None
    tell: Callable[[dict[str, Any]], None] = lambda event: None
    snapshot_seconds: float = 300.0
    snapshot_steps: int | None = None
    _last: float = field(default_factory=time.monotonic)

    def wants_snapshot(self, step: int) -> bool:
        """Whether it is time for one."""
        by_steps = self.snapshot_steps is not None and step % self.snapshot_steps == 0
        return by_steps or time.monotonic() - self._last > self.snapshot_seconds

    def check(self, doing: str) -> None:
        """Give way to a signal that asked to stop.

        Raises:
            Interrupted: there was one.
        """
        if number := self.stop():
            raise Interrupted(f"stopped while {doing}", number)

    def saved(self) -> None:
        """Start the wait for the next snapshot."""
        self._last = time.monotonic()
