"""Use a finished run: labels, probabilities or scores for new texts, plain values back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import environment
from tunebook.book import folder as book_folder
from tunebook.errors import DataRejected, UsageError

if TYPE_CHECKING:
    import numpy as np

    from tunebook import paths
    from tunebook.environment import Hardware
    from tunebook.models.load import Encoder

_CHUNK_TEXTS = 1024
_PASS_TOKENS = 4096
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Predictor:
    """A finished run in memory, with the way of cutting long texts that it was trained with."""

    encoder: Encoder
    path: paths.Path
    hardware: Hardware
    label_names: tuple[str, ...]
    max_length: int
    long: str
    is_pair: bool

    def predict(self, texts: Sequence[str | Sequence[str]]) -> list[dict[str, Any]]:
        """One answer per text, in order.

        A text of a run on pairs is a pair of strings. Classes: `label`, its `probability`, and `probabilities`
        by label name; scores: `score`. Every answer repeats its `text`.

        Raises:
            UsageError: a text is not a string, or for a run on pairs not two of them.
        """
        answers: list[dict[str, Any]] = []
        for start in range(0, len(texts), _CHUNK_TEXTS):
            chunk = [self._checked(text) for text in texts[start : start + _CHUNK_TEXTS]]
            answers += [self._answer(text, row) for text, row in zip(chunk, self.logits(chunk), strict=True)]
        return answers

    def _checked(self, text: Any) -> Any:
        if (
            self.is_pair
            and not isinstance(text, str)
            and len(text) == 2
            and all(isinstance(part, str) for part in text)
        ):
            return list(text)
        if not self.is_pair and isinstance(text, str):
            return text
        raise UsageError(f"expected {'two texts' if self.is_pair else 'a text'}, got {text!r:.80}")

    def logits(self, texts: Sequence[Any]) -> np.ndarray:
        """Float32 logits `(texts, outputs)`; a text is a string, or of a run on pairs a list of two.

        Texts of the same tokens are computed once, such as those that differ by case alone for a model that ignores it.

        Raises:
            DataRejected: a text has no token.
        """
        import numpy as np

        from tunebook.data.tokens import after, tokenise_now
        from tunebook.evaluate import predict

        store = tokenise_now(
            list(texts), self.encoder.tokenizer.backend_tokenizer, max_length=self.max_length, long=self.long
        )
        ends = store.offsets[store.first_window]
        tokens = [store.ids[start:end].tobytes() for start, end in pairwise(ends)]
        first = {key: place for place, key in reversed(list(enumerate(tokens)))}
        distinct = np.array(sorted(first.values()))
        found = predict(
            self.path,
            after(self.encoder.virtual_ids, store),
            self.hardware,
            max_tokens=_PASS_TOKENS,
            texts=distinct,
        )
        return found[np.searchsorted(distinct, [first[key] for key in tokens])]

    def _answer(self, text: Any, logits: np.ndarray) -> dict[str, Any]:
        import numpy as np

        if not self.label_names:
            return {"text": text, "score": float(logits[0])}
        weights = np.exp(logits.astype(np.float64) - logits.max())
        shares = {
            name: float(share) for name, share in zip(self.label_names, weights / weights.sum(), strict=True)
        }
        label = max(shares, key=shares.__getitem__)
        return {"text": text, "label": label, "probability": shares[label], "probabilities": shares}


def load(folder: Path, *, device: str = "auto", checkpoint: str | None = None) -> Predictor:
    """The predictor of a finished run's folder; `checkpoint` says where its checkpoint is now, if it was moved.

    Raises:
        UsageError: the run is not finished, kept no weights, or is a baseline.
        IntegrityError: its weights are not the ones that were sealed.
    """
    from tunebook import finished, paths

    encoder, _ = finished.load(folder, checkpoint=checkpoint)
    result, declared = book_folder.read_result(folder), book_folder.read_json(folder / "run.json")
    assert result is not None
    settings = declared["spec"]["train"]
    hardware = environment.hardware(device, settings["precision"])
    path = paths.choose(encoder, hardware, padding=settings.get("padding", "auto"), is_trained=False)
    encoder.model.to(hardware.device)
    return Predictor(
        encoder,
        path,
        hardware,
        tuple(declared["dataset"]["label_names"]),
        result["max_length"],
        settings["long"],
        is_pair=declared["dataset"]["is_pair"],
    )


def read_texts(path: Path, columns: str | None, encoding: str) -> list[Any]:
    """The texts of a file: one per line, or a column (two for pairs) of a CSV, TSV, JSONL or Parquet file.

    Raises:
        UsageError: no such file, column or encoding, or a table without a column.
        DataRejected: bytes or rows are not what they should be, or there is no text.
    """
    from tunebook.data.lines import decoded_lines
    from tunebook.data.own import read_columns

    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}")
    if columns is not None:
        rows = read_columns(path, columns.split(","), encoding=encoding)
        texts: list[Any] = [row[0] if len(row) == 1 else list(row) for row in rows]
    elif path.name.lower().removesuffix(".gz").endswith(_TABLES):
        raise UsageError(f"{path} is a table: say which column is the text, --text COLUMN")
    else:
        lines = (
            line.removesuffix("\n").removesuffix("\r") for line in decoded_lines(path, encoding=encoding)
        )
        texts = [line for line in lines if line.strip()]
    if not texts:
        raise DataRejected(f"{path} holds no text")
    return texts
