"""Methodological lint: what makes a comparison less than it looks. One function per check, each with its code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunebook import metrics
from tunebook.comparison import method_label
from tunebook.errors import UsageError
from tunebook.judgement import judge, name
from tunebook.models.rows import rows as checkpoint_rows
from tunebook.registry import did_you_mean
from tunebook.selection import Selection
from tunebook.sources import Run, Source
from tunebook.spec import NO_CHECKPOINT

Severity = Literal["error", "warning", "note"]
_CHANCE = 1.0
"""How much of 1 / sqrt(examples), two standard errors of a share of one half, a gain on validation has to exceed."""
_LEARNED_NOTHING = 0.95
"""The share of the loss of guessing by equal chances that a last epoch's training loss may have at most."""


@dataclass(frozen=True)
class Finding:
    """What a check found: of which code and severity, about what, and what to do."""

    code: str
    severity: Severity
    about: str
    says: str
    advice: str


@dataclass(frozen=True)
class Case:
    """What checks look at: the selected runs, their families, the split that is reported, and where runs are read."""

    runs: Sequence[Run]
    families: Sequence[Mapping[str, Any]]
    tuning: Mapping[str, Any]
    split: str
    source: Source

    @property
    def finished(self) -> list[Run]:
        """The runs that ended well."""
        return [run for run in self.runs if run["status"] == "finished"]


Check = Callable[[Case], Iterator[Finding]]


def one_seed(case: Case) -> Iterator[Finding]:
    """TB001 One seed only."""
    for family in case.families:
        for row in family["rows"]:
            if row["checkpoint"] != NO_CHECKPOINT and row["seeds"] + row["undefined"] == 1:
                yield Finding(
                    "TB001", "error", _place(family, row), "has one seed",
                    "run at least 3, better 5: seeds alone move such scores by as much as methods do",
                )  # fmt: skip


def worse_than_baseline(case: Case) -> Iterator[Finding]:
    """TB002 Worse than the majority class or TF-IDF, or not shown to be better."""
    for family in case.families:
        told = {frozenset((pair["first"], pair["second"])): pair for pair in family["pairs"]}
        sign = 1 if metrics.rows()[family["metric"]].larger_is_better else -1
        rows = [row for row in family["rows"] if row["mean"] is not None]
        plain = [row for row in rows if row["checkpoint"] == NO_CHECKPOINT]
        for row in rows:
            for one in plain if row["checkpoint"] != NO_CHECKPOINT else ():
                pair = told.get(frozenset((row["name"], one["name"])), {})
                is_better = sign * (row["mean"] - one["mean"]) > 0
                if is_better and pair.get("is_separable", False):
                    continue
                is_worse = not is_better and pair.get("is_separable", False)
                yield Finding(
                    "TB002",
                    "error" if is_worse else "warning",
                    _place(family, row),
                    f"is {'worse than' if is_worse else 'not shown to be better than'} {one['method']}",
                    "look at its learning rate and its losses, or take more seeds, before it is recommended",
                )


def selected_on_reported(case: Case) -> Iterator[Finding]:
    """TB003 Selected on the split that is reported."""
    chosen = [run for run in case.finished if run["result"].get("selected_on") or case.tuning]
    if case.split == "validation" and chosen:
        yield Finding(
            "TB003", "error", f"{len(chosen)} of {len(case.finished)} runs",
            "chose their snapshots, or their settings, on validation",
            "report test: what was chosen on a split looks better there than it is",
        )  # fmt: skip


def unequal_budgets(case: Case) -> Iterator[Finding]:
    """TB004 Unequal tuning budgets."""
    for family in case.families:
        trials = {
            row["name"]: row.get("trials", 0) for row in family["rows"] if row["checkpoint"] != NO_CHECKPOINT
        }
        if len(set(trials.values())) > 1:
            told = ", ".join(f"{row} {count}" for row, count in trials.items())
            yield Finding(
                "TB004", "error", _place(family), f"rows were tuned with unequal numbers of trials: {told}",
                "give every method the same number: an experiment's [tune] table does",
            )  # fmt: skip


def leaks_kept(case: Case) -> Iterator[Finding]:
    """TB005 Training texts that stand in another split were kept."""
    by_train = {(run["dataset"], run["splits"].get("train")): run for run in case.finished}
    for (dataset, _), run in by_train.items():
        notes = case.source.document(run, "run.json").get("dataset", {}).get("notes", {})
        count = sum(notes.get("leaks", {}).values())
        if notes.get("leaks_kept") and count:
            yield Finding(
                "TB005", "error", dataset, f"keeps {count:,} texts that stand in more than one split",
                "run it without keep_leaks: test scores are of texts that were trained on",
            )  # fmt: skip


def unequal_test_sets(case: Case) -> Iterator[Finding]:
    """TB006 Rows of one dataset were measured on different examples."""
    by_dataset: dict[tuple[str, Any], set[str]] = {}
    for run in case.finished:
        if case.split in run["splits"]:
            by_dataset.setdefault((run["dataset"], run["split_seed"]), set()).add(run["splits"][case.split])
    for (dataset, _), prints in by_dataset.items():
        if len(prints) > 1:
            yield Finding(
                "TB006", "error", dataset, f"runs were measured on {len(prints)} different versions of {case.split}",
                "compare the runs of one experiment, or run the older ones again",
            )  # fmt: skip


def on_edge(case: Case) -> Iterator[Finding]:
    """TB007 The best setting lies on the edge of its search space."""
    for search in case.tuning.values():
        for setting in search["on_edge"]:
            yield Finding(
                "TB007", "warning", f"{search['checkpoint']} {search['method']} on {search['dataset']}",
                f"chose {setting} = {search['chosen'][setting]}, on the edge of what was searched",
                "widen the space: a better one may lie beyond",
            )  # fmt: skip


def not_converged(case: Case) -> Iterator[Finding]:
    """TB008 Training diverged, learned nothing, was still rising at its end, or predicts NaN."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for run in case.runs:
        for says, advice in _unfit(case, run):
            row = f"{run['checkpoint']} {method_label(run)} on {run['dataset']}"
            found.setdefault((row, says, advice), []).append(str(run["seed"]))
    for (row, says, advice), seeds in found.items():
        yield Finding("TB008", "warning", f"{row}, seed {', '.join(seeds)},", says, advice)


def _unfit(case: Case, run: Run) -> Iterator[tuple[str, str]]:
    """What is wrong with how a run was trained, and what to do."""
    if run["status"] == "diverged":
        yield "diverged", "lower its learning rate; without it the row shows only what went well"
    if run["status"] != "finished" or run["checkpoint"] == NO_CHECKPOINT:
        return
    scores: Mapping[str, Any] = next(iter(run["metrics"].values()), {})
    classes, loss = len(scores.get("per_class", {})), run["result"].get("train_loss")
    if scores.get(metrics.usual(scores)) is None:
        yield "has predictions or scores that are undefined", "look for NaN in its logits, and at its losses"
    elif classes > 1 and loss is not None and loss > _LEARNED_NOTHING * math.log(classes):
        yield "learned nothing: its training loss is that of guessing", "raise its learning rate or its steps"
    elif _is_still_rising(case, run):
        yield "was still rising at its last validation", "give it more epochs"


def _is_still_rising(case: Case, run: Run) -> bool:
    """Whether the last validation was the best, and better than all before it by more than chance moves a share."""
    chosen, examples = run["result"].get("selected_on"), run["result"]["examples"].get("validation", 0)
    if chosen is None or not examples or run["result"]["best_step"] != run["result"]["steps"]:
        return False
    values = [
        line[f"validation/{chosen}"]
        for line in case.source.curve(run)
        if line.get(f"validation/{chosen}") is not None
    ]
    if len(values) < 2:
        return False
    sign = 1 if metrics.rows()[chosen].larger_is_better else -1
    gain = sign * values[-1] - max(sign * value for value in values[:-1])
    return bool(gain > _CHANCE / math.sqrt(examples))


def dirty_tree(case: Case) -> Iterator[Finding]:
    """TB009 A working tree with changes that no commit holds is behind a row."""
    dirty = [
        run
        for run in case.finished
        if (case.source.document(run, "environment.json").get("source") or {}).get("dirty")
    ]
    if dirty:
        yield Finding(
            "TB009", "warning", f"{len(dirty)} of {len(case.finished)} runs", "were made from a changed working tree",
            "commit, and run them again from there: nobody else has that code",
        )  # fmt: skip


def test_too_small(case: Case) -> Iterator[Finding]:
    """TB010 The leader's lead over the next row is smaller than such a pair can show."""
    for family in case.families:
        if len(family["rows"]) < 2:
            continue
        first, second = (row["name"] for row in family["rows"][:2])
        for pair in family["pairs"]:
            if (
                {pair["first"], pair["second"]} == {first, second}
                and not pair["is_separable"]
                and pair["detectable"]
            ):
                yield Finding(
                    "TB010", "note", f"{_place(family)}:",
                    f"{first} leads {second} by {_apart(family, abs(pair['value']))}; this pair would show "
                    f"{_apart(family, pair['detectable'])} in four of five such experiments",
                    "call them tied, or take more seeds and a larger test set",
                )  # fmt: skip


def _apart(family: Mapping[str, Any], value: float) -> str:
    """A difference of scores: of shares in points."""
    is_share = metrics.rows()[family["metric"]].bounds == (0, 1)
    return f"{100 * value:.1f} points" if is_share else f"{value:.4f}"


def seen_before(case: Case) -> Iterator[Finding]:
    """TB011 The checkpoint was trained on the dataset's source."""
    known = {row.name: row for row in checkpoint_rows().values()}
    for checkpoint, dataset in sorted({(run["checkpoint"], run["dataset"]) for run in case.finished}):
        if checkpoint in known and dataset in known[checkpoint].seen:
            yield Finding(
                "TB011", "warning", f"{checkpoint} on {dataset}", "was trained on texts of this dataset's source",
                "say so beside the score, or take another checkpoint",
            )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    one_seed, worse_than_baseline, selected_on_reported, unequal_budgets, leaks_kept, unequal_test_sets, on_edge,
    not_converged, dirty_tree, test_too_small, seen_before,
)  # fmt: skip
"""Every check, in the order of their codes."""


def check(
    selected: Selection,
    source: Source,
    *,
    split: str = "test",
    judged: Sequence[Mapping[str, Any]] | None = None,
) -> list[Finding]:
    """What the checks find in some runs, errors first; `judged` are the families of all of them on that split, with
    what was tuned, where somebody has judged them already.

    Raises:
        UsageError: no run is finished, or none has results on that split.
    """
    runs = [run for run in selected.runs if run["purpose"] == "result"]
    finished = [run for run in runs if run["status"] == "finished"]
    if not finished:
        raise UsageError(
            "no run is finished: there is nothing to check; `tunebook list runs` shows what is there"
        )
    splits = sorted({name for run in finished for name in run["metrics"]})
    if split not in splits:
        raise UsageError(f"no run has results on {split!r}; {did_you_mean(split, splits)}")
    case = Case(runs, judged or _judged(selected, source, split), selected.tuning, split, source)
    found = list(dict.fromkeys(finding for one in CHECKS for finding in one(case)))
    order: tuple[Severity, ...] = ("error", "warning", "note")
    return sorted(found, key=lambda finding: (order.index(finding.severity), finding.code))


def _judged(selected: Selection, source: Source, split: str) -> Sequence[Mapping[str, Any]]:
    """The families of the runs that can be compared on a split, with what was tuned."""
    runs = [run for run in selected.runs if run["purpose"] == "result"]
    case = Case(runs, [], selected.tuning, split, source)
    unequal = {finding.about for finding in unequal_test_sets(case)}
    comparable = [run for run in case.finished if run["dataset"] not in unequal and split in run["metrics"]]
    families = judge(comparable, source, split=split) if comparable else []
    selected.add_tuning(families)
    return families


def _place(family: Mapping[str, Any], row: Mapping[str, Any] | None = None) -> str:
    where = (
        f"{family['dataset']}, {family['train_size']:,} texts" if family["train_size"] else family["dataset"]
    )
    return f"{name(row)} on {where}" if row else str(where)
