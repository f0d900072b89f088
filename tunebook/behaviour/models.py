"""What the models of a row answer to other texts, and how far they moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunebook.behaviour import moved, robustness
from tunebook.behaviour.asking import Question, Respondent
from tunebook.behaviour.earlier import told
from tunebook.behaviour.found import Findings
from tunebook.behaviour.ground import Ground, Row
from tunebook.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

AS_IT_IS, SUITE = "as it is", "templates"
_MOVED_TEXTS = 128
_KINDS = {"robustness": "perturbed", "plain tests": SUITE, "transfer": "transfer"}
"""What answers are kept under, by what they are asked for."""


def of_row(
    ground: Ground, row: Row, labels: np.ndarray, logits: np.ndarray, found: Findings, *, transfers: bool
) -> None:
    """Add what the models of a row show; `labels` are `(examples,)`, `logits` `(seeds, examples, classes)` of test."""
    asked = [Respondent(ground.book.runs / run["folder"], device=ground.settings.device) for run in row.runs]
    if not ground.is_pair:
        with found.tried("robustness", row):
            _robustness(ground, row, asked, labels, found)
        if ground.suite:
            with found.tried("plain tests", row):
                _suite(ground, row, asked, found)
        else:
            found.keep("plain tests", row)
        if transfers:
            with found.tried("transfer", row):
                _transfer(ground, row, asked, labels, logits, found)
        else:
            found.keep("transfer", row)
    with found.tried("moved", row):
        for part, one in moved.of_row(asked, [] if ground.is_pair else ground.sampled[:_MOVED_TEXTS]):
            found.add(part, row, one)


class _Heard:
    """The answers of those of some runs that can answer: their places among all, and logits by question.

    Raises:
        UsageError: none can, or some cannot and something was found of the row earlier, of which more could.
    """

    def __init__(
        self, asked: Sequence[Respondent], what: str, questions: Sequence[Question], row: Row, found: Findings
    ) -> None:
        import numpy as np

        said: list[Mapping[str, np.ndarray]] = []
        silent: dict[int, UsageError] = {}
        for place, one in enumerate(asked):
            try:
                said.append(one.answers(_KINDS[what], questions))
            except UsageError as refused:
                silent[place] = refused
        if silent and (not said or found.known(what, row)):
            raise silent[min(silent)]
        self.places = [place for place in range(len(asked)) if place not in silent]
        for place, error in silent.items():
            found.lack(f"{told(what, row.key)}, seed {row.runs[place]['seed']}", str(error))
        self.logits = {
            one.name: np.stack([answer[one.name] for answer in said]) for one in questions if one.texts
        }


def _robustness(
    ground: Ground, row: Row, asked: Sequence[Respondent], labels: np.ndarray, found: Findings
) -> None:
    """Texts before and after a change are asked at once: the same precision, and the same answer to the same tokens."""
    before = Question(AS_IT_IS, ground.ids, ground.sampled)
    questions = [before, *(one.question(ground.ids) for one in ground.changed)]
    heard = _Heard(asked, "robustness", questions, row, found)
    judged = robustness.judge_changes(
        ground.changed, heard.logits[AS_IT_IS], heard.logits, labels[ground.sample]
    )
    for one in judged:
        found.add("robustness", row, one | {"examples": ground.shown(one.get("examples", ()))})


def _suite(ground: Ground, row: Row, asked: Sequence[Respondent], found: Findings) -> None:
    import numpy as np

    ids = [f"{SUITE}-{number}" for number in range(len(ground.suite))]
    question = Question(SUITE, ids, [one.text for one in ground.suite])
    said = _Heard(asked, "plain tests", [question], row, found).logits[SUITE]
    right = np.array(ground.names)[said.argmax(axis=2)] == np.array([one.label for one in ground.suite])
    for one in robustness.judge_suite(ground.suite, right):
        found.add("robustness", row, one)


def _transfer(
    ground: Ground,
    row: Row,
    asked: Sequence[Respondent],
    labels: np.ndarray,
    logits: np.ndarray,
    found: Findings,
) -> None:
    """Cells of a dataset whose files are gone stay as they were found earlier."""
    home = ground.home
    abroad = [one for one in ground.targets if one.texts and not home.is_home(one) and not home.struck(one)]
    heard = _Heard(asked, "transfer", [one.question for one in abroad], row, found)
    right = logits[:, ground.home_sample].argmax(axis=2) == labels[ground.home_sample]
    gone = {one.name for one in ground.targets if not one.texts and not home.is_home(one)}
    stay = [
        cell
        for _, cell in found.known("transfer", row)
        if cell["target"] in gone and cell["value"] is not None
    ]
    kept = {cell["target"] for cell in stay}
    others = [one for one in ground.targets if one.name not in kept]
    for cell in (*stay, *home.cells(others, heard.logits, right[heard.places])):
        found.add("transfer", row, cell)
