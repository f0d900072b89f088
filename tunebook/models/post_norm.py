"""One Transformer layer with its own backward, for packed texts: BERT's shape, with the norms after the sums.

It serves every family whose layers have that shape (`parts_of` says which): the three projections are one product,
activations are in the precision of the products, the random masks are cheap, a frozen parameter's gradient is not
computed, and a last layer works only on the tokens that the head reads. Where a layer has another shape it steps
aside: `parts_of` gives None, and the stock layer runs.

Source: Vaswani et al. 2017, arXiv 1706.03762; layout of BERT, arXiv 1810.04805. Checked against autograd in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

from tunebook.models import effective
from tunebook.models.dropout import Words
from tunebook.models.packing import Layout
from tunebook.models.parts import Cast, Parts

aten = torch.ops.aten

_NAMES = ("qw", "qb", "kw", "kb", "vw", "vb", "ow", "ob", "n1w", "n1b", "uw", "ub", "dw", "db", "n2w", "n2b")
"""The parameters: of query, key, value, out, first norm, up, down, second norm, weights and biases."""

_TANH = ("NewGELUActivation", "FastGELUActivation", "GELUTanh", "PytorchGELUTanh")


def parts_of(layer: nn.Module) -> Parts | None:
    """The parts of a layer of BERT's shape (BERT, RoBERTa, ELECTRA, ..., DistilBERT), or None for any other."""
    try:
        found = _bert_parts(layer) or _distilbert_parts(layer)
    except AttributeError:
        return None
    return found if found is not None and _is_known(found) else None


def _bert_parts(layer: Any) -> Parts | None:
    if not hasattr(layer, "intermediate"):
        return None
    attention = layer.attention.self
    if layer.is_decoder or layer.add_cross_attention or layer.chunk_size_feed_forward:
        return None
    return Parts(
        attention.query,
        attention.key,
        attention.value,
        layer.attention.output.dense,
        layer.attention.output.LayerNorm,
        layer.intermediate.dense,
        layer.output.dense,
        layer.output.LayerNorm,
        num_heads=attention.num_attention_heads,
        gelu=_gelu(layer.intermediate.intermediate_act_fn),
        attention_dropout=attention.dropout.p,
        out_dropout=layer.attention.output.dropout.p,
        down_dropout=layer.output.dropout.p,
        prefix=getattr(attention, "prefix", None),
    )


def _distilbert_parts(layer: Any) -> Parts | None:
    if not hasattr(layer, "sa_layer_norm"):
        return None
    attention = layer.attention
    if layer.ffn.chunk_size_feed_forward:
        return None
    return Parts(
        attention.q_lin,
        attention.k_lin,
        attention.v_lin,
        attention.out_lin,
        layer.sa_layer_norm,
        layer.ffn.lin1,
        layer.ffn.lin2,
        layer.output_layer_norm,
        num_heads=attention.n_heads,
        gelu=_gelu(layer.ffn.activation),
        attention_dropout=attention.dropout.p,
        out_dropout=0.0,
        down_dropout=layer.ffn.dropout.p,
        prefix=getattr(attention, "prefix", None),
    )


def _gelu(activation: Any) -> str:
    name = type(activation).__name__
    if name in _TANH:
        return "tanh"
    return "none" if name in ("GELUActivation", "GELU") else ""


def _is_known(parts: Parts) -> bool:
    """Whether every part is one whose weights are known, with all its parameters: nothing else sits in it."""
    norms = (parts.attention_norm, parts.output_norm)
    is_stock = all(type(norm) is nn.LayerNorm and norm.bias is not None for norm in norms)
    return is_stock and bool(parts.gelu) and all(map(effective.is_known, parts.linears))


class Call(NamedTuple):
    """What one call of a layer works with, its values and weights apart; without `words` there is no dropout.

    `attention` makes what computes it, `GroupedAttention` or its like. A last layer computes only the first token of
    each text.
    """

    parts: Parts
    layout: Layout
    attention: Callable[..., Any]
    is_last: bool
    words: Words | None


def run(hidden: torch.Tensor, call: Call) -> torch.Tensor:
    """A layer's output for `hidden` `(tokens, width)`: `(tokens, width)`, or of the last `(texts, width)`."""
    prefix = None if call.parts.prefix is None else call.parts.prefix()
    output: torch.Tensor = PostNormLayer.apply(hidden, call, prefix, *call.parts.weights())  # type: ignore[no-untyped-call]
    return output


class PostNormLayer(torch.autograd.Function):
    """The layer as one function of the hidden states, the prefix if there is one, and its sixteen parameters."""

    @staticmethod
    def forward(
        context: Any,
        hidden: torch.Tensor,
        call: Call,
        prefix: torch.Tensor | None,
        *parameters: torch.Tensor,
    ) -> torch.Tensor:
        """`(tokens, width)` projected, attended after a prefix `(2, length, width)` and fed forward; what the backward
        needs is kept."""
        parts, layout = call.parts, call.layout
        cast = parts.cast(hidden.dtype)
        own = hidden.index_select(0, layout.first) if call.is_last else hidden
        attention = call.attention(
            layout,
            num_heads=parts.num_heads,
            dropout=parts.attention_dropout,
            words=call.words,
            prefix=None if prefix is None else prefix.to(hidden.dtype),
        )
        mixed = attention.forward(*_project(hidden, own, cast, call.is_last))
        out = nn.functional.linear(mixed, *cast.out)
        first_sum, out_keep = _add_dropped(own, out, call, parts.out_dropout)
        middle, *first_statistics = _norm(first_sum, parts.attention_norm)
        wide = nn.functional.linear(middle, *cast.up)
        active = aten.gelu(wide, approximate=parts.gelu)
        down = nn.functional.linear(active, *cast.down)
        second_sum, down_keep = _add_dropped(middle, down, call, parts.down_dropout)
        output, *second_statistics = _norm(second_sum, parts.output_norm)
        context.call, context.cast, context.attention = call, cast, attention
        context.statistics = first_statistics, second_statistics
        context.keeps = out_keep, down_keep
        context.values = hidden, own, mixed, first_sum, middle, wide, active, second_sum
        return output

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of the hidden states `(tokens, width)`, of the prefix and of the parameters; None for the frozen
        ones."""
        found = _Gradients(dict(zip(_NAMES, context.needs_input_grad[3:], strict=True)))
        with torch.autocast(gradients[0].device.type, enabled=False):
            d_hidden = _backward(context, gradients[0], found)
        d_prefix = context.attention.d_prefix
        context.attention = context.values = None
        return d_hidden, None, d_prefix, *(found.values.get(name) for name in _NAMES)


@dataclass(frozen=True)
class _Gradients:
    """The gradients of the parameters that need one, float32, by name."""

    needs: dict[str, bool]
    values: dict[str, torch.Tensor] = field(default_factory=dict)

    def of_linear(self, names: str, gradient: torch.Tensor, inputs: torch.Tensor) -> None:
        """Those of linear maps whose outputs, of equal widths, stand side by side in `gradient`; one letter each."""
        width = gradient.shape[1] // len(names)
        if all(self.needs[f"{name}w"] for name in names):
            self._keep(names, "w", torch.split(gradient.t() @ inputs, width))
        else:
            for name, part in zip(names, torch.split(gradient, width, 1), strict=True):
                if self.needs[f"{name}w"]:
                    self._keep(name, "w", (part.t() @ inputs,))
        if any(self.needs[f"{name}b"] for name in names):
            # The sum over tokens as a product: twice as fast as `sum` in bfloat16.
            biases = (gradient.new_ones(1, len(gradient)) @ gradient)[0]
            self._keep(names, "b", torch.split(biases, width))

    def of_norm(self, name: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Those of a norm."""
        self._keep((name,), "w", (weight,))
        self._keep((name,), "b", (bias,))

    def _keep(self, names: Iterable[str], kind: str, found: Iterable[torch.Tensor]) -> None:
        for name, value in zip(names, found, strict=True):
            if self.needs[name + kind]:
                self.values[name + kind] = value.to(torch.float32, copy=True)


def _backward(context: Any, gradient: torch.Tensor, found: _Gradients) -> torch.Tensor | None:
    """Put the parameters' gradients into `found`, and give that of the hidden states."""
    cast, parts = context.cast, context.call.parts
    *_, mixed, first_sum, middle, wide, active, second_sum = context.values
    (first_statistics, second_statistics), (out_keep, down_keep) = context.statistics, context.keeps
    d_sum, *of_norm = _norm_backward(gradient, second_sum, second_statistics, parts.output_norm)
    found.of_norm("n2", *of_norm)
    d_down = _undropped(d_sum, down_keep, parts.down_dropout)
    found.of_linear("d", d_down, active)
    d_wide = aten.gelu_backward(d_down @ cast.down[0], wide, approximate=parts.gelu)
    found.of_linear("u", d_wide, middle)
    d_middle = torch.addmm(d_sum, d_wide, cast.up[0])
    d_sum, *of_norm = _norm_backward(d_middle, first_sum, first_statistics, parts.attention_norm)
    found.of_norm("n1", *of_norm)
    d_out = _undropped(d_sum, out_keep, parts.out_dropout)
    found.of_linear("o", d_out, mixed)
    d_query, d_rest = context.attention.backward(
        d_out @ cast.out[0], is_single=context.call.is_last, needs_prefix=context.needs_input_grad[2]
    )
    return _unproject(context, found, d_query, d_rest, d_sum)


def _project(
    hidden: torch.Tensor, own: torch.Tensor, cast: Cast, is_last: bool
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """All three projections in one product, or, in a last layer, the queries of the tokens that are read apart."""
    weight, bias = cast.qkv
    if not is_last:
        return None, nn.functional.linear(hidden, weight, bias)
    width = len(weight) // 3
    query = nn.functional.linear(own, weight[:width], bias[:width])
    return query, nn.functional.linear(hidden, weight[width:], bias[width:])


def _unproject(
    context: Any,
    found: _Gradients,
    d_query: torch.Tensor | None,
    d_rest: torch.Tensor,
    d_own: torch.Tensor,
) -> torch.Tensor | None:
    """From the gradients of the projections to those of their weights and of the hidden states."""
    hidden, own, *_ = context.values
    weight: torch.Tensor = context.cast.qkv[0]
    width, needs_hidden = len(weight) // 3, context.needs_input_grad[0]
    if d_query is None:
        found.of_linear("qkv", d_rest, hidden)
        return torch.addmm(d_own, d_rest, weight) if needs_hidden else None
    found.of_linear("q", d_query, own)
    found.of_linear("kv", d_rest, hidden)
    if not needs_hidden:
        return None
    d_own = torch.addmm(d_own, d_query, weight[:width])
    return (d_rest @ weight[width:]).index_add_(0, context.call.layout.first, d_own)


def _norm(values: torch.Tensor, norm: nn.LayerNorm) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = torch.native_layer_norm(
        values, norm.normalized_shape, norm.weight, norm.bias, norm.eps
    )
    return found


def _norm_backward(
    gradient: torch.Tensor, values: torch.Tensor, statistics: list[torch.Tensor], norm: nn.LayerNorm
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = aten.native_layer_norm_backward(
        gradient.contiguous(),
        values,
        norm.normalized_shape,
        *statistics,
        norm.weight,
        norm.bias,
        [True, norm.weight.requires_grad, norm.bias.requires_grad],
    )
    return found


def _add_dropped(
    values: torch.Tensor, added: torch.Tensor, call: Call, probability: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`values` plus `added` under dropout, and the mask; `added` is overwritten."""
    if call.words is None or probability == 0:
        return values + added, None
    keep = call.words.keep(tuple(added.shape), probability, added.dtype)
    return torch.add(values, added.mul_(keep), alpha=1 / (1 - probability)), keep


def _undropped(gradient: torch.Tensor, keep: torch.Tensor | None, probability: float) -> torch.Tensor:
    return gradient if keep is None else gradient.mul(keep).mul_(1 / (1 - probability))
