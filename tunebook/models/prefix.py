"""Prefix tuning: learned keys and values that every token of a layer sees before those of its own text.

Families that look their attention up by name find ours, which puts the prefix before the keys and values that it is
given; a prefix has no place among the positions, so texts may be as long as without one. Families with an attention of
their own are called with as many more rows, whose projections are the prefix; these rows stand at distance zero.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import pad

from tunebook.errors import UsageError
from tunebook.models import attention, targets
from tunebook.models.adapter import Adapter

if TYPE_CHECKING:
    from tunebook.models.load import Encoder


class Prefix(nn.Module):
    """The keys and values of one layer, `(2, length, width)`, a parameter or made by a network while training."""

    def __init__(self, start: torch.Tensor, make: nn.Module | None) -> None:
        super().__init__()
        self.start, self.make = nn.Parameter(start), make

    def forward(self) -> torch.Tensor:
        """Keys and values, `(2, length, width)`."""
        if self.make is None:
            return self.start
        made: torch.Tensor = self.make(self.start)
        return torch.stack(made.chunk(2, -1))

    def finish(self) -> None:
        """Keep the keys and values, drop the network that made them."""
        with torch.no_grad():
            self.start = nn.Parameter(self().clone())
        self.make = None


class PrefixAdapter(Adapter):
    """Prefixes, by their names."""

    reason = "its keys and values stand beside those of a text, not in a weight"

    def __init__(self, prefixes: list[Prefix]) -> None:
        self.prefixes = prefixes

    def finish(self, model: Any) -> None:
        """Keep keys and values alone."""
        for prefix in self.prefixes:
            prefix.finish()


def add_prefixes(encoder: Encoder, length: int, *, hidden: int) -> PrefixAdapter:
    """Give every layer of an encoder `length` keys and values, at first those of words drawn at random, in place.

    With `hidden` over 0 they are made by a network with so many hidden units while training, whose first layer all
    layers of the encoder share.

    Raises:
        UsageError: the family's modules are not known, or its attention cannot be given a prefix.
    """
    width = int(encoder.model.config.hidden_size)
    shared = nn.Linear(width, hidden) if hidden else None
    prefixes = []
    for module, start in zip(targets.attention(encoder), _of_words(encoder, length), strict=True):
        if shared is None:
            prefix = Prefix(start, None)
        else:
            make = nn.Sequential(shared, nn.Tanh(), nn.Linear(hidden, 2 * width))
            prefix = Prefix(torch.randn(length, width), make)
        module.prefix = prefix
        prefixes.append(prefix)
    if encoder.model._supports_attention_backend:
        attention.use_prefixes(encoder.model.config)
    else:
        row = targets.rows()[encoder.family]
        for _, layer in targets.layers(encoder):
            parts = dict.fromkeys((row.key, row.value))
            _Rows(layer.get_submodule(row.attention), [layer.get_submodule(name) for name in parts]).hook()
    return PrefixAdapter(prefixes)


def _of_words(encoder: Encoder, length: int) -> list[torch.Tensor]:
    """For each layer the keys and values, `(2, length, width)`, that it gives to random words of the vocabulary.

    Source: Li and Liang 2021, section 7.4: real activations are the better start.
    """
    row, model = targets.rows()[encoder.family], encoder.model
    caught: dict[tuple[int, str], torch.Tensor] = {}
    hooks = [
        layer.get_submodule(name).register_forward_hook(partial(_catch, caught, (number, name)))
        for number, (_, layer) in enumerate(targets.layers(encoder))
        for name in {row.key, row.value}
    ]
    words = torch.randint(model.config.vocab_size, (1, min(length, encoder.longest)))
    was_training = model.training
    model.eval()
    with torch.no_grad():
        model.base_model(words)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    places = torch.arange(length) % words.shape[1]
    found = []
    for number in range(len(targets.layers(encoder))):
        key, value = (caught[number, name][places] for name in (row.key, row.value))
        if row.key == row.value:
            key, value = _split(key, encoder)
        found.append(torch.stack([key, value]))
    return found


def _catch(caught: dict[Any, torch.Tensor], key: Any, module: Any, args: Any, output: torch.Tensor) -> None:
    """Keep the first output of a module: DeBERTa projects its relative positions too, ALBERT uses layers again."""
    caught.setdefault(key, output[0])


def _split(rows: torch.Tensor, encoder: Encoder) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values `(length, width)` of the rows of one projection, `(length, 3 width)`."""
    length, heads = len(rows), encoder.model.config.num_attention_heads
    if encoder.family == "deberta":  # each head has its three beside each other
        parts = rows.view(length, heads, 3, -1).unbind(2)
    else:
        parts = rows.view(length, 3, heads, -1).unbind(1)
    return parts[1].reshape(length, -1), parts[2].reshape(length, -1)


class _Rows:
    """Prefix rows in an attention module that computes its scores by itself: DeBERTa's and MPNet's.

    The module is called with zero rows before its own; what its projections give for these is replaced by the prefix.
    (What DeBERTa v1 adds to all values, its `v_bias`, it adds to the prefix's too.) `projections` are the key's and the
    value's, or one for query, key and value.
    """

    def __init__(self, module: Any, projections: list[Any]) -> None:
        self.module, self.projections = module, projections
        self.length = int(module.prefix().shape[1])
        self.extended: torch.Tensor | None = None

    def hook(self) -> None:
        """Take part in every call of the module from now on."""
        self.module.register_forward_pre_hook(self._extend, with_kwargs=True)
        self.module.register_forward_hook(self._shorten)
        for number, projection in enumerate(self.projections):
            projection.register_forward_hook(self._replacing(number))

    def _extend(self, module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        values = {**bound.pop("kwargs", {}), **bound}
        if values.get("query_states") is not None:
            raise UsageError("a prefix cannot be given to a layer whose queries come from elsewhere")
        self.extended = values["hidden_states"] = pad(values["hidden_states"], (0, 0, self.length, 0))
        if values.get("attention_mask") is not None:
            fill = (
                0 if "position_bias" in values else 1
            )  # MPNet adds it to the scores, DeBERTa asks if it is 0
            values["attention_mask"] = self._padded(values["attention_mask"], fill)
        for name in ("relative_pos", "position_bias"):
            if values.get(name) is not None:
                values[name] = self._padded(values[name], 0)
        return (), values

    def _padded(self, values: torch.Tensor, fill: float) -> torch.Tensor:
        """Scores `(..., rows, columns)` with rows and columns for the prefix; one row for all stays one."""
        return pad(values, (self.length, 0, self.length if values.shape[-2] > 1 else 0, 0), value=fill)

    def _replacing(self, number: int) -> Callable[..., torch.Tensor | None]:
        def replace(
            projection: Any, args: tuple[torch.Tensor, ...], output: torch.Tensor
        ) -> torch.Tensor | None:
            if args[0] is not self.extended:  # DeBERTa projects its relative positions too
                return None
            key, value = self.module.prefix()
            rows = (key, value)[number] if len(self.projections) > 1 else self._fused(key, value)
            return torch.cat([rows.to(output.dtype).expand(len(output), -1, -1), output[:, self.length :]], 1)

        return replace

    def _fused(self, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Rows `(length, 3 width)` of a projection that gives each head its query, key and value."""
        heads = self.module.num_attention_heads
        parts = [part.view(self.length, heads, -1) for part in (torch.zeros_like(key), key, value)]
        return torch.stack(parts, 2).view(self.length, -1)

    def _shorten(self, module: Any, args: Any, output: tuple[Any, ...]) -> tuple[Any, ...]:
        self.extended = None
        return output[0][:, self.length :], *output[1:]
