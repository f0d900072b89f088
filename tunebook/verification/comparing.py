"""Two runs of one identity compared: to the last bit, or by how far chance moves them apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from tunebook import environment
from tunebook.verification.recorded import Recorded, judged

if TYPE_CHECKING:
    import numpy as np

    from tunebook.verification.recorded import Predicted

Word = Literal["identical", "within the interval", "differs", "other inputs", "cannot be run here"]
WORDS: tuple[Word, ...] = get_args(Word)
MISMATCHES: tuple[Word, ...] = ("differs", "other inputs")
LEVEL = 0.99
"""Of the intervals that all numbers of a run lie in together."""
ROUNDING = 1e-4
"""A difference that is never judged: a hundredth of a point, or that part of a larger number."""
_RESAMPLES = 1000
_FIRST = 5


@dataclass(frozen=True)
class Number:
    """A metric of a split as it was published and as it came again; `allowed` is how far they may lie apart.

    None is a metric that is undefined, or a difference that there is not.
    """

    split: str
    metric: str
    published: float | None
    again: float | None
    difference: float | None
    allowed: float | None

    @property
    def is_within(self) -> bool:
        """Whether the two agree: both undefined, or as near as is allowed."""
        if self.difference is None or self.allowed is None:
            return self.published is None and self.again is None
        return abs(self.difference) <= self.allowed


@dataclass(frozen=True)
class Verdict:
    """What became of a run that was made again.

    `inputs` are the parts of its identity that are others here, `environment` what differs of where it ran, `bits` what
    is not the same to the last bit, `other_classes` how many examples of a split were given another class (`count` of
    `examples`, the `first` ids).
    """

    name: str
    run: str
    word: Word
    why: str
    numbers: Sequence[Number] = ()
    inputs: Sequence[str] = ()
    environment: Sequence[str] = ()
    bits: Sequence[str] = ()
    other_classes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        """The verdict as `--json` shows it."""
        numbers = [{**asdict(one), "is_within": one.is_within} for one in self.numbers]
        return {**asdict(self), "numbers": numbers}


def shortened(line: str) -> str:
    """A line whose hashes show their beginnings.

    Example:
        >>> shortened("splits.test: " + "0123456789abcdef" * 4 + " -> None")
        'splits.test: 0123456789ab -> None'
    """
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1", line)


def compare(
    recorded: Recorded, again: Recorded, *, reduced: Callable[[np.ndarray], np.ndarray] | None = None
) -> Verdict:
    """The verdict on two runs of one identity; `reduced` brings the new logits `(examples, outputs)` into the recorded
    form, `(examples, outputs)`, and is `recorded.rounded` unless given.

    Identical is what has the same digests of weights and optimiser, the same facts of training, predictions and
    scores. In the recorded environment nothing less will do.

    In another one, arithmetic differs in its last bits, and training makes more of that from step to step: the
    two are like two seeds whose weights and batches began alike. Then each metric of each split may differ by the
    largest of three:

    - what single examples explain: the half width of the normal interval of the paired difference by example (of a
      metric that is no mean over examples: of its paired difference on 1,000 resampled sets), so that all numbers
      of the run lie within theirs together in 99 of 100 cases (Bonferroni);
    - what seeds explain, which move all examples at once: the largest difference between two recorded seeds of the
      same row on the same examples, where there are any;
    - rounding: `ROUNDING`.

    Ids and labels must be equal in any environment.

    Source: McNemar 1947 for pairing; Dunn 1961, Multiple comparisons among means, JASA 56, for several at once.
    """
    changed = _other_environment(recorded, again)
    made = {
        split: (ids, labels, (reduced or recorded.rounded)(logits))
        for split, (ids, labels, logits) in again.predictions.items()
    }
    unlike = list(_other_examples(recorded, made))
    bits = [*unlike, *_other_facts(recorded.result, again.result)]
    bits += [] if unlike else _other_logits(recorded, made)
    numbers = _numbers(recorded, again, {} if unlike or not bits else made)
    outside = [one for one in numbers if not one.is_within]
    word, why = _judged_by(bits, changed, unlike=unlike, outside=outside, count=len(numbers))
    return Verdict(
        recorded.name, recorded.declared["run"], word, why, numbers=numbers, environment=changed, bits=bits,
        other_classes={} if unlike else _other_classes(recorded, made),
    )  # fmt: skip


def _judged_by(
    bits: Sequence[str],
    changed: Sequence[str],
    *,
    unlike: Sequence[str],
    outside: Sequence[Number],
    count: int,
) -> tuple[Word, str]:
    if not bits:
        return "identical", "every digest, prediction and score is the same"
    if unlike:
        return "differs", "its predictions are not those of the same examples"
    told = f"{len(outside)} of {count} metrics are further apart than is allowed"
    if not changed:
        near = told if outside else "its metrics are as near as in another environment they would have to be"
        return "differs", f"the environment is the recorded one, the run is not the same; {near}"
    if outside:
        return "differs", f"the environment is another one, but {told}"
    return "within the interval", "the environment is another one, and all metrics are as near as is allowed"


def _other_environment(recorded: Recorded, again: Recorded) -> list[str]:
    """What differs of where two runs were made, and of how much memory they found."""
    before = {key: value for key, value in recorded.environment.items() if key != "began_in"}
    found = environment.differences(before, again.environment)
    if before.get("processor") is None:
        found.append(f"processor: not recorded -> {again.environment.get('processor') or 'not known'}")
    if "began_in" in recorded.environment:
        found.append("the recorded run began in another environment than it ended in")
    limits = [[list(one) for one in run.memory] for run in (recorded, again)]
    if limits[0] != limits[1]:
        found.append(f"memory limits (step, tokens): {limits[0]} -> {limits[1]}")
    return found


def _other_examples(recorded: Recorded, made: Mapping[str, Predicted]) -> Iterator[str]:
    """Splits whose predictions are missing, or of other examples."""
    import numpy as np

    for split in sorted(recorded.result["metrics"].keys() | made.keys() | recorded.predictions.keys()):
        if split not in recorded.predictions or split not in made:
            yield f"{split}: there are predictions of one of the two runs alone"
            continue
        ids, labels, logits = recorded.predictions[split]
        others, same, new = made[split]
        if list(ids) != list(others) or logits.shape != new.shape:
            yield f"{split}: recorded predictions are of {len(ids):,} examples, the new ones of {len(others):,} others"
        elif not np.array_equal(labels, same):
            yield f"{split}: {int((labels != same).sum()):,} recorded labels are others"


def _other_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What a recorded result says otherwise: digests, steps, losses and scores."""
    for key in sorted(before.keys() - {"metrics"}):
        if before[key] != now.get(key):
            yield shortened(f"{key}: {before[key]} -> {now.get(key)}")
    for split, scores in before["metrics"].items():
        others = now["metrics"].get(split, {})
        names = [name for name in sorted(scores) if scores[name] != others.get(name)]
        if names:
            yield f"{split}: other scores: {', '.join(names)}"


def _other_logits(recorded: Recorded, made: Mapping[str, Predicted]) -> Iterator[str]:
    """Splits whose predictions are not the same to the last bit."""
    import numpy as np

    for split, (_, _, logits) in recorded.predictions.items():
        both = [np.ascontiguousarray(one, np.float32) for one in (logits, made[split][2])]
        is_other = (both[0].view(np.uint32) != both[1].view(np.uint32)).any(axis=1)
        if is_other.any():
            yield f"{split}: predictions of {int(is_other.sum()):,} of {len(logits):,} examples are not the same bits"


def _other_classes(recorded: Recorded, made: Mapping[str, Predicted]) -> dict[str, dict[str, Any]]:
    """How many examples of each split were given another class, and the first of them."""
    import numpy as np

    found: dict[str, dict[str, Any]] = {}
    for split, (ids, _, logits) in recorded.predictions.items():
        if logits.shape[1] < 2:
            continue
        places = np.flatnonzero(logits.argmax(axis=1) != made[split][2].argmax(axis=1))
        first = [ids[place] for place in places[:_FIRST]]
        if first:
            found[split] = {"count": len(places), "examples": len(ids), "first": first}
    return found


def _numbers(recorded: Recorded, again: Recorded, made: Mapping[str, Predicted]) -> list[Number]:
    """Every metric of every recorded split, both times; without `made` nothing but rounding and seeds is allowed."""
    from scipy.special import ndtri

    names = [(split, name) for split, scores in recorded.result["metrics"].items() for name in judged(scores)]
    z = float(ndtri(1 - (1 - LEVEL) / (2 * max(1, len(names)))))
    found = []
    for split, name in names:
        before, now = (run.result["metrics"].get(split, {}).get(name) for run in (recorded, again))
        if before is None or now is None:
            found.append(Number(split, name, before, now, None, None))
            continue
        allowed = max(ROUNDING * max(1.0, abs(before)), recorded.spread.get(split, {}).get(name, 0.0))
        if split in made and before != now:
            labels, logits = recorded.predictions[split][1:]
            allowed = max(allowed, z * _error(name, labels, logits=logits, others=made[split][2]))
        found.append(Number(split, name, before, now, now - before, allowed))
    return found


def _error(metric: str, labels: np.ndarray, *, logits: np.ndarray, others: np.ndarray) -> float:
    """The standard error of the paired difference of a metric over examples; 0 where it cannot be told."""
    import numpy as np

    from tunebook import weighted

    scores = [weighted.per_example(metric, labels, one) for one in (logits, others)]
    if scores[0] is not None and scores[1] is not None:
        by_example = scores[1] - scores[0]
        error = float(by_example.std(ddof=1)) / len(labels) ** 0.5 if len(labels) > 1 else 0.0
        return error if np.isfinite(error) else 0.0
    drawn = weighted.replicates(metric, [(labels, logits), (labels, others)], resamples=_RESAMPLES)
    differences = (drawn[1] - drawn[0])[np.isfinite(drawn).all(axis=0)]
    return (
        float(differences.std(ddof=1))
        if len(differences) >= (1 - weighted.MOST_UNDEFINED) * _RESAMPLES
        else 0.0
    )
