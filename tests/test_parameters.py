"""The parameter counts in the table of checkpoints are those of their true configurations."""

from __future__ import annotations

from typing import Any

import pytest

from tunebook.models.rows import rows


def _bert(layers: int, width: int, heads: int, feed_forward: int | None = None) -> Any:
    from transformers import BertConfig

    return BertConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=feed_forward or 4 * width,
    )


def _roberta(layers: int, vocabulary: int) -> Any:
    from transformers import RobertaConfig

    return RobertaConfig(
        vocab_size=vocabulary, num_hidden_layers=layers, max_position_embeddings=514, type_vocab_size=1
    )


def _deberta(layers: int, width: int, heads: int) -> Any:
    from transformers import DebertaV2Config

    return DebertaV2Config(
        vocab_size=128100,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        max_relative_positions=-1,
        position_biased_input=False,
        type_vocab_size=0,
    )


def _electra(**changes: int) -> Any:
    from transformers import ElectraConfig

    return ElectraConfig(**changes)


def _albert() -> Any:
    from transformers import AlbertConfig

    return AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072)


def _modernbert() -> Any:
    from transformers import ModernBertConfig

    return ModernBertConfig()


def _distilbert() -> Any:
    from transformers import DistilBertConfig

    return DistilBertConfig()


CONFIGURATIONS = {
    "distilbert-base-uncased": _distilbert,
    "distilbert-sst2": _distilbert,
    "distilroberta-base": lambda: _roberta(6, 50265),
    "bert-base-uncased": lambda: _bert(12, 768, 12),
    "bert-tiny": lambda: _bert(2, 128, 2),
    "bert-mini": lambda: _bert(4, 256, 4),
    "bert-small": lambda: _bert(4, 512, 8),
    "bert-medium": lambda: _bert(8, 512, 8),
    "roberta-base": lambda: _roberta(12, 50265),
    "deberta-v3-xsmall": lambda: _deberta(12, 384, 6),
    "deberta-v3-small": lambda: _deberta(6, 768, 12),
    "deberta-v3-base": lambda: _deberta(12, 768, 12),
    "electra-small": _electra,
    "electra-base": lambda: _electra(
        embedding_size=768, hidden_size=768, num_attention_heads=12, intermediate_size=3072
    ),
    "albert-base-v2": _albert,
    "modernbert-base": _modernbert,
    "minilm-l6-h384": lambda: _bert(6, 384, 12),
    "all-minilm-l6-v2": lambda: _bert(6, 384, 12),
    "minilm-l12-h384": lambda: _bert(12, 384, 12),
    "xlm-roberta-base": lambda: _roberta(12, 250002),
}


def test_every_row_has_its_configuration_here() -> None:
    assert {row.name for row in rows().values()} == set(CONFIGURATIONS)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_parameters_are_counted(name: str) -> None:
    """Counted on torch's meta device: shapes alone, no memory."""
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        model = AutoModel.from_config(CONFIGURATIONS[name]())
    assert sum(parameter.numel() for parameter in model.parameters()) == rows()[name].parameters
