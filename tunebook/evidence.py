"""What the runs of a row show, example by example: scores that can be compared pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from tunebook import weighted
from tunebook.errors import UsageError
from tunebook.methods import method
from tunebook.sources import Run, Source
from tunebook.stats.crossed import Scores, by_example, by_resample

if TYPE_CHECKING:
    import numpy as np

    Predicted = tuple[np.ndarray, np.ndarray]
    """Labels and logits of a split."""

Seed = tuple[int | None, int]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The scores of a row by seed, `seeds` in their order (each with the seed of its cut), and which examples were
    right, `(seeds, examples)`."""

    seeds: tuple[Seed, ...]
    scores: Scores
    right: np.ndarray | None

    @property
    def is_fixed(self) -> bool:
        """Whether the row has nothing random in it: a baseline."""
        return self.scores.is_deterministic

    def of(self, seeds: Sequence[Seed]) -> Scores:
        """The scores of some of the seeds."""
        places = [self.seeds.index(seed) for seed in seeds]
        return replace(self.scores, values=self.scores.values[places], columns=self.scores.columns[places])


@dataclass(frozen=True)
class BySplit:
    """A row's mean over seeds on each cut of a dataset, by the cut's seed, and how many examples a cut has."""

    values: Mapping[int, float]
    test_examples: int
    train_examples: int


@dataclass(frozen=True)
class Nothing:
    """No evidence, and why."""

    why: str


def gather(
    rows: Sequence[Sequence[Run]], source: Source, *, metric: str, split: str, resamples: int
) -> list[Evidence | Nothing]:
    """The evidence of rows of runs that were measured on the same examples, in the same order.

    A metric that is a mean over examples is compared by their scores, another one by `resamples` bootstrap samples
    of them, the same ones for all rows.

    Raises:
        UsageError: the rows were not measured on the same examples; the message says how they differ.
        IntegrityError: the predictions of a run are damaged.
    """
    require_same_examples([run for runs in rows for run in runs], source, split)
    ordered = [_by_seed(runs) for runs in rows]
    read = [[source.predictions(run, split) for run in runs] for runs in ordered]
    faults = [_fault(runs, found) for runs, found in zip(ordered, read, strict=True)]
    sound = [place for place, fault in enumerate(faults) if fault is None]
    made = iter(
        _scores(
            [ordered[place] for place in sound],
            [read[place] for place in sound],
            metric=metric,
            split=split,
            resamples=resamples,
        )
    )
    scores = [fault or next(made) for fault in faults]
    return [
        one if isinstance(one, Nothing) else Evidence(tuple(map(_seed, runs)), one, _right(found))
        for one, runs, found in zip(scores, ordered, read, strict=True)
    ]


def over_splits(
    rows: Sequence[Sequence[Run]], source: Source, *, metric: str, split: str
) -> list[BySplit | Nothing]:
    """The evidence of rows of runs that lie on cuts of one dataset.

    Raises:
        UsageError: rows were not measured on the same examples of a cut; the message says how they differ.
    """
    by_cut: dict[int, list[Run]] = {}
    for run in (run for runs in rows for run in runs):
        by_cut.setdefault(run["split_seed"], []).append(run)
    for runs in by_cut.values():
        require_same_examples(runs, source, split)
    return [_over_splits(runs, metric, split) for runs in rows]


def _over_splits(runs: Sequence[Run], metric: str, split: str) -> BySplit | Nothing:
    if bad := [run for run in runs if run["metrics"][split][metric] is None]:
        return Nothing(f"{metric} is undefined for {_seeds(bad)}")
    values: dict[int, list[float]] = {}
    for run in sorted(runs, key=lambda run: int(run["split_seed"])):
        values.setdefault(run["split_seed"], []).append(run["metrics"][split][metric])
    sizes = [run["result"]["examples"] for run in runs]
    return BySplit(
        {cut: fmean(scores) for cut, scores in values.items()},
        test_examples=round(fmean(size[split] for size in sizes)),
        train_examples=round(fmean(size["train"] for size in sizes)),
    )


def _by_seed(runs: Sequence[Run]) -> list[Run]:
    """The runs in the order of their seeds; of a baseline one, for all are the same."""
    ordered = sorted(runs, key=lambda run: (run["split_seed"] or 0, run["seed"]))
    return ordered[:1] if _is_fixed(ordered) else ordered


def _seed(run: Run) -> Seed:
    return run["split_seed"], run["seed"]


def _is_fixed(runs: Sequence[Run]) -> bool:
    """Whether nothing differs between the runs: a baseline's, on one cut."""
    return not method(runs[0]["method"]).needs_checkpoint and len({run["split_seed"] for run in runs}) == 1


def _fault(runs: Sequence[Run], read: Sequence[Predicted]) -> Nothing | None:
    """Why nothing can be computed of a row's predictions."""
    import numpy as np

    bad = [run for run, (_, logits) in zip(runs, read, strict=True) if not np.isfinite(logits).all()]
    if bad:
        return Nothing(f"predictions of {_seeds(bad)} are not finite")
    return Nothing("the split has a single example") if len(read[0][0]) < 2 else None


def _seeds(runs: Sequence[Run]) -> str:
    return f"seed{'s' * (len(runs) > 1)} {', '.join(str(run['seed']) for run in runs)}"


def _right(read: Sequence[Predicted]) -> np.ndarray | None:
    """Whether each example was given its class, `(seeds, examples)`; None of scores."""
    import numpy as np

    if read[0][1].shape[1] < 2:
        return None
    return np.stack([logits.argmax(axis=1) == labels for labels, logits in read])


def _scores(
    rows: Sequence[Sequence[Run]],
    read: Sequence[Sequence[Predicted]],
    *,
    metric: str,
    split: str,
    resamples: int,
) -> list[Scores | Nothing]:
    """The scores of rows by example where the metric is a mean over examples, else by resamples."""
    import numpy as np

    singles = [[weighted.per_example(metric, *one) for one in row] for row in read]
    if any(score is None for row in singles for score in row):
        return _resampled(rows, read, metric=metric, split=split, resamples=resamples)
    return [
        by_example(np.array(row), is_deterministic=_is_fixed(runs))
        for runs, row in zip(rows, singles, strict=True)
    ]


def _resampled(
    rows: Sequence[Sequence[Run]],
    read: Sequence[Sequence[Predicted]],
    *,
    metric: str,
    split: str,
    resamples: int,
) -> list[Scores | Nothing]:
    """The scores of rows by resamples on which all of them are defined; a row that is often not defined has none."""
    import numpy as np

    flat = [one for row in read for one in row]
    drawn = np.split(
        weighted.replicates(metric, flat, resamples=resamples), np.cumsum([len(row) for row in read])[:-1]
    )
    holes = [np.isnan(one).any(axis=0) for one in drawn]
    faults = [_undefined(runs, hole.mean(), metric, split) for runs, hole in zip(rows, holes, strict=True)]
    lost = np.any([hole for hole, fault in zip(holes, faults, strict=True) if fault is None], axis=0)
    return [
        fault
        or by_resample(
            [run["metrics"][split][metric] for run in runs],
            one[:, ~lost],
            examples=len(flat[0][0]),
            is_deterministic=_is_fixed(runs),
        )
        for runs, one, fault in zip(rows, drawn, faults, strict=True)
    ]


def _undefined(runs: Sequence[Run], share: float, metric: str, split: str) -> Nothing | None:
    """Why a metric of a row cannot be resampled; `share` is that of the resamples on which it is undefined."""
    bad = [run for run in runs if run["metrics"][split][metric] is None]
    if bad:
        return Nothing(f"{metric} is undefined for {_seeds(bad)}")
    if share > weighted.MOST_UNDEFINED:
        return Nothing(f"{metric} is undefined on {share:.1%} of resampled test sets")
    return None


def require_same_examples(runs: Sequence[Run], source: Source, split: str) -> None:
    """Find runs to have been measured on the same examples with the same labels.

    Raises:
        UsageError: they were not; the message names two of them and says how far their examples agree.
    """
    by_print: dict[str, Run] = {}
    for run in runs:
        by_print.setdefault(run["splits"][split], run)
    if len(by_print) < 2:
        return
    first, second = list(by_print.values())[:2]
    ids, labels = zip(*(_ids(run, source, split) for run in (first, second)), strict=True)
    common = ids[0] & ids[1]
    changed = sum(labels[0][one] != labels[1][one] for one in common)
    raise UsageError(
        f"{first['folder']} and {second['folder']} were measured on different examples of {first['dataset']} "
        f"({split}): {len(ids[0]):,} and {len(ids[1]):,} texts, {len(common):,} of the same id, {changed:,} of these "
        "under another label. Scores on different examples are not compared: give an experiment's file, whose runs "
        "have one dataset"
    )


def _ids(run: Run, source: Source, split: str) -> tuple[set[str], dict[str, float]]:
    ids, (labels, _) = source.ids(run, split), source.predictions(run, split)
    return set(ids), dict(zip(ids, labels.tolist(), strict=True))
