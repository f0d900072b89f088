"""What was learned, stored apart from the checkpoint that it was learned on: PEFT's two files, or our own in them.

`adapter_config.json` says what it is, `adapter_model.safetensors` holds the values, the head's among them, and the
fingerprint of the checkpoint that they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.durable import canonical_json
from tunebook.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    import torch

    from tunebook.models.load import Encoder
    from tunebook.models.resolve import Checkpoint

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
OWN_TYPE = "TUNEBOOK"
_HEADER = "tunebook"


class Adapter:
    """The parameters that a method trained, by their names; methods that put modules into a model build on it.

    `reason` says why it cannot be folded into plain weights, None where it can.
    """

    reason: str | None = None

    def finish(self, model: Any) -> None:
        """Turn what training needed into what is stored, in place; here nothing differs."""

    def config(self, encoder: Encoder) -> dict[str, Any]:
        """The values of `adapter_config.json`, but for the method and the checkpoint."""
        return {"peft_type": OWN_TYPE}

    def tensors(self, encoder: Encoder, trained: Collection[str]) -> dict[str, torch.Tensor]:
        """What is stored of a model whose parameters `trained` were trained, by key; a matrix is `(out, in)`."""
        return {name: value for name, value in encoder.model.named_parameters() if name in trained}

    def load(self, encoder: Encoder, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `tensors` gave, a matrix `(out, in)`; the method was applied to the model before."""
        fill(encoder.model, tensors)

    def fold(self, model: Any) -> Any:
        """The model with plain modules alone, which computes the same.

        Raises:
            UsageError: it cannot be folded into the weights.
        """
        if self.reason is not None:
            raise UsageError(f"this run cannot be folded into a plain checkpoint: {self.reason}")
        return model


def write(
    folder: Path,
    encoder: Encoder,
    adapter: Adapter,
    trained: Collection[str],
    *,
    checkpoint: Checkpoint,
    method: Mapping[str, Any],
) -> None:
    """Write both files; `method` is name, settings and version, `checkpoint` what `trained` was trained on."""
    from safetensors.torch import save_file

    base = checkpoint.row.repository if checkpoint.row else checkpoint.name
    config = {**adapter.config(encoder), "base_model_name_or_path": base, "task_type": "SEQ_CLS"}
    if config["peft_type"] == OWN_TYPE:
        config["method"] = dict(method)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    held = {
        key: value.detach().cpu().contiguous() for key, value in adapter.tensors(encoder, trained).items()
    }
    # One entry: several would come in another order with every process.
    meta = {_HEADER: canonical_json({"base_fingerprint": checkpoint.fingerprint, "method": dict(method)})}
    save_file(held, folder / WEIGHTS, metadata=meta)


def read(
    folder: Path, encoder: Encoder, adapter: Adapter, trained: Collection[str], *, checkpoint: Checkpoint
) -> None:
    """Put what a folder holds into a freshly loaded model that the method was applied to, and finish it.

    Raises:
        IntegrityError: it belongs to another checkpoint, is damaged, or holds other tensors than the model has.
    """
    from safetensors.torch import load_file

    meta = metadata(folder)
    tensors = load_file(folder / WEIGHTS)
    if meta["base_fingerprint"] != checkpoint.fingerprint:
        raise IntegrityError(
            f"{folder / WEIGHTS} was trained on a checkpoint with fingerprint {meta['base_fingerprint']}, but "
            f"{checkpoint.folder} has {checkpoint.fingerprint}; bring the checkpoint back that it was trained on"
        )
    adapter.finish(encoder.model)
    expected = {key: value.shape for key, value in adapter.tensors(encoder, trained).items()}
    if wrong := sorted({(key, value.shape) for key, value in tensors.items()} ^ set(expected.items())):
        raise IntegrityError(f"{folder / WEIGHTS}: {wrong[0][0]} is missing, foreign or of another shape")
    adapter.load(encoder, tensors)


def metadata(folder: Path) -> dict[str, Any]:
    """What the header of a folder's adapter says beside its tensors: `base_fingerprint` and `method`.

    Raises:
        IntegrityError: the file is damaged, or is none of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            found = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(f"{folder / WEIGHTS} cannot be read ({error})") from None
    if not isinstance(found, dict) or not found.keys() >= {"base_fingerprint", "method"}:
        raise IntegrityError(f"{folder / WEIGHTS} does not say what it was trained on, and by which method")
    return found


def fill(model: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy values into a model's parameters by name, each of its parameter's shape, such as `(out, in)`."""
    import torch

    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for key, tensor in tensors.items():
            parameters[key].copy_(tensor)
