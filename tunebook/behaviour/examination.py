"""An experiment's finished runs examined: by predictions that are stored, and by what they answer to other texts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tunebook import comparison
from tunebook.behaviour import agreement, calibration, coverage, moved, robustness, slices, transfer
from tunebook.behaviour.asking import Question, Respondent
from tunebook.behaviour.ground import Ground, Row, Settings
from tunebook.behaviour.label_space import meanings
from tunebook.errors import TunebookError, UsageError
from tunebook.spec import NO_CHECKPOINT

if TYPE_CHECKING:
    import numpy as np

    from tunebook.book import Book
    from tunebook.sources import Run

SCHEMA = 1
SUITE = "templates"
PARTS = (
    "robustness", "calibration", "coverage", "slices", "worst", "moved", "forgetting", "agreement", "transfer",
)  # fmt: skip
"""What is found, each a list of rows under these names."""
_MOVED_TEXTS = 128


@dataclass
class Findings:
    """What was found, by part; what is `missing` and why; and `seconds` by part."""

    parts: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {part: [] for part in PARTS})
    missing: list[dict[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, part: str, row: Row, found: Mapping[str, Any]) -> None:
        """Something found of a row."""
        self.parts[part].append({**row.key, **found})

    @contextmanager
    def measured(self, part: str) -> Iterator[None]:
        """Count the seconds of a part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start


def examine(
    runs: Sequence[Run],
    book: Book,
    *,
    settings: Settings,
    transfers: bool | Mapping[str, str] = False,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """How the finished runs among `runs` behave, as plain values: rows for each of `PARTS`, and what is missing.

    `transfers` asks for the other datasets of the same label space too, or says what the labels mean there. `tell` is
    called with a line for each row.

    Raises:
        UsageError: there is nothing to examine, or the labels cannot be mapped to other datasets'.
        IntegrityError: predictions or weights are damaged.
        NoSpace: the disk or a quota is full.
    """
    rows = _rows(runs)
    if not rows:
        raise UsageError(
            "nothing is finished that gives classes: behaviour is examined of finished classifiers"
        )
    found = Findings()
    places: dict[str, list[Row]] = {}
    for row in rows:
        places.setdefault(row.runs[0]["splits"]["test"] + str(row.runs[0]["train_size"]), []).append(row)
    grounds = [(Ground(members, book, settings), members) for members in places.values()]
    if transfers:
        for ground, _ in grounds:
            ground.require_meanings(transfers)
    for ground, members in grounds:
        _examine_ground(ground, members, found, transfers, tell)
    return {
        "schema": SCHEMA,
        "settings": {
            "texts": settings.texts,
            "transfer_texts": settings.transfer_texts,
            "seed": settings.seed,
        },
        "transfers": bool(transfers),
        "missing": found.missing,
        "seconds": {part: round(seconds, 1) for part, seconds in sorted(found.seconds.items())},
        **{part: [_rounded(row) for row in found.parts[part]] for part in PARTS},
    }


def _rows(runs: Sequence[Run]) -> list[Row]:
    """The rows of finished classifiers; a majority baseline has no behaviour."""
    by_hash = {run["run"]: run for run in runs}
    found = []
    for row in comparison.table(runs):
        members = sorted((by_hash[one] for one in row["runs"]), key=lambda run: run["seed"])
        is_one_set = len({run["splits"].get("test") for run in members}) == 1
        if row["metric"] == "accuracy" and is_one_set and members[0]["method"] != "majority":
            key = {name: row[name] for name in ("dataset", "train_size", "checkpoint", "method")}
            found.append(Row({**key, "seeds": len(members)}, members))
    return found


# --- a ground's rows ----------------------------------------------------------------------------------------------


def _examine_ground(
    ground: Ground,
    rows: Sequence[Row],
    found: Findings,
    transfers: bool | Mapping[str, str],
    tell: Callable[[str], None],
) -> None:
    read = {id(row): [ground.book.predictions(run, "test") for run in row.runs] for row in rows}
    try:
        missing = "" if ground.texts else "test is empty"
    except TunebookError as error:
        missing = str(error)
        found.missing.append({"what": f"texts of {rows[0].key['dataset']}", "why": missing})
    for number, row in enumerate(rows, start=1):
        tell(f"{row.key['dataset']}: {row.key['method']} ({number} of {len(rows)})")
        labels, logits = read[id(row)][0][0], _stacked(read[id(row)])
        with found.measured("stored predictions"):
            _of_predictions(ground, row, labels, logits, found)
            if not missing:
                _of_slices(ground, row, labels, logits, found)
        if row.has_model and not missing:
            _of_model(ground, row, labels, logits, found, transfers)
    with found.measured("stored predictions"):
        _of_pairs(rows, read, found)


def _stacked(read: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Logits of the runs of a row, `(seeds, examples, classes)`."""
    import numpy as np

    return np.stack([logits for _, logits in read])


def _of_predictions(
    ground: Ground, row: Row, labels: np.ndarray, logits: np.ndarray, found: Findings
) -> None:
    for run, one in zip(row.runs, logits, strict=True):
        told = {"seed": run["seed"]}
        if "validation" in run["metrics"]:
            truth, scores = ground.book.predictions(run, "validation")
            found.add("calibration", row, told | calibration.before_after((scores, truth), (one, labels)))
    curves = [coverage.of_logits(one, labels) for one in logits]
    found.add("coverage", row, _mean_coverage(curves))


def _mean_coverage(curves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over seeds of areas, accuracies and risks; every curve has the same coverages."""
    from statistics import fmean

    first = curves[0]
    return {
        "examples": first["examples"],
        **{name: fmean(one[name] for one in curves) for name in ("accuracy", "aurc", "excess_aurc")},
        "accuracy_at": {
            level: fmean(one["accuracy_at"][level] for one in curves) for level in first["accuracy_at"]
        },
        "points": [
            {"coverage": points[0]["coverage"], "risk": fmean(point["risk"] for point in points)}
            for points in zip(*(one["points"] for one in curves), strict=True)
        ],
    }


def _of_slices(ground: Ground, row: Row, labels: np.ndarray, logits: np.ndarray, found: Findings) -> None:
    judged = slices.judge((logits.argmax(axis=2) == labels).astype(float), ground.slices)
    for one in judged:
        if one["examples"]:
            found.add("slices", row, one)
    found.add("worst", row, slices.worst(judged))


def _of_model(
    ground: Ground,
    row: Row,
    labels: np.ndarray,
    logits: np.ndarray,
    found: Findings,
    transfers: bool | Mapping[str, str],
) -> None:
    """What the models of a row answer to other texts, and how far they moved; or that they are not here."""
    asked = [Respondent(ground.book.runs / run["folder"], device=ground.settings.device) for run in row.runs]
    try:
        if ground.is_pair:
            found.missing.append(
                {
                    "what": f"robustness on {row.key['dataset']}",
                    "why": "its texts are pairs: a change of one is another pair",
                }
            )
        else:
            with found.measured("robustness"):
                _of_robustness(ground, row, asked, labels, logits, found)
        with found.measured("moved"):
            for part, one in moved.of_row(asked, [] if ground.is_pair else ground.sampled[:_MOVED_TEXTS]):
                found.add(part, row, one)
        if transfers and not ground.is_pair:
            with found.measured("transfer"):
                _of_transfer(ground, row, asked, labels, logits, found)
    except UsageError as error:
        found.missing.append(
            {"what": f"models of {row.key['method']} on {row.key['dataset']}", "why": str(error)}
        )


def _of_robustness(
    ground: Ground,
    row: Row,
    asked: Sequence[Respondent],
    labels: np.ndarray,
    logits: np.ndarray,
    found: Findings,
) -> None:
    import numpy as np

    questions = [one.question(ground.ids) for one in ground.changed]
    heard = [one.answers("perturbed", questions) for one in asked]
    after = {one.name: np.stack([said[one.name] for said in heard]) for one in questions if one.texts}
    for told in robustness.judge_changes(
        ground.changed, logits[:, ground.sample], after, labels[ground.sample]
    ):
        found.add("robustness", row, told | {"examples": ground.shown(told.get("examples", ()))})
    if ground.suite:
        _, names = ground.meaning or meanings(row.key["dataset"], ground.label_names)
        ids = [f"{SUITE}-{number}" for number in range(len(ground.suite))]
        question = Question(SUITE, ids, [one.text for one in ground.suite])
        said = np.stack([one.answers(SUITE, [question])[SUITE] for one in asked])
        right = np.array(names)[said.argmax(axis=2)] == np.array([one.label for one in ground.suite])
        for told in robustness.judge_suite(ground.suite, right):
            found.add("robustness", row, told)


def _of_transfer(
    ground: Ground,
    row: Row,
    asked: Sequence[Respondent],
    labels: np.ndarray,
    logits: np.ndarray,
    found: Findings,
) -> None:
    import numpy as np

    assert ground.meaning is not None
    home = transfer.Home(ground.dataset, ground.meaning[1])
    abroad = [
        one
        for one in ground.targets
        if one.texts and one.name != ground.dataset.name and not home.struck(one)
    ]
    heard = [one.answers("transfer", [target.question for target in abroad]) for one in asked]
    answers = {one.name: np.stack([said[one.name] for said in heard]) for one in abroad}
    at_home = logits[:, ground.home_sample].argmax(axis=2) == labels[ground.home_sample]
    for cell in home.cells(ground.targets, answers, at_home):
        found.add("transfer", row, cell)


def _of_pairs(
    rows: Sequence[Row], read: Mapping[int, Sequence[tuple[np.ndarray, np.ndarray]]], found: Findings
) -> None:
    for first, second in combinations(rows, 2):
        labels = read[id(first)][0][0]
        said = [_stacked(read[id(row)]).argmax(axis=2) for row in (first, second)]
        told = agreement.compare(labels, *said)
        key = {name: first.key[name] for name in ("dataset", "train_size")}
        names = [_called(row.key) for row in (first, second)]
        found.parts["agreement"].append({**key, "first": names[0], "second": names[1], **told})


def _called(key: Mapping[str, Any]) -> str:
    """How a row is called beside another one of its dataset."""
    return (
        str(key["method"]) if key["checkpoint"] == NO_CHECKPOINT else f"{key['checkpoint']} {key['method']}"
    )


def _rounded(value: Any) -> Any:
    """The value with numbers of six digits, which is more than any of them is known to."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
