"""Tuning: every method of an experiment gets the same number of trials, and validation alone chooses among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import metrics
from tunebook.book.experiments import write_tuning
from tunebook.errors import Diverged, Failure, UsageError
from tunebook.experiment import Outcome, Planned, Watcher, execute, plan
from tunebook.flow import Options
from tunebook.grid import Cell, Experiment, TuneSpec
from tunebook.prepare import check_select_on
from tunebook.run_object import as_object
from tunebook.samplers import Sampler, sampler
from tunebook.search import Space, on_edge
from tunebook.spec import RunSpec, TrainSpec

if TYPE_CHECKING:
    from tunebook.book import Book

_STOPPED = (130, 143)
_JUDGED = ("finished", "diverged")


@dataclass
class Trial:
    """Settings tried in a round (from 0) on so many texts, and what came of it.

    Its `value` on validation is None until it has ended, where it diverged, and where the metric is undefined.
    """

    settings: dict[str, Any]
    round: int
    train_size: int | None
    run: str | None = None
    status: str = "planned"
    value: float | None = None


@dataclass
class Search:
    """The trials of one cell: those that were made, how to come to the next ones, and which one was the best."""

    cell: Cell
    tune: TuneSpec
    train: TrainSpec
    space: Space
    sampler: Sampler
    made: list[Trial] = field(default_factory=list)
    metric: str | None = None
    is_over: bool = False

    @property
    def select_on(self) -> str | None:
        """The metric that was asked for; None for the task's usual one."""
        return self.tune.select_on or self.train.select_on

    @property
    def sizes(self) -> list[int | None]:
        """On how many texts each round trains, the last one on all that trials may have."""
        sizes = [size for size in (self.tune.train_size, self.cell.dataset.train_size) if size is not None]
        if self.tune.halving is None:
            return [min(sizes, default=None)]
        steps = reversed(range(len(self.tune.rounds)))
        return [max(1, min(sizes) // self.tune.halving**step) for step in steps]

    def wave(self) -> list[Trial]:
        """The trials that can be made now; none once the search is over, or while one of them has failed."""
        if any(trial.status not in _JUDGED for trial in self.made):
            return []
        for number, (size, count) in enumerate(zip(self.sizes, self.tune.rounds, strict=True)):
            made = self.of_round(number)
            if number == 0 and len(made) < count:
                return [Trial(self.sampler.ask(), number, size) for _ in range(self.tune.at_once)]
            if not made:
                best = self.ranked(self.of_round(number - 1))[:count]
                return [Trial(trial.settings, number, size) for trial in best]
        self.is_over = True
        return []

    def of_round(self, number: int) -> list[Trial]:
        """The trials of a round that were made."""
        return [trial for trial in self.made if trial.round == number]

    def spec(self, trial: Trial) -> RunSpec:
        """The run of a trial: on validation only, with no kept weights and a seed of its own."""
        point = self.cell.having(trial.settings, train_size=trial.train_size)
        return point.run(self.train, self.tune.seed, purpose="tune")

    def note(self, trial: Trial, run: Mapping[str, Any]) -> None:
        """Take down what came of a trial."""
        self.made.append(trial)
        trial.run, trial.status = run["run"], run["status"]
        if trial.status == "finished":
            scores = run["metrics"]["validation"]
            self.metric = self.select_on or metrics.usual(scores)
            trial.value = scores[self.metric]
        if trial.status in _JUDGED:
            self.sampler.tell(trial.settings, self._rising(trial))

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials that have a value, best first; of equal ones the first tried."""
        found = [(trial, value) for trial in trials if (value := self._rising(trial)) is not None]
        return [trial for trial, _ in sorted(found, key=lambda pair: -pair[1])]

    def _rising(self, trial: Trial) -> float | None:
        """The trial's value, larger being better."""
        if trial.value is None or self.metric is None:
            return None
        return trial.value if metrics.rows()[self.metric].larger_is_better else -trial.value

    @property
    def best(self) -> Trial | None:
        """The best trial of the last round; None before that is over, or where no trial of it has a value."""
        last = self.of_round(len(self.tune.rounds) - 1) if self.is_over else []
        return next(iter(self.ranked(last)), None)

    @property
    def exit_code(self) -> int:
        """Not 0 where no trial failed and yet nothing can be chosen: all diverged, or have no value."""
        if self.best is not None or any(trial.status not in _JUDGED for trial in self.made):
            return 0
        return (Diverged if "diverged" in {trial.status for trial in self.made} else Failure).exit_code

    @property
    def choice(self) -> dict[str, Any] | None:
        """The settings of the best trial, as far as they were searched."""
        return self._searched(self.best) if self.best else None

    def as_object(self) -> dict[str, Any]:
        """What is kept of the search: budget, space, every trial, and the choice (None where there is none)."""
        best = self.best
        return {
            "checkpoint": self.cell.checkpoint,
            "dataset": self.cell.dataset.name or self.cell.dataset.path,
            "train_size": self.cell.dataset.train_size,
            "method": self.cell.method.name,
            "held": {name: self.cell.method.settings[name] for name in self.cell.method.held},
            "metric": self.metric,
            "budget": self.tune.model_dump(exclude={"space"}),
            "space": {name: kind.model_dump() for name, kind in self.space.items()},
            "trials": [asdict(trial) | {"settings": self._searched(trial)} for trial in self.made],
            "chosen": self.choice,
            "on_edge": on_edge(self.space, best.settings) if best else [],
        }

    def _searched(self, trial: Trial) -> dict[str, Any]:
        return {name: trial.settings[name] for name in self.space}


@dataclass
class Tuned:
    """What tuning came to: the chosen settings by the cells' keys, the trials' runs, and the exit code so far."""

    chosen: dict[str, dict[str, Any]]
    outcome: Outcome

    @property
    def is_stopped(self) -> bool:
        """Whether a signal asked to stop."""
        return self.outcome.exit_code in _STOPPED


def searches(experiment: Experiment) -> dict[str, Search]:
    """The search of every cell, by the cell's key, with no trial made."""
    tune, found = experiment.tune, {}
    assert tune is not None
    for cell in experiment.cells():
        space = experiment.space(cell.method)
        drawing = sampler(tune.sampler, space, cell.method.settings, seed=tune.seed, name=cell.method.name)
        found[cell.key] = Search(cell, tune, experiment.train, space, drawing)
    return found


def tune(experiment: Experiment, book: Book, folder: Path, options: Options, watcher: Watcher) -> Tuned:
    """Make the trials of an experiment that are not made yet, choose, and keep the choice in the experiment's folder.

    Trials of all cells go together, wave by wave; a cell whose trials fail has no choice, and the others go on.
    """
    found, outcome = searches(experiment), Outcome()
    while wave := _wave(found):
        planned = _planned(wave, book, allow_download=options.allow_download)
        came = execute(planned, book, options, watcher, is_all=False)
        outcome.runs += came.runs
        outcome.codes |= came.codes - {Diverged.exit_code}
        for (search, trial), run in zip(wave, came.runs, strict=False):
            search.note(trial, run)
        if outcome.exit_code in _STOPPED:
            break
    outcome.codes |= {search.exit_code for search in found.values()}
    write_tuning(folder, {key: search.as_object() for key, search in found.items()})
    return Tuned(_chosen(found), outcome)


def known(
    experiment: Experiment, book: Book, *, allow_download: bool = False
) -> tuple[list[Planned], dict[str, dict[str, Any]]]:
    """The trials that the book has and those that come next, and by cells' keys the settings that these have chosen.

    Which trials come after those may depend on their values.
    """
    found, trials = searches(experiment), []
    while wave := _wave(found):
        planned = _planned(wave, book, allow_download=allow_download)
        trials += planned
        for (search, trial), item in zip(wave, planned, strict=True):
            ended = item.prepared if item.status in _JUDGED else None
            search.note(trial, as_object(ended.folder) if ended else item.as_object())
    return trials, _chosen(found)


def _wave(found: Mapping[str, Search]) -> list[tuple[Search, Trial]]:
    """What can be tried now, of all searches."""
    return [(search, trial) for search in found.values() for trial in search.wave()]


def _planned(wave: Sequence[tuple[Search, Trial]], book: Book, *, allow_download: bool) -> list[Planned]:
    """The trials as runs; one that cannot be judged by the metric that was asked for says so before it is made."""
    planned = plan([search.spec(trial) for search, trial in wave], book, allow_download=allow_download)
    return [_judgeable(item, search.select_on) for (search, _), item in zip(wave, planned, strict=True)]


def _judgeable(item: Planned, select_on: str | None) -> Planned:
    try:
        if item.prepared is not None:
            check_select_on(select_on, item.prepared.dataset)
    except UsageError as error:
        return replace(item, prepared=None, status="identity pending", error=error)
    return item


def _chosen(found: Mapping[str, Search]) -> dict[str, dict[str, Any]]:
    return {key: search.choice for key, search in found.items() if search.choice is not None}
