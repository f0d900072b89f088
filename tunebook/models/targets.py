"""Where in a family's layers methods put what they add: one row per family, add a row to add one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tunebook.errors import UsageError


@dataclass(frozen=True)
class TargetRow:
    """The modules of one layer by what they do, named from the layer on.

    Families that project queries, keys and values at once name the same module three times. `layers` is
    their place inside the encoder, `attention` the module that is called with keys and values.
    """

    layers: str
    attention: str
    query: str
    key: str
    value: str
    out: str
    up: str
    down: str


_BERT = TargetRow(
    "encoder.layer",
    "attention.self",
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_ROWS = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
    "distilbert": TargetRow(
        "transformer.layer",
        "attention",
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "ffn.lin1",
        "ffn.lin2",
    ),
    "albert": TargetRow(  # all layers share the modules of one
        "encoder.albert_layer_groups.0.albert_layers",
        "attention",
        "attention.query",
        "attention.key",
        "attention.value",
        "attention.dense",
        "ffn",
        "ffn_output",
    ),
    "deberta": TargetRow(
        "encoder.layer",
        "attention.self",
        "attention.self.in_proj",
        "attention.self.in_proj",
        "attention.self.in_proj",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ),
    "deberta-v2": TargetRow(
        "encoder.layer",
        "attention.self",
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ),
    "modernbert": TargetRow(
        "layers", "attn", "attn.Wqkv", "attn.Wqkv", "attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"
    ),
    "mpnet": TargetRow(
        "encoder.layer",
        "attention.attn",
        "attention.attn.q",
        "attention.attn.k",
        "attention.attn.v",
        "attention.attn.o",
        "intermediate.dense",
        "output.dense",
    ),
}
PARTS = tuple(field.name for field in fields(TargetRow) if field.name not in ("layers", "attention"))


def rows() -> Mapping[str, TargetRow]:
    """The row of every family, by `model_type`."""
    return _ROWS


def layers(encoder: Any) -> list[tuple[str, Any]]:
    """The layers of an encoder, first to last, with the name that each has in the model.

    Raises:
        UsageError: the family has no row, or the encoder has several groups of layers (some of ALBERT).
    """
    row = _row(encoder.family)
    if getattr(encoder.model.config, "num_hidden_groups", 1) > 1:
        raise UsageError(f"this {encoder.family} has several groups of shared layers; only one is known of")
    name = f"{encoder.model.base_model_prefix}.{row.layers}"
    return [(f"{name}.{number}", layer) for number, layer in enumerate(encoder.model.get_submodule(name))]


def names(encoder: Any, parts: Iterable[str]) -> list[str]:
    """The names in the model of a part, or several of `PARTS`, in every layer.

    Raises:
        UsageError: the family has no row.
    """
    row = _row(encoder.family)
    wanted = dict.fromkeys(getattr(row, part) for part in parts)
    return [f"{layer}.{name}" for layer, _ in layers(encoder) for name in wanted]


def norms(module: Any, name: str) -> list[tuple[str, Any]]:
    """The layer normalisations in a module that bears a `name` in the model, with the name that each has there.

    A family may have a class of its own for them.
    """
    return [
        (f"{name}.{inside}", norm)
        for inside, norm in module.named_modules()
        if type(norm).__name__.endswith("LayerNorm")
    ]


def attention(encoder: Any) -> list[Any]:
    """The attention modules, first layer to last.

    Raises:
        UsageError: the family has no row.
    """
    row = _row(encoder.family)
    return [layer.get_submodule(row.attention) for _, layer in layers(encoder)]


def _row(family: str) -> TargetRow:
    if family not in _ROWS:
        raise UsageError(
            f"where in {family}'s layers a method acts is not known; known are {', '.join(_ROWS)}"
        )
    return _ROWS[family]
