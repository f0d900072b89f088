"""Which of some rows are really better: intervals, differences, groups of ties, and what was too small to be seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from statistics import median
from typing import Any

from tunebook import comparison, metrics, stats
from tunebook.errors import UsageError
from tunebook.evidence import BySplit, Evidence, Nothing, gather, over_splits
from tunebook.registry import did_you_mean
from tunebook.sources import Source
from tunebook.spec import NO_CHECKPOINT

Row = dict[str, Any]
Found = Evidence | BySplit | Nothing
LEVEL = 0.05
RESAMPLES = 10_000
BY = {
    None: ("metric", "dataset", "train_size"),
    "method": ("metric", "dataset", "train_size", "checkpoint"),
    "checkpoint": ("metric", "dataset", "train_size", "method"),
    "dataset": ("metric", "checkpoint", "method"),
}
"""What the rows that are compared with one another have in common."""
CORRECTIONS: dict[str, Callable[[Sequence[float]], list[float]]] = {
    "holm": stats.holm,
    "bh": stats.benjamini_hochberg,
}
ON_THIS_TEST_SET = "on this test set"


@dataclass(frozen=True)
class Pair:
    """Two rows of a family, by their places in it, and what is known of their difference (first less second).

    `difference` is None where it cannot be tested, and `how` says why; `p_adjusted` is corrected for all comparisons
    of the family, and `detectable` is the true difference that the strictest step of that shows in four of five such
    experiments. `on_this_test_set` are tests that say nothing of other examples.
    """

    first: int
    second: int
    difference: stats.Difference | None
    how: str
    on_this_test_set: Mapping[str, stats.FixedSetTest]
    p_adjusted: float | None = None
    detectable: float | None = None

    @property
    def is_separable(self) -> bool:
        """Whether the rows differ by more than seeds and examples explain."""
        return self.p_adjusted is not None and self.p_adjusted <= LEVEL

    def as_object(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The pair as `--json` shows it."""
        return {
            "first": rows[self.first]["name"],
            "second": rows[self.second]["name"],
            **(asdict(self.difference) if self.difference else {}),
            "p_adjusted": self.p_adjusted,
            "detectable": self.detectable,
            "is_separable": self.is_separable,
            "how": self.how,
            ON_THIS_TEST_SET: {kind: _as_object(test) for kind, test in self.on_this_test_set.items()},
        }


def _as_object(test: stats.FixedSetTest) -> dict[str, Any]:
    discordant = list(test.discordant) if test.discordant else None
    return {**asdict(test), "discordant": discordant, "can_reach": test.can_reach(LEVEL)}


def name(row: Mapping[str, Any]) -> str:
    """How a row is called on its dataset: its checkpoint and its method, a baseline by its method alone."""
    return (
        str(row["method"]) if row["checkpoint"] == NO_CHECKPOINT else f"{row['checkpoint']} {row['method']}"
    )


def judge(
    runs: Sequence[Mapping[str, Any]],
    source: Source,
    *,
    metric: str | None = None,
    split: str = "test",
    by: str | None = None,
    baseline: str | None = None,
    correction: str = "holm",
) -> list[dict[str, Any]]:
    """The finished runs in families of rows that can be compared, each with its rows, pairs and what it could detect.

    A family are the rows of one dataset and size of train; `by` "method" or "checkpoint" holds the other one fixed,
    "dataset" puts the datasets of one checkpoint and method side by side. A difference is called real where its p,
    over new seeds and new examples and corrected for all comparisons of the family, is at most 0.05. With `baseline`
    only comparisons with that row are made.

    Raises:
        UsageError: there is no such metric, baseline or way to group, no run has that metric, or runs of one family
            were measured on different examples.
    """
    if by not in BY or correction not in CORRECTIONS:
        raise UsageError(
            f"expected by method, checkpoint or dataset, and holm or bh, got {by!r}, {correction!r}"
        )
    rows = comparison.table(runs, metric=metric, split=split)
    comparison.require_finished(rows, runs, metric, split)
    by_run = {run["run"]: run for run in runs}
    families = list(_families(rows, by))
    if not families:
        raise UsageError(f"there is nothing to compare by {by}: no finished run has a checkpoint")
    return [
        _judged(key, members, _evidence(members, by_run, source, split), baseline, correction)
        for key, members in families
    ]


def _families(rows: Sequence[Row], by: str | None) -> Iterator[tuple[dict[str, Any], list[Row]]]:
    """The families in order of their first rows; baselines stand in every one of their dataset."""
    keys, found = BY[by], dict[tuple[Any, ...], list[Row]]()
    is_everywhere = by in ("method", "checkpoint")
    for row in rows:
        if row["checkpoint"] != NO_CHECKPOINT or not is_everywhere:
            found.setdefault(tuple(row[key] for key in keys), []).append(row)
    for values, members in found.items():
        key = dict(zip(keys, values, strict=True))
        members += [
            row
            for row in rows
            if row["checkpoint"] == NO_CHECKPOINT and is_everywhere
            if all(row[same] == key[same] for same in BY[None])
        ]
        named = [{**row, "name": _name_in(key, row)} for row in members]
        yield key, sorted(named, key=comparison.best_first)


def _name_in(key: Mapping[str, Any], row: Row) -> str:
    """How a row is called within its family: by what the rows of it do not have in common."""
    return name(row) if "dataset" in key else f"{row['dataset']} ({row['train_size']:,} texts)"


def _evidence(rows: Sequence[Row], by_run: Mapping[str, Any], source: Source, split: str) -> list[Found]:
    """The evidence of each row; rows of one dataset are measured on the same examples, or on the same cuts of it."""
    members = [[by_run[run] for run in row["runs"]] for row in rows]
    found: dict[int, Found] = {}
    for dataset in {row["dataset"] for row in rows}:
        places = [place for place, row in enumerate(rows) if row["dataset"] == dataset]
        tests = {run["splits"][split] for place in places for run in members[place]}
        by_cut = [place for place in places if len(tests) > 1 and rows[place]["splits"]]
        whole = [place for place in places if place not in by_cut]
        how = {"metric": rows[0]["metric"], "split": split}
        found |= zip(
            whole, gather([members[i] for i in whole], source, **how, resamples=RESAMPLES), strict=True
        )
        found |= zip(by_cut, over_splits([members[i] for i in by_cut], source, **how), strict=True)
    return [found[place] for place in range(len(rows))]


def _judged(
    key: dict[str, Any], rows: list[Row], evidence: Sequence[Found], baseline: str | None, correction: str
) -> dict[str, Any]:
    pairs = [_pair(rows, evidence, i, j) for i, j in _places(key, rows, baseline)]
    pairs = _adjusted(pairs, correction)
    groups = [None] * len(rows) if baseline else _groups(len(rows), pairs)
    return {
        **key,
        "split": rows[0]["split"],
        "correction": correction,
        "baseline": baseline,
        "rows": [
            {**row, "tie_group": group, **_interval(found, metrics.rows()[row["metric"]].bounds)}
            for row, found, group in zip(rows, evidence, groups, strict=True)
        ],
        "pairs": [pair.as_object(rows) for pair in pairs],
        "detectable": _detectable(pairs),
    }


def _places(key: Mapping[str, Any], rows: Sequence[Row], baseline: str | None) -> list[tuple[int, int]]:
    """Which rows are compared: all with all, or each with the baseline."""
    if baseline is None:
        return list(combinations(range(len(rows)), 2))
    varying = "method" if "dataset" in key else "dataset"
    fitting = [place for place, row in enumerate(rows) if baseline in (row[varying], row["name"])]
    if not fitting:  # the method alone, whatever its settings
        fitting = [place for place, row in enumerate(rows) if baseline == comparison.method_of(row[varying])]
    where = ", ".join(str(key[part]) for part in ("dataset", "checkpoint", "method") if part in key)
    if not fitting:
        known = {row[part] for row in rows for part in (varying, "name")}
        raise UsageError(f"no row of {where} is called {baseline!r}; {did_you_mean(baseline, known)}")
    if len(fitting) > 1:
        found = ", ".join(repr(rows[place]["name"]) for place in fitting)
        raise UsageError(f"{baseline!r} fits {len(fitting)} rows of {where}, give one of them: {found}")
    return [(place, fitting[0]) for place in range(len(rows)) if place != fitting[0]]


def _groups(count: int, pairs: Sequence[Pair]) -> list[int | None]:
    """The groups of so many rows, best first; a row that was tested against no other one is in none."""
    tested = sorted({place for pair in pairs if pair.difference for place in (pair.first, pair.second)})
    known = {(pair.first, pair.second): pair.is_separable for pair in pairs}
    groups = dict(zip(tested, stats.tie_groups(tested, lambda i, j: known[i, j]), strict=True))
    return [groups.get(place) for place in range(count)]


def _interval(found: Found, bounds: tuple[float | None, float | None]) -> dict[str, Any]:
    """The columns of a row's interval, within its metric's bounds; None of both ends, and why, where there is none."""
    if isinstance(found, Nothing):
        return {"low": None, "high": None, "covers": f"none: {found.why}"}
    if isinstance(found, Evidence):
        estimate: Any = found.scores.parts().estimate()
        if not estimate.standard_error:
            return {"low": None, "high": None, "covers": "none: nothing varies"}
    elif len(found.values) > 1:
        estimate = _resampled(list(found.values.values()), found)
    else:
        return {"low": None, "high": None, "covers": "none: one split"}
    least, most = (
        math.inf * sign if bound is None else bound for bound, sign in zip(bounds, (-1, 1), strict=True)
    )
    return {"low": max(estimate.low, least), "high": min(estimate.high, most), "covers": estimate.covers}


def _pair(rows: Sequence[Row], evidence: Sequence[Found], i: int, j: int) -> Pair:
    """Two rows of a family, with the test that suits them."""
    first, second = evidence[i], evidence[j]
    is_shared = rows[i]["dataset"] == rows[j]["dataset"]
    for found in (first, second):
        if isinstance(found, Nothing):
            return Pair(i, j, None, f"not tested: {found.why}", {})
    if isinstance(first, BySplit) and isinstance(second, BySplit):
        return _over_splits(i, j, first, second, is_shared=is_shared)
    if not (isinstance(first, Evidence) and isinstance(second, Evidence)):
        return Pair(i, j, None, "not tested: one of them lies on several splits", {})
    if is_shared:
        pair = _same_examples(i, j, first, second)
    else:
        difference = stats.independent(first.scores.parts(), second.scores.parts())
        pair = Pair(i, j, difference, "other examples, other seeds (Welch)", {})
    if pair.difference and pair.difference.covers == "examples only":
        tests = _one_seed(first, second) if is_shared else {}
        return Pair(i, j, None, "not tested: one seed says nothing of other seeds", tests)
    if pair.difference and not pair.difference.standard_error and pair.difference.value:
        return Pair(i, j, None, "not tested: nothing varies", {})
    return pair


def _same_examples(i: int, j: int, first: Evidence, second: Evidence) -> Pair:
    """Rows on the same examples: paired by seed where at least two seeds are shared."""
    seeds = sorted(set(first.seeds) & set(second.seeds))
    is_fixed = first.is_fixed or second.is_fixed
    if len(seeds) < 2 and not is_fixed:
        how = "paired by example; seeds are not shared (Welch)"
        return Pair(i, j, stats.unshared_seeds(first.scores, second.scores), how, {})
    mine, other = ((one.scores if is_fixed else one.of(seeds)) for one in (first, second))
    by_seed = mine.values - other.values
    tests = {"t over seeds": stats.seeds_t, "sign-flip": stats.sign_flip} if len(by_seed) > 1 else {}
    how = "paired by example" if is_fixed else f"paired by seed and example, {len(seeds)} seeds"
    return Pair(i, j, stats.paired(mine, other), how, {kind: test(by_seed) for kind, test in tests.items()})


def _one_seed(first: Evidence, second: Evidence) -> dict[str, stats.FixedSetTest]:
    """McNemar's test where both rows have one run: of these two models, on this test set."""
    if first.right is None or second.right is None or max(len(first.seeds), len(second.seeds)) > 1:
        return {}
    return {"McNemar, these two models": stats.mcnemar(first.right[0], second.right[0])}


def _over_splits(i: int, j: int, first: BySplit, second: BySplit, *, is_shared: bool) -> Pair:
    """Rows on the same cuts of one dataset."""
    common = sorted(set(first.values) & set(second.values)) if is_shared else []
    if len(common) < 2:
        return Pair(i, j, None, "not tested: fewer than two common splits", {})
    difference = _resampled([first.values[cut] - second.values[cut] for cut in common], first)
    return Pair(i, j, difference, f"paired by split, {len(common)} splits (Nadeau and Bengio)", {})


def _resampled(values: Sequence[float], sizes: BySplit) -> stats.Difference:
    return stats.resampled_t(values, test_examples=sizes.test_examples, train_examples=sizes.train_examples)


def _adjusted(pairs: list[Pair], correction: str) -> list[Pair]:
    """The pairs with p values corrected for all comparisons of the family that were made."""
    adjusted = CORRECTIONS[correction]([pair.difference.p for pair in pairs if pair.difference])
    level, values = LEVEL / max(1, len(adjusted)), iter(adjusted)
    return [
        replace(pair, p_adjusted=next(values), detectable=_detectable_by(pair.difference, level))
        if pair.difference
        else pair
        for pair in pairs
    ]


def _detectable_by(difference: stats.Difference, level: float) -> float | None:
    error, freedom = difference.standard_error, difference.degrees_of_freedom
    return stats.detectable_difference(error, freedom, level=level) if error else None


def _detectable(pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """The smallest true difference that a typical pair of the family shows in four of five such experiments.

    At the strictest step of the correction, and for a comparison that stands alone. Typical is the median pair.
    """
    tested = [pair for pair in pairs if pair.difference]
    corrected = [pair.detectable for pair in tested if pair.detectable is not None]
    alone = [_detectable_by(pair.difference, LEVEL) for pair in tested if pair.difference]
    if not corrected:
        return None
    return {
        "comparisons": len(tested),
        "power": 0.8,
        "corrected": median(corrected),
        "alone": median(one for one in alone if one is not None),
    }
