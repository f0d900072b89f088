"""Which runs a comparison is about, what of it is missing, and that the commands which are named really make it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests import results
from tests.results import Run, fill, finish
from tests.training import spec_values, write_reviews
from tunebook import cli, grid, judgement, selection, spec, stats, toml_file
from tunebook.book import Book
from tunebook.book.experiments import write_tuning
from tunebook.cli import _running
from tunebook.errors import UsageError
from tunebook.prepare import describe, prepare
from tunebook.spec import DatasetSpec

TOML = """
question = "Which?"
checkpoints = ["minilm-l6"]
datasets = [{ path = "reviews.csv", text = ["body"], label = "stars" }]
methods = ["full", "lora"]
seeds = 2
baselines = false
"""
TUNED = TOML + "[tune]\ntrials = 3\nspace.full = { learning_rate = [1e-5, 2e-5, 3e-5] }\n"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "book")


# --- of a book ----------------------------------------------------------------------------------------------


def test_the_runs_of_a_book_are_all_but_trials(book: Book) -> None:
    fill(book, {"full": 1.0, "majority": 0.0}, range(2))
    fill(book, {"full": 1.0}, [0], dataset="tweets")
    fill(book, {"full": 1.0}, [1000], purpose="tune")
    results.begin(book, Run(method="lora"))
    for indexed in (False, True):
        if indexed:
            book.reindex()
        runs = selection.of_book(book).runs
        assert sorted((run["dataset"], run["method"], run["seed"], run["status"]) for run in runs) == [
            ("reviews", "full", 0, "finished"), ("reviews", "full", 1, "finished"),
            ("reviews", "lora", 0, "interrupted"), ("reviews", "majority", 0, "finished"),
            ("tweets", "full", 0, "finished"),
        ]  # fmt: skip
        assert [run["method"] for run in selection.of_book(book, "tweets").runs] == ["full"]


def test_an_unknown_dataset_is_told_with_the_nearest(book: Book) -> None:
    assert selection.of_book(book, "reviews").runs == [], "an empty book has no names to choose from"
    fill(book, {"full": 1.0}, [0])
    with pytest.raises(UsageError, match=r"unknown dataset in this book 'revews'; did you mean 'reviews'\?"):
        selection.of_book(book, "revews")


def test_seeds_that_the_fullest_row_has_are_missing_of_the_others(book: Book) -> None:
    fill(book, {"full": 1.0}, range(5))
    fill(book, {"lora": 1.0, "majority": 0.0}, [1])
    fill(book, {"bitfit": 1.0}, range(2), dataset="tweets")
    fill(book, {"bitfit": 1.0}, range(2), train_size=100)
    results.begin(book, Run(method="lora", seed=4))
    assert selection.of_book(book).missing == [
        {
            "what": "minilm-l6 lora on reviews: seeds 0, 2, 3, 4",
            "command": "tunebook run --dataset reviews.csv --text body --label stars --checkpoint minilm-l6 "
            "--method lora --set 'seeds=[0, 2, 3, 4]'",
        }
    ]


def test_seeds_are_missing_cut_by_cut(book: Book) -> None:
    for cut in range(3):
        fill(book, {"full": 1.0}, range(2), split_seed=cut)
    fill(book, {"lora": 1.0}, range(2), split_seed=0)
    fill(book, {"lora": 1.0}, [1], split_seed=2)
    fill(book, {"bitfit": 1.0}, [0])
    found = selection.of_book(book).missing
    assert [one["what"] for one in found] == [
        "minilm-l6 lora on reviews: seeds 0, 1 of split 1",
        "minilm-l6 lora on reviews: seeds 0 of split 2",
    ]
    assert "--split-seed 1 " in found[0]["command"] and found[0]["command"].endswith("'seeds=[0, 1]'")


# --- commands -----------------------------------------------------------------------------------------------


def accepted(command: str) -> list[spec.RunSpec]:
    """The runs, baselines left out, that the command line makes of a command."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("tunebook", "run")
    given = get_command(cli.application()).commands["run"].make_context("run", words).params  # type: ignore[attr-defined]
    declared = _running.declared(
        given["file"],
        given["settings"],
        checkpoint=given["checkpoint"],
        dataset=given["dataset"],
        method=given["method"],
        columns={
            key: given.get(key) or None for key in DatasetSpec.model_fields if key not in ("name", "path")
        },
        train={key: given[key] for key in ("long", "class_weights", "select_on")},
    )
    return [run for run in declared.experiment.runs() if run.checkpoint != spec.NO_CHECKPOINT]


SPECS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "method": {"method": {"name": "lora", "targets": ["query", "up"], "dropout": 0.1, "learning_rate": 3e-4}},
    "no epochs given": {"epochs": 3, "min_steps": 300},
    "epochs and least steps": {"epochs": 5, "min_steps": 300},
    "training": {"long": "head+tail", "select_on": "f1", "early_stopping_patience": 2, "weight_decay": 0.0},
    "columns": {"columns": {"encoding": "latin-1", "drop_bad": 3, "keep_leaks": True, "train_size": 50}},
    "a cut": {"columns": {"split_seed": 3, "validation": "none", "task": "classification"}},
    "a strange file": {"file": "my 'own' = $texts.csv"},
}


@pytest.mark.parametrize("kind", SPECS)
def test_the_command_makes_the_missing_runs_of_the_very_row(
    kind: str, book: Book, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    how = dict(SPECS[kind])
    file = write_reviews(tmp_path / how.pop("file", "reviews.csv"))

    def told(seed: int, **other: Any) -> dict[str, Any]:
        values = spec_values(tiny_checkpoint("bert"), file, **how, **other)
        return describe(prepare(spec.run_spec({**values, "seed": seed}, "the test"), book))

    for seed in range(3):
        finish(book, Run(seed=seed), told(seed, batch_size=64))
    finish(book, Run(seed=1), told(1))
    (missing,) = selection.of_book(book).missing
    assert missing["what"].endswith(": seeds 0, 2" + (" of split 3" if kind == "a cut" else ""))
    made = [prepare(run, book).run_id for run in accepted(missing["command"])]
    assert made == [told(seed)["run"] for seed in (0, 2)]


def test_the_folder_of_a_datasets_files_is_said_too() -> None:
    values = {"name": "sst2", "files": "/srv/my data", "train_size": 50}
    asked = spec.run_spec({"checkpoint": "minilm-l6", "dataset": values, "method": "full"}, "the test")
    (made,) = accepted(selection.command(asked.model_dump(), [4]))
    assert made.model_dump() == {**asked.model_dump(), "seed": 4}


# --- of an experiment ---------------------------------------------------------------------------------------


def selected(book: Book, toml: str = TOML) -> selection.Selection:
    experiment = grid.experiment(toml_file.parse(toml, "the test"), "the test")
    return selection.of_experiment(book, "which", toml, experiment, "my which.toml")


def record(book: Book, folders: Sequence[Path], toml: str = TOML) -> Path:
    experiment = grid.experiment(toml_file.parse(toml, "the test"), "the test")
    runs = [results.json.loads((folder / "run.json").read_text())["run"] for folder in folders]
    return book.record_experiment("which", toml, experiment.model_dump(), runs)


def test_an_experiment_has_the_runs_that_were_recorded(book: Book) -> None:
    folders = fill(book, {"full": 1.0, "lora": 1.0}, range(2))
    fill(book, {"bitfit": 1.0}, range(2))
    record(book, folders)
    found = selected(book)
    assert {run["folder"] for run in found.runs} == {folder.name for folder in folders}
    assert found.missing == [] and len(found.only("reviews").runs) == 4 and found.only("tweets").runs == []


def test_what_an_experiment_lacks_is_told_with_its_command(book: Book) -> None:
    folders = fill(book, {"full": 1.0}, range(2))
    begun = results.begin(book, Run(method="lora"))
    record(book, [*folders, begun])
    (begun / "failure.json").write_text('{"status": "diverged", "message": "too fast"}')
    assert selected(book).missing == [
        {"what": what, "command": "tunebook run 'my which.toml'"}
        for what in ("minilm-l6 lora on reviews, seed 0 (diverged)", "runs that were never begun: 1")
    ]


def test_an_experiment_that_was_never_run_lacks_everything(book: Book) -> None:
    assert selected(book).missing == [
        {"what": "runs that were never begun: 4", "command": "tunebook run 'my which.toml'"}
    ]


def search(method: str, key: str, values: Sequence[float | None], **other: Any) -> dict[str, Any]:
    """What tuning leaves of a cell: trials with learning rates 1e-5, 2e-5, ... and their values on validation."""
    trials = [
        {"settings": {"learning_rate": (place + 1) * 1e-5}, "run": "r", "train_size": None, "value": value,
         "status": "diverged" if value is None else "finished"}
        for place, value in enumerate(values)
    ]  # fmt: skip
    best = max(
        (trial for trial in trials if trial["value"] is not None),
        key=lambda trial: trial["value"],
        default=None,
    )
    return {
        "checkpoint": "minilm-l6", "dataset": "reviews.csv", "train_size": None, "method": method, "metric": "accuracy",
        "budget": {"trials": len(values), "halving": None}, "trials": trials, "on_edge": ["learning_rate"],
        "chosen": best and best["settings"], "held": {}, **other,
    }  # fmt: skip


def tuned(
    book: Book, values: Sequence[float | None], **other: Any
) -> tuple[selection.Selection, dict[str, Any]]:
    """An experiment of which full was tuned and lora not yet, and its judged family."""
    full, lora = (
        cell.key for cell in grid.experiment(toml_file.parse(TUNED, "the test"), "the test").cells()
    )
    found = {full: search("full", full, values, **other), lora: search("lora", lora, [None, None])}
    folders = fill(book, {"full": 1.0}, range(2), settings=found[full]["chosen"])
    write_tuning(record(book, folders, TUNED), found)
    chosen = selected(book, TUNED)
    (family,) = judgement.judge(chosen.runs, book)
    chosen.add_tuning([family])
    return chosen, family


def test_a_tuned_row_says_what_its_trials_chose_and_what_fewer_would_have(book: Book) -> None:
    chosen, family = tuned(book, [0.6, 0.8, None])
    (row,) = family["rows"]
    assert row["trials"] == 3
    assert row["tuning"]["chosen"] == {"learning_rate": 2e-5} and row["tuning"]["on_edge"] == [
        "learning_rate"
    ]
    means = stats.expected_maximum([0.6, 0.8, 0.6])  # what diverged is as bad as the worst
    assert [one["mean"] for one in row["tuning"]["expected"]] == pytest.approx(list(means))
    lows, highs = stats.expected_maximum_interval([0.6, 0.8, 0.6])
    assert [one["low"] for one in row["tuning"]["expected"]] == pytest.approx(list(lows))
    assert [one["high"] for one in row["tuning"]["expected"]] == pytest.approx(list(highs))
    assert [one["trials"] for one in row["tuning"]["expected"]] == [1, 2, 3]
    assert [one["what"] for one in chosen.missing] == ["cells that are not tuned yet: 1"]


def test_of_a_loss_the_expected_best_falls(book: Book) -> None:
    _, family = tuned(book, [0.6, 0.5, None], metric="log_loss")
    expected = family["rows"][0]["tuning"]["expected"]
    assert [one["mean"] for one in expected] == pytest.approx(
        [-v for v in stats.expected_maximum([-0.6, -0.5, -0.6])]
    )
    assert expected[0]["mean"] > expected[2]["mean"] and all(one["low"] <= one["high"] for one in expected)


def test_rounds_of_different_sizes_expect_nothing(book: Book) -> None:
    _, family = tuned(book, [0.6, 0.8, None], budget={"trials": 3, "halving": 2})
    assert family["rows"][0]["tuning"]["expected"] == []


def test_rows_of_other_settings_or_sizes_are_not_tuned_ones(book: Book) -> None:
    chosen, _ = tuned(book, [0.6, 0.8, None])
    mine = {"settings": {"learning_rate": 2e-5}}
    for other in (
        {"settings": {"learning_rate": 5e-6}},
        {**mine, "train_size": 100},
        {**mine, "checkpoint": "bert-tiny"},
        {**mine, "dataset": "tweets"},
    ):
        part = Book(book.root / "other")
        (run,) = (selection.as_object(folder) for folder in fill(part, {"full": 1.0}, [0], **other))
        alone = selection.Selection([run], tuning=chosen.tuning)
        family = {"rows": [{"runs": [run["run"]]}]}
        alone.add_tuning([family])
        assert "trials" not in family["rows"][0], other
