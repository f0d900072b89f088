"""The gradient of a batch, pass by pass: its loss, its random masks, and smaller passes where memory runs out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from tunebook import durable, optim
from tunebook.environment import Hardware
from tunebook.errors import Failure
from tunebook.methods import Companion
from tunebook.models.dropout import use_word_dropout
from tunebook.models.embedding import use_row_embedding
from tunebook.paths import FeaturesPath, Loaded, Path
from tunebook.spec import TrainSpec

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore

_CPU_OUT_OF_MEMORY = "can't allocate memory"


@dataclass(frozen=True)
class _Ahead:
    """The passes of a step, loaded before it begins."""

    limit: int | None
    texts: np.ndarray
    loaded: list[tuple[np.ndarray, Loaded]]

    def is_for(self, limit: int | None, texts: np.ndarray) -> bool:
        return self.limit == limit and np.array_equal(self.texts, texts)


class Gradient:
    """Adds up the gradient of the mean loss over a batch, whatever passes the batch is cut into.

    `labels` are classes, `(texts,)`, or standardised scores where `num_classes` is 0. Dropout masks are functions of
    (seed, step, pass). A pass holds at most `limit_at(step)` tokens: what the settings say until memory runs out,
    then half as many from that step on. The limits are in the run's folder before the step is tried again, so that
    a resumed run takes the same passes. `loading_seconds` were spent on laying out texts so far.
    """

    def __init__(
        self,
        path: Path,
        store: TokenStore,
        labels: np.ndarray,
        *,
        optimizer: torch.optim.Optimizer,
        settings: TrainSpec,
        seed: int,
        num_classes: int,
        encoder_dropout: bool,
        companion: Companion | None,
        hardware: Hardware,
        folder: Folder,
    ) -> None:
        self.path, self.store, self.optimizer = path, store, optimizer
        self.settings, self.seed, self.hardware = settings, seed, hardware
        self.num_classes, self.encoder_dropout, self.companion = num_classes, encoder_dropout, companion
        self.model = path.stack.model
        self._in_place: torch.Tensor | None = None
        if hardware.device.type == "cpu":
            use_word_dropout(self.model)
            self._in_place = use_row_embedding(self.model)
        self.model.to(hardware.device)
        self.labels = torch.tensor(labels).to(hardware.device)
        self.class_weights = self._class_weights(labels)
        self.loading_seconds = 0.0
        self._ahead: _Ahead | None = None
        self._file = folder / "memory.json"
        self._limits: list[list[int]] = (
            durable.read_json(self._file)["limits"] if self._file.is_file() else []
        )

    def add(self, step: int, texts: np.ndarray) -> tuple[torch.Tensor, int]:
        """Add the gradient of the mean loss of some texts, `(texts,)` their numbers, into the weights.

        Returns the loss, shape `()`, and how many real (unpadded) tokens it took. On an accelerator the work goes on
        after this returns: reading the loss waits for it.

        Raises:
            Failure: memory does not suffice for one text, or for features that are kept.
        """
        while True:
            try:
                return self._add(step, texts), int(self.store.text_lengths[texts].sum())
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                self.clear()
                self._lower(step, texts)

    def prefetch(self, step: int, texts: np.ndarray) -> None:
        """Lay out the texts, `(texts,)`, that `add` will be called with next, while the device still works."""
        self.path.prepare(self.store)
        begin = time.perf_counter()
        limit = self.limit_at(step)
        passes = self.path.passes(texts, self.store, max_tokens=limit)
        self._ahead = _Ahead(limit, texts, [(some, self.path.load(some, self.store)) for some in passes])
        self.loading_seconds += time.perf_counter() - begin

    def clear(self) -> None:
        """Forget the gradient."""
        optim.clear(self.optimizer, kept=self._in_place)

    def limit_at(self, step: int) -> int | None:
        """The most tokens of a pass at a step; None for no limit."""
        begun = [tokens for first, tokens in self._limits if first <= step]
        if begun:
            return min(begun)
        return None if self.path.name == "stock" else self.settings.micro_batch_tokens

    def _add(self, step: int, texts: np.ndarray) -> torch.Tensor:
        self._mode()
        if self._ahead is None or not self._ahead.is_for(self.limit_at(step), texts):
            self.prefetch(step, texts)
        assert self._ahead is not None
        loaded, self._ahead = self._ahead.loaded, None
        losses, denominator = [], self._weight(texts)
        # One autocast around all passes: it casts each weight once for the step, not once for each pass.
        with self.hardware.autocast():
            for index, (some, inputs) in enumerate(loaded):
                torch.manual_seed(_mixed(self.seed, step, index))
                loss = self._loss(self.path.logits(inputs), self.labels[torch.tensor(some)]) / denominator
                loss.backward()  # type: ignore[no-untyped-call]
                losses.append(loss.detach())
        if self.companion is not None:  # not told with the losses, which compare across methods
            self.companion.loss().backward()  # type: ignore[no-untyped-call]
        return torch.stack(losses).sum()

    def _lower(self, step: int, texts: np.ndarray) -> None:
        """Halve the limit from this step on, and keep that in the folder."""
        if isinstance(self.path, FeaturesPath):
            raise Failure(
                "memory does not suffice to compute or keep the features of all texts; lower train.train_size or "
                "train.micro_batch_tokens"
            )
        limit = self.limit_at(step)
        passes = self.path.passes(texts, self.store, max_tokens=limit)
        if all(len(some) == 1 for some in passes):
            longest = int(self.store.text_lengths[texts].max())
            raise Failure(
                f"memory does not suffice to train on one text of {longest} tokens; lower train.max_length, or "
                "take a smaller checkpoint"
            )
        largest = max(int(self.store.widths[some].max() * self.store.rows[some].sum()) for some in passes)
        self._limits.append([step, max(1, min(largest, limit or largest) // 2)])
        durable.write_json(self._file, {"limits": self._limits})

    def _mode(self) -> None:
        self.model.train()
        if not self.encoder_dropout:
            self.model.base_model.eval()

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The summed loss of some texts: cross entropy, or squared error of standardised scores."""
        if self.num_classes == 0:
            return functional.mse_loss(logits[:, 0], labels.float(), reduction="sum")
        return functional.cross_entropy(logits, labels, weight=self.class_weights, reduction="sum")

    def _weight(self, texts: np.ndarray) -> float:
        """What the summed loss of a batch is divided by: its texts, or the sum of their class weights."""
        if self.class_weights is None:
            return float(len(texts))
        return float(self.class_weights[self.labels[torch.tensor(texts)]].sum())

    def _class_weights(self, labels: np.ndarray) -> torch.Tensor | None:
        """Weights that make every class count the same in the loss; None where classes count by their texts."""
        if self.settings.class_weights == "none" or self.num_classes == 0:
            return None
        counts = np.bincount(labels, minlength=self.num_classes)
        weights = len(labels) / (self.num_classes * np.maximum(counts, 1))
        return torch.tensor(weights, dtype=torch.float32, device=self.hardware.device)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or _CPU_OUT_OF_MEMORY in str(error)


def _mixed(*numbers: int) -> int:
    """One seed out of several numbers, unlike those of their neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
