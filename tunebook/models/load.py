"""A checkpoint in memory: encoder, classification head and tokenizer, always float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.errors import IntegrityError
from tunebook.models.resolve import Checkpoint, check_files

_OFFSET_FAMILIES = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Families whose positions begin after the padding index."""


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder with its head.

    `model` is the family's stock `AutoModelForSequenceClassification`; `new_names` are the parameters that the
    checkpoint did not hold and that therefore start random.
    """

    model: Any
    tokenizer: Any
    family: str
    new_names: frozenset[str]

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of all parameters, in the model's order."""
        return tuple(name for name, _ in self.model.named_parameters())

    @property
    def head_names(self) -> tuple[str, ...]:
        """The parameters of the head: what stands outside the encoder or started random, and the pooler.

        BERT's and ALBERT's pooler is the layer which other families have in their heads under another name.
        """
        prefix = self.model.base_model_prefix + "."
        return tuple(
            name
            for name in self.parameter_names
            if not name.startswith(prefix) or name.startswith(f"{prefix}pooler.") or name in self.new_names
        )

    @property
    def pad_id(self) -> int:
        """What rectangles are filled up with; attention never looks at it."""
        return int(self.model.config.pad_token_id or 0)

    @property
    def longest(self) -> int:
        """The most tokens of one text, special tokens included, that the encoder has positions for."""
        return token_limit(self.model.config, self.tokenizer) - len(self.virtual_ids)

    @property
    def virtual_ids(self) -> tuple[int, ...]:
        """The ids of what a method puts before every text; none for most methods."""
        from tunebook.models.embedding import virtual_ids

        return virtual_ids(self.model)


def token_limit(config: Any, tokenizer: Any) -> int:
    """Positions of the encoder; RoBERTa's begin after its padding index, so two of its 514 are not for tokens."""
    positions = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    if config.model_type in _OFFSET_FAMILIES:
        positions -= config.pad_token_id + 1
    return int(min(positions, 1_000_000))


def load(
    checkpoint: Checkpoint,
    *,
    label_names: tuple[str, ...],
    dropout: float | None = None,
    attention_dropout: float | None = None,
) -> Encoder:
    """Load a checkpoint with a head for `len(label_names)` classes, or for one score when there are none.

    A head of that size is kept where the checkpoint holds one; otherwise its first values are a function of
    torch's random state: seed it before. `dropout` and `attention_dropout` (probabilities) replace the
    checkpoint's own where given. The weights are float32 whatever they were stored as: `transformers` would
    train a float16 checkpoint in float16.

    Raises:
        IntegrityError: the files are damaged or are not what the configuration says, or the family needs a padding
            token and the configuration names none.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = _opened(AutoConfig, checkpoint.folder)
    _require_padding(config, checkpoint.folder)
    config = _configured(config, label_names, dropout, attention_dropout)
    model, info = _read(
        AutoModelForSequenceClassification, checkpoint.folder, config, ignore_mismatched_sizes=True
    )
    replaced = {name for name, *_ in info["mismatched_keys"]}  # the head of another task has another size
    if wrong := sorted(name for name in replaced if name.startswith(f"{model.base_model_prefix}.")):
        raise IntegrityError(
            f"{checkpoint.folder}: {wrong[0]} has another shape than config.json says; fetch the checkpoint again"
        )
    tokenizer = load_tokenizer(checkpoint.folder)
    return Encoder(model, tokenizer, config.model_type, frozenset(info["missing_keys"] | replaced))


def _require_padding(config: Any, folder: Path) -> None:
    """RoBERTa's positions begin after its padding index: without one nobody knows where."""
    if config.model_type in _OFFSET_FAMILIES and config.pad_token_id is None:
        raise IntegrityError(
            f"{folder}: config.json has no pad_token_id, after which {config.model_type} counts its positions; "
            "fetch the checkpoint again"
        )


def load_finished(folder: Path) -> Encoder:
    """Load the encoder, head and tokenizer of a finished run's folder.

    Raises:
        IntegrityError: the files are damaged, pickled, or name foreign code.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    check_files(folder)
    config = _opened(AutoConfig, folder)
    model, info = _read(AutoModelForSequenceClassification, folder, config)
    if info["missing_keys"]:
        raise IntegrityError(
            f"{folder}: the weights lack {sorted(info['missing_keys'])[:3]}; run it again with --fresh"
        )
    return Encoder(model, load_tokenizer(folder), config.model_type, frozenset())


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's fast tokenizer, as `transformers` loads it.

    Raises:
        IntegrityError: its files are damaged, or of a kind that has no fast form.
    """
    from transformers import AutoTokenizer

    tokenizer = _opened(AutoTokenizer, folder)
    if not getattr(tokenizer, "is_fast", False):
        raise IntegrityError(f"{folder}: the tokenizer has no fast form; expected a tokenizer.json")
    return tokenizer


def _opened(auto: Any, folder: Path) -> Any:
    """A configuration or tokenizer; libraries answer a damaged file with errors of any kind."""
    try:
        return auto.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        what = "tokenizer" if "Tokenizer" in auto.__name__ else "config.json"
        raise IntegrityError(
            f"{folder}: the {what} cannot be read ({' '.join(str(error).split())[:200]}); fetch the checkpoint again"
        ) from None


def _configured(
    config: Any, label_names: tuple[str, ...], dropout: float | None, attention_dropout: float | None
) -> Any:
    config.num_labels = len(label_names) or 1
    if label_names:
        config.id2label = dict(enumerate(label_names))
        config.label2id = {name: index for index, name in enumerate(label_names)}
    config.problem_type = "single_label_classification" if label_names else "regression"
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if attention_dropout is not None and hasattr(config, name):
            setattr(config, name, attention_dropout)
    hidden = ("hidden_dropout_prob", "dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout",
              "seq_classif_dropout", "cls_dropout", "pooler_dropout", "classifier_dropout_prob")  # fmt: skip
    for name in hidden:
        if dropout is not None and hasattr(config, name):
            setattr(config, name, dropout)
    return config


def _read(auto: Any, folder: Path, config: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
    import torch
    from safetensors import SafetensorError

    try:
        with quietly():
            model, info = auto.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                **options,
            )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise IntegrityError(
            f"{folder}: the weights cannot be read ({error}); fetch the checkpoint again"
        ) from None
    return model, info


@contextmanager
def quietly() -> Iterator[None]:
    """Without the library's progress bars and its report on the head, which is new on purpose."""
    from transformers.utils import logging

    level, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bar:
            logging.enable_progress_bar()
