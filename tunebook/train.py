"""The training loop: steps, validation, snapshots, and resuming to the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path as Folder
from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook import cost, durable, evaluate, metrics, optim, saved_state
from tunebook.book import snapshots
from tunebook.data import batches
from tunebook.environment import Hardware
from tunebook.errors import Diverged, Interrupted
from tunebook.gradient import Gradient
from tunebook.methods import Recipe
from tunebook.models.head import fold_scale
from tunebook.models.load import Encoder
from tunebook.paths import Path
from tunebook.spec import TrainSpec
from tunebook.steering import Control, Plan, State

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore

BAD_STEPS_TO_DIVERGE = 10


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts with their labels: int64 classes or float32 scores of shape `(texts,)`."""

    store: TokenStore
    labels: np.ndarray


class Loop:
    """One run's training, from its first step or its newest snapshot to its selected weights.

    The state is the step: batches, dropout masks and learning rates are functions of (seed, step), so a loop that
    is stopped anywhere and continued ends with the same bits.
    """

    def __init__(
        self,
        encoder: Encoder,
        recipe: Recipe,
        paths: Sequence[Path],
        train: Labelled,
        validation: Labelled | None,
        *,
        settings: TrainSpec,
        seed: int,
        label_names: tuple[str, ...],
        hardware: Hardware,
        folder: Folder,
        control: Control,
    ) -> None:
        self.encoder, self.recipe, self.settings, self.seed = encoder, recipe, settings, seed
        self.train, self.validation, self.label_names = train, validation, label_names
        self.hardware, self.folder, self.control = hardware, folder, control
        self.plan = Plan.of(len(train.store), settings)
        self.state = State()
        self.meter = cost.Meter()
        self._saved_step: int | None = None
        self._kept: set[int] = set()
        self.task = "classification" if label_names else "regression"
        self.select_on = settings.select_on or ("accuracy" if label_names else "pearson")
        self.mean, self.deviation = _scale(train.labels, self.task)
        self.paths, self.ends = paths, _ends(recipe, self.plan.total_steps)
        self.enter(next(number for number, end in enumerate(self.ends) if end > 0))
        if recipe.companion is not None:
            recipe.companion.begin(self.plan.total_steps)

    def enter(self, number: int) -> None:
        """Begin a phase: what trains in it, its optimiser, and how its gradient is computed."""
        self.phase, phase = number, self.recipe.phases[number]
        self.optimizer = optim.build(
            self.encoder.model, phase.learning_rates, self.settings, spared=phase.spared
        )
        labels = self.train.labels
        self.gradient = Gradient(
            self.paths[number],
            self.train.store,
            (labels - self.mean) / self.deviation if self.task == "regression" else labels,
            optimizer=self.optimizer,
            settings=self.settings,
            seed=self.seed,
            num_classes=len(self.label_names),
            encoder_dropout=phase.encoder_dropout,
            companion=self.recipe.companion,
            hardware=self.hardware,
            folder=self.folder,
        )

    @property
    def path_name(self) -> str:
        """The paths of its phases, one after the other."""
        return ", then ".join(dict.fromkeys(path.name for path in self.paths))

    def _enter_if_due(self) -> None:
        """Begin the phase that the next step is in, unless it has begun."""
        due = next((number for number, end in enumerate(self.ends) if self.state.step < end), self.phase)
        if due != self.phase:
            self.enter(due)
            self.state.worse_evaluations = 0

    # ---------------------------------------------------------------- the flow

    def run(self) -> State:
        """Train to the end, from the first step or the newest sound snapshot.

        Raises:
            Interrupted: a signal asked to stop; a snapshot is saved.
            Diverged: ten steps in a row had a loss or gradient that is not finite.
            IntegrityError: snapshots are there and none is sound.
            NoSpace: the disk is full; the snapshots before are intact.
        """
        self._resume()
        try:
            while not self._is_done():
                self._advance()
            if self._saved_step != self.state.step:
                self._save()
        finally:
            self._record_cost()
        return self.state

    def _record_cost(self) -> None:
        """Tell what the steps since the last time cost: with every snapshot, so that a kill loses little of it."""
        if self.meter.has_news:
            durable.append_line(self.folder / "cost.jsonl", self.meter.record("trained"))

    def _is_done(self) -> bool:
        is_at_end = self.state.step == self.plan.total_steps and not self._validation_is_due()
        return is_at_end or self.state.has_stopped_early

    def _validation_is_due(self) -> bool:
        step = self.state.step
        return (
            self.validation is not None
            and self.state.validated_step < step
            and self.plan.evaluates_after(step)
        )

    def _advance(self) -> None:
        """Take one step, or measure validation; save when it is better, when it is time, and when asked to stop."""
        is_better = False
        try:
            if self._validation_is_due():
                is_better = self._evaluate()
            else:
                self.step()
            self.control.check(f"training, after step {self.state.step} of {self.plan.total_steps}; saved")
        except Interrupted:
            self._save()
            raise
        if is_better or (self.control.wants_snapshot(self.state.step) and not self._validation_is_due()):
            self._save()

    def step(self) -> None:
        """Train on the next batch.

        Raises:
            Diverged: it was the tenth in a row whose loss or gradient is not finite.
        """
        state, settings = self.state, self.settings
        self.meter.start()
        texts = self._texts_at(state.step)
        begin, end = (0, *self.ends)[self.phase], self.ends[self.phase]
        scale = optim.scale_at(state.step - begin, end - begin, settings)
        optim.set_scale(self.optimizer, scale)
        on_device, tokens = self.gradient.add(state.step, texts)
        if state.step + 1 < end:
            self.gradient.prefetch(state.step + 1, self._texts_at(state.step + 1))
        loss = float(on_device)
        norm = optim.step(self.optimizer, loss=loss, max_grad_norm=settings.max_grad_norm)
        is_finite = math.isfinite(loss) and math.isfinite(norm)
        if is_finite and self.recipe.companion is not None:
            self.recipe.companion.after_step(state.step)
        self.gradient.clear()
        self.meter.stop(samples=len(texts), tokens=tokens, loading_seconds=self.gradient.loading_seconds)
        state.step += 1
        state.bad_steps = 0 if is_finite else state.bad_steps + 1
        self._log_step(loss, norm, scale, texts if not is_finite else None)
        self._enter_if_due()
        if state.bad_steps == BAD_STEPS_TO_DIVERGE:
            raise Diverged(
                f"the loss or its gradient was not finite in {BAD_STEPS_TO_DIVERGE} steps in a row, up to step "
                f"{state.step}; lower the learning rate, or train in float32"
            )

    def _texts_at(self, step: int) -> np.ndarray:
        """The texts of a step, `(batch_size,)` or fewer."""
        return batches.batch_at(
            step, count=len(self.train.store), batch_size=self.settings.batch_size, seed=self.seed
        )

    # ------------------------------------------------------- validation and its log

    def _evaluate(self) -> bool:
        """Measure validation, log it, and say whether it is the best so far."""
        assert self.validation is not None
        logits = self.predict(self.validation.store) * self.deviation + self.mean
        scores = metrics.evaluate(
            logits, self.validation.labels, label_names=self.label_names, task=self.task
        )
        state, score = self.state, scores[self.select_on]
        flat = {f"eval/{name}": value for name, value in scores.items() if isinstance(value, float)}
        self._log({"step": state.step, **flat})
        is_better = _is_better(score, state.best_score, metrics.rows()[self.select_on].larger_is_better)
        state.validated_step = state.step
        if is_better:
            state.best_step, state.best_score, state.worse_evaluations = state.step, score, 0
            return True
        state.worse_evaluations += 1
        is_last_phase = (
            self.phase == len(self.ends) - 1
        )  # an earlier one may be worse: what follows is another
        state.has_stopped_early = (
            is_last_phase and state.worse_evaluations == self.settings.early_stopping_patience
        )
        return False

    def predict(self, store: TokenStore, texts: np.ndarray | None = None) -> np.ndarray:
        """Logits of shape `(texts, outputs)` of a store, or of some of its texts, as the model gives them now."""
        return evaluate.predict(
            self.gradient.path,
            store,
            self.hardware,
            max_tokens=self.settings.micro_batch_tokens,
            texts=texts,
            between=lambda: self.control.check("predicting"),
        )

    def _log_step(self, loss: float, norm: float, scale: float, bad_texts: np.ndarray | None) -> None:
        state = self.state
        record: dict[str, Any] = {
            "step": state.step,
            "epoch": round(state.step / self.plan.steps_per_epoch, 6),
            "train/loss": loss if math.isfinite(loss) else None,
            "train/grad_norm": norm if math.isfinite(norm) else None,
            "train/learning_rate": self.optimizer.param_groups[0]["peak"] * scale,
        }
        if bad_texts is not None:
            record |= {"event": "not finite, step skipped", "texts": bad_texts.tolist()}
        self._log(record)

    def _log(self, record: dict[str, Any]) -> None:
        durable.append_line(self.folder / "metrics.jsonl", record)
        self.state.lines += 1
        meter, total = self.meter, self.plan.total_steps
        so_far = {"steps_done": meter.steps, "samples": meter.samples, "train_seconds": meter.seconds}
        self.control.tell({"total_steps": total, **so_far, **record})

    # ------------------------------------------------------- snapshots

    def _save(self) -> None:
        """Save the state, and keep what the snapshot before needs too: it is used where this one gets damaged."""
        step, best = self.state.step, self.state.best_step
        before = self._kept
        if self._saved_step == step:  # it was interrupted in its validation, which is known now
            before = snapshots.steps(self.folder) - {step}
            snapshots.prune_snapshots(self.folder, keep=before)
        self._record_cost()
        snapshots.save_snapshot(self.folder, step, self._fill, extra={"step": step, "best_step": best})
        self._saved_step, self._kept = step, {step, best or step}
        snapshots.prune_snapshots(self.folder, keep=self._kept | before)
        self.control.saved()

    def _fill(self, folder: Folder) -> None:
        saved_state.write(folder, self.encoder, self.recipe, self.optimizer)
        durable.write_json(folder / "train_state.json", asdict(self.state))
        durable.write_json(folder / "trainer_state.json", self._trainer_state())

    def _trainer_state(self) -> dict[str, Any]:
        """The file that tools written for `transformers.Trainer` look for in a `checkpoint-N` folder."""
        best = self.state.best_step
        return {
            "global_step": self.state.step,
            "max_steps": self.plan.total_steps,
            "epoch": self.state.step / self.plan.steps_per_epoch,
            "best_metric": self.state.best_score,
            "best_model_checkpoint": f"checkpoint-{best}" if best is not None else None,
            "log_history": durable.read_lines(self.folder / "metrics.jsonl"),
        }

    def _resume(self) -> None:
        found = snapshots.latest_snapshot(self.folder)
        if found is not None:
            self._saved_step, snapshot = found
            self.state = State(**json.loads((snapshot / "train_state.json").read_bytes()))
            self._enter_if_due()
            saved_state.read_weights(snapshot, self.encoder.model)
            saved_state.read_states(snapshot, self.recipe, self.optimizer)
            self._kept = {self._saved_step, self.state.best_step or self._saved_step}
        durable.truncate_lines(self.folder / "metrics.jsonl", self.state.lines)

    def finish(self) -> None:
        """Go back to the best snapshot, where validation chose one, drop what only training needed, and let scores
        leave their standardised units."""
        if self.state.best_step not in (None, self.state.step):
            saved_state.read_weights(self.folder / f"checkpoint-{self.state.best_step}", self.encoder.model)
        if self.recipe.adapter is not None:
            self.recipe.adapter.finish(self.encoder.model)
        if self.task == "regression":
            fold_scale(self.encoder.model, mean=self.mean, deviation=self.deviation)
            self.mean, self.deviation = 0.0, 1.0


def _scale(labels: np.ndarray, task: str) -> tuple[float, float]:
    """Mean and deviation of the scores; 0 and 1 for classes and for scores that are all the same."""
    if task == "classification":
        return 0.0, 1.0
    return float(labels.mean()), float(labels.std()) or 1.0


def _ends(recipe: Recipe, total_steps: int) -> list[int]:
    """The step at which each phase ends: by its share, but at least one step each; the last has the only one."""
    shares = list(accumulate(phase.share for phase in recipe.phases))
    after = range(len(shares) - 1, -1, -1)
    ends = []
    for number, (share, later) in enumerate(zip(shares, after, strict=True)):
        end = round(total_steps * share / shares[-1])
        ends.append(max(0, min(max(end, number + 1), total_steps - later)))
    return ends


def _is_better(score: float | None, best: float | None, larger_is_better: bool) -> bool:
    if score is None:
        return False
    return best is None or (score > best if larger_is_better else score < best)
