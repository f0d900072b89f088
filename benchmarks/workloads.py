"""What is trained on what: the workloads of `benchmarks.training`, their models and their texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

WARM_STEPS = 3


@dataclass(frozen=True)
class Workload:
    """What is trained on what; `steps` are those measured, by contender (0: the whole training)."""

    name: str
    checkpoint: str
    dataset: str
    max_length: int
    batch_size: int
    steps: dict[str, int]
    method: str = "full"
    epochs: int = 1
    texts: int = 8_000
    for_gpu: bool = False


def _tweets_with(name: str, method: str, steps: dict[str, int]) -> Workload:
    """MiniLM on tweets as `tweets-minilm` has them, trained by another method."""
    return Workload(name, "minilm-l6", "sentiment140", 128, 64, steps, method=method)


_ADAPTED = {"trainer-bf16": 20, "trainer-grouped": 50, "tunebook": 60}

WORKLOADS = {
    row.name: row
    for row in (
        Workload(
            "tweets-minilm",
            "minilm-l6",
            "sentiment140",
            128,
            64,
            {
                "trainer-128": 6,
                "trainer-dynamic": 15,
                "trainer-bf16": 20,
                "trainer-grouped": 50,
                "tunebook": 60,
            },
        ),
        Workload(
            "tweets-distilbert",
            "distilbert-shape",
            "sentiment140",
            128,
            64,
            {"trainer-dynamic": 5, "trainer-bf16": 6, "trainer-grouped": 25, "tunebook": 15},
        ),
        Workload("reviews-minilm", "minilm-l6", "imdb", 256, 32, {"trainer-grouped": 8, "tunebook": 12}),
        Workload(
            "tweets-probe",
            "minilm-l6",
            "sentiment140",
            128,
            64,
            {"trainer-bf16": 0, "trainer-grouped": 0, "tunebook": 0},
            method="linear_probe",
            epochs=3,
            texts=3_200,
        ),
        _tweets_with("tweets-lora", "lora", {**_ADAPTED, "tunebook-full": 60}),
        _tweets_with("tweets-bitfit", "bitfit", _ADAPTED),
        _tweets_with("tweets-prefix", "prefix_tuning", _ADAPTED),
        Workload(  # as many steps as the reference experiment's: 6,564 of 64 tweets
            "gpu-reference",
            "distilbert-shape",
            "sentiment140",
            128,
            64,
            {"trainer-grouped": 400, "tunebook": 6_564 - WARM_STEPS},
            texts=420_000,
            for_gpu=True,
        ),
        Workload(
            "gpu-large-batch",
            "distilbert-shape",
            "sentiment140",
            128,
            1024,
            {"trainer-grouped": 100, "tunebook": 300},
            texts=420_000,
            for_gpu=True,
        ),
    )
}


def encoder_of(workload: Workload) -> Any:
    """A checkpoint with a new head for two classes; a shape has random weights and BERT's word pieces."""
    import torch

    from tunebook.models import load, resolve

    torch.manual_seed(0)
    names = ("negative", "positive")
    if workload.checkpoint != "distilbert-shape":
        return load.load(resolve.resolve(workload.checkpoint), label_names=names)
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    tokenizer = load.load_tokenizer(resolve.resolve("minilm-l6").folder)
    config = DistilBertConfig(vocab_size=len(tokenizer), num_labels=2)
    return load.Encoder(DistilBertForSequenceClassification(config), tokenizer, "distilbert", frozenset())


def texts_of(workload: Workload, encoder: Any, cache: Path) -> tuple[Any, Any]:
    """Token store and labels of the workload's training texts."""
    from tunebook import data

    dataset = data.load(data.DataSource(name=workload.dataset), cache=cache)
    split = dataset.splits["train"]
    store = data.tokenise(
        split,
        encoder.tokenizer.backend_tokenizer,
        tokenizer_hash="benchmark",
        max_length=workload.max_length,
        cache=cache,
    )
    return repeated(store, split.labels, workload.texts)


def repeated(store: Any, labels: Any, texts: int) -> tuple[Any, Any]:
    """The first `texts` of a store; where there are too few of them, all of them over and over."""
    import numpy as np

    from tunebook.data.tokens import TokenStore

    taken = np.resize(np.arange(len(store)), texts)
    lengths = store.lengths[taken]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    source = np.arange(offsets[-1]) + np.repeat(store.offsets[taken] - offsets[:-1], lengths)
    meta = {**store.meta, "texts": texts, "windows": texts}
    return TokenStore(store.ids[source], offsets, np.arange(texts + 1), None, meta), labels[taken]
