"""A finished run's model: loaded whole, or put together again from its checkpoint and what was learned on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable, methods
from tunebook.book import folder as book_folder
from tunebook.errors import UsageError
from tunebook.models import resolve

if TYPE_CHECKING:
    from tunebook.models.load import Encoder


def load(folder: Path, *, checkpoint: str | None = None) -> tuple[Encoder, methods.Recipe | None]:
    """Encoder and head of a finished run, and the recipe where the run's adapter is still in the model.

    `checkpoint` says where the run's checkpoint is now, where it is not found by the name that it was run with.

    Raises:
        UsageError: the run is not finished, kept no weights, or its checkpoint is not on this machine.
        IntegrityError: the weights are not the ones that were sealed, or the checkpoint is another one.
    """
    from tunebook.models.load import load_finished

    result = book_folder.read_result(folder)
    if result is None:
        raise UsageError(
            f"{folder.name} is {book_folder.status(folder)}, not finished; run it again to go on"
        )
    weights = book_folder.weights_file(folder)
    if weights is None:
        raise UsageError(f"{folder.name} has no weights: it is a baseline, or was run with --keep none")
    book_folder.check_weights(folder, result["weights_sha256"])
    if weights.name == book_folder.WHOLE:
        return load_finished(folder), None
    return _with_adapter(folder, checkpoint)


def _with_adapter(folder: Path, moved_to: str | None) -> tuple[Encoder, methods.Recipe]:
    from tunebook.models import adapter
    from tunebook.models.load import load as load_checkpoint

    declared = book_folder.read_json(folder / "run.json")
    spec: dict[str, Any] = declared["spec"]
    try:
        checkpoint = resolve.resolve(moved_to or spec["checkpoint"])
    except UsageError as error:
        raise UsageError(
            f"{folder.name} holds what was learned on a checkpoint, and needs it: {error}. If it lies elsewhere now, "
            "say where: --checkpoint FOLDER"
        ) from None
    name, version = spec["method"]["name"], adapter.metadata(folder)["method"]["version"]
    if version != methods.method(name).version:
        raise UsageError(
            f"{folder.name} was trained with version {version} of {name}; run it again to use it"
        )
    encoder = load_checkpoint(checkpoint, label_names=tuple(declared["dataset"]["label_names"]))
    recipe = methods.apply(spec["method"]["name"], spec["method"]["settings"], encoder, seed=spec["seed"])
    used = recipe.adapter or adapter.Adapter()
    adapter.read(folder, encoder, used, recipe.trained_names, checkpoint=checkpoint)
    return encoder, recipe


def merge(folder: Path, target: Path, *, checkpoint: str | None = None) -> None:
    """Write a finished run as a plain checkpoint, with tokenizer and label names, into the new folder `target`.

    What the method put into the model is folded into its weights; `AutoModelForSequenceClassification` reads it.

    Raises:
        UsageError: the method cannot be folded, `target` exists, or the run has no weights.
        IntegrityError: the weights are not the ones that were sealed, or the checkpoint is another one.
    """
    from tunebook.models.load import quietly

    if target.exists():
        raise UsageError(f"{target} exists; name a folder that does not")
    encoder, recipe = load(folder, checkpoint=checkpoint)
    model = encoder.model
    if recipe is not None and recipe.adapter is not None:
        model = recipe.adapter.fold(model)

    def fill(staged: Path) -> None:
        with quietly():
            model.save_pretrained(staged)
        encoder.tokenizer.save_pretrained(staged)

    target.parent.mkdir(parents=True, exist_ok=True)
    durable.write_folder(target, fill, manifest_extra={"merged from": folder.name})
