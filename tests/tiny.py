"""Tiny checkpoints of every family, made on the spot: random weights, tokenizers of a few hundred pieces."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.models.tiny import LONGEST, WIDTH, config

__all__ = ["CORPUS", "FAMILIES", "LONGEST", "WIDTH", "build_checkpoint", "build_tokenizer"]


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
    """How a family tokenises, and what frames its texts."""

    tokenizer: Callable[[list[str]], Any]
    specials: dict[str, str]
    pair: str


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
_BERT_PAIR = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
_FLAT_PAIR = "[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0"
_ROBERTA_PAIR = "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0"

FAMILIES: dict[str, Family] = {
    "bert": Family(_word_pieces, _BERT, _BERT_PAIR),
    "distilbert": Family(_word_pieces, _BERT, _FLAT_PAIR),
    "electra": Family(_word_pieces, _BERT, _BERT_PAIR),
    "mpnet": Family(_word_pieces, {**_ROBERTA, "unk_token": "[UNK]"}, _ROBERTA_PAIR),
    "roberta": Family(_byte_pairs, _ROBERTA, _ROBERTA_PAIR),
    "xlm-roberta": Family(_unigrams, _ROBERTA, _ROBERTA_PAIR),
    "camembert": Family(_unigrams, _ROBERTA, _ROBERTA_PAIR),
    "albert": Family(_unigrams, {**_BERT, "unk_token": "<unk>", "pad_token": "<pad>"}, _BERT_PAIR),
    "deberta": Family(_byte_pairs, _BERT, _BERT_PAIR),
    "deberta-v2": Family(_unigrams, _BERT, _BERT_PAIR),
    "modernbert": Family(_byte_pairs, _BERT, _FLAT_PAIR),
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

    tokenizer = build_tokenizer(family)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "cls", "sep")}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    made = config(family, vocab_size=len(tokenizer), num_labels=num_labels, **ids)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForSequenceClassification.from_config(made)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
