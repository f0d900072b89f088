"""An experiment as a value: the grid of runs that its question spans, and how its methods are tuned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from tunebook import methods, toml_file
from tunebook.durable import canonical_json
from tunebook.registry import did_you_mean
from tunebook.search import Choice, Distribution, Space, distribution
from tunebook.spec import (
    NO_CHECKPOINT,
    Checkpoint,
    Dataset,
    DatasetSpec,
    Method,
    MethodSpec,
    RunSpec,
    Seed,
    Strict,
    TrainSpec,
    check_metric,
    check_pair,
    checked,
)

BASELINES = ("majority", "tfidf_logreg")
Count = Annotated[int, Field(ge=1)]
SpaceEntry = Annotated[Distribution, BeforeValidator(distribution)]


class TuneSpec(Strict):
    """The budget that every method is tuned with, the same for all: trials on part of train, judged on validation.

    A trial trains on `train_size` texts (all that its runs have otherwise) with `seed`, which is none of the
    experiment's. `sampler` draws settings from each method's search space: "quasi_random" (scrambled Sobol points),
    "random", or Optuna's "tpe" and "gp", which look at the results so far. With `halving` = f, trials begin on a part
    of that many texts, and of each round the best 1/f go on with f times as many. `space` replaces a method's own
    search space: a table by setting, `{ low = 1e-5, high = 1e-3 }` or a list of values.
    """

    trials: Annotated[int, Field(ge=1, le=1000)]
    train_size: Annotated[int, Field(ge=1)] | None = None
    seed: Seed = 1000
    sampler: Literal["quasi_random", "random", "tpe", "gp"] = "quasi_random"
    select_on: str | None = None
    halving: Annotated[int, Field(ge=2, le=10)] | None = None
    space: dict[str, dict[str, SpaceEntry]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> TuneSpec:
        if self.select_on is not None:
            check_metric(self.select_on)
        if self.halving and self.sampler in ("tpe", "gp"):
            raise ValueError(f"halving goes with quasi_random or random trials, not with {self.sampler!r}")
        if self.halving and self.halving > self.trials:
            raise ValueError(f"halving = {self.halving} needs at least as many trials, not {self.trials}")
        if self.halving and self.train_size is None:
            raise ValueError("halving needs train_size: on how many texts the last round trains")
        if faults := [fault for name, space in self.space.items() for fault in space_faults(name, space)]:
            raise ValueError("; ".join(faults))
        return self

    @property
    def rounds(self) -> list[int]:
        """How many trials each round has: one round of all, or ever fewer."""
        counts = [self.trials]
        while self.halving and counts[-1] >= self.halving:
            counts.append(counts[-1] // self.halving)
        return counts

    @property
    def at_once(self) -> int:
        """How many trials of the first round are drawn before any result is known."""
        return 1 if self.sampler in ("tpe", "gp") else self.trials


def space_faults(name: str, space: Space) -> Iterator[str]:
    """What is wrong with a method's search space: names that there are not, values that the method does not take."""
    if name not in methods.rows():
        yield f"unknown method {name!r} in space; {did_you_mean(name, methods.rows())}"
        return
    settings, drawn = methods.method(name).settings, []
    for key, kind in space.items():
        for unknown in (one for one in (key, *kind.when) if one not in settings.model_fields):
            yield f"{name} has no setting {unknown!r}; {did_you_mean(unknown, settings.model_fields)}"
        for later in (one for one in kind.when if one in space and one not in drawn):
            yield f"{name}: {key} depends on {later}, which is drawn after it; put {later} before {key}"
        drawn.append(key)
        if key in settings.model_fields:
            values = kind.values if isinstance(kind, Choice) else (kind.at(0), kind.at(1))
            yield from (f"{name}: {fault}" for value in values for fault in _faults(settings, key, value))


def _faults(settings: type[BaseModel], key: str, value: Any) -> list[str]:
    """Why a method does not take a value of a setting."""
    try:
        settings(**{key: value})
    except ValidationError as error:
        return toml_file.faults(error, settings)
    return []


class Cell(Strict):
    """A point of the grid: what is tuned once, and then run with every seed."""

    checkpoint: Checkpoint
    dataset: Dataset
    method: Method

    @property
    def key(self) -> str:
        """What tells it from the other cells of an experiment, the same in every process."""
        held = {"held": self.method.held} if self.method.held else {}
        return hashlib.sha256(canonical_json({**self.model_dump(), **held}).encode()).hexdigest()[:12]

    def having(self, settings: Mapping[str, Any], **dataset: Any) -> Cell:
        """The cell with these settings of its method, the others as they are, and these keys of its dataset."""
        method = {"name": self.method.name, "settings": {**self.method.settings, **settings}}
        return Cell.model_validate(
            {
                "checkpoint": self.checkpoint,
                "dataset": self.dataset.model_copy(update=dataset),
                "method": method,
            }
        )

    def run(self, train: TrainSpec, seed: int, *, purpose: Literal["result", "tune"] = "result") -> RunSpec:
        """Its run with a seed; a length that its dataset asks for is the run's."""
        longest = self.dataset.max_length or train.max_length
        return RunSpec(
            checkpoint=self.checkpoint,
            dataset=_plain(self.dataset),
            method=self.method,
            train=train.model_copy(update={"max_length": longest}),
            seed=seed,
            purpose=purpose,
        )


class Experiment(Strict):
    """A question, and the grid of runs that answers it: checkpoints x datasets x methods x seeds.

    `train_sizes` and `split_seeds` are further axes of the datasets: on how many texts is trained ("all" for as many
    as there are), and by which seeds an own file is cut into its splits. `transfer` asks for finished runs to be tried
    on other datasets of the same classes, or says what each label means there; it changes no run.
    """

    question: str = ""
    checkpoints: Annotated[list[Checkpoint], Field(min_length=1)]
    datasets: Annotated[list[Dataset], Field(min_length=1)]
    methods: Annotated[list[Method], Field(min_length=1, default=["full"], validate_default=True)]
    seeds: Count | Annotated[list[Seed], Field(min_length=1)] = 3
    train_sizes: Annotated[list[Count | Literal["all"]], Field(min_length=1)] | None = None
    split_seeds: Count | Annotated[list[Seed], Field(min_length=1)] | None = None
    baselines: bool = True
    max_runs: Annotated[int, Field(ge=1, le=100_000)] = 1000
    train: TrainSpec = TrainSpec()
    tune: TuneSpec | None = None
    transfer: Annotated[bool | Annotated[dict[str, str], Field(min_length=1)], Field(exclude=True)] = False

    @property
    def seed_list(self) -> Sequence[int]:
        """The seeds of every cell."""
        return seed_list(self.seeds)

    @property
    def size(self) -> int:
        """How many runs of checkpoints the grid has, baselines not counted; computed without expanding it."""
        per_cell = _count(self.seeds) + (sum(self.tune.rounds) if self.tune else 0)
        variants = len(self.train_sizes or [1]) * _count(self.split_seeds or 1)
        return len(self.checkpoints) * len(self.datasets) * variants * len(self.methods) * per_cell

    @model_validator(mode="after")
    def _goes_together(self) -> Experiment:
        for checkpoint in self.checkpoints:
            for method in self.methods:
                check_pair(checkpoint, method.name)
        for axis, key in ((self.train_sizes, "train_size"), (self.split_seeds, "split_seed")):
            if axis is not None and any(getattr(dataset, key) is not None for dataset in self.datasets):
                raise ValueError(f"{key}s is an axis of all datasets: a dataset's own {key} contradicts it")
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> Experiment:
        for axis in ("seeds", "split_seeds", "train_sizes"):
            values = getattr(self, axis)
            if isinstance(values, list) and len(set(values)) < len(values):
                raise ValueError(f"{axis} has a value twice: the same run is no new evidence")
        return self

    @model_validator(mode="after")
    def _tunes(self) -> Experiment:
        if self.tune is None:
            return self
        if self.split_seeds is not None:
            raise ValueError(
                "split_seeds with tune would choose other settings on each cut: leave one of them out"
            )
        if self.tune.seed in self.seed_list:
            raise ValueError(
                f"tune.seed is {self.tune.seed}, one of the experiment's: what is chosen would have seen it; "
                "give tune another seed"
            )
        for name in self.tune.space:
            if name not in {method.name for method in self.methods}:
                raise ValueError(f"tune.space has {name!r}, which is none of the experiment's methods")
        for method in self.methods:
            if not self.space(method):
                raise ValueError(
                    f"nothing of {method.name} is left to tune: give it a space under tune.space.{method.name}"
                )
        return self

    @model_validator(mode="after")
    def _not_too_large(self) -> Experiment:
        if self.size > self.max_runs:
            raise ValueError(
                f"the grid has {self.size:,} runs, max_runs is {self.max_runs:,}; split it, or raise max_runs"
            )
        return self

    def space(self, method: MethodSpec) -> Space:
        """What of a method is tuned: the experiment's space for it, or its own; settings that were given stay."""
        declared = self.tune.space.get(method.name) if self.tune else None
        space = methods.method(method.name).search if declared is None else declared
        return {name: kind for name, kind in space.items() if name not in method.held}

    def cells(self) -> list[Cell]:
        """The points of the grid in order: by dataset, checkpoint and method."""
        return [
            Cell(checkpoint=checkpoint, dataset=dataset, method=method)
            for dataset in self._datasets()
            for checkpoint in self.checkpoints
            for method in self.methods
        ]

    def runs(self, chosen: Mapping[str, Mapping[str, Any]] | None = None) -> list[RunSpec]:
        """The runs in order: by dataset its baselines, then by checkpoint, method and seed.

        `chosen` has the settings that tuning chose, by the cells' keys. Of an experiment that tunes, cells without a
        choice have no runs yet.
        """
        chosen, expanded, before = chosen or {}, [], None
        for cell in self.cells():
            if cell.dataset != before and self.baselines:
                expanded += [_baseline(name, cell.dataset) for name in BASELINES]
            before = cell.dataset
            if self.tune and cell.key not in chosen:
                continue
            point = cell.having(chosen.get(cell.key, {}))
            expanded += [point.run(self.train, seed) for seed in self.seed_list]
        return expanded

    def _datasets(self) -> list[DatasetSpec]:
        """Every dataset with every size of train and every cut."""
        sizes = [None if size == "all" else size for size in self.train_sizes] if self.train_sizes else []
        cuts = seed_list(self.split_seeds) if self.split_seeds else []
        return [
            dataset.model_copy(update=dict(size) | dict(cut))
            for dataset in self.datasets
            for size in ([{"train_size": size} for size in sizes] or [{}])
            for cut in ([{"split_seed": seed} for seed in cuts] or [{}])
        ]


def seed_list(seeds: int | Sequence[int]) -> Sequence[int]:
    """Seeds as they are given, or so many from 0."""
    return range(seeds) if isinstance(seeds, int) else seeds


def _count(seeds: int | list[int]) -> int:
    return seeds if isinstance(seeds, int) else len(seeds)


def _plain(dataset: DatasetSpec) -> DatasetSpec:
    """A dataset as a run has it, where how long its texts are is said by the training."""
    return dataset.model_copy(update={"max_length": None})


def _baseline(name: str, dataset: DatasetSpec) -> RunSpec:
    settings = methods.method(name).settings().model_dump()
    return RunSpec(
        checkpoint=NO_CHECKPOINT, dataset=_plain(dataset), method=MethodSpec(name=name, settings=settings)
    )


def experiment(values: Mapping[str, Any], origin: str) -> Experiment:
    """A checked experiment from plain values.

    Raises:
        UsageError: every fault, each with its key path, what came, what was expected and the nearest names.
    """
    return checked(Experiment, values, origin)


def single(
    *,
    checkpoint: str,
    dataset: str,
    method: str | Mapping[str, Any] = "full",
    seeds: int | list[int] = 1,
    train: Mapping[str, Any] | None = None,
    baselines: bool = True,
    question: str = "",
    **columns: Any,
) -> dict[str, Any]:
    """The values of an experiment with one checkpoint, one dataset and one method, from plain options.

    `dataset` is the name of one, or a file, recognised by its ending; `columns` are the other keys of its table
    (`text`, `label`, `test`, `group`, `train_size`, ...), those that are None left out.
    """
    is_file = dataset.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".jsonl", ".parquet"))
    given = {key: value for key, value in columns.items() if value is not None}
    return {
        "question": question,
        "checkpoints": [checkpoint],
        "datasets": [{"path" if is_file else "name": dataset, **given}],
        "methods": [method],
        "seeds": seeds,
        "baselines": baselines,
        "train": {} if train is None else train,
    }
