"""Texts over a checkpoint's limit are counted exactly, whatever short cuts are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tunebook.data import DataSource, load
from tunebook.errors import UsageError
from tunebook.gate import truncation
from tunebook.models.load import load_tokenizer


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("is_pair", [False, True])
def test_it_counts_what_the_tokenizer_makes(
    family: str, is_pair: bool, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tiny_checkpoint(family)
    texts = [" ".join([*tiny.CORPUS[i].split(), *["great"] * (i % 40)]) for i in range(120)]
    (tmp_path / "x.csv").write_text(
        "a,b,label\n" + "".join(f'"{text}","{text[:20]}",{"xy"[i % 2]}\n' for i, text in enumerate(texts))
    )
    columns = ("a", "b") if is_pair else ("a",)
    dataset = load(DataSource(path=str(tmp_path / "x.csv"), text=columns))
    tokenizer = load_tokenizer(folder)
    for limit in (12, 20, 30):
        found = truncation(dataset, str(folder), max_length=limit)
        assert found["max_length"] == limit
        for name, split in dataset.splits.items():
            pairs = split.pairs()
            given = [split.texts().to_pylist()] + ([] if pairs is None else [pairs.to_pylist()])
            over = sum(len(tokenizer(*row)["input_ids"]) > limit for row in zip(*given, strict=True))
            assert found["splits"][name] == {"rows": over, "of": len(split)}
    assert truncation(dataset, str(folder))["max_length"] <= 512
    with pytest.raises(UsageError, match=r"max_length is 100000, but .* has positions for 1 to"):
        truncation(dataset, str(folder), max_length=100_000)
    with pytest.raises(UsageError, match="unknown checkpoint"):
        truncation(dataset, "no-such")
