"""What fine-tuning forgot: how well the words of plain text are still guessed, by the head that pretraining left."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    import torch

_BATCH = 16
_BERT = ("cls.predictions.transform.dense.weight", "cls.predictions.bias")
_ROBERTA = ("lm_head.dense.weight", "lm_head.bias")
_LATER_DEBERTA = ("lm_predictions.lm_head.dense.weight", "lm_predictions.lm_head.bias")
_ROWS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "bert": (_BERT,),
    "distilbert": (("vocab_transform.weight", "vocab_projector.bias"),),
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert", "mpnet"), (_ROBERTA,)),
    "albert": (("predictions.dense.weight", "predictions.bias"),),
    **dict.fromkeys(("deberta", "deberta-v2"), (_BERT, _LATER_DEBERTA)),
    # A classification model of this family has head.dense too, and no decoder.
    "modernbert": (("head.dense.weight", "decoder.bias"),),
}
"""By family, names of tensors that a checkpoint with the head has, in one of the ways to lay it out.

ELECTRA is not among them: what is fine-tuned of it is the part that learned to find replaced words, not to guess them.
"""


def plain_texts() -> list[str]:
    """Eighty plain sentences on varied subjects, written for this and of no dataset."""
    lines = Path(__file__).with_name("plain.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def has_head(folder: Path) -> bool:
    """Whether a checkpoint holds the head that guesses masked words, told by the names in its safetensors.

    What its configuration calls itself does not count: a checkpoint named for another task may still hold the head,
    and one named for it, converted with parts left out, may not. An ELECTRA never has it.
    """
    return _layout(folder) is not None


def _layout(folder: Path) -> tuple[str, str] | None:
    """The names by which a checkpoint's head was found; None where there is none."""
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    ways = _ROWS.get(str(config.get("model_type")), ())
    held: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")) if ways else ():
        with safe_open(path, "np") as file:
            held |= set(file.keys())
    return next((way for way in ways if held.issuperset(way)), None)


# --- guessing masked words ----------------------------------------------------------------------------------


def loss(model: Any, tokenizer: Any, texts: Sequence[str], *, seed: int, share: float = 0.15) -> float:
    """How badly a masked-language model guesses words that were taken out: mean cross-entropy in nats a masked token.

    Of every text `share` of its tokens, rounded and at least one, is replaced by the mask, by a function of the seed,
    the text's place and its tokens; special tokens never are. Every one becomes the mask, unlike in pretraining, where
    a tenth stays and a tenth is another word: so one number means one thing, and all models of one tokenizer are asked
    the same. It is a pseudo log-likelihood by share rather than word by word.

    Source: Devlin et al. 2019, BERT, arXiv 1810.04805, section 3.1, for the share.

    Raises:
        UsageError: the tokenizer has no mask, no text has a token, or the share is not above 0 and at most 1.
    """
    return _loss(model, tokenizer, _masked(model, tokenizer, texts, seed=seed, share=share))


def _masked(
    model: Any, tokenizer: Any, texts: Sequence[str], *, seed: int, share: float
) -> list[tuple[list[int], list[int]]]:
    """Of each text its ids, and the places that are masked."""
    import numpy as np

    from tunebook.models.load import token_limit

    if tokenizer.mask_token_id is None or not 0 < share <= 1:
        raise UsageError(
            f"the mask is {tokenizer.mask_token!r} and the share {share}, expected a mask, and above 0 to 1"
        )
    limit = token_limit(model.config, tokenizer)
    found = []
    for number, text in enumerate(texts):
        made = tokenizer(text, truncation=True, max_length=limit, return_special_tokens_mask=True)
        free = [place for place, special in enumerate(made["special_tokens_mask"]) if not special]
        if free:
            count = max(1, round(share * len(free)))
            chosen = np.random.default_rng([seed, number]).choice(free, count, replace=False)
            found.append((list(made["input_ids"]), sorted(int(place) for place in chosen)))
    if not found:
        raise UsageError(f"none of {len(texts)} texts has a token to guess")
    return found


def _loss(model: Any, tokenizer: Any, masked: Sequence[tuple[list[int], list[int]]]) -> float:
    import torch
    from torch.nn.functional import cross_entropy

    total, count, was_training = 0.0, 0, model.training
    model.eval()
    try:
        with torch.no_grad():
            for inputs, labels in _batches(tokenizer, masked):
                inputs = {name: values.to(model.device) for name, values in inputs.items()}
                is_asked = labels >= 0
                logits = model(**inputs).logits[is_asked.to(model.device)].double().cpu()
                total += float(cross_entropy(logits, labels[is_asked], reduction="sum"))
                count += int(is_asked.sum())
    finally:
        model.train(was_training)
    return total / count


def _batches(
    tokenizer: Any, masked: Sequence[tuple[list[int], list[int]]]
) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """Padded inputs, and the true ids where a token is masked, -1 elsewhere, `(texts, tokens)` each."""
    import torch

    for start in range(0, len(masked), _BATCH):
        part = masked[start : start + _BATCH]
        longest = max(len(ids) for ids, _ in part)
        ids = torch.full((len(part), longest), tokenizer.pad_token_id)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -1)
        for row, (text, places) in enumerate(part):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
            labels[row, places] = ids[row, places]
            ids[row, places] = tokenizer.mask_token_id
        yield {"input_ids": ids, "attention_mask": mask}, labels


# --- before and after ---------------------------------------------------------------------------------------


def delta(
    folder: Path,
    finished: Mapping[str, torch.Tensor],
    *,
    texts: Sequence[str] | None = None,
    seed: int = 0,
    share: float = 0.15,
) -> dict[str, float | int]:
    """The loss on plain text `before` and `after` fine-tuning, by the head of the checkpoint in `folder`.

    `finished` are the parameters of the fine-tuned model by name (its `state_dict`, tensors of any shape), folded where
    an adapter was trained: its encoder's replace the checkpoint's; its head and pooler are not looked at. What stands
    beside a text, such as a prefix, is in no weight, and forgets nothing by this measure. The
    checkpoint's head stays as it is, the word vectors that it compares with included, which elsewhere move with the
    embeddings (in DeBERTa's newer layout they still do): so it is the encoder's change alone that is seen.

    Both losses are in nats a masked token, of the same `masked_tokens` in as many `texts` (the eighty of `plain.txt`
    where none are given); `difference` is after less before. `uniform` is what guessing all words alike would cost: a
    `before` near it says that the head in the file was never trained, and the difference says nothing then. It is a
    number of these sentences: with eighty of them the two losses vary by some tenths from sentence to sentence, and
    little of that is in their difference.

    Raises:
        UsageError: the checkpoint has no such head, or the parameters lack some of its encoder's or differ in shape.
        IntegrityError: the checkpoint's files are damaged, pickled or name foreign code.
    """
    model, tokenizer = _load(folder)
    given = plain_texts() if texts is None else list(texts)
    masked = _masked(model, tokenizer, given, seed=seed, share=share)
    before = _loss(model, tokenizer, masked)
    _replace(model, finished)
    after = _loss(model, tokenizer, masked)
    return {
        "before": before,
        "after": after,
        "difference": after - before,
        "masked_tokens": sum(len(places) for _, places in masked),
        "texts": len(masked),
        "uniform": math.log(model.config.vocab_size),
    }


def _load(folder: Path) -> tuple[Any, Any]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForMaskedLM

    from tunebook.models.load import load_tokenizer, quietly
    from tunebook.models.resolve import check_files

    check_files(folder)
    layout = _layout(folder)
    if layout is None:
        raise UsageError(
            f"{folder} holds no head that guesses masked words; what was forgotten cannot be measured"
        )
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if layout == _LATER_DEBERTA:
        config.legacy = False
    try:
        with quietly():
            model, info = AutoModelForMaskedLM.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise IntegrityError(
            f"{folder}: the weights cannot be read ({error}); fetch the checkpoint again"
        ) from None
    if lacking := sorted(info["missing_keys"]):
        raise UsageError(
            f"{folder} holds only a part of the head that guesses masked words: {lacking[:3]} are missing"
        )
    return model, load_tokenizer(folder)


def _replace(model: Any, finished: Mapping[str, torch.Tensor]) -> None:
    """Put fine-tuned parameters into the encoder, in place, and keep the head's own word vectors."""
    import torch
    from torch import nn

    output, prefix = model.get_output_embeddings(), f"{model.base_model_prefix}."
    if output is not None:
        output.weight = nn.Parameter(output.weight.detach().clone())
    held = {name.removeprefix(prefix): tensor for name, tensor in finished.items()}
    encoder = dict(model.base_model.named_parameters())
    wrong = [name for name, old in encoder.items() if name not in held or held[name].shape != old.shape]
    if wrong:
        raise UsageError(
            f"{len(wrong)} of the encoder's parameters are missing or of another shape, such as {wrong[0]}; fold what "
            "a method put into the model first, and give the run's own checkpoint"
        )
    with torch.no_grad():
        for name, parameter in encoder.items():
            parameter.copy_(held[name])
