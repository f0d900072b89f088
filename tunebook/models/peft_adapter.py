"""Methods that `peft` brings, put into a model by it and stored the way it stores them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from tunebook.models import targets
from tunebook.models.adapter import Adapter, fill

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

_PREFIX = "base_model.model."
_KNOWN_WARNINGS = ("Unsupported layer type", "`is_gradient_checkpointing` is deprecated")
"""Of norms, which PEFT adapts all the same, and of what PEFT asks of transformers."""


class PeftAdapter(Adapter):
    """An adapter of PEFT's: `PeftModel.from_pretrained(base, folder)` reads what is stored of it."""

    def __init__(self, encoder: Encoder, config: Any) -> None:
        """Put what `config` (a `PeftConfig`) says into the encoder's model, in place."""
        from peft import PeftModel

        self.settings = config
        with warnings.catch_warnings():
            for known in _KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", known)
            self.wrapped: Any = PeftModel(encoder.model, config)
        self.names = frozenset(
            name for name, parameter in encoder.model.named_parameters() if parameter.requires_grad
        )

    def finish(self, model: Any) -> None:
        """Store AdaLoRA's matrices with the ranks that they began with: what was taken away is zero, and stays."""
        if str(self.settings.peft_type.value) == "ADALORA":
            self.settings.rank_pattern = None

    def config(self, encoder: Encoder) -> dict[str, Any]:
        """The values of `adapter_config.json` as PEFT writes it, sets in order; the head is saved beside it."""
        return config_values(self.settings, encoder)

    def tensors(self, encoder: Encoder, trained: Collection[str]) -> dict[str, torch.Tensor]:
        """PEFT's tensors under PEFT's keys, such as A `(rank, in)`, and the head's."""
        from peft import get_peft_model_state_dict

        found: dict[str, torch.Tensor] = get_peft_model_state_dict(self.wrapped, save_embedding_layers=False)
        return found | head_tensors(encoder, _PREFIX)

    def load(self, encoder: Encoder, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `tensors` gave, such as A `(rank, in)`."""
        from peft import set_peft_model_state_dict

        head = head_tensors(encoder, _PREFIX).keys()
        own = {key: value for key, value in tensors.items() if key not in head}
        set_peft_model_state_dict(self.wrapped, own)
        fill(encoder.model, {key.removeprefix(_PREFIX): tensors[key] for key in head})

    def fold(self, model: Any) -> Any:
        """The model with PEFT's modules folded into the weights that they act on.

        Raises:
            UsageError: it cannot be folded into the weights.
        """
        super().fold(model)
        return self.wrapped.merge_and_unload(safe_merge=True)


def config_values(settings: Any, encoder: Encoder) -> dict[str, Any]:
    """A `PeftConfig` as PEFT writes it, sets in order, for use, with the head among what is saved beside it."""
    values = settings.to_dict() | {"modules_to_save": _head_modules(encoder), "inference_mode": True}
    kept: dict[str, Any] = json.loads(json.dumps(values, default=sorted))
    return kept


def head_tensors(encoder: Encoder, prefix: str) -> dict[str, torch.Tensor]:
    """The head's parameters, such as `(labels, width)`, by the names that PEFT gives them."""
    head = set(encoder.head_names)
    return {prefix + name: value for name, value in encoder.model.named_parameters() if name in head}


def _head_modules(encoder: Encoder) -> list[str]:
    """The modules of the head, the outermost ones where they stand outside the encoder: PEFT wraps none twice."""
    inside = f"{encoder.model.base_model_prefix}."
    modules = (name.rpartition(".")[0] for name in encoder.head_names)
    return sorted({name if name.startswith(inside) else name.partition(".")[0] for name in modules})


def target_names(encoder: Encoder, wanted: str | Sequence[str]) -> list[str]:
    """The names of the modules to adapt: queries and values for "attention", "all_linear", or parts by name.

    Raises:
        UsageError: the family's modules are not known.
    """
    if wanted == "attention":
        return targets.names(encoder, ("query", "value"))
    return targets.names(encoder, targets.PARTS if isinstance(wanted, str) else wanted)


def low_rank(
    encoder: Encoder, *, rank: int, alpha: int, dropout: float, targets: str | Sequence[str], **variant: bool
) -> PeftAdapter:
    """LoRA, or the `variant` of it that a key of PEFT's `LoraConfig` asks for, put into an encoder.

    Raises:
        UsageError: the family's modules are not known.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_names(encoder, targets),
        **variant,  # type: ignore[arg-type]
    )
    return PeftAdapter(encoder, config)
