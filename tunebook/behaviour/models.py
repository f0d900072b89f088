"""What the models of a row answer to other texts, and how far they moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunebook.behaviour import moved, robustness
from tunebook.behaviour.asking import Question, Respondent
from tunebook.behaviour.found import Findings
from tunebook.behaviour.ground import Ground, Row
from tunebook.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

AS_IT_IS, SUITE = "as it is", "templates"
_MOVED_TEXTS = 128


def of_row(
    ground: Ground, row: Row, labels: np.ndarray, logits: np.ndarray, found: Findings, *, transfers: bool
) -> None:
    """Add what the models of a row show; `labels` are `(examples,)`, `logits` `(seeds, examples, classes)` of test."""
    asked = [Respondent(ground.book.runs / run["folder"], device=ground.settings.device) for run in row.runs]
    if not ground.is_pair:
        with found.tried("robustness", row):
            _robustness(ground, row, asked, labels, found)
        with found.tried("plain tests", row):
            _suite(ground, row, asked, found)
        if transfers:
            with found.tried("transfer", row):
                _transfer(ground, row, asked, labels, logits, found)
    with found.tried("moved", row):
        for part, one in moved.of_row(asked, [] if ground.is_pair else ground.sampled[:_MOVED_TEXTS]):
            found.add(part, row, one)


class _Heard:
    """The answers of those of some runs that can answer: their places among all, and logits by question."""

    def __init__(
        self, asked: Sequence[Respondent], kind: str, questions: Sequence[Question], row: Row, found: Findings
    ) -> None:
        import numpy as np

        said: list[Mapping[str, np.ndarray]] = []
        silent: dict[int, UsageError] = {}
        for place, one in enumerate(asked):
            try:
                said.append(one.answers(kind, questions))
            except UsageError as refused:
                silent[place] = refused
        if not said:
            raise silent[0]
        self.places = [place for place in range(len(asked)) if place not in silent]
        for place, error in silent.items():
            what = f"{kind} of {row.key['method']} on {row.key['dataset']}"
            found.lack(f"{what}, seed {row.runs[place]['seed']}", str(error))
        self.logits = {
            one.name: np.stack([answer[one.name] for answer in said]) for one in questions if one.texts
        }


def _robustness(
    ground: Ground, row: Row, asked: Sequence[Respondent], labels: np.ndarray, found: Findings
) -> None:
    """Texts before and after a change are asked at once: the same precision, and the same answer to the same tokens."""
    before = Question(AS_IT_IS, ground.ids, ground.sampled)
    questions = [before, *(one.question(ground.ids) for one in ground.changed)]
    heard = _Heard(asked, "perturbed", questions, row, found)
    judged = robustness.judge_changes(
        ground.changed, heard.logits[AS_IT_IS], heard.logits, labels[ground.sample]
    )
    for told in judged:
        found.add("robustness", row, told | {"examples": ground.shown(told.get("examples", ()))})


def _suite(ground: Ground, row: Row, asked: Sequence[Respondent], found: Findings) -> None:
    import numpy as np

    if not ground.suite:
        return
    ids = [f"{SUITE}-{number}" for number in range(len(ground.suite))]
    question = Question(SUITE, ids, [one.text for one in ground.suite])
    said = _Heard(asked, SUITE, [question], row, found).logits[SUITE]
    right = np.array(ground.names)[said.argmax(axis=2)] == np.array([one.label for one in ground.suite])
    for told in robustness.judge_suite(ground.suite, right):
        found.add("robustness", row, told)


def _transfer(
    ground: Ground,
    row: Row,
    asked: Sequence[Respondent],
    labels: np.ndarray,
    logits: np.ndarray,
    found: Findings,
) -> None:
    home = ground.home
    abroad = [one for one in ground.targets if one.texts and not home.is_home(one) and not home.struck(one)]
    heard = _Heard(asked, "transfer", [one.question for one in abroad], row, found)
    right = logits[:, ground.home_sample].argmax(axis=2) == labels[ground.home_sample]
    for cell in home.cells(ground.targets, heard.logits, right[heard.places]):
        found.add("transfer", row, cell)
