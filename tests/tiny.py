"""Tiny checkpoints of every family, made on the spot: random weights, tokenizers of a few hundred pieces."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH = 32
LAYERS = 2
HEADS = 4
LONGEST = 64
"""Tokens that every tiny checkpoint can read; RoBERTa-like ones have their offset of 2 on top."""

_SUBJECTS = (
    "the film",
    "this phone",
    "a tiny cafe",
    "my old laptop",
    "their new album",
    "the weather in Oslo",
)
_VERBS = ("was", "is not", "felt", "could have been", "turned out", "never seemed")
_JUDGEMENTS = (
    "great!",
    "terrible...",
    "fine, I guess",
    "worth 20 dollars",
    "boring",
    ":) lovely",
    "née'd work",
)
_ALPHABET = list(string.ascii_letters + string.digits + string.punctuation)
CORPUS = [" ".join(words) for words in itertools.product(_SUBJECTS, _VERBS, _JUDGEMENTS)]
# Vocabularies are laid out by hand where the trainers break ties differently in every process.
_WORDS = sorted({word for text in CORPUS for word in re.findall("[A-Za-z]{2,}", text)})


def _word_pieces(specials: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    pieces = [
        *specials,
        *_ALPHABET,
        *(f"##{letter}" for letter in _ALPHABET),
        *(word.lower() for word in _WORDS),
    ]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _byte_pairs(specials: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _unigrams(specials: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = [(letter, -8.0) for letter in ("▁", *_ALPHABET)]
    pieces = [*((token, 0.0) for token in specials), *letters, *((f"▁{word}", -6.0) for word in _WORDS)]
    unknown = next(index for index, token in enumerate(specials) if "unk" in token.lower())
    tokenizer = Tokenizer(models.Unigram(list(dict(pieces).items()), unk_id=unknown))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


@dataclass(frozen=True)
class Family:
    """How a family tokenises, what frames its texts, and what its configuration says besides the sizes."""

    config_class: str
    tokenizer: Callable[[list[str]], Any]
    specials: dict[str, str]
    pair: str
    settings: dict[str, Any]
    """Differences from the sizes in `_SIZES`; a value of None takes a key away."""


_BERT = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "bos_token": "<s>",
    "eos_token": "</s>",
}
_SIZES: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 2 * WIDTH,
    "max_position_embeddings": LONGEST,
}
_OFFSET = {"max_position_embeddings": LONGEST + 2}
_BERT_PAIR = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
_FLAT_PAIR = "[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0"
_ROBERTA_PAIR = "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0"

FAMILIES: dict[str, Family] = {
    "bert": Family("BertConfig", _word_pieces, _BERT, _BERT_PAIR, {}),
    "distilbert": Family(
        "DistilBertConfig",
        _word_pieces,
        _BERT,
        _FLAT_PAIR,
        {
            **dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")),
            "dim": WIDTH,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "hidden_dim": 2 * WIDTH,
        },
    ),
    "electra": Family("ElectraConfig", _word_pieces, _BERT, _BERT_PAIR, {"embedding_size": WIDTH // 2}),
    "mpnet": Family("MPNetConfig", _word_pieces, {**_ROBERTA, "unk_token": "[UNK]"}, _ROBERTA_PAIR, _OFFSET),
    "roberta": Family(
        "RobertaConfig", _byte_pairs, _ROBERTA, _ROBERTA_PAIR, {**_OFFSET, "type_vocab_size": 1}
    ),
    "xlm-roberta": Family(
        "XLMRobertaConfig", _unigrams, _ROBERTA, _ROBERTA_PAIR, {**_OFFSET, "type_vocab_size": 1}
    ),
    "camembert": Family(
        "CamembertConfig", _unigrams, _ROBERTA, _ROBERTA_PAIR, {**_OFFSET, "type_vocab_size": 1}
    ),
    "albert": Family(
        "AlbertConfig",
        _unigrams,
        {**_BERT, "unk_token": "<unk>", "pad_token": "<pad>"},
        _BERT_PAIR,
        {"embedding_size": WIDTH // 2},
    ),
    "deberta": Family(
        "DebertaConfig",
        _byte_pairs,
        _BERT,
        _BERT_PAIR,
        # As the published checkpoint has it.
        {
            "type_vocab_size": 0,
            "relative_attention": True,
            "max_relative_positions": -1,
            "pos_att_type": ["c2p", "p2c"],
            "position_biased_input": False,
            "pooler_hidden_size": WIDTH,
        },
    ),
    "deberta-v2": Family(
        "DebertaV2Config",
        _unigrams,
        _BERT,
        _BERT_PAIR,
        # As the published v3 checkpoints have it: relative positions only, attending both ways.
        {
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": 16,
            "max_relative_positions": -1,
            "pos_att_type": ["p2c", "c2p"],
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "position_biased_input": False,
            "pooler_hidden_size": WIDTH,
        },
    ),
    "modernbert": Family(
        "ModernBertConfig",
        _byte_pairs,
        _BERT,
        _FLAT_PAIR,
        {"local_attention": 16, "global_attn_every_n_layers": 2},
    ),
}


def build_tokenizer(family: str) -> Any:
    """The family's tokenizer, at home in the words of `CORPUS`, wrapped as transformers does it."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    row = FAMILIES[family]
    names = list(dict.fromkeys(row.specials.values()))
    tokenizer = row.tokenizer(names)
    first, last = row.specials["cls_token"], row.specials["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first}:0 $A:0 {last}:0",
        pair=row.pair,
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    if family not in ("bert", "electra", "albert", "deberta", "deberta-v2"):
        inputs.remove("token_type_ids")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LONGEST, model_input_names=inputs, **row.specials
    )


def build_checkpoint(folder: Path, family: str, *, num_labels: int = 2, seed: int = 0) -> Path:
    """Save a tiny encoder with a head, config, safetensors weights and tokenizer.json, and return its folder.

    The weights are functions of the family and the seed. Dropout is what the family's default is.
    """
    import torch
    import transformers

    row = FAMILIES[family]
    tokenizer = build_tokenizer(family)
    sizes = {key: value for key, value in {**_SIZES, **row.settings}.items() if value is not None}
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "cls", "sep")}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    config = getattr(transformers, row.config_class)(
        vocab_size=len(tokenizer), num_labels=num_labels, **sizes, **ids
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
