"""What finished runs answer to texts that are none of their splits': asked once, and kept in the run's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable, predict
from tunebook.book import folder as book_folder
from tunebook.book.predictions import read_predictions, write_predictions

if TYPE_CHECKING:
    import numpy as np

    from tunebook.predict import Predictor

FOLDER = "behaviour"
_VERSION = 1


@dataclass(frozen=True)
class Question:
    """Texts to be answered, each with an id; `name` is that of a perturbation, a dataset or a suite."""

    name: str
    ids: Sequence[str]
    texts: Sequence[str]


class Respondent:
    """A finished run that is asked; its model is loaded when something is asked for the first time."""

    def __init__(self, folder: Path, *, device: str = "auto") -> None:
        self.folder, self._device = folder, device

    @cached_property
    def predictor(self) -> Predictor:
        """The run's model.

        Raises:
            UsageError: the run is not finished, kept no weights, or its checkpoint is not on this machine.
            IntegrityError: its weights are not the ones that were sealed.
        """
        return predict.load(self.folder, device=self._device)

    def answers(self, kind: str, questions: Sequence[Question]) -> Mapping[str, np.ndarray]:
        """Float32 logits `(texts, outputs)` of each question by its name: kept from before, or computed and kept.

        They are kept as `behaviour/<kind>.parquet` in the run's folder, beside a digest of what was asked.

        Raises:
            UsageError: the run kept no weights, or its checkpoint is not on this machine.
            IntegrityError: its weights are not the ones that were sealed, or what was kept is damaged.
            NoSpace: the disk or a quota is full.
        """
        place, asked = self.folder / FOLDER, self._digest(questions)
        stored, told = place / f"{kind}.parquet", place / f"{kind}.json"
        if told.is_file() and durable.read_json(told)["asked"] == asked:
            return {name: logits for name, (_, _, logits) in read_predictions(stored).items()}
        found = self._asked([one for one in questions if one.texts])
        durable.make_folder(place)
        told.unlink(missing_ok=True)
        write_predictions(stored, {name: _unlabelled(*answered) for name, answered in found.items()})
        durable.write_json(told, {"asked": asked, "version": _VERSION})
        return {name: logits for name, (_, logits) in found.items()}

    def _asked(self, questions: Sequence[Question]) -> dict[str, tuple[Question, np.ndarray]]:
        """The answers to all questions, which are asked at once: texts that are alike are computed once."""
        import numpy as np

        if not questions:
            return {}
        logits = self.predictor.logits([text for one in questions for text in one.texts])
        parts = np.split(logits, np.cumsum([len(one.texts) for one in questions])[:-1])
        return {one.name: (one, part) for one, part in zip(questions, parts, strict=True)}

    def _digest(self, questions: Sequence[Question]) -> str:
        """What was asked of which weights, as a hash."""
        result: dict[str, Any] = book_folder.read_result(self.folder) or {}
        what = [[one.name, list(one.ids), list(one.texts)] for one in questions]
        asked = durable.canonical_json([_VERSION, result.get("weights_sha256"), what])
        return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def _unlabelled(question: Question, logits: np.ndarray) -> Any:
    """Predictions in the form of the book; a text that is none of a split's has the label -1."""
    import numpy as np

    return question.ids, np.full(len(question.ids), -1), logits
