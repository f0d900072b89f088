"""What was forgotten, on tiny checkpoints of every family that guesses words: nothing untrained, much if disturbed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tests import tiny
from tests.training import load_encoder
from tunebook import methods
from tunebook.behaviour import forgetting
from tunebook.behaviour.forgetting import delta, has_head, loss, plain_texts
from tunebook.errors import IntegrityError, UsageError

Tiny = Callable[..., Path]
GUESSING = sorted(set(tiny.FAMILIES) - {"electra"})
TEXTS = tiny.CORPUS[:30]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def guessing(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function from a family to the folder of a tiny checkpoint with the head, trained a little, made once."""
    made: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family not in made:
            made[family] = build_guessing(tmp_path_factory.mktemp(f"guessing-{family}"), family)
        return made[family]

    return build


def build_guessing(folder: Path, family: str, *, steps: int = 30, **settings: Any) -> Path:
    tokenizer = tiny.build_tokenizer(family)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "cls", "sep")}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    config = tiny.config(family, vocab_size=len(tokenizer), **ids, **settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForMaskedLM.from_config(config).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        masked = forgetting._masked(model, tokenizer, TEXTS, seed=9, share=0.3)
        for _ in range(steps):
            for inputs, labels in forgetting._batches(tokenizer, masked):
                logits = model(**inputs).logits
                error = torch.nn.functional.cross_entropy(logits[labels >= 0], labels[labels >= 0])
                optimizer.zero_grad()
                error.backward()
                optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def disturbed(model: Any, size: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + size * torch.randn(value.shape, generator=generator)
        if value.is_floating_point()
        else value
        for name, value in model.state_dict().items()
    }


@pytest.mark.parametrize("family", GUESSING)
def test_untrained_is_unforgotten_and_disturbed_is_not(family: str, guessing: Callable[..., Path]) -> None:
    folder = guessing(family)
    finished = load_encoder(folder).model
    same = delta(folder, finished.state_dict(), texts=TEXTS)
    assert same["before"] == same["after"] and same["difference"] == 0
    assert same["before"] < 0.8 * same["uniform"] == pytest.approx(0.8 * math.log(finished.config.vocab_size))
    little, much = (delta(folder, disturbed(finished, size), texts=TEXTS) for size in (0.02, 0.5))
    assert same["before"] == little["before"] == much["before"]
    assert abs(little["difference"]) < much["difference"] and much["difference"] > 0.3
    assert json.loads(json.dumps(much)) == much


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_the_head_is_told_by_names(family: str, tiny_checkpoint: Tiny, guessing: Callable[..., Path]) -> None:
    assert not has_head(tiny_checkpoint(family))
    assert has_head(guessing(family)) == (family != "electra")


def test_sharded_and_renamed_checkpoints(tmp_path: Path, guessing: Callable[..., Path]) -> None:
    folder = guessing("bert")
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1 and has_head(tmp_path / "parts")
    foreign = shutil.copytree(folder, tmp_path / "foreign")
    config = json.loads((foreign / "config.json").read_text())
    (foreign / "config.json").write_text(
        json.dumps(config | {"architectures": ["BertForSequenceClassification"]})
    )
    assert has_head(foreign)
    (foreign / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    assert not has_head(foreign)


def by_hand(folder: Path, text: str, places: list[int]) -> float:
    """The mean loss of one text on its own, without padding, from `transformers`' own loss."""
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(text, return_tensors="pt")
    labels = torch.full_like(given["input_ids"], -100)
    labels[0, places] = given["input_ids"][0, places]
    given["input_ids"][0, places] = tokenizer.mask_token_id
    with torch.no_grad():
        return float(model(**given, labels=labels).loss)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "modernbert"])
def test_the_loss_is_the_librarys_over_all_masked_tokens(family: str, guessing: Callable[..., Path]) -> None:
    folder = guessing(family)
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder).train()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    masked = forgetting._masked(model, tokenizer, TEXTS, seed=3, share=0.15)
    parts = [
        (by_hand(folder, text, places), len(places)) for text, (_, places) in zip(TEXTS, masked, strict=True)
    ]
    expected = sum(error * count for error, count in parts) / sum(count for _, count in parts)
    found = loss(model, tokenizer, TEXTS, seed=3)
    assert found == pytest.approx(expected, rel=1e-5)
    assert found == loss(model, tokenizer, TEXTS, seed=3) != loss(model, tokenizer, TEXTS, seed=4)
    assert model.training


def test_masks_are_of_words_alone_and_as_many_as_asked(guessing: Callable[..., Path]) -> None:
    folder = guessing("bert")
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for share in (0.15, 0.5, 1.0):
        for ids, places in forgetting._masked(model, tokenizer, TEXTS, seed=0, share=share):
            assert not {ids[place] for place in places} & set(tokenizer.all_special_ids)
            assert len(places) == len(set(places)) == max(1, round(share * (len(ids) - 2)))
    first = forgetting._masked(model, tokenizer, TEXTS, seed=0, share=0.15)
    assert first[:5] == forgetting._masked(model, tokenizer, TEXTS[:5], seed=0, share=0.15)
    assert len(forgetting._masked(model, tokenizer, ["", "the film"], seed=0, share=0.15)) == 1
    same = forgetting._masked(model, tokenizer, [TEXTS[0]] * 20, seed=0, share=0.15)
    assert len({tuple(places) for _, places in same}) > 2  # another place, another mask
    (long,) = forgetting._masked(model, tokenizer, ["the film " * 200], seed=0, share=0.15)
    assert len(long[0]) == tiny.LONGEST


def test_the_head_stays_the_checkpoints(guessing: Callable[..., Path]) -> None:
    """Word vectors that moved do not move what the head compares with."""
    folder = guessing("bert")
    model, _ = forgetting._load(folder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    finished = disturbed(load_encoder(folder).model, 0.3)
    forgetting._replace(model, finished)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before if name.startswith("cls."))
    encoder = [name for name in before if name.startswith("bert.")]
    assert encoder and all(torch.equal(after[name], finished[name]) for name in encoder)


def test_a_folded_adapter_counts_and_an_unfolded_one_is_refused(guessing: Callable[..., Path]) -> None:
    folder = guessing("bert")
    encoder = load_encoder(folder)
    recipe = methods.apply("lora", {}, encoder, seed=0)
    with torch.no_grad():
        for name, parameter in encoder.model.named_parameters():
            if "lora_" in name:
                parameter += 0.3
    with pytest.raises(UsageError, match=r"parameters are missing or of another shape, such as .*fold what"):
        delta(folder, encoder.model.state_dict(), texts=TEXTS)
    assert recipe.adapter is not None
    assert delta(folder, recipe.adapter.fold(encoder.model).state_dict(), texts=TEXTS)["difference"] != 0


def test_the_later_layout_of_deberta(tmp_path: Path) -> None:
    folder = build_guessing(tmp_path / "later", "deberta-v2", steps=20, legacy=False)
    assert forgetting._layout(folder) == forgetting._LATER_DEBERTA
    config = json.loads((folder / "config.json").read_text())
    config.pop("legacy")  # as the published ones are
    (folder / "config.json").write_text(json.dumps(config))
    finished = load_encoder(folder).model
    found = delta(folder, finished.state_dict(), texts=TEXTS)
    assert found["difference"] == 0 and found["before"] < 0.8 * found["uniform"]
    assert delta(folder, disturbed(finished, 0.5), texts=TEXTS)["difference"] > 0.3


def test_what_is_refused(tmp_path: Path, tiny_checkpoint: Tiny, guessing: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="holds no head that guesses masked words"):
        delta(tiny_checkpoint("bert"), {})
    folder = shutil.copytree(guessing("bert"), tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(IntegrityError):
        delta(folder, {})
    partly = tmp_path / "partly"
    shutil.copytree(guessing("bert"), partly)
    from safetensors.torch import load_file, save_file

    held = load_file(partly / "model.safetensors")
    held.pop("cls.predictions.transform.dense.bias")
    save_file(held, partly / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"only a part of the head .*dense.bias"):
        delta(partly, {})
    model = transformers.AutoModelForMaskedLM.from_pretrained(guessing("bert"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(guessing("bert"))
    with pytest.raises(UsageError, match="share 0"):
        loss(model, tokenizer, TEXTS, seed=0, share=0)
    with pytest.raises(UsageError, match="none of 1 texts has a token"):
        loss(model, tokenizer, [""], seed=0)
    tokenizer.mask_token = None
    with pytest.raises(UsageError, match="the mask is None"):
        loss(model, tokenizer, TEXTS, seed=0)


def test_plain_texts_are_eighty_different_sentences() -> None:
    texts = plain_texts()
    assert len(texts) == len(set(texts)) == 80
    assert all(text.endswith(".") and text.isascii() and 6 <= len(text.split()) <= 30 for text in texts)


def test_the_plain_texts_are_used_where_none_are_given(guessing: Callable[..., Path]) -> None:
    folder = guessing("distilbert")
    found = delta(folder, load_encoder(folder).model.state_dict())
    assert found["texts"] == 80 and found["masked_tokens"] >= 80
