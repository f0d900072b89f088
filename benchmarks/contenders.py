"""Who trains: Tunebook's own loop, and `transformers.Trainer` with `peft` as a user would set them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.workloads import WARM_STEPS, Workload

TRAINERS: dict[str, dict[str, Any]] = {
    "trainer-128": {"padding": "max_length"},
    "trainer-dynamic": {},
    "trainer-bf16": {"bf16": True},
    "trainer-grouped": {"bf16": True, "train_sampling_strategy": "group_by_length"},
}
"""What a user of `transformers.Trainer` would set, from the least to the most."""

_PREFIX_LENGTH = 5
"""That of our own default, so that both sides train as many parameters."""


def finished(*, seconds: float, samples: int, tokens: int, **more: Any) -> dict[str, Any]:
    """What a contender answers."""
    from tunebook import cost

    found = {
        "samples_per_second": samples / seconds,
        "tokens_per_second": tokens / seconds,
        "seconds": seconds,
    }
    return {**found, "peak_memory_bytes": cost.peak_memory_bytes(), **more}


def trainable(model: Any) -> int:
    """How many values of a model train: as many for every contender of a workload that trains by its method."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


# --- Tunebook ------------------------------------------------------------------------------------------------


def tunebook(
    workload: Workload, store: Any, labels: Any, encoder: Any, folder: Path, *, name: str = "tunebook"
) -> dict[str, Any]:
    """Tunebook's own loop, as a run has it."""
    steps = workload.steps[name]
    begin = time.perf_counter()
    loop = loop_of(workload, store, labels, encoder, folder)
    for _ in range(WARM_STEPS if steps else 0):
        loop.step()
    if steps:
        begin = time.perf_counter()
    before = loop.meter.samples, loop.meter.tokens
    for _ in range(steps or loop.plan.total_steps):
        loop.step()
    seconds = time.perf_counter() - begin
    samples, tokens = loop.meter.samples - before[0], loop.meter.tokens - before[1]
    loading = loop.meter.loading_seconds / loop.meter.seconds
    found = finished(seconds=seconds, samples=samples, tokens=tokens, loader_share=loading)
    path = loop.paths[0]
    found["trainable_parameters"] = trainable(encoder.model)
    return found | {"path": path.name, "kernel": path.kernel, "precision": loop.hardware.precision}


def loop_of(workload: Workload, store: Any, labels: Any, encoder: Any, folder: Path) -> Any:
    """A loop over the texts, built as a run builds it; the method has its declared defaults."""
    from tunebook import environment, methods, paths
    from tunebook.spec import TrainSpec
    from tunebook.steering import Control
    from tunebook.train import Labelled, Loop

    hardware = environment.hardware()
    environment.make_repeatable(hardware)
    values = methods.method(workload.method).settings().model_dump()
    recipe = methods.apply(workload.method, values, encoder, seed=0)
    path = paths.choose(encoder, hardware)
    return Loop(
        encoder,
        recipe,
        [
            paths.keeping_features(path, encoder, hardware, trains=phase.learning_rates)
            for phase in recipe.phases
        ],
        Labelled(store, labels),
        None,
        settings=TrainSpec(epochs=workload.epochs, batch_size=workload.batch_size),
        seed=0,
        label_names=("negative", "positive"),
        hardware=hardware,
        folder=folder,
        control=Control(),
    )


# --- transformers.Trainer ------------------------------------------------------------------------------------


def trainer(
    workload: Workload, store: Any, labels: Any, encoder: Any, folder: Path, *, name: str
) -> dict[str, Any]:
    """`transformers.Trainer` on the same texts, with its usual collator."""
    import torch
    from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    options, steps = dict(TRAINERS[name]), workload.steps[name]
    model = adapted(workload.method, encoder)
    padding = options.pop("padding", True)
    longest = workload.max_length if padding == "max_length" else None
    collator = DataCollatorWithPadding(encoder.tokenizer, padding=padding, max_length=longest)
    rows = [
        {"input_ids": store.window(text).tolist(), "labels": int(labels[text])} for text in range(len(store))
    ]
    seen: list[tuple[float, int]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *arguments: Any, **more: Any) -> None:
            seen.append((time.perf_counter(), counted[0]))

    counted = [0]

    def collate(batch: Sequence[dict[str, Any]]) -> Any:
        counted[0] += sum(len(row["input_ids"]) for row in batch)
        return collator(batch)

    begin = time.perf_counter()
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=WARM_STEPS + steps if steps else -1,
        num_train_epochs=workload.epochs,
        per_device_train_batch_size=workload.batch_size,
        learning_rate=5e-5,
        seed=0,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        **options,
    )
    run = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,  # type: ignore[arg-type]
        data_collator=collate,
        callbacks=[Clock()],
    )
    run.train()
    trains = trainable(model)
    if not steps:
        seconds, samples = seen[-1][0] - begin, len(rows) * workload.epochs
        return finished(seconds=seconds, samples=samples, tokens=counted[0], trainable_parameters=trains)
    (first, before), (last, after) = seen[WARM_STEPS - 1], seen[-1]
    samples = steps * workload.batch_size
    return finished(seconds=last - first, samples=samples, tokens=after - before, trainable_parameters=trains)


def adapted(method: str, encoder: Any) -> Any:
    """The model with the same method in it, put there by `peft` where `peft` has it, else by hand."""
    if method == "full":
        return encoder.model
    if method in ("linear_probe", "bitfit"):
        for name, parameter in encoder.model.named_parameters():
            is_bias = method == "bitfit" and name.endswith("bias")
            parameter.requires_grad_(is_bias or name in encoder.head_names)
        return encoder.model
    from peft import LoraConfig, PrefixTuningConfig, get_peft_model

    head = ["classifier", "pooler"]

    configs = {
        "lora": LoraConfig(
            r=8, lora_alpha=16, target_modules=["query", "value"], task_type="SEQ_CLS", modules_to_save=head
        ),
        "prefix_tuning": PrefixTuningConfig(
            num_virtual_tokens=_PREFIX_LENGTH, task_type="SEQ_CLS", modules_to_save=head
        ),
    }
    return get_peft_model(encoder.model, configs[method])


# --- the machine ---------------------------------------------------------------------------------------------


def rate() -> dict[str, Any]:
    """The machine's rate in one matrix product, in the precision that training would use: of a layer's shape on a CPU,
    large on a GPU."""
    import torch

    from tunebook.environment import hardware

    chosen = hardware()
    dtype = torch.bfloat16 if chosen.precision == "bfloat16" else torch.float32
    rows, width, wide = (8192, 8192, 8192) if chosen.device.type == "cuda" else (1504, 384, 1536)
    left = torch.randn(rows, width).to(chosen.device, dtype)
    right = torch.randn(wide, width).to(chosen.device, dtype)

    def once() -> float:
        begin = time.perf_counter()
        torch.nn.functional.linear(left, right)
        if chosen.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    # The fastest tenth: what else the machine does may slow a product down, and nothing makes it faster.
    seconds = statistics.quantiles((once() for _ in range(300)), n=10)[0]
    return {"flops_per_second": 2 * rows * width * wide / seconds, "precision": chosen.precision}
