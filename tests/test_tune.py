"""Tuning: the same number of trials for every method, chosen among on validation alone, and nothing made twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import overflowing
from tests.methods.cells import METHODS
from tests.training import write_reviews
from tests.tuning import Seen, make, make_trials
from tunebook import grid, tune
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.predictions import read_predictions
from tunebook.experiment import plan
from tunebook.flow import Options
from tunebook.tune import Search, Trial

pytestmark = pytest.mark.usefixtures("one_thread")

WORDS = {"inverse_regularisation": {"low": 0.01, "high": 100}}
"""A space of the TF-IDF baseline, whose trials take no time."""


def experiment(**changes: Any) -> grid.Experiment:
    """One cell, unless `changes` says otherwise."""
    values = {"checkpoints": ["minilm-l6"], "datasets": ["pocket"], "methods": ["full"], "seeds": 2}
    return grid.experiment({**values, **changes}, "the test")


def search(changes: dict[str, Any] | None = None, **budget: Any) -> Search:
    """The search of the one cell of an experiment."""
    (found,) = tune.searches(experiment(tune={"trials": 4, **budget}, **(changes or {}))).values()
    return found


def note(found: Search, wave: Sequence[Trial], outcomes: Sequence[Any], metric: str = "accuracy") -> None:
    """What came of the trials of a wave: a value, None for an undefined one, or the status they ended with."""
    for trial, outcome in zip(wave, outcomes, strict=True):
        is_status = isinstance(outcome, str)
        scores = {} if is_status else {"validation": {metric: outcome, "accuracy": 0.5} | {metric: outcome}}
        status = outcome if is_status else "finished"
        found.note(trial, {"run": f"run {len(found.made)}", "status": status, "metrics": scores})


def over(outcomes: Sequence[Any]) -> Search:
    """A search whose only wave ended with these outcomes."""
    found = search(trials=len(outcomes))
    note(found, found.wave(), outcomes)
    assert found.wave() == []
    return found


# --- the budget ---------------------------------------------------------------------------------------------

BUDGETS = [
    {"trials": 5},
    {"trials": 3, "sampler": "random"},
    {"trials": 3, "sampler": "tpe"},
    {"trials": 8, "halving": 2, "train_size": 100},
]


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_method_has_the_same_trials(budget: dict[str, Any]) -> None:
    found = tune.searches(experiment(methods=list(METHODS), tune=budget))
    assert [one.cell.method.name for one in found.values()] == list(METHODS)
    shapes = set()
    for one in found.values():
        while wave := one.wave():
            note(one, wave, [0.5] * len(wave))
        assert one.is_over and one.choice is not None and one.choice.keys() == one.space.keys()
        shapes.add(tuple((trial.round, trial.train_size) for trial in one.made))
        assert {one.spec(trial).seed for trial in one.made} == {1000}
        assert {one.spec(trial).purpose for trial in one.made} == {"tune"}
    assert len(shapes) == 1 and len(next(iter(shapes))) >= budget["trials"]


def test_a_trial_is_its_run_with_another_seed_and_purpose() -> None:
    found = search(seed=7)
    trial = found.wave()[0]
    run = found.cell.having(trial.settings).run(found.train, 0)
    assert found.spec(trial) == run.model_copy(update={"seed": 7, "purpose": "tune"})


@pytest.mark.parametrize(("own", "asked", "expected"), [(300, None, 300), (300, 500, 300), (None, 500, 500)])
def test_a_trial_has_no_more_texts_than_its_run(own: Any, asked: Any, expected: int) -> None:
    found = search({"datasets": [{"name": "pocket", "train_size": own}]}, train_size=asked)
    assert found.spec(found.wave()[0]).dataset.train_size == expected


# --- the choice ---------------------------------------------------------------------------------------------

CHOICES: list[tuple[list[Any], int | None]] = [
    ([0.5, 0.7, 0.6], 1),
    ([0.5, 0.7, 0.7], 1),
    ([0.7, 0.7, 0.7], 0),
    (["diverged", 0.1, "diverged"], 1),
    ([None, 0.1], 1),
    ([0.0, "diverged"], 0),
    (["diverged", "diverged"], None),
    ([None, None], None),
    ([0.5, "failed", 0.6], None),
    ([0.5, "interrupted"], None),
]


@pytest.mark.parametrize(("outcomes", "best"), CHOICES)
def test_the_best_on_validation_is_chosen(outcomes: list[Any], best: int | None) -> None:
    """Of equal ones the first; what diverged or has no value is the worst; after a failure nothing is."""
    found = over(outcomes)
    assert found.best == (None if best is None else found.made[best])
    assert (found.choice is None) == (best is None)
    kept = found.as_object()
    assert kept["chosen"] == (None if best is None else kept["trials"][best]["settings"])
    expected = [None if isinstance(one, str) else one for one in outcomes]
    assert [trial["value"] for trial in kept["trials"]] == expected
    assert [trial["status"] for trial in kept["trials"]] == [
        one if isinstance(one, str) else "finished" for one in outcomes
    ]


def test_a_smaller_loss_is_better() -> None:
    """What training selects its snapshot on is what trials are chosen on, unless the table says otherwise."""
    for found in (search(select_on="log_loss"), search({"train": {"select_on": "log_loss"}})):
        note(found, found.wave(), [0.5, 0.2, 0.3, 0.2], "log_loss")
        assert not found.wave() and found.best == found.made[1] and found.metric == "log_loss"


def test_tune_may_select_on_another_metric_than_training() -> None:
    found = search({"train": {"select_on": "log_loss"}}, select_on="f1")
    assert found.select_on == "f1" and found.spec(found.wave()[0]).train.select_on == "log_loss"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([0.5, "diverged"], 0),
        (["diverged", "diverged"], 4),
        ([None, "diverged"], 4),
        ([None, None], 1),
        (["diverged", "failed"], 0),
    ],
)
def test_the_exit_code_tells_that_there_is_no_choice(outcomes: list[Any], code: int) -> None:
    """A failed trial has an exit code of its own."""
    assert over(outcomes).exit_code == code


def test_a_choice_on_the_edge_is_told() -> None:
    found = search(trials=32)
    wave = found.wave()
    rates = [trial.settings["learning_rate"] for trial in wave]
    note(found, wave, [-rate for rate in rates])
    assert not found.wave() and found.choice == {"learning_rate": min(rates)}
    assert found.as_object()["on_edge"] == ["learning_rate"]
    inner = search(trials=32)
    note(inner, wave := inner.wave(), [-abs(trial.settings["learning_rate"] - 5e-5) for trial in wave])
    assert not inner.wave() and inner.as_object()["on_edge"] == []


# --- successive halving -------------------------------------------------------------------------------------

HALVING: dict[str, Any] = {"trials": 8, "halving": 2, "train_size": 100}


def test_the_better_half_goes_on_with_twice_as_many_texts() -> None:
    found, values = search(**HALVING), [0.1, 0.8, 0.3, 0.7, 0.2, 0.6, 0.5, 0.4]
    first = found.wave()
    assert [(trial.round, trial.train_size) for trial in first] == [(0, 12)] * 8
    note(found, first, values)
    second = found.wave()
    assert [trial.settings for trial in second] == [first[place].settings for place in (1, 3, 5, 6)]
    assert {(trial.round, trial.train_size) for trial in second} == {(1, 25)}
    note(found, second, [0.2, 0.3, 0.3, 0.1])
    third = found.wave()
    assert [trial.settings for trial in third] == [second[1].settings, second[2].settings]
    assert {(trial.round, trial.train_size) for trial in third} == {(2, 50)}
    note(found, third, [0.1, 0.2])
    (last,) = found.wave()
    assert (last.settings, last.round, last.train_size) == (third[1].settings, 3, 100)
    note(found, [last], [0.0])
    assert found.wave() == [] and found.best == last, "values on fewer texts are no reason"


def test_the_last_round_has_as_many_texts_as_a_run_at_most() -> None:
    assert search(**HALVING).sizes == [12, 25, 50, 100]
    assert search({"datasets": [{"name": "pocket", "train_size": 40}]}, **HALVING).sizes == [5, 10, 20, 40]
    assert search(**{**HALVING, "train_size": 3}).sizes == [1, 1, 1, 3]


def test_what_diverged_does_not_go_on() -> None:
    """Rounds may then have fewer trials than planned, and none takes the place of one from an earlier round."""
    found = search(**HALVING)
    note(
        found,
        first := found.wave(),
        [0.9, "diverged", "diverged", 0.8, "diverged", "diverged", 0.7, "diverged"],
    )
    second = found.wave()
    assert [trial.settings for trial in second] == [first[place].settings for place in (0, 3, 6)]
    note(found, second, ["diverged", 0.2, "diverged"])
    (third,) = found.wave()
    assert third.settings == second[1].settings and third.train_size == 50
    note(found, [third], [0.3])
    (last,) = found.wave()
    assert last.settings == second[1].settings and last.train_size == 100
    note(found, [last], ["diverged"])
    assert found.wave() == [] and found.choice is None and found.exit_code == 4


# --- in a book ----------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> Book:
    found = Book(tmp_path / "book")
    found.require_writable()
    return found


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Any]:
    """An experiment that tunes the TF-IDF baseline on a file of reviews."""
    file = write_reviews(tmp_path / "reviews.csv")
    return {
        "checkpoints": ["none"],
        "datasets": [{"path": str(file), "text": ["body"], "label": "stars"}],
        "methods": ["tfidf_logreg"],
        "baselines": False,
        "seeds": 1,
        "tune": {"trials": 2, "train_size": 40, "select_on": "log_loss", "space": {"tfidf_logreg": WORDS}},
    }


def tuned(asked: grid.Experiment, book: Book, folder: Path) -> tuple[tune.Tuned, Seen, dict[str, Any]]:
    """Trials of the book chosen among: what came of it, what was looked on, and what `tuning.json` holds."""
    folder.mkdir(exist_ok=True)
    seen = Seen()
    found = tune.tune(asked, book, folder, Options(device="cpu"), seen)
    return found, seen, json.loads((folder / "tuning.json").read_bytes())


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run can start a process of its own: what it would run is not there."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")


@pytest.mark.usefixtures("no_process")
def test_what_was_chosen_is_kept_and_nothing_is_made_twice(
    words: dict[str, Any], book: Book, tmp_path: Path
) -> None:
    asked = experiment(**words)
    chosen = make_trials(asked, book)
    (cell,) = asked.cells()
    found, seen, kept = tuned(asked, book, tmp_path / "kept")
    assert found.outcome.exit_code == 0 and found.chosen == chosen and not found.is_stopped
    assert [run["status"] for run in seen.ended] == ["finished"] * 2
    (search,) = kept.values()
    best = min(search["trials"], key=lambda trial: trial["value"])
    assert kept.keys() == {cell.key} and search["chosen"] == best["settings"] == chosen[cell.key]
    assert search["metric"] == "log_loss" and search["budget"]["trials"] == 2 and search["held"] == {}
    assert search["space"] == {"inverse_regularisation": {**WORDS["inverse_regularisation"], "log": True,
                                                          "whole": False, "when": {}}}  # fmt: skip
    assert [trial["run"] for trial in search["trials"]] == [run["run"] for run in seen.ended]
    before = (tmp_path / "kept" / "tuning.json").read_bytes()
    tuned(asked, book, tmp_path / "kept")
    assert (tmp_path / "kept" / "tuning.json").read_bytes() == before
    (run,) = asked.runs(found.chosen)
    assert run.method.settings == {**cell.method.settings, **best["settings"]}


@pytest.mark.usefixtures("no_process")
def test_more_trials_are_added_to_those_that_were_made(words: dict[str, Any], book: Book) -> None:
    two, four = (experiment(**{**words, "tune": {**words["tune"], "trials": count}}) for count in (2, 4))
    make_trials(two, book)
    trials, chosen = tune.known(four, book)
    assert [item.status for item in trials] == ["finished", "finished", "planned", "planned"] and not chosen
    assert [item.prepared.run_id for item in trials[:2] if item.prepared] == [
        item.prepared.run_id for item in tune.known(two, book)[0] if item.prepared
    ]
    assert make(trials, book) == 2
    assert len(tune.known(four, book)[1]) == 1


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("budget", [{"sampler": "tpe", "trials": 12}, {"halving": 2, "trials": 5}])
def test_trials_that_follow_from_others_end_in_the_same_bytes(
    budget: dict[str, Any], words: dict[str, Any], tmp_path: Path
) -> None:
    asked = experiment(**{**words, "tune": {**words["tune"], **budget}})
    assert asked.tune is not None
    kept = []
    for name in ("one", "other"):
        book = Book(tmp_path / name)
        book.require_writable()
        make_trials(asked, book)
        _, seen, found = tuned(asked, book, tmp_path / f"{name}-kept")
        (search,) = found.values()
        assert len(search["trials"]) == len(seen.ended) == sum(asked.tune.rounds)
        kept.append((tmp_path / f"{name}-kept" / "tuning.json").read_bytes())
    assert kept[0] == kept[1]


# --- encoders -----------------------------------------------------------------------------------------------

SMALL = {"epochs": 1, "min_steps": 12, "precision": "float32", "max_length": 16}


@pytest.fixture
def encoders(words: dict[str, Any], tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> dict[str, Any]:
    """An experiment with an encoder that trains, one that diverges, and one that is not on this machine."""
    overflowing(tiny_checkpoint("bert"), tmp_path / "overflowing")
    names = [str(tiny_checkpoint("bert")), str(tmp_path / "overflowing"), "bert-tiny"]
    rest = {"methods": ["full"], "tune": {"trials": 2, "train_size": 40}, "train": SMALL}
    return {**words, "checkpoints": names, **rest}


@pytest.mark.usefixtures("no_process")
def test_cells_without_a_choice_do_not_stop_the_others(
    encoders: dict[str, Any], book: Book, tmp_path: Path
) -> None:
    """The exit code tells of them; what diverged has been made, and is not made again."""
    asked = experiment(**encoders)
    make_trials(asked, book)
    assert [item.status for item in tune.known(asked, book)[0]] == [
        *["finished"] * 2, *["diverged"] * 2, *["identity pending"] * 2,
    ]  # fmt: skip
    found, seen, kept = tuned(asked, book, tmp_path / "kept")
    good, diverging, missing = (cell.key for cell in asked.cells())
    assert found.chosen.keys() == {good} and found.outcome.exit_code == 4
    assert found.outcome.codes == {0, 2, 4}
    ends = [run["status"] for run in seen.ended]
    assert ends == ["finished", "finished", "diverged", "diverged", "failed", "failed"]
    assert "bert-tiny' is not on this machine" in seen.ended[-1]["error"]
    assert kept[diverging]["chosen"] is None and kept[missing]["chosen"] is None
    assert [trial["run"] is None for trial in kept[missing]["trials"]] == [True, True]
    assert {run.checkpoint for run in asked.runs(found.chosen)} == {encoders["checkpoints"][0]}

    only = experiment(**{**encoders, "checkpoints": encoders["checkpoints"][:1]})
    assert tuned(only, book, tmp_path / "only")[0].outcome.exit_code == 0
    missing_only = experiment(**{**encoders, "checkpoints": ["bert-tiny"]})
    assert tuned(missing_only, book, tmp_path / "missing")[0].outcome.exit_code == 2


def test_a_trial_has_neither_test_nor_weights(encoders: dict[str, Any], book: Book) -> None:
    asked = experiment(**{**encoders, "checkpoints": encoders["checkpoints"][:1]})
    chosen = make_trials(asked, book)
    make(runs := plan(asked.runs(chosen), book), book)
    trials, _ = tune.known(asked, book)
    for item, names in [*((item, {"validation"}) for item in trials), (runs[0], {"validation", "test"})]:
        assert item.prepared is not None
        folder = item.prepared.folder
        result = book_folder.read_result(folder)
        assert result is not None and set(result["metrics"]) == names
        assert set(read_predictions(folder / "predictions.parquet")) == names
        assert ("test" in item.prepared.identity["splits"]) == ("test" in names)
        assert (book_folder.weights_file(folder) is not None) == ("test" in names)
        assert result["examples"]["train"] == (212 if "test" in names else 40)


# --- what cannot be tuned -----------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no validation": (
        {"validation": "none"},
        {},
        "tuning needs a validation split to choose by, and reviews has none: give one, or leave "
        'validation = "none" out',
    ),
    "metric of another task": (
        {},
        {"select_on": "pearson"},
        "select_on is 'pearson', but reviews is classification: choose of accuracy",
    ),
    "more texts than there are": ({}, {"train_size": 1000}, "train_size = 1000 is not possible: train has"),
}


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_tuned(name: str, words: dict[str, Any], book: Book, tmp_path: Path) -> None:
    columns, budget, message = REFUSED[name]
    (dataset,) = words["datasets"]
    changes = {"datasets": [{**dataset, **columns}], "tune": {**words["tune"], **budget}}
    asked = experiment(**{**words, **changes})
    for item in tune.known(asked, book)[0]:
        assert item.prepared is None and message in str(item.error)
    found, seen, kept = tuned(asked, book, tmp_path / "kept")
    assert (found.chosen, found.outcome.exit_code) == ({}, 2)
    assert all(message in run["error"] for run in seen.ended) and len(seen.ended) == 2
    assert [search["chosen"] for search in kept.values()] == [None]
