"""Every family at a size at which one step takes milliseconds, random weights: to try what works on which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

WIDTH = 32
LAYERS = 2
HEADS = 4
LONGEST = 64
"""Tokens that every tiny encoder can read; RoBERTa-like ones have their offset of 2 on top."""
_WORDS = 200

_SIZES: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 2 * WIDTH,
    "max_position_embeddings": LONGEST,
}
_OFFSET = {"max_position_embeddings": LONGEST + 2}
_ROBERTA = {**_OFFSET, "type_vocab_size": 1}
# As the published DeBERTa checkpoints have it: relative positions only, attending both ways.
_DEBERTA = {
    "type_vocab_size": 0,
    "relative_attention": True,
    "max_relative_positions": -1,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
    "pooler_hidden_size": WIDTH,
}
_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", {}),
    "distilbert": (
        "DistilBertConfig",
        {
            **dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")),
            "dim": WIDTH,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "hidden_dim": 2 * WIDTH,
        },
    ),
    "roberta": ("RobertaConfig", _ROBERTA),
    "xlm-roberta": ("XLMRobertaConfig", _ROBERTA),
    "camembert": ("CamembertConfig", _ROBERTA),
    "electra": ("ElectraConfig", {"embedding_size": WIDTH // 2}),
    "albert": ("AlbertConfig", {"embedding_size": WIDTH // 2}),
    "deberta": ("DebertaConfig", _DEBERTA),
    "deberta-v2": (
        "DebertaV2Config",
        {
            **_DEBERTA,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
        },
    ),
    "modernbert": ("ModernBertConfig", {"local_attention": 16, "global_attn_every_n_layers": 2}),
    "mpnet": ("MPNetConfig", _OFFSET),
}


def rows() -> Mapping[str, tuple[str, dict[str, Any]]]:
    """For each family (`model_type`) its configuration's class, and what it says besides the sizes; None takes a
    size away."""
    return _ROWS


def config(family: str, **more: Any) -> Any:
    """The configuration of a tiny encoder of a family, with `more` of its keys."""
    import transformers

    name, settings = _ROWS[family]
    sizes = {key: value for key, value in {**_SIZES, **settings}.items() if value is not None}
    return getattr(transformers, name)(**sizes, **more)


def encoder(family: str, *, num_labels: int = 2) -> Encoder:
    """A tiny encoder in memory, without a tokenizer; its weights are functions of torch's random state."""
    from transformers import AutoModelForSequenceClassification

    from tunebook.models.load import Encoder

    ids = dict.fromkeys(("bos_token_id", "cls_token_id"), 1) | dict.fromkeys(
        ("eos_token_id", "sep_token_id"), 2
    )
    made = AutoModelForSequenceClassification.from_config(
        config(family, vocab_size=_WORDS, num_labels=num_labels, pad_token_id=0, **ids)
    )
    return Encoder(made, None, family, frozenset())
