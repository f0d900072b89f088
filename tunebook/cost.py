"""What a run costs: seconds, samples, tokens and memory, measured and kept apart from its results."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Meter:
    """Counts the work of a process on a run, and records it stretch by stretch.

    `seconds` are monotonic wall seconds inside training steps alone, without evaluating and saving; of these
    `loading_seconds` went into laying out texts.
    """

    seconds: float = 0.0
    steps: int = 0
    samples: int = 0
    tokens: int = 0
    loading_seconds: float = 0.0
    last_seconds: float = 0.0
    _started: float = field(default=0.0, repr=False)
    _recorded: tuple[float, int, int, int, float] = field(default=(0.0, 0, 0, 0, 0.0), repr=False)

    def start(self) -> None:
        """Begin a step."""
        self._started = time.monotonic()

    def stop(self, *, samples: int, tokens: int, loading_seconds: float = 0.0) -> None:
        """End a step that trained on so many texts and real (unpadded) tokens; all loading so far took
        `loading_seconds`."""
        self.last_seconds = time.monotonic() - self._started
        self.seconds += self.last_seconds
        self.steps += 1
        self.samples += samples
        self.tokens += tokens
        self.loading_seconds = loading_seconds

    def record(self, event: str) -> dict[str, Any]:
        """What came since the last record, as one line for `cost.jsonl`."""
        totals = (self.seconds, self.steps, self.samples, self.tokens, self.loading_seconds)
        seconds, steps, samples, tokens, loading_seconds = (
            now - then for now, then in zip(totals, self._recorded, strict=True)
        )
        self._recorded = totals
        return {
            "event": event,
            "train_seconds": round(seconds, 4),
            "steps": steps,
            "samples": samples,
            "tokens": tokens,
            "loading_seconds": round(loading_seconds, 4),
            "peak_memory_bytes": peak_memory_bytes(),
        }

    @property
    def has_news(self) -> bool:
        """Whether steps were taken since the last record."""
        return self.steps > self._recorded[1]


def peak_memory_bytes() -> int:
    """The most memory this process has held so far: of the accelerator if one is used, else resident memory.

    The operating system counts it per process, which is why every run has a process of its own.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def summary(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All stretches together: train_seconds, samples_per_second, tokens_per_second, loader_share, peak_memory_bytes.

    Steps that were repeated after a crash count as they were: time and work both. Of an imported run the summary that
    was published is its only line, and stays as it is: counts made of rounded rates would give others.
    """
    lines = list(lines)
    for line in lines:
        if "summary" in line:
            return dict(line["summary"])
    stretches = [line for line in lines if "train_seconds" in line]
    seconds = sum(line["train_seconds"] for line in stretches)
    return {
        "train_seconds": round(seconds, 3),
        "samples_per_second": _rate(sum(line["samples"] for line in stretches), seconds),
        "tokens_per_second": _rate(sum(line["tokens"] for line in stretches), seconds),
        "loader_share": round(sum(line.get("loading_seconds", 0) for line in stretches) / seconds, 4)
        if seconds > 0
        else None,
        "peak_memory_bytes": max((line["peak_memory_bytes"] for line in stretches), default=None),
    }


def _rate(count: int, seconds: float) -> float | None:
    return round(count / seconds, 1) if seconds > 0 and count else None
