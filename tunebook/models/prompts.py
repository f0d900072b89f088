"""Virtual tokens before every text: learned vectors that the word embedding gives for ids beyond the vocabulary.

Everything else takes them for tokens: they have positions, are packed and padded, and the head reads the first of
them where it reads the first token, as PEFT has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tunebook.errors import UsageError
from tunebook.models import targets
from tunebook.models.adapter import Adapter, fill
from tunebook.models.peft_adapter import config_values, head_tensors

if TYPE_CHECKING:
    from tunebook.models.load import Encoder

_KEY = "prompt_embeddings"
_PREFIX = "base_model."
_FEWEST_TOKENS = 4


class PromptEmbedding(nn.Module):
    """A word embedding with `length` virtual words after its own, `prompt` `(length, width)`.

    While `mlp` is there, the vectors are what it makes of `prompt`.
    """

    def __init__(self, words: nn.Embedding, prompt: torch.Tensor, mlp: nn.Module | None) -> None:
        super().__init__()
        self.words, self.prompt, self.mlp = words, nn.Parameter(prompt), mlp

    @property
    def virtual_ids(self) -> tuple[int, ...]:
        """The ids of the virtual words."""
        return tuple(range(self.words.num_embeddings, self.words.num_embeddings + len(self.prompt)))

    def vectors(self) -> torch.Tensor:
        """The vectors of the virtual words, `(length, width)`."""
        return self.prompt if self.mlp is None else self.mlp(self.prompt)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Vectors of shape `(*ids, width)` for ids of any shape."""
        count = self.words.num_embeddings
        virtual = nn.functional.embedding((ids - count).clamp(min=0), self.vectors())
        return torch.where((ids >= count)[..., None], virtual, self.words(ids.clamp(max=count - 1)))


class PromptAdapter(Adapter):
    """Prompts as PEFT stores them: the vectors alone, whatever made them while training."""

    reason = "its virtual tokens are in the input, not in a weight"

    def __init__(self, encoder: Encoder, peft_config: Any, embedding: PromptEmbedding) -> None:
        self.embedding, self.settings = embedding, peft_config
        encoder.model.set_input_embeddings(embedding)

    def names(self, encoder: Encoder) -> list[str]:
        """The names of its parameters in the model."""
        own = {id(value) for value in self.embedding.parameters()} - {id(self.embedding.words.weight)}
        return [name for name, value in encoder.model.named_parameters() if id(value) in own]

    def finish(self, model: Any) -> None:
        """Keep the vectors, drop the network that made them."""
        with torch.no_grad():
            self.embedding.prompt = nn.Parameter(self.embedding.vectors().clone())
        self.embedding.mlp = None

    def config(self, encoder: Encoder) -> dict[str, Any]:
        """The values of `adapter_config.json` as PEFT writes it; the head is saved beside it."""
        return config_values(self.settings, encoder)

    def tensors(self, encoder: Encoder, trained: Collection[str]) -> dict[str, torch.Tensor]:
        """The vectors `(length, width)` and the head's parameters, by PEFT's keys."""
        return {_KEY: self.embedding.prompt} | head_tensors(encoder, _PREFIX)

    def load(self, encoder: Encoder, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `tensors` gave, each of the same shape."""
        with torch.no_grad():
            self.embedding.prompt.copy_(tensors[_KEY])
        fill(
            encoder.model,
            {key.removeprefix(_PREFIX): value for key, value in tensors.items() if key != _KEY},
        )


def prompt_sizes(encoder: Encoder) -> dict[str, Any]:
    """What PEFT's configurations of prompt methods say of an encoder, which it knows of few families by itself.

    Raises:
        UsageError: the family's layers are not known.
    """
    return {
        "task_type": "SEQ_CLS",
        "token_dim": encoder.model.get_input_embeddings().embedding_dim,
        "num_layers": len(targets.layers(encoder)),
        "num_attention_heads": encoder.model.config.num_attention_heads,
        "num_transformer_submodules": 1,
    }


def add_prompt(
    encoder: Encoder, config: Any, start: torch.Tensor | None = None, mlp: nn.Module | None = None
) -> PromptAdapter:
    """Put virtual tokens before every text of an encoder, in place; `config` is PEFT's, of a prompt method.

    Their first values are `start` `(length, width)`, or those of words of the vocabulary drawn at random.

    Raises:
        UsageError: no room is left for text.
    """
    words = encoder.model.get_input_embeddings()
    if encoder.longest - config.num_virtual_tokens < _FEWEST_TOKENS:
        raise UsageError(
            f"length is {config.num_virtual_tokens}, but this encoder has positions for {encoder.longest} tokens: "
            f"expected 1 to {encoder.longest - _FEWEST_TOKENS}"
        )
    if start is None:
        drawn = torch.randint(words.num_embeddings, (config.num_virtual_tokens,))
        start = words.weight.detach()[drawn]
    return PromptAdapter(encoder, config, PromptEmbedding(words, start.clone(), mlp))
