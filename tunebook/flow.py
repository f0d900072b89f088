"""One run: the whole flow on one screen. Calling it again resumes it, and does nothing once it is finished."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import cost, data, durable, environment, gate, methods, metrics
from tunebook.book import card, snapshots
from tunebook.book import folder as book_folder
from tunebook.book import predictions as stored
from tunebook.book.lock import hold
from tunebook.errors import Diverged, Failure, Interrupted, NoSpace, TunebookError, UsageError
from tunebook.prepare import Prepared, describe
from tunebook.weighted import intervals

if TYPE_CHECKING:
    import numpy as np

    from tunebook.book import Book
    from tunebook.data.dataset import Split
    from tunebook.data.tokens import TokenStore
    from tunebook.environment import Hardware
    from tunebook.models.load import Encoder
    from tunebook.steering import Control
    from tunebook.train import Loop

DEFAULT_MAX_LENGTH = 512


@dataclass(frozen=True)
class Options:
    """How to run, none of which changes what is computed, `device` apart: that is part of the environment."""

    device: str = "auto"
    allow_download: bool = False
    accept_environment: bool = False
    fresh: bool = False
    wait: bool = False
    keep: str = "best"
    snapshot_seconds: float = 300.0
    snapshot_steps: int | None = None


def run(prepared: Prepared, book: Book, options: Options, control: Control) -> dict[str, Any]:
    """Train one run, seal its training, evaluate it; returns its `result.json`.

    Whatever chooses anything is over when training is sealed: the labels of test open after that, and a trial, which
    is made to choose by, has no test split and keeps no weights.

    Raises:
        Busy: another process is at it (`options.wait` waits instead).
        Interrupted: a signal asked to stop; the same call resumes.
        Diverged: the loss stayed not finite.
        UsageError: an interrupted run would continue in another environment, `options.accept_environment` apart.
    """
    with hold(prepared.folder, wait=options.wait):
        if options.fresh:
            _clear(prepared.folder)
        finished = book_folder.read_result(prepared.folder)
        if finished is not None:
            return finished
        durable.sweep(prepared.folder)
        (prepared.folder / "failure.json").unlink(missing_ok=True)
        durable.write_json(prepared.folder / "run.json", describe(prepared))
        gate.look_before(prepared, book)
        try:
            return (
                _baseline(prepared)
                if prepared.checkpoint is None
                else _finetune(prepared, book, options, control)
            )
        except Interrupted:
            raise
        except Exception as error:
            _note_failure(prepared.folder, error)
            raise


def _note_failure(folder: Path, error: Exception) -> None:
    """Leave word of what ended the run; a disk that is full may not take it, and the error itself matters more."""
    kind = "diverged" if isinstance(error, Diverged) else "failed"
    code = error.exit_code if isinstance(error, TunebookError) else Failure.exit_code
    with suppress(NoSpace, Failure):
        durable.write_json(
            folder / "failure.json", {"status": kind, "message": str(error), "exit_code": code}
        )


# ------------------------------------------------------------------------------ fine-tuning


def _finetune(prepared: Prepared, book: Book, options: Options, control: Control) -> dict[str, Any]:
    hardware = environment.hardware(options.device, prepared.spec.train.precision)
    environment.make_repeatable(hardware)
    encoder = load_encoder(prepared)
    loop = build_loop(prepared, book, encoder, hardware, control)
    _record_environment(prepared.folder, loop, options)
    trainable = loop.recipe.parameters(encoder)
    state = loop.run()
    optimizer_digest = _digest_tensors(loop)
    loop.finish()
    keep = options.keep == "best" and prepared.spec.purpose == "result"
    trained = {
        "steps": state.step,
        "best_step": state.best_step,
        "selected_on": loop.select_on if state.best_step is not None else None,
        "train_loss": _last_epoch_loss(prepared.folder, loop.plan.steps_per_epoch),
        "max_length": loop.train.store.meta["max_length"],
        "optimizer_sha256": optimizer_digest,
        "trainable_parameters": trainable,
        **_save_weights(prepared, encoder, loop.recipe, keep=keep),
    }
    seal = book_folder.seal_training(prepared.folder, trained)
    logits, cut = _predict_splits(prepared, book, encoder, loop)
    return _finish(prepared, seal, {**trained, "cut_texts": cut}, logits)


def load_encoder(prepared: Prepared) -> Encoder:
    """The encoder with a head whose first values are a function of the seed."""
    import torch

    from tunebook.models.load import load

    assert prepared.checkpoint is not None
    torch.manual_seed(prepared.spec.seed)
    settings = prepared.spec.train
    return load(
        prepared.checkpoint,
        label_names=prepared.dataset.label_names,
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
    )


def build_loop(
    prepared: Prepared, book: Book, encoder: Encoder, hardware: Hardware, control: Control
) -> Loop:
    """The training loop of a run, its path chosen, its texts tokenised, nothing trained yet."""
    from tunebook import paths
    from tunebook.train import Labelled, Loop

    chosen, settings = prepared.spec.method, prepared.spec.train
    recipe = methods.apply(chosen.name, chosen.settings, encoder, seed=prepared.spec.seed)
    path = paths.choose(encoder, hardware, padding=settings.padding)
    by_phase = [
        paths.keeping_features(
            path,
            encoder,
            hardware,
            trains=phase.learning_rates,
            max_tokens=settings.micro_batch_tokens,
            between=lambda: control.check("computing features"),
        )
        for phase in recipe.phases
    ]
    splits = prepared.dataset.splits
    seen = {
        name: Labelled(tokenised(prepared, book, encoder, splits[name], control), splits[name].labels)
        for name in ("train", "validation")
        if name in splits
    }
    return Loop(
        encoder,
        recipe,
        by_phase,
        seen["train"],
        seen.get("validation"),
        settings=settings,
        seed=prepared.spec.seed,
        label_names=prepared.dataset.label_names,
        hardware=hardware,
        folder=prepared.folder,
        control=control,
    )


def tokenised(prepared: Prepared, book: Book, encoder: Encoder, split: Split, control: Control) -> TokenStore:
    """A split's texts as tokens.

    Raises:
        UsageError: `max_length` is more than the checkpoint has positions for.
        Interrupted: a signal asked to stop.
    """
    from tunebook.data.tokens import after
    from tunebook.data.windows import bare_copy

    settings = prepared.spec.train
    max_length = settings.max_length or min(DEFAULT_MAX_LENGTH, encoder.longest)
    if max_length > encoder.longest:
        raise UsageError(
            f"max_length is {max_length}, but {prepared.spec.checkpoint} has positions for {encoder.longest} tokens"
        )
    tokenizer = bare_copy(encoder.tokenizer.backend_tokenizer)
    store = data.tokenise(
        split,
        tokenizer,
        tokenizer_hash=hashlib.sha256(tokenizer.to_str().encode()).hexdigest(),
        max_length=max_length,
        long=settings.long,
        cache=book.cache,
        progress=lambda done, texts: control.check(f"tokenising, {done} of {texts} texts"),
    )
    return after(encoder.virtual_ids, store)


def _record_environment(folder: Path, loop: Loop, options: Options) -> None:
    """Store the environment, and refuse to continue in another one than the run began in."""
    path = loop.paths[0]
    current = environment.describe(loop.hardware, path=loop.path_name, kernel=path.kernel)
    current["source"] = environment.source()
    if path.note is not None:
        current["note"] = path.note
    before = book_folder.read_json(folder / "environment.json")
    if before is not None and snapshots.has_snapshots(folder):
        began_in = before.get("began_in", before)
        changed = environment.differences(began_in, current)
        if changed and not options.accept_environment:
            raise UsageError(
                "this run began in another environment, and would not end with the same bytes: "
                + "; ".join(changed)
                + ". Continue there, begin anew with --fresh, or go on with --accept-environment, which marks the run"
            )
        if changed:
            current = {**current, "began_in": began_in}
    durable.write_json(folder / "environment.json", current)


def _predict_splits(
    prepared: Prepared, book: Book, encoder: Encoder, loop: Loop
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Logits of every split that is not trained on, and how many texts of each split were cut."""
    predictions, cut = {}, {"train": loop.train.store.meta["cut"]}
    for name, split in prepared.dataset.splits.items():
        if name != "train":
            store = tokenised(prepared, book, encoder, split, loop.control)
            predictions[name], cut[name] = loop.predict(store), store.meta["cut"]
    return predictions, cut


def _last_epoch_loss(folder: Path, steps_per_epoch: int) -> float | None:
    """The mean training loss over the last epoch's steps."""
    losses = [
        line["train/loss"]
        for line in durable.read_lines(folder / "metrics.jsonl")
        if line.get("train/loss") is not None
    ]
    recent = losses[-steps_per_epoch:]
    return sum(recent) / len(recent) if recent else None


def _digest_tensors(loop: Loop) -> str:
    """One digest over the optimiser's final state, which itself is not kept."""
    from tunebook import optim

    digest = hashlib.sha256()
    for name, tensor in sorted(optim.state(loop.optimizer).items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _save_weights(
    prepared: Prepared, encoder: Encoder, recipe: methods.Recipe, *, keep: bool
) -> dict[str, Any]:
    """What was learned: the whole model as `from_pretrained` reads it, or what is apart from the checkpoint; its size
    and digest."""
    from tunebook import saved_state
    from tunebook.models import adapter

    assert prepared.checkpoint is not None
    staged = prepared.folder / ".tmp-weights"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    method = prepared.identity["method"]
    weights = saved_state.write_finished(staged, encoder, recipe, prepared.checkpoint, method)
    found: dict[str, Any] = {
        "weights_bytes": weights.stat().st_size,
        "weights_sha256": durable.sha256_file(weights),
    }
    if weights.name == book_folder.ADAPTER:
        found["adapter"] = durable.read_json(staged / adapter.CONFIG)["peft_type"]
    for path in sorted(staged.iterdir() if keep else ()):
        durable.write_file(prepared.folder / path.name, path.read_bytes())
    shutil.rmtree(staged)
    return found


# ------------------------------------------------------------------------------ baselines, and the end


def _baseline(prepared: Prepared) -> dict[str, Any]:
    """A method that needs no checkpoint: fitted on train, sealed, measured on the other splits."""
    current = environment.describe(None) | {"source": environment.source()}
    durable.write_json(prepared.folder / "environment.json", current)
    (prepared.folder / "cost.jsonl").unlink(missing_ok=True)
    meter, chosen, dataset = cost.Meter(), prepared.spec.method, prepared.dataset
    train = dataset.splits["train"]
    meter.start()
    predict = methods.method(chosen.name).function(train, len(dataset.label_names), **chosen.settings)
    meter.stop(samples=len(train), tokens=0)
    durable.append_line(prepared.folder / "cost.jsonl", meter.record("trained"))
    trained = {"trainable_parameters": {"encoder": 0, "head": 0}, "weights_bytes": 0}
    seal = book_folder.seal_training(prepared.folder, trained)
    predictions = {name: predict(split) for name, split in dataset.splits.items() if name != "train"}
    return _finish(prepared, seal, trained, predictions)


def _finish(
    prepared: Prepared,
    seal: book_folder.Seal,
    trained: Mapping[str, Any],
    predictions: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Open the labels, and write predictions, card and, last, the result, which makes the run finished."""
    folder, dataset = prepared.folder, prepared.dataset
    scored = {
        name: (dataset.splits[name].ids, prepared.labels(name, seal), logits)
        for name, logits in predictions.items()
    }
    stored.write_predictions(folder / "predictions.parquet", scored)
    result = {
        **trained,
        "run": prepared.run_id,
        "metrics": {
            name: metrics.evaluate(logits, labels, label_names=dataset.label_names, task=dataset.task)
            for name, (_, labels, logits) in scored.items()
        },
        "examples": {name: len(split) for name, split in dataset.splits.items()},
    }
    spent = cost.summary(durable.read_lines(folder / "cost.jsonl"))
    found = intervals.of_splits(scored, task=dataset.task)
    card.write(folder, describe(prepared), result, cost=spent, intervals=found)
    book_folder.seal(folder, result)
    snapshots.prune_snapshots(folder, keep=set())
    return result


def _clear(folder: Path) -> None:
    """Forget everything of a run but its lock; what is sealed first, so that a half cleared run is bound by nothing."""
    for name in (book_folder.RESULT, book_folder.TRAINED):
        (folder / name).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
