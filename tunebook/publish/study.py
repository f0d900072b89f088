"""An experiment as it was published: its runs, judged and checked, and what tuning tried."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tunebook import checks, gate
from tunebook.errors import TunebookError
from tunebook.judgement import judge
from tunebook.pareto import mark
from tunebook.publish.open_data import Published
from tunebook.selection import Selection

Run = Mapping[str, Any]
Family = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Study:
    """An experiment of the catalogue. `slug` is its page's name, `runs` are run objects, `expected` counts what it asks
    for; `trouble` says why its runs cannot be compared, where they cannot."""

    slug: str
    name: str
    toml: str
    runs: Sequence[Run]
    expected: int
    tuning: Mapping[str, Any]
    published: Published = field(repr=False)
    file: str = ""

    @property
    def behaviour(self) -> Mapping[str, Any] | None:
        """How its models behave; None where nobody examined them."""
        return self.published.behaviour.get(self.file)

    @cached_property
    def data(self) -> Mapping[str, Mapping[str, Any]]:
        """What was found in its datasets before training, by their names and sizes of train; of those looked at."""
        found = {}
        for run in self.runs:
            if (one := self.published.gate.get(gate.key(run["splits"]))) is not None:
                size = f", {run['train_size']:,} texts" if run["train_size"] else ""
                found[f"{run['dataset']}{size}"] = one
        return found

    @property
    def question(self) -> str:
        """What the experiment asks."""
        return str(tomllib.loads(self.toml).get("question") or self.name)

    @cached_property
    def families(self) -> Sequence[Family]:
        """The families of its rows, judged, with what was tuned and the front of quality against time."""
        return self._judged[0]

    @property
    def trouble(self) -> str:
        """Why its runs cannot be compared; empty where they can."""
        return self._judged[1]

    @cached_property
    def _judged(self) -> tuple[Sequence[Family], str]:
        if not self.runs:
            return [], "none of its runs is published yet"
        try:
            found = judge(self.runs, self.published)
            self._selection.add_tuning(found)
            for family in found:
                mark(family, "time")
        except TunebookError as error:
            return [], str(error)
        return found, ""

    @cached_property
    def findings(self) -> Sequence[checks.Finding]:
        """What the checks find in it."""
        try:
            return checks.check(self._selection, self.published, judged=self.families) if self.runs else []
        except TunebookError:
            return []

    @property
    def _selection(self) -> Selection:
        return Selection([dict(run) for run in self.runs], [], self.tuning)

    @property
    def lacking(self) -> int:
        """How many of its runs are not published."""
        return self.expected - len(self.runs)

    def runs_of(self, row: Mapping[str, Any]) -> list[Run]:
        """The runs of a row of one of its families, in the order of their seeds."""
        by_hash = {run["run"]: run for run in self.runs}
        return [by_hash[one] for one in row["runs"]]


def studies(published: Published) -> list[Study]:
    """The experiments of open data, by name; several of one name (the file was edited) go by name and digest."""
    by_hash = {one["declared"]["run"]: name for name, one in published.runs.items()}
    counts = Counter(one["name"] for one in published.experiments.values())
    found = []
    for key, one in published.experiments.items():
        names = [by_hash[run] for run in dict.fromkeys(one["runs"]) if run in by_hash]
        slug = one["name"] if counts[one["name"]] == 1 else key
        runs = [published.as_object(name) for name in names]
        found.append(
            Study(slug, one["name"], one["toml"], runs, len(set(one["runs"])), one["tuning"], published, key)
        )
    return sorted(found, key=lambda study: study.slug)
