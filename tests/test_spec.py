"""What is asked for and what identifies a run: what changes results changes the hash, and the other way round."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tunebook import data, spec
from tunebook.book import open_book
from tunebook.errors import UsageError
from tunebook.models.resolve import resolve
from tunebook.prepare import prepare

POCKET = {"dataset": "pocket", "method": "majority", "checkpoint": "none"}


def run_id(values: dict[str, object], book: Path) -> str:
    return prepare(spec.run_spec(values, "the test"), open_book(book)).run_id


def test_epochs_that_are_asked_for_are_meant() -> None:
    """300 steps at least are for those who say nothing; who says one epoch gets one."""
    assert spec.TrainSpec().min_steps == 300
    assert spec.TrainSpec(epochs=1).min_steps == 0
    assert spec.TrainSpec(epochs=1, min_steps=50).min_steps == 50
    assert spec.TrainSpec(batch_size=8).min_steps == 300
    again = spec.TrainSpec(**spec.TrainSpec().model_dump())
    assert again == spec.TrainSpec()


def test_a_file_is_known_by_its_rows_not_by_its_name(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    rows = "body,stars\n" + "".join(f"text number {n},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "one.csv").write_text(rows)
    (tmp_path / "two.csv").write_text(rows)
    (tmp_path / "three.csv").write_text(rows.replace("number 7,", "number seven,"))
    table = {"text": ["body"], "label": "stars"}
    ids = [
        run_id({**POCKET, "dataset": {"path": str(tmp_path / name), **table}}, tmp_path / "book")
        for name in ("one.csv", "two.csv", "three.csv")
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"method": "tfidf_logreg"}, {"dataset": {"name": "pocket", "train_size": 99}}]
)
def test_another_key_is_another_run(tmp_path: Path, change: dict[str, object]) -> None:
    assert run_id(POCKET, tmp_path) != run_id({**POCKET, **change}, tmp_path)


def test_another_tokenizer_configuration_is_another_checkpoint(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    """`do_lower_case` and the like change the tokens of a text, over the same weights and vocabulary."""
    before = resolve(str(tiny_checkpoint("bert"))).fingerprint
    shutil.copytree(tiny_checkpoint("bert"), tmp_path / "copy")
    assert resolve(str(tmp_path / "copy")).fingerprint == before
    file = tmp_path / "copy" / "tokenizer_config.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text()), "do_lower_case": False, "model_max_length": 9})
    )
    assert resolve(str(tmp_path / "copy")).fingerprint != before


def test_groups_are_not_promised_across_files(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("body,stars,author\na b,x,me\nc d,y,you\ne f,x,her\n")
    source = data.DataSource(
        path=str(tmp_path / "one.csv"),
        text=("body",),
        label="stars",
        group="author",
        test=str(tmp_path / "two.csv"),
    )
    with pytest.raises(UsageError, match="'author' keeps groups apart within one file; with test"):
        data.load(source)


def test_a_metric_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="select_on is 'pearson', but pocket is classification: choose of accuracy"
    ):
        run_id({**POCKET, "train": {"select_on": "pearson"}}, tmp_path)
