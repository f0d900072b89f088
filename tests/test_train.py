"""The loop: twin of transformers.Trainer, gradients, faults in the numbers, selection, schedules, frozen parts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.training import build_loop, load_encoder, spec_values, tokens
from tunebook import durable
from tunebook.errors import Diverged, UsageError
from tunebook.spec import TrainSpec

Tiny = Callable[..., Path]
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0}


pytestmark = pytest.mark.usefixtures("one_thread")


def weights(model: Any) -> dict[str, Any]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def gradients(model: Any) -> dict[str, Any]:
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def log(folder: Path) -> list[dict[str, Any]]:
    return durable.read_lines(folder / "metrics.jsonl")


# --- the twin -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("family", "num_labels"), [("bert", 2), ("distilbert", 3)])
def test_trains_as_transformers_trainer_does(
    family: str, num_labels: int, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """Same seed, batches and settings, no dropout, float32: the loss of each of 50 steps and the final weights."""
    import torch
    from torch.utils.data import DataLoader
    from transformers import Trainer, TrainingArguments

    from tunebook.data import batches

    steps, names = 50, tuple(f"class {index}" for index in range(num_labels))
    labels = [len(text) % num_labels for text in tiny.CORPUS]
    folder = tiny_checkpoint(family, num_labels=num_labels)
    settings: dict[str, Any] = {
        "batch_size": 16,
        "epochs": 1,
        "min_steps": steps,
        "warmup_fraction": 0.1,
        "weight_decay": 0.05,
        "max_grad_norm": 0.5,
    }
    ours = load_encoder(folder, label_names=names, **NO_DROPOUT)
    loop = build_loop(
        ours,
        tmp_path / "ours",
        labels=labels,
        label_names=names,
        seed=3,
        method_settings={"learning_rate": 1e-3},
        **settings,
    )
    loop.run()

    theirs = load_encoder(folder, label_names=names, **NO_DROPOUT)
    store = loop.train.store
    order = [batches.batch_at(step, count=len(store), batch_size=16, seed=3) for step in range(steps)]

    def collate(texts: list[int]) -> dict[str, torch.Tensor]:
        padded = batches.pad(np.array(texts), store, pad_id=loop.encoder.pad_id)
        arrays = {"input_ids": padded.input_ids, "attention_mask": padded.attention_mask}
        arrays |= {} if padded.type_ids is None else {"token_type_ids": padded.type_ids}
        return {name: torch.from_numpy(array) for name, array in arrays.items()} | {
            "labels": torch.tensor([labels[text] for text in texts])
        }

    losses: list[float] = []

    class OnOurBatches(Trainer):
        def get_train_dataloader(self) -> DataLoader[Any]:
            return DataLoader(
                range(len(store)), batch_sampler=[batch.tolist() for batch in order], collate_fn=collate
            )  # type: ignore[arg-type]

        def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
            loss = super().training_step(*arguments, **options)
            losses.append(float(loss))
            return loss

    arguments = TrainingArguments(
        output_dir=str(tmp_path / "theirs"),
        max_steps=steps,
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        weight_decay=0.05,
        max_grad_norm=0.5,
        warmup_steps=math.ceil(0.1 * steps),
        lr_scheduler_type="linear",
        optim="adamw_torch",
        seed=3,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    OnOurBatches(model=theirs.model, args=arguments).train()

    curve = [line["train/loss"] for line in log(tmp_path / "ours")]
    assert len(curve) == len(losses) == steps
    assert max(abs(ours - theirs) for ours, theirs in zip(curve, losses, strict=True)) < 1e-5
    assert curve[-1] < curve[0]
    final = weights(theirs.model)
    for name, tensor in weights(ours.model).items():
        torch.testing.assert_close(tensor, final[name], atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.55])
def test_schedules_are_those_of_transformers(schedule: str, warmup: float) -> None:
    import torch
    from transformers import get_scheduler

    from tunebook.optim import scale_at

    total = 40
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    scheduler = get_scheduler(
        name, optimizer, num_warmup_steps=math.ceil(total * warmup), num_training_steps=total
    )
    settings = TrainSpec(schedule=schedule, warmup_fraction=warmup)  # type: ignore[arg-type]
    for step in range(total):
        assert scale_at(step, total, settings) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12), step
        optimizer.step()
        scheduler.step()


def test_weight_decay_spares_norms_and_biases(tiny_checkpoint: Tiny) -> None:
    from tunebook import optim

    encoder = load_encoder(tiny_checkpoint("bert"))
    optimizer = optim.build(
        encoder.model, dict.fromkeys(encoder.parameter_names, 1e-3), TrainSpec(weight_decay=0.1)
    )
    decay = {name: group["weight_decay"] for group in optimizer.param_groups for name in group["param_names"]}
    assert set(decay) == set(encoder.parameter_names)
    for name, value in decay.items():
        assert value == (0.0 if name.endswith("bias") or "LayerNorm" in name else 0.1), name


# --- gradients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "mpnet"])
@pytest.mark.parametrize("options", [{}, {"class_weights": "balanced"}, {"label_names": ()}])
def test_passes_add_up_to_the_batch(
    options: dict[str, Any], family: str, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """The gradient of a batch that is cut to pieces equals that of the whole, packed and in rectangles."""
    import torch

    names, batch = options.get("label_names", ("bad", "good")), np.arange(0, 252, 11)
    folder = tiny_checkpoint(family, num_labels=len(names) or 1)
    found, groups = {}, {}
    for size in (1, 60, 10**6):
        encoder = load_encoder(folder, label_names=names, **NO_DROPOUT)
        loop = build_loop(encoder, tmp_path / str(size), micro_batch_tokens=size, batch_size=32, **options)
        groups[size] = len(loop.gradient.path.passes(batch, loop.train.store, max_tokens=size))
        loss, count = loop.gradient.add(0, batch)
        assert count == loop.train.store.text_lengths[batch].sum()
        found[size] = (
            float(loss),
            {name: gradient.clone() for name, gradient in gradients(encoder.model).items()},
        )
    assert groups[1] == len(batch) > groups[60] > groups[10**6]
    for size in (1, 60):
        assert found[size][0] == pytest.approx(found[10**6][0], abs=1e-6)
        for name, gradient in found[size][1].items():
            torch.testing.assert_close(gradient, found[10**6][1][name], atol=1e-6, rtol=1e-5, msg=name)


def test_class_weights_make_classes_count_the_same(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    import torch

    texts = tiny.CORPUS[:40]
    labels = [0] * 30 + [1] * 8 + [2] * 2
    encoder = load_encoder(tiny_checkpoint("bert", num_labels=3), label_names=("a", "b", "c"), **NO_DROPOUT)
    loop = build_loop(
        encoder,
        tmp_path,
        texts=texts,
        labels=labels,
        label_names=("a", "b", "c"),
        class_weights="balanced",
        batch_size=40,
    )
    expected = torch.tensor([40 / 3 / 30, 40 / 3 / 8, 40 / 3 / 2])
    torch.testing.assert_close(loop.gradient.class_weights, expected)
    loss = float(loop.gradient.add(0, np.arange(40))[0])
    logits = torch.from_numpy(loop.predict(loop.train.store))
    reference = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), weight=expected)
    assert loss == pytest.approx(float(reference), abs=1e-5)
    per_text = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), reduction="none")
    by_class = [float(per_text[torch.tensor(labels) == label].mean()) for label in range(3)]
    assert loss == pytest.approx(sum(by_class) / 3, abs=1e-5)


# --- scores ---------------------------------------------------------------------------------------------------


def test_scores_are_learned_in_the_users_units(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Prices around 20,000: the folder's plain model answers in dollars, validation is measured in dollars."""

    prices = [
        20_000 + 5_000 * text.endswith("great!") - 4_000 * text.endswith("boring") for text in tiny.CORPUS
    ]
    encoder = load_encoder(tiny_checkpoint("bert", num_labels=1), label_names=(), **NO_DROPOUT)
    loop = build_loop(
        encoder,
        tmp_path,
        labels=prices,
        label_names=(),
        validation=range(0, 252, 5),
        epochs=6,
        batch_size=16,
        method_settings={"learning_rate": 2e-3},
    )
    assert loop.mean == pytest.approx(np.mean(prices)) and loop.deviation == pytest.approx(
        np.std(prices), rel=1e-5
    )
    loop.run()
    before = loop.predict(loop.train.store) * loop.deviation + loop.mean
    is_at_best = loop.state.best_step == loop.state.step
    loop.finish()
    after = loop.predict(loop.train.store)  # what was scaled is scaled no more
    if is_at_best:
        np.testing.assert_allclose(after, before, rtol=1e-5)
    assert float(np.abs(after[:, 0] - prices).mean()) < 500
    evaluations = [line for line in log(tmp_path) if "eval/mae" in line]
    assert evaluations[-1]["eval/mae"] < 500 and evaluations[0]["eval/mae"] < 5_000


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_the_scale_is_folded_into_the_last_layer(family: str, tiny_checkpoint: Tiny) -> None:
    import torch

    from tunebook.models.head import fold_scale

    encoder = load_encoder(tiny_checkpoint(family, num_labels=1), label_names=())
    encoder.model.eval()
    inputs = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = encoder.model(inputs).logits
        fold_scale(encoder.model, mean=300.0, deviation=7.0)
        torch.testing.assert_close(encoder.model(inputs).logits, before * 7 + 300)


def test_scores_that_are_all_the_same_do_not_divide_by_zero(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    encoder = load_encoder(tiny_checkpoint("bert", num_labels=1), label_names=())
    loop = build_loop(encoder, tmp_path, labels=[4.0] * 252, label_names=())
    assert (loop.mean, loop.deviation) == (4.0, 1.0)
    loop.step()
    assert math.isfinite(log(tmp_path)[0]["train/loss"])


# --- numbers that are not finite --------------------------------------------------------------------------------


def poison(loop: Any, steps: set[int], value: float) -> None:
    """Make the gradient of the head not finite at some steps (from 0)."""
    parameter = dict(loop.encoder.model.named_parameters())["classifier.weight"]
    parameter.register_hook(lambda gradient: gradient * value if loop.state.step in steps else gradient)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_step_that_is_not_finite_is_not_applied(
    value: float, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    import torch

    from tunebook import optim
    from tunebook.data import batches

    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path, seed=4)
    poison(loop, {2}, value)
    loop.step()
    loop.step()
    before, state = (
        weights(loop.encoder.model),
        {k: v.clone() for k, v in optim.state(loop.optimizer).items()},
    )
    loop.step()
    assert loop.state.bad_steps == 1
    for name, tensor in weights(loop.encoder.model).items():
        assert torch.equal(tensor, before[name]), name
    for name, tensor in optim.state(loop.optimizer).items():
        assert torch.equal(tensor, state[name]), name
    loop.step()
    assert loop.state.bad_steps == 0
    assert all(tensor.isfinite().all() for tensor in weights(loop.encoder.model).values())
    assert not torch.equal(weights(loop.encoder.model)["classifier.weight"], before["classifier.weight"])
    third, fourth = log(tmp_path)[2:]
    assert third["train/grad_norm"] is None and third["event"] == "not finite, step skipped"
    assert third["texts"] == batches.batch_at(2, count=252, batch_size=32, seed=4).tolist()
    assert "event" not in fourth and math.isfinite(fourth["train/grad_norm"])


def test_ten_in_a_row_diverge_nine_do_not(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path / "nine", min_steps=20)
    poison(loop, set(range(1, 10)), math.nan)
    assert loop.run().step == 20
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path / "ten", min_steps=20)
    poison(loop, set(range(1, 11)), math.nan)
    with pytest.raises(Diverged, match="10 steps in a row, up to step 11; lower the learning rate") as caught:
        loop.run()
    assert caught.value.exit_code == 4
    for line in (tmp_path / "ten" / "metrics.jsonl").read_text().splitlines():
        assert "NaN" not in line and "Infinity" not in line


def test_a_learning_rate_that_explodes_ends_as_diverged(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Through the whole flow: exit code 4, status diverged, and every JSON of the folder is JSON."""
    from tests.training import write_reviews
    from tunebook import flow, spec
    from tunebook.book import Book, folder
    from tunebook.prepare import prepare
    from tunebook.run_object import as_object
    from tunebook.steering import Control

    values = spec_values(
        tiny_checkpoint("roberta"), write_reviews(tmp_path / "reviews.csv"), warmup_fraction=0.0, min_steps=60
    )
    values["method"] = {"name": "full", "learning_rate": 1.0}
    values["train"] |= {"max_grad_norm": 1e6, "epsilon": 1e-8, "beta1": 0.0, "beta2": 0.0}
    book = Book(tmp_path / "book")
    prepared = prepare(spec.run_spec(values, "the test"), book)

    class Exploding(Control):
        """Takes what the settings' bounds forbid: a learning rate that leaves float32."""

    control = Exploding()
    original = flow.build_loop

    def build(*arguments: Any) -> Any:
        loop = original(*arguments)
        for group in loop.optimizer.param_groups:
            group["peak"] = 1e38
        return loop

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Diverged):
        patch.setattr(flow, "build_loop", build)
        flow.run(prepared, book, flow.Options(), control)
    assert folder.status(prepared.folder) == "diverged"
    assert durable.read_json(prepared.folder / "failure.json")["exit_code"] == 4

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in [*prepared.folder.glob("*.json"), *prepared.folder.glob("*.jsonl")]:
        for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            json.loads(line, parse_constant=refuse)
    assert as_object(prepared.folder)["status"] == "diverged"


# --- plan, selection, early stopping ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "settings", "expected"),
    [
        (100, {"epochs": 3, "min_steps": 0, "batch_size": 32}, (4, 12, 4)),
        (100, {"epochs": 3, "min_steps": 300, "batch_size": 32}, (4, 300, 30)),
        (32, {"epochs": 1, "min_steps": 0, "batch_size": 32}, (1, 1, 1)),
        (33, {"epochs": 20, "min_steps": 0, "batch_size": 32}, (2, 40, 4)),
        (100, {"epochs": 3, "min_steps": 0, "eval_steps": 5}, (4, 12, 5)),
        (140_000, {"epochs": 3, "batch_size": 64}, (2188, 6564, 2188)),
    ],
)
def test_plan(count: int, settings: dict[str, Any], expected: tuple[int, int, int]) -> None:
    from tunebook.steering import Plan

    plan = Plan.of(count, TrainSpec(**settings))
    assert (plan.steps_per_epoch, plan.total_steps, plan.eval_every) == expected
    points = [step for step in range(1, plan.total_steps + 1) if plan.evaluates_after(step)]
    assert points[-1] == plan.total_steps
    assert "eval_steps" in settings or len(points) <= 10


def test_the_best_snapshot_is_selected(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """A loop that ends worse than it was goes back; the score is that of the best line of the log."""
    import torch
    from safetensors.torch import load_file

    loop = build_loop(
        load_encoder(tiny_checkpoint("bert")),
        tmp_path,
        validation=range(0, 252, 4),
        epochs=8,
        eval_steps=6,
        batch_size=16,
        select_on="log_loss",
        method_settings={"learning_rate": 2e-3},
    )
    poison(loop, set(range(60, 200)), -30.0)  # uphill from here: what follows is worse
    state = loop.run()
    scores = {line["step"]: line["eval/log_loss"] for line in log(tmp_path) if "eval/log_loss" in line}
    assert state.best_step == min(scores, key=scores.__getitem__) != state.step
    assert state.best_score == scores[state.best_step]
    loop.finish()
    best = load_file(tmp_path / f"checkpoint-{state.best_step}" / "model.safetensors")
    for name, tensor in weights(loop.encoder.model).items():
        assert torch.equal(tensor, best[name]), name


def test_stops_early_after_so_many_worse_evaluations(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(
        load_encoder(tiny_checkpoint("bert")),
        tmp_path,
        validation=range(0, 252, 4),
        epochs=50,
        eval_steps=5,
        early_stopping_patience=3,
        select_on="log_loss",
        method_settings={"learning_rate": 2e-3},
    )
    poison(loop, set(range(20, 1000)), -30.0)
    state = loop.run()
    scores = {line["step"]: line["eval/log_loss"] for line in log(tmp_path) if "eval/log_loss" in line}
    assert state.has_stopped_early and state.step < loop.plan.total_steps
    assert state.best_step is not None and state.step == state.best_step + 15
    assert all(scores[step] >= scores[state.best_step] for step in scores)


def test_without_validation_the_last_step_counts(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    loop = build_loop(load_encoder(tiny_checkpoint("bert")), tmp_path)
    state = loop.run()
    assert (state.best_step, state.step) == (None, loop.plan.total_steps)
    assert not [line for line in log(tmp_path) if any(key.startswith("eval/") for key in line)]
    before = weights(loop.encoder.model)
    loop.finish()
    assert all((tensor == before[name]).all() for name, tensor in weights(loop.encoder.model).items())


def test_a_metric_that_is_never_defined_selects_nothing(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Pearson of constant validation scores is None at every evaluation: the last step counts."""
    encoder = load_encoder(tiny_checkpoint("bert", num_labels=1), label_names=())
    labels = [1.0 if index % 5 == 0 else float(index) for index in range(252)]
    loop = build_loop(
        encoder, tmp_path, labels=labels, label_names=(), validation=range(0, 252, 5), epochs=2, eval_steps=8
    )
    state = loop.run()
    assert (state.best_step, state.best_score) == (None, None)
    loop.finish()


# --- the faster layers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
def test_word_dropout_drops_the_share_that_is_asked(probability: float) -> None:
    """134 million draws: their standard error is 4e-5 at most."""
    import torch

    from tunebook.models.dropout import WordDropout

    torch.manual_seed(0)
    layer = WordDropout(probability)
    zeros = sum(int((layer(torch.ones(2**22)) == 0).sum()) for _ in range(32))
    count = 32 * 2**22
    assert abs(zeros / count - probability) < 1e-4


@pytest.mark.parametrize("shape", [(1,), (3, 5), (7, 4, 9)])
def test_word_dropout_scales_and_passes_gradients_where_it_kept(shape: tuple[int, ...]) -> None:
    import torch

    from tunebook.models.dropout import WordDropout

    layer = WordDropout(0.25)
    values = torch.rand(shape).add(1).requires_grad_()
    torch.manual_seed(1)
    out = layer(values)
    kept = out != 0
    torch.testing.assert_close(out[kept], (values / 0.75)[kept])
    incoming = torch.rand(shape)
    out.backward(incoming)
    torch.testing.assert_close(values.grad, torch.where(kept, incoming / 0.75, torch.zeros(())))
    torch.manual_seed(1)
    assert torch.equal(layer(values), out), "the mask is a function of the random state"
    layer.eval()
    assert layer(values) is values
    assert torch.equal(WordDropout(1.0)(values), torch.zeros(shape))


@pytest.mark.parametrize("padding_idx", [None, 0, 3])
def test_row_embedding_has_the_gradient_of_the_stock_one(padding_idx: int | None) -> None:
    import torch

    from tunebook.models.embedding import RowEmbedding

    torch.manual_seed(0)
    stock = torch.nn.Embedding(11, 6, padding_idx)
    ours = RowEmbedding(11, 6, padding_idx, _weight=stock.weight.detach().clone())
    for _ in range(3):  # gradients add up over micro-batches, words repeat
        ids, incoming = torch.randint(0, 11, (4, 9)), torch.rand(4, 9, 6)
        assert torch.equal(ours(ids), stock(ids))
        ours(ids).backward(incoming)
        stock(ids).backward(incoming)
    torch.testing.assert_close(ours.weight.grad, stock.weight.grad)
    ours.weight.requires_grad_(False)
    assert not ours(ids).requires_grad


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_the_faster_layers_change_no_gradient(family: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Every family: gradients through the loop's model against the stock model on the same batch."""
    import torch

    from tunebook.environment import hardware
    from tunebook.paths import choose

    ours, stock = (load_encoder(tiny_checkpoint(family), **NO_DROPOUT) for _ in range(2))
    loop = build_loop(ours, tmp_path, micro_batch_tokens=10**6)
    batch = np.arange(0, 252, 9)
    loop.gradient.add(0, batch)
    stock.model.train()
    path = choose(stock, hardware("cpu", "float32"), padding="stock")
    labels = loop.gradient.labels[torch.from_numpy(batch)]
    torch.nn.functional.cross_entropy(path.logits(path.load(batch, loop.train.store)), labels).backward()
    expected = gradients(stock.model)
    for name, gradient in gradients(ours.model).items():
        if gradient is None or expected[name] is None:
            assert gradient is None and expected[name] is None, name
        else:
            torch.testing.assert_close(gradient, expected[name], atol=1e-6, rtol=1e-4, msg=name)


# --- what trains ------------------------------------------------------------------------------------------------


def headless(folder: Path, target: Path) -> Path:
    """A copy of a checkpoint as encoders are published: without the classification head."""
    import shutil

    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForSequenceClassification

    shutil.copytree(folder, target)
    model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    tensors = load_file(folder / "model.safetensors")
    kept = {
        name: tensor for name, tensor in tensors.items() if name.startswith(model.base_model_prefix + ".")
    }
    assert 0 < len(kept) < len(tensors)
    save_file(kept, target / "model.safetensors", {"format": "pt"})
    return target


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_a_linear_probe_leaves_the_encoder_bit_for_bit(
    family: str, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """The encoder stays; the head, the pooler with it, and what the checkpoint lacks train, all of it."""
    import torch

    encoder = load_encoder(headless(tiny_checkpoint(family), tmp_path / "published"))
    assert encoder.new_names
    loop = build_loop(encoder, tmp_path / "run", method="linear_probe", min_steps=6)
    before = weights(encoder.model)
    loop.run()
    after = weights(encoder.model)
    for name, tensor in before.items():
        is_changed = not torch.equal(tensor, after[name])
        assert is_changed == (name in encoder.head_names), name
    poolers = {name for name in before if name.startswith(f"{encoder.model.base_model_prefix}.pooler.")}
    assert set(loop.recipe.trained_names) == set(encoder.new_names) | poolers


def test_a_pooler_that_starts_random_trains_with_the_head(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """As with encoders published from masked language modelling, which have no pooler."""
    from safetensors.torch import load_file, save_file

    folder = headless(tiny_checkpoint("bert"), tmp_path / "published")
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in tensors.items() if "pooler" not in k},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    encoder = load_encoder(folder)
    assert {"bert.pooler.dense.weight", "classifier.weight"} <= encoder.new_names <= set(encoder.head_names)
    loop = build_loop(encoder, tmp_path / "run", method="linear_probe", min_steps=4)
    before = weights(encoder.model)
    loop.run()
    assert not (
        weights(encoder.model)["bert.pooler.dense.weight"] == before["bert.pooler.dense.weight"]
    ).all()


def test_features_of_a_linear_probe_are_constants(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """No dropout inside the encoder; the head's own acts."""
    import torch

    encoder = load_encoder(tiny_checkpoint("bert"), dropout=0.5)
    loop = build_loop(encoder, tmp_path, method="linear_probe")
    store, texts = loop.train.store, np.arange(5)
    before = encoder.model.training
    first, second = (loop.gradient.path.load(texts, store).inputs for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    assert encoder.model.training == before
    loop.gradient.add(0, texts)
    loaded = loop.gradient.path.load(texts, store)
    assert not torch.equal(loop.gradient.path.logits(loaded), loop.gradient.path.logits(loaded))


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_full_fine_tuning_changes_every_weight_that_is_used(
    family: str, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    import torch

    encoder = load_encoder(headless(tiny_checkpoint(family), tmp_path / "published"))
    loop = build_loop(encoder, tmp_path / "run", min_steps=6, method_settings={"learning_rate": 1e-3})
    before = weights(encoder.model)
    loop.run()
    same = {name for name, tensor in weights(encoder.model).items() if torch.equal(tensor, before[name])}
    assert not {name for name in same if "position" not in name and "token_type" not in name}


def test_dropout_is_what_was_asked(tiny_checkpoint: Tiny) -> None:
    """`dropout` reaches every dropout layer of every family, `attention_dropout` the attention."""
    from torch import nn

    for family in tiny.FAMILIES:
        encoder = load_encoder(tiny_checkpoint(family), dropout=0.25, attention_dropout=0.125)
        layers = {
            name: module.p for name, module in encoder.model.named_modules() if isinstance(module, nn.Dropout)
        }
        assert set(layers.values()) <= {0.25, 0.125}, (family, layers)


# --- windows ----------------------------------------------------------------------------------------------------


def test_the_logits_of_windows_are_averaged(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """A text of several windows: the mean of what the model says of each, in training as in prediction."""
    import torch

    encoder = load_encoder(tiny_checkpoint("bert"), **NO_DROPOUT)
    texts = [" ".join(tiny.CORPUS[start : start + 9]) for start in range(0, 90, 9)] + list(tiny.CORPUS[:6])
    loop = build_loop(
        encoder, tmp_path, texts=texts, labels=[0, 1] * 8, long="windows", micro_batch_tokens=200
    )
    store = loop.train.store
    assert store.rows[:10].min() > 1 and store.rows[10:].max() == 1
    found = loop.predict(store)
    encoder.model.eval()
    for text in range(len(store)):
        windows = range(store.first_window[text], store.first_window[text + 1])
        with torch.no_grad():
            each = [
                encoder.model(torch.tensor(np.array(store.window(j), np.int64))[None]).logits[0]
                for j in windows
            ]
        np.testing.assert_allclose(found[text], torch.stack(each).mean(0).numpy(), atol=1e-5)
    loss = float(loop.gradient.add(0, np.arange(16))[0])
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(found), torch.tensor([0, 1] * 8))
    assert loss == pytest.approx(float(expected), abs=1e-5)


def test_predictions_come_back_in_order(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    encoder = load_encoder(tiny_checkpoint("roberta"))
    loop = build_loop(encoder, tmp_path, micro_batch_tokens=300)
    everything = loop.predict(loop.train.store)
    some = np.array([200, 3, 77, 3])
    np.testing.assert_allclose(loop.predict(loop.train.store, some), everything[some], atol=1e-6)
    alone = loop.predict(tokens(encoder, [tiny.CORPUS[77]]))
    np.testing.assert_allclose(alone[0], everything[77], atol=1e-6)


def test_more_tokens_than_positions_are_refused(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    from tests.training import write_reviews
    from tunebook import flow, spec
    from tunebook.book import Book
    from tunebook.prepare import prepare
    from tunebook.steering import Control

    values = spec_values(tiny_checkpoint("roberta"), write_reviews(tmp_path / "reviews.csv"), max_length=65)
    book = Book(tmp_path / "book")
    with pytest.raises(UsageError, match=r"max_length is 65, but .* has positions for 64 tokens"):
        flow.run(prepare(spec.run_spec(values, "the test"), book), book, flow.Options(), Control())


def test_pairs_train_with_both_texts(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Whether the second text repeats the first cannot be told from one of them."""
    texts = [[text, tiny.CORPUS[(index + 100 * (index % 2)) % 252]] for index, text in enumerate(tiny.CORPUS)]
    encoder = load_encoder(tiny_checkpoint("bert"))
    loop = build_loop(encoder, tmp_path, texts=texts, labels=[index % 2 for index in range(252)])
    assert loop.train.store.type_ids is not None
    loop.step()
    assert math.isfinite(log(tmp_path)[0]["train/loss"])
