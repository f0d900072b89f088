"""What changes when a text changes a little, and what of plain sentiment is not grasped: failures, counted.

Source: Ribeiro et al. 2020, Beyond accuracy: behavioral testing of NLP models with CheckList, arXiv 2005.04118.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunebook.behaviour import perturbations
from tunebook.behaviour.asking import Question
from tunebook.behaviour.rate import rate
from tunebook.behaviour.templates import Example

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 0.1
"""By how much the probability of the class predicted before may rise in a direction test."""
KINDS = {"same": "invariance", "not_surer": "direction"}
MINIMUM = "minimum functionality"
MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Perturbed:
    """Some texts after one perturbation: the `places` of those that it changed among all, and what they became."""

    name: str
    places: np.ndarray
    texts: tuple[str, ...]
    unchanged: int

    def question(self, ids: Sequence[str]) -> Question:
        """What a run is asked about it; `ids` are those of all texts."""
        return Question(self.name, [ids[place] for place in self.places], self.texts)


def perturbed(texts: Sequence[str], *, seed: int) -> list[Perturbed]:
    """The texts after each perturbation; a text that one leaves as it was is counted, and not asked again."""
    import numpy as np

    found = []
    for name in perturbations.rows():
        changed = [perturbations.perturb(name, text, seed=seed) for text in texts]
        places = [place for place, text in enumerate(changed) if text != texts[place]]
        kept = tuple(changed[place] for place in places)
        found.append(Perturbed(name, np.array(places, int), kept, len(texts) - len(places)))
    return found


def failures(perturbation: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which texts a row fails on, bool `(seeds, texts)`, from logits `(seeds, texts, classes)` before and after.

    Where the class should stay the `same`, another one fails; where the row should be `not_surer`, a probability of
    the class that it predicted before that rose by more than 0.1.
    """
    import numpy as np
    from scipy.special import softmax

    was, now = before.argmax(axis=2), after.argmax(axis=2)
    if perturbations.rows()[perturbation].expectation == "same":
        moved: np.ndarray = was != now
        return moved
    held, new = (
        np.take_along_axis(softmax(logits.astype(np.float64), axis=2), was[..., None], axis=2)[..., 0]
        for logits in (before, after)
    )
    surer: np.ndarray = new - held > TOLERANCE
    return surer


def judge_changes(
    changed: Sequence[Perturbed], before: np.ndarray, after: Mapping[str, np.ndarray], labels: np.ndarray
) -> list[dict[str, Any]]:
    """A row for each capability in each kind of test, then one for each perturbation.

    `before` are logits `(seeds, texts, classes)`, `after[name]` those of the texts that were changed, `labels`
    `(texts,)` their classes. A row has `kind`, `capability`, `test` (empty for a capability as a whole), how many
    `texts` are judged, how many the change left `unchanged`, how many it changed `unseen` (all logits are equal bit by
    bit: the model ignores case, or the change lies behind where the text is cut), and of those judged the failure rate
    as `value` with `low` and `high`; for one change whether it keeps the label, where it does accuracy before and
    after, and a few `examples` that failed. Of a capability a text fails by the share of its tests that it fails.
    """
    singles: list[dict[str, Any]] = []
    fails: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for one in changed:
        row = perturbations.rows()[one.name]
        told: dict[str, Any] = {
            "kind": KINDS[row.expectation],
            "capability": row.capability,
            "test": one.name,
            "texts": 0,
            "unchanged": one.unchanged,
            "unseen": 0,
            "keeps_label": row.keeps_label,
        }
        if len(one.places):
            was, now = before[:, one.places], after[one.name]
            seen = (was != now).any(axis=(0, 2))
            told |= {"texts": int(seen.sum()), "unseen": int((~seen).sum())}
            failed, places = failures(one.name, was, now)[:, seen], one.places[seen]
            if seen.any():
                told |= rate(failed.astype(float)) | {"examples": _examples(one, seen, failed)}
            if seen.any() and row.keeps_label:
                truth = labels[places]
                told["accuracy_before"] = float((was[:, seen].argmax(axis=2) == truth).mean())
                told["accuracy_after"] = float((now[:, seen].argmax(axis=2) == truth).mean())
            fails.setdefault((row.capability, told["kind"]), []).append((places, failed))
        singles.append(told)
    return [
        _together(kind, capability, parts, singles, before.shape[:2])
        for (capability, kind), parts in fails.items()
    ] + singles


def _examples(one: Perturbed, seen: np.ndarray, failed: np.ndarray) -> list[dict[str, Any]]:
    """A few texts on which most seeds fail: each its `place` among all, and what it became."""
    counts, numbers = failed.sum(axis=0), seen.nonzero()[0]
    worst = sorted(range(len(counts)), key=lambda number: (-counts[number], number))[:MOST_EXAMPLES]
    return [
        {
            "place": int(one.places[numbers[number]]),
            "after": one.texts[numbers[number]],
            "seeds": int(counts[number]),
        }
        for number in worst
        if counts[number]
    ]


def _together(
    kind: str,
    capability: str,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    singles: Sequence[Mapping[str, Any]],
    shape: tuple[int, ...],
) -> dict[str, Any]:
    """The failure rate over several tests: of each text the share that it fails of those that were seen on it."""
    import numpy as np

    total, tests = np.zeros(shape), np.zeros(shape[1])
    for places, failed in parts:
        total[:, places] += failed
        tests[places] += 1
    asked = tests > 0
    own = [one for one in singles if (one["kind"], one["capability"]) == (kind, capability)]
    unseen = min(int((~asked).sum()), max(one["unseen"] for one in own))
    told = {
        "kind": kind,
        "capability": capability,
        "test": "",
        "texts": int(asked.sum()),
        "unchanged": int((~asked).sum()) - unseen,
        "unseen": unseen,
    }
    return told | (rate(total[:, asked] / tests[asked]) if asked.any() else {})


def judge_suite(examples: Sequence[Example], right: np.ndarray) -> list[dict[str, Any]]:
    """A row for each capability of the minimum-functionality tests; `right` is bool `(seeds, examples)`.

    Texts of one template fail together: the interval is over new seeds and new templates, of which a capability has
    few, and so it is wide.
    """
    import numpy as np

    capabilities = np.array([one.capability for one in examples])
    templates = np.array([one.template for one in examples])
    rows = []
    for name in dict.fromkeys(capabilities.tolist()):
        here = capabilities == name
        wrong, of = 1.0 - right[:, here], templates[here]
        means = [wrong[:, of == one].mean(axis=1) for one in dict.fromkeys(of.tolist())]
        told = {
            "kind": MINIMUM,
            "capability": name,
            "test": "",
            "texts": int(here.sum()),
            "unchanged": 0,
            "unseen": 0,
        }
        found = rate(np.stack(means, axis=1)) if len(means) > 1 else rate(wrong)
        rows.append({**told, "templates": len(means), **found, "value": float(wrong.mean())})
    return rows
