"""Whether our rows agree with what others claim: a difference with its interval, a word, and every caveat."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, get_args

from tunebook import data, methods, toml_file
from tunebook.claims.counterparts import (
    GLUE_HIDES,
    Counterpart,
    Row,
    alike,
    canonical,
    counterpart,
    is_near,
    train_texts,
    whole_train,
)
from tunebook.claims.ledger import Claim
from tunebook.errors import UsageError
from tunebook.grid import Experiment, experiment
from tunebook.models.rows import rows as checkpoint_rows
from tunebook.registry import nearest
from tunebook.spec import NO_CHECKPOINT
from tunebook.stats.crossed import Variance

Word = Literal["agrees", "differs", "not testable", "not run yet"]
WORDS: tuple[Word, ...] = get_args(Word)
WIDEST = 0.03
"""Where the interval of a difference reaches further to either side, no difference seen is no agreement: 3 points."""
_CONFIDENCE = 0.95
_SHARES = ("accuracy", "f1_micro", "f1", "precision", "recall")
"""Metrics whose variance over examples is that of a share; of means over classes nearly, where these are even."""
_HIDDEN = "GLUE does not publish the labels of its test split"


def declared(folder: Path) -> dict[str, Experiment]:
    """The experiments of a folder by the path of their file, those without faults."""
    found = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            found[str(file)] = experiment(toml_file.parse(toml_file.read(file), str(file)), str(file))
        except UsageError:  # `tunebook run` tells its faults; here a longer command serves as well
            continue
    return found


@dataclass(frozen=True)
class Verdict:
    """A claim, a word, and why; with the row of ours where there is one, and `difference` (ours less claimed) with its
    95 % interval, in the metric's own unit. `command` makes what is not run yet."""

    claim: Claim
    word: Word
    why: str
    row: Row | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    caveats: tuple[str, ...] = ()
    command: str | None = None

    def as_object(self) -> dict[str, Any]:
        """The verdict as `--json` shows it."""
        keys = (
            "checkpoint",
            "method",
            "mean",
            "low",
            "high",
            "covers",
            "seeds",
            "examples",
            "train_size",
            "runs",
        )
        return {
            "claim": self.claim.model_dump(),
            "claimed": self.claim.claimed,
            "verdict": self.word,
            "why": self.why,
            "ours": {key: self.row.get(key) for key in keys} if self.row else None,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "caveats": list(self.caveats),
            "command": self.command,
        }


def verdicts(
    claims: Iterable[Claim], rows: Sequence[Row], experiments: Mapping[str, Experiment] | None = None
) -> list[Verdict]:
    """Whether the rows of judged families agree with claims, in their order; `experiments` by file lend commands.

    The difference is ours less the claimed value. Its interval joins, as the root of the sum of squares, how far our
    row's interval reaches (our seeds and examples) and what the claim is uncertain by: its seeds, by the spread that it
    publishes or else ours; and its examples as those of a share, but only where they are others than ours. On the same
    examples these are counted once, in our row: models err on the same hard ones, so that the difference of two varies
    with the examples about as much as either score does. What a figure was rounded by is added on both sides.

    An interval without zero "differs". One with zero "agrees", unless it reaches further than `WIDEST`, which is "not
    testable"; so is a single seed of ours. One row answers a claim: that with the most seeds, then trials, then nearest
    to its method's defaults, whatever it scored; the others that would fit are caveats.
    """
    return [_verdict(claim, rows, experiments or {}) for claim in claims]


def _verdict(claim: Claim, rows: Sequence[Row], experiments: Mapping[str, Experiment]) -> Verdict:
    if why := _never(claim):
        return Verdict(claim, "not testable", why, caveats=_cautions(claim))
    known = alike(claim, rows)
    fitting = [row for row in known if is_near(row["train_size"], train_texts(claim))]
    if not fitting:
        return _without_row(claim, known, experiments)
    best, *others = sorted(fitting, key=_weight)
    return _compared(claim, best, others)


def _weight(row: Row) -> tuple[Any, ...]:
    """The place of a row among those that could answer; a label is the longer the more settings are not the usual."""
    return (-row["seeds"], -row.get("trials", 0), len(row["method"]), row["method"])


def _never(claim: Claim) -> str | None:
    """Why no run of ours could test a claim."""
    if claim.untestable:
        return claim.untestable
    for kind, name, known in (
        ("dataset", claim.dataset, data.rows()),
        ("method", claim.method, methods.rows()),
    ):
        if name not in known:
            near = nearest(name, known)
            return f"there is no {kind} {name!r} here" + (f"; near: {', '.join(near)}" if near else "")
    there = counterpart(claim)
    if there is None:
        return (
            _HIDDEN
            if claim.dataset in GLUE_HIDES
            else f"no split of ours stands for {claim.split} of its owners"
        )
    if not there.is_same and (why := _others(claim, there)):
        return why
    whole = whole_train(claim.dataset)
    if claim.train_size and whole and claim.train_size > whole and not is_near(claim.train_size, whole):
        return f"trained on {claim.train_size:,} texts, our train split has {whole:,}"
    return None


def _without_row(claim: Claim, known: Sequence[Row], experiments: Mapping[str, Experiment]) -> Verdict:
    """The verdict where no row fits, with the command that makes one; `known` were trained on other sizes."""
    names = [
        name for name in (claim.checkpoint, *claim.comparable) if name in (*checkpoint_rows(), NO_CHECKPOINT)
    ]
    if claim.dataset in GLUE_HIDES and claim.split == "test":
        return Verdict(claim, "not testable", _HIDDEN, caveats=_cautions(claim))
    if not names:
        why = f"there is no checkpoint {claim.checkpoint!r} here"
        return Verdict(claim, "not testable", why, caveats=_cautions(claim))
    sizes, wanted = sorted({row["train_size"] or 0 for row in known}), train_texts(claim)
    why = "no run of ours is about it"
    if known and wanted:
        why = f"ours were trained on {', '.join(f'{size:,}' for size in sizes)} texts, not on {wanted:,}"
    command = _command(claim, names, experiments)
    return Verdict(claim, "not run yet", why, caveats=_cautions(claim, names[0]), command=command)


def _command(claim: Claim, checkpoints: Sequence[str], experiments: Mapping[str, Experiment]) -> str:
    names, limit = [canonical(name) for name in checkpoints], _limit(claim)
    spanning = [
        (one.size, file)
        for file, one in experiments.items()
        for cell in one.cells()
        if canonical(cell.checkpoint) in names and cell.method.name == claim.method
        if (cell.dataset.name, cell.dataset.train_size, cell.dataset.split_seed)
        == (claim.dataset, limit, None)
    ]
    if spanning:  # the one that asks for little else
        return shlex.join(["tunebook", "run", min(spanning)[1]])
    words = [
        "tunebook",
        "run",
        "--dataset",
        claim.dataset,
        "--checkpoint",
        checkpoints[0],
        "--method",
        claim.method,
    ]
    words += ["--train-size", str(limit)] if limit else []
    return shlex.join([*words, *(["--set", "seeds=5"] if checkpoints[0] != NO_CHECKPOINT else [])])


def _limit(claim: Claim) -> int | None:
    """The size of train that has to be asked for; None where the whole of it is meant."""
    return None if is_near(claim.train_size, whole_train(claim.dataset)) else claim.train_size


def _compared(claim: Claim, row: Row, others: Sequence[Row]) -> Verdict:
    """The verdict by one row of ours."""
    there = counterpart(claim)
    assert there is not None
    caveats = list(_cautions(claim, row["checkpoint"]))
    caveats += [f"another row of ours fits: {one['method']} with {hundredths(one['mean'])}" for one in others]
    is_same = there.is_same and row["examples"] == there.examples
    theirs = claim.test_examples or there.examples
    if why := _too_little(claim, row, there, is_same=is_same):
        return Verdict(claim, "not testable", why, row, caveats=tuple(caveats))
    caveats += _about_examples(row, theirs, is_same=is_same)
    if not claim.spread and row["deviation"]:
        caveats.append("the claim has no spread over seeds: that of ours is taken for it")
    value = row["mean"] - claim.claimed
    own = math.hypot(_by_seeds(claim, row), 0 if is_same else _by_examples(claim, theirs))
    rounded = (claim.rounded_to or 0) * claim.scale / 2
    low = value - math.hypot(row["mean"] - row["low"], own) - rounded
    high = value + math.hypot(row["high"] - row["mean"], own) + rounded
    word, why = _said(value, low, high)
    return Verdict(claim, word, why, row, value, low, high, tuple(caveats))


def _said(value: float, low: float, high: float) -> tuple[Word, str]:
    within = f"{hundredths(low)} to {hundredths(high)}"
    if low > 0 or high < 0:
        side = "higher" if value > 0 else "lower"
        return "differs", f"ours is {hundredths(abs(value))} points {side}; difference {within}"
    if max(value - low, high - value) > WIDEST:
        return "not testable", f"at this n neither can be said: difference {within}"
    return "agrees", f"difference {within}"


def hundredths(value: float | None) -> str:
    """A score or a difference in hundredths of the metric's unit; None is a dash.

    Example:
        >>> hundredths(0.915), hundredths(None)
        ('91.50', '-')
    """
    return "-" if value is None else f"{100 * value:.2f}"


def _too_little(claim: Claim, row: Row, there: Counterpart, *, is_same: bool) -> str | None:
    """Why a row of ours cannot answer."""
    if row["checkpoint"] != NO_CHECKPOINT and row["seeds"] < 2:
        return "one seed of ours says nothing of other seeds"
    if row["mean"] is None or row["low"] is None:
        return f"our row has no interval, {row['covers']}"
    if is_same:
        return None
    if not there.is_one_draw_of_many:
        return f"the claim is on {there.examples:,} examples of {claim.split}, ours on {row['examples']:,} others"
    return _others(claim, there)


def _others(claim: Claim, there: Counterpart) -> str | None:
    """Why a claim on other examples than ours cannot be tested, if so."""
    if claim.test_examples is None and there.examples is None:
        return "on other examples than ours, and it is not known on how many"
    if claim.metric not in _SHARES:
        return f"on other examples than ours, and how {claim.metric} varies with them is not known"
    return None


def _by_seeds(claim: Claim, row: Row) -> float:
    """How far the claimed value could lie off because of its seeds, 95 %."""
    seeds = claim.seeds or 1
    if claim.spread is not None:
        error = claim.spread * claim.scale / math.sqrt(seeds)
        return (
            NormalDist().inv_cdf((1 + _CONFIDENCE) / 2) * error if seeds < 2 else _reach(error**2, seeds - 1)
        )
    return _reach(row["deviation"] ** 2 / seeds, row["seeds"] - 1) if row["deviation"] else 0.0


def _by_examples(claim: Claim, examples: int | None) -> float:
    """How far the claimed value could lie off because of its examples, as a share of them, 95 %."""
    assert examples is not None
    return _reach(claim.claimed * (1 - claim.claimed) / examples, examples - 1)


def _reach(variance: float, freedom: float) -> float:
    return Variance(variance, freedom).interval(0.0, _CONFIDENCE)[1]


def _about_examples(row: Row, theirs: int | None, *, is_same: bool) -> list[str]:
    if is_same:
        return [f"on the same {row['examples']:,} examples, whose share in the uncertainty is counted once"]
    return [f"on other examples: theirs {theirs or 0:,}, ours {row['examples']:,}"]


def _cautions(claim: Claim, ours: str | None = None) -> tuple[str, ...]:
    """What to be careful about with a claim, and with `ours` where that is another checkpoint."""
    found = [f"the claim's run has what ours lacks: {one}" for one in claim.preconditions]
    for name, caveat in claim.comparable.items():
        if ours is not None and canonical(ours) == canonical(name) != canonical(claim.checkpoint):
            found.append(f"ours is {canonical(name)}, not {claim.checkpoint}: {caveat}")
    found += ["an author's own figure that nobody checked"] * (claim.status == "card")
    return (*found, *([claim.caution] if claim.caution else []))
