"""What finished runs answer to texts that are none of their splits': asked once, and kept in the run's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable, environment, predict
from tunebook.book import folder as book_folder
from tunebook.book.predictions import read_predictions, write_predictions
from tunebook.errors import IntegrityError

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

    @property
    def _precision(self) -> str:
        return str(book_folder.read_json(self.folder / "run.json")["spec"]["train"]["precision"])

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

        They are kept in the run's folder, `behaviour/<kind>--<digest>.parquet`, by a digest of what was asked of what.

        Raises:
            UsageError: the run kept no weights, or its checkpoint is not on this machine.
            IntegrityError: its weights are not the ones that were sealed, or what was kept is damaged.
            NoSpace: the disk or a quota is full.
        """
        wanted = [one for one in questions if one.texts]
        if not wanted:
            return {}
        kept = self.folder / FOLDER / f"{kind}--{self._digest(wanted)[:16]}.parquet"
        if not kept.is_file():
            told = {name: _unlabelled(*one) for name, one in self._asked(wanted).items()}
            durable.make_folder(kept.parent)
            write_predictions(kept, told)
        found = read_predictions(kept)
        if {name: ids for name, (ids, _, _) in found.items()} != {one.name: list(one.ids) for one in wanted}:
            raise IntegrityError(f"{kept} does not hold what was asked; remove it, and it is asked again")
        return {name: logits for name, (_, _, logits) in found.items()}

    def _asked(self, questions: Sequence[Question]) -> dict[str, tuple[Question, np.ndarray]]:
        """The answers to all questions, which are asked at once: texts that are alike are computed once."""
        import numpy as np

        logits = self.predictor.logits([text for one in questions for text in one.texts])
        parts = np.split(logits, np.cumsum([len(one.texts) for one in questions])[:-1])
        return {one.name: (one, part) for one, part in zip(questions, parts, strict=True)}

    def _digest(self, questions: Sequence[Question]) -> str:
        """What was asked of which weights, and how it is computed, as a hash."""
        result: dict[str, Any] = book_folder.read_result(self.folder) or {}
        what = [[one.name, list(one.ids), list(one.texts)] for one in questions]
        hardware = environment.hardware(self._device, self._precision)
        how = [hardware.device.type, hardware.precision]
        asked = durable.canonical_json([_VERSION, result.get("weights_sha256"), how, what])
        return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def _unlabelled(question: Question, logits: np.ndarray) -> Any:
    """Predictions in the form of the book; a text that is none of a split's has the label -1."""
    import numpy as np

    return question.ids, np.full(len(question.ids), -1), logits
