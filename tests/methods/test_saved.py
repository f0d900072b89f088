"""What a run leaves: read by a fresh process to the same bits, folded into a plain checkpoint, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.methods import cells
from tests.methods.cells import CELLS, FAMILIES, METHODS, REFUSED, UNFOLDABLE, WHOLE, Ran
from tests.zygote import Zygote
from tunebook import durable, finished
from tunebook.errors import IntegrityError, UsageError
from tunebook.models import adapter

Run = Callable[[str, str], Ran]
Checkpoint = Callable[..., Path]

ADAPTER_FILES, WHOLE_FILES = (
    {"adapter_model.safetensors", "adapter_config.json"},
    {"model.safetensors", "config.json"},
)
KINDS = ("lora", "prompt_tuning", "prefix_tuning", "bitfit")
"""A method of each way to store: PEFT's module by module, PEFT's prompts, our own modules, parameters by name."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    found = Zygote()
    yield found
    found.close()


# --- another process --------------------------------------------------------------------------------------------

ANSWERING = """
import os, sys, traceback
from pathlib import Path
from tests.methods.cells import answer
try:
    answer(Path({folder!r}))
    os._exit(0)
except BaseException:
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fresh_process_gives_the_same_bits(family: str, ran: Run, zygote: Zygote, tmp_path: Path) -> None:
    """One process loads what every method left on a family; nothing of ours was loaded in it before."""
    runs = {method: ran(method, family) for method in METHODS if (method, family) not in REFUSED}
    texts = runs["full"].test_texts()
    assert all(run.test_texts() == texts for run in runs.values())
    asked = {"texts": texts, "runs": {method: str(run.folder) for method, run in runs.items()}}
    (tmp_path / "runs.json").write_text(json.dumps(asked))
    pid = zygote.start({}, tmp_path / "process", setup=ANSWERING.format(folder=str(tmp_path)))
    assert zygote.wait(pid) == 0, (tmp_path / "process" / "errors").read_text()
    differing = {}
    for method, run in runs.items():
        found, expected = np.load(tmp_path / f"{method}.npy"), run.logits()
        assert found.shape == expected.shape == (len(texts), 2) and found.dtype == np.float32
        if found.tobytes() != expected.tobytes():
            differing[method] = float(np.abs(found - expected).max())
    assert not differing


@pytest.mark.parametrize(("method", "family"), CELLS)
def test_what_is_stored_is_what_trained(method: str, family: str, ran: Run) -> None:
    """Adapters are stored apart from their checkpoint, with the head; the rest of the model is not stored again."""
    from safetensors import safe_open

    found = ran(method, family)
    names = {path.name for path in found.folder.iterdir()}
    assert names & (ADAPTER_FILES | WHOLE_FILES) == (WHOLE_FILES if method in WHOLE else ADAPTER_FILES)
    assert "tokenizer.json" in names
    weights = found.folder / ("model.safetensors" if method in WHOLE else "adapter_model.safetensors")
    result = json.loads((found.folder / "result.json").read_bytes())
    assert (result["weights_bytes"], result["weights_sha256"]) == (
        weights.stat().st_size,
        durable.sha256_file(weights),
    )
    with safe_open(weights, "np") as file:
        sizes = {name: int(np.prod(file.get_slice(name).get_shape())) for name in file.keys()}  # noqa: SIM118
    heads = {head for head in found.encoder.head_names if any(key.endswith(head) for key in sizes)}
    assert heads == set(found.encoder.head_names)
    if method not in WHOLE and method not in (
        "vera",
        "p_tuning",
    ):  # random matrices too; vectors, not their network
        assert sum(sizes.values()) == sum(result["trainable_parameters"].values())
    if method == "p_tuning":
        width = found.encoder.model.get_input_embeddings().words.embedding_dim
        assert sizes["prompt_embeddings"] == 3 * width


@pytest.mark.parametrize("method", KINDS)
def test_written_again_it_has_the_same_bytes(method: str, ran: Run, tmp_path: Path) -> None:
    """safetensors would write several entries of metadata in an order that differs every time."""
    found = ran(method, "bert")
    encoder, recipe = finished.load(found.folder)
    assert recipe is not None and found.prepared.checkpoint is not None
    contents = set()
    for number in range(8):
        (folder := tmp_path / str(number)).mkdir()
        adapter.write(
            folder,
            encoder,
            recipe.adapter or adapter.Adapter(),
            recipe.trained_names,
            checkpoint=found.prepared.checkpoint,
            method=found.prepared.identity["method"],
        )
        contents.add((folder / "adapter_model.safetensors").read_bytes())
    assert contents == {(found.folder / "adapter_model.safetensors").read_bytes()}


# --- folded -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "family"), [cell for cell in CELLS if cell[0] not in UNFOLDABLE])
def test_folded_it_is_a_plain_checkpoint_that_computes_the_same(
    method: str, family: str, ran: Run, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """And what was folded matters: with the checkpoint's own encoder below the same head the answers are others."""
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    found, target = ran(method, family), tmp_path / "plain"
    finished.merge(found.folder, target)
    assert not (target / "adapter_config.json").exists()
    model = AutoModelForSequenceClassification.from_pretrained(target, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(target, local_files_only=True)
    assert model.config.id2label == {0: "bad", 1: "good"}
    texts = found.test_texts()
    np.testing.assert_allclose(
        cells.stock_logits(model, tokenizer, texts), found.logits(), atol=1e-5, rtol=1e-5
    )
    held, head = load_file(checkpoint(family) / "model.safetensors"), found.encoder.head_names
    published = {name: tensor for name, tensor in held.items() if name not in head}
    assert not model.load_state_dict(published, strict=False).unexpected_keys
    moved = np.abs(cells.stock_logits(model, tokenizer, texts) - found.logits()).max()
    assert moved > 1e-2 if method != "linear_probe" else moved < 1e-4


@pytest.mark.parametrize(("method", "family"), [cell for cell in CELLS if cell[0] in UNFOLDABLE])
def test_what_cannot_be_folded_says_why(method: str, family: str, ran: Run, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=f"cannot be folded into a plain checkpoint: {UNFOLDABLE[method]}"
    ) as caught:
        finished.merge(ran(method, family).folder, tmp_path / "plain")
    assert caught.value.exit_code == 2 and not (tmp_path / "plain").exists()


# --- damaged ----------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(ran: Run, tmp_path: Path) -> Callable[..., Path]:
    """A function `(method, name="copy")` that gives a copy of its run on BERT, to be damaged."""
    return lambda method, name="copy": Path(shutil.copytree(ran(method, "bert").folder, tmp_path / name))


def change_json(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def seal_again(folder: Path) -> None:
    """Give the result the digest that the weights have now: what is damaged is inside of them."""
    digest = durable.sha256_file(folder / "adapter_model.safetensors")
    change_json(folder / "result.json", lambda result: result.update(weights_sha256=digest))


def rewrite(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change an adapter's tensors, and what its header says of checkpoint and method, and seal it again."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    path, said = folder / "adapter_model.safetensors", adapter.metadata(folder)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        (entry,) = file.metadata()
    change(tensors, said)
    save_file(tensors, path, {entry: said.pop("text", json.dumps(said))})
    seal_again(folder)


def refuse(folder: Path, message: str) -> None:
    with pytest.raises(IntegrityError, match=message) as caught:
        finished.load(folder)
    assert caught.value.exit_code == 5
    with pytest.raises(IntegrityError, match=message):
        finished.merge(folder, folder.parent / "plain")


@pytest.mark.parametrize("method", KINDS)
def test_an_adapter_on_another_checkpoint_is_refused(
    method: str, copied: Callable[..., Path], checkpoint: Checkpoint
) -> None:
    folder, other = copied(method), checkpoint("bert", seed=1)
    change_json(folder / "run.json", lambda run: run["spec"].update(checkpoint=str(other)))
    message = "was trained on a checkpoint with fingerprint [0-9a-f]{64}, but .* has [0-9a-f]{64}; bring"
    refuse(folder, message)
    with pytest.raises(IntegrityError, match=message):
        finished.load(copied(method, "again"), checkpoint=str(other))
    assert finished.load(folder, checkpoint=str(checkpoint("bert"))), "it is only said to lie elsewhere"


@pytest.mark.parametrize("method", KINDS)
def test_an_adapter_of_another_version_is_refused(method: str, copied: Callable[..., Path]) -> None:
    """A method that changed would put the same tensors to another use."""
    folder = copied(method)
    rewrite(folder, lambda tensors, said: said["method"].update(version=99))
    with pytest.raises(UsageError, match=f"was trained with version 99 of {method}; run it again"):
        finished.load(folder)


@pytest.mark.parametrize("method", KINDS)
def test_a_rewritten_adapter_is_read(method: str, copied: Callable[..., Path], ran: Run) -> None:
    """What the next tests do to an adapter is not what they find."""
    import torch

    folder = copied(method)
    rewrite(folder, lambda tensors, said: None)
    found = cells.tensors(finished.load(folder)[0].model)
    expected = cells.tensors(finished.load(ran(method, "bert").folder)[0].model)
    assert found.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.9])
@pytest.mark.parametrize("method", KINDS)
def test_a_truncated_adapter_is_refused(
    method: str, share: float, is_sealed: bool, copied: Callable[..., Path]
) -> None:
    folder = copied(method)
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    if is_sealed:
        seal_again(folder)
    refuse(folder, "cannot be read" if is_sealed else "is damaged or missing: expected sha256")


def drop_last(tensors: dict[str, Any], said: dict[str, Any]) -> None:
    tensors.pop(max(tensors))


def drop_head(tensors: dict[str, Any], said: dict[str, Any]) -> None:
    del tensors[next(name for name in tensors if name.endswith("classifier.weight"))]


def add_foreign(tensors: dict[str, Any], said: dict[str, Any]) -> None:
    tensors["foreign.weight"] = tensors[max(tensors)].clone()


def cut_one(tensors: dict[str, Any], said: dict[str, Any]) -> None:
    tensors[max(tensors)] = tensors[max(tensors)][..., :1].clone()


def forget_the_base(tensors: dict[str, Any], said: dict[str, Any]) -> None:
    del said["base_fingerprint"]


def break_the_header(tensors: dict[str, Any], said: dict[str, Any]) -> None:
    said["text"] = "{"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_last, "is missing, foreign or of another shape"),
        (drop_head, r"classifier\.weight is missing, foreign or of another shape"),
        (add_foreign, r"foreign\.weight is missing, foreign or of another shape"),
        (cut_one, "is missing, foreign or of another shape"),
        (forget_the_base, "does not say what it was trained on, and by which method"),
        (break_the_header, "does not say what it was trained on|cannot be read"),
    ],
)
@pytest.mark.parametrize("method", KINDS)
def test_other_tensors_than_the_model_has_are_refused(
    method: str, change: Any, message: str, copied: Callable[..., Path]
) -> None:
    folder = copied(method)
    rewrite(folder, change)
    refuse(folder, message)
