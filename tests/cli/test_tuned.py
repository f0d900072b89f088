"""An experiment with a `[tune]` table by the command line: planned, run, interrupted, run again, and refused."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import Done, here, shell
from tests.cli.conftest import overflowing
from tests.cli.test_stop import start, wait_for_steps
from tests.tuning import Seen, make, make_all, make_trials
from tunebook import grid, toml_file, tune
from tunebook.book import Book
from tunebook.book import folder as book_folder
from tunebook.book.experiments import recorded_runs
from tunebook.book.predictions import read_predictions
from tunebook.experiment import plan
from tunebook.flow import Options

pytestmark = pytest.mark.usefixtures("one_thread")

TOML = """
question = "Which of two?"
checkpoints = ["./tiny"]
datasets = [{ path = "reviews.csv", text = ["body"], label = "stars" }]
methods = ["full", { name = "linear_probe" }]
seeds = 2
baselines = false
[train]
epochs = 1
min_steps = 12
precision = "float32"
max_length = 16
[tune]
trials = 2
train_size = 40
"""


@pytest.fixture
def book(user: Path) -> Book:
    """The user's book, and beside it `tuned.toml`."""
    (user / "tuned.toml").write_text(TOML)
    found = Book(user / "book")
    found.require_writable()
    return found


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run can start a process of its own: what it would run is not there."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")


def declared(*overrides: str) -> grid.Experiment:
    values = toml_file.override(toml_file.parse(Path("tuned.toml").read_text(), "tuned.toml"), overrides)
    return grid.experiment(values, "tuned.toml")


def tuning(root: Path) -> bytes:
    (file,) = root.glob("experiments/tuned--*/tuning.json")
    return file.read_bytes()


def shown(done: Done) -> list[tuple[Any, ...]]:
    """What `plan --json` shows of each run."""
    assert done.code == 0, done.err
    return [(row["purpose"], row["method"], row["seed"], row["status"]) for row in done.json["runs"]]


# --- plan ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_process")
def test_plan_shows_trials_and_how_many_runs_wait(book: Book) -> None:
    def tail() -> str:
        return here("plan", "tuned.toml").out.splitlines()[-1]

    trials = [("tune", name, 1000) for name in ("full", "linear_probe") for _ in range(2)]
    assert shown(here("plan", "tuned.toml", "--json")) == [(*trial, "planned") for trial in trials]
    assert tail() == "4 runs wait until tuning has chosen their settings"
    make_trials(declared("methods=['full']"), book)
    make_trials(declared(), book)
    runs = [("result", name, seed) for name in ("full", "linear_probe") for seed in (0, 1)]
    expected = [*((*trial, "finished") for trial in trials), *((*run, "planned") for run in runs)]
    assert shown(here("plan", "tuned.toml", "--json")) == expected
    assert tail() == "tuning is done"
    assert here("plan", "tuned.toml").out.count("tune") == 4


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("overrides", "known", "message"),
    [
        (("tune.sampler='tpe'", "tune.trials=3"), 2, "4 runs wait .*, after up to 4 more trials"),
        (("tune.halving=2", "tune.trials=4"), 8, "4 runs wait .*, after up to 6 more trials"),
    ],
)
def test_plan_says_how_many_trials_may_follow(
    overrides: tuple[str, ...], known: int, message: str, book: Book
) -> None:
    import re

    settings = [word for override in overrides for word in ("--set", override)]
    done = here("plan", "tuned.toml", *settings, "--json")
    assert len(shown(done)) == known
    done = here("plan", "tuned.toml", *settings)
    assert re.fullmatch(message, done.out.splitlines()[-1])


# --- run ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_process")
def test_a_second_run_repeats_nothing(book: Book) -> None:
    make_all(declared(), book)
    first = here("run", "tuned.toml", "--json")
    assert first.code == 0, first.err
    found = [(run["purpose"], run["method"], run["seed"], run["status"]) for run in first.lines]
    assert found == shown(here("plan", "tuned.toml", "--json"))
    assert len(found) == 8 and {run[-1] for run in found} == {"finished"}
    before, files = tuning(book.root), sorted(book.root.rglob("*"))
    again = here("run", "tuned.toml", "--json")
    assert (again.code, again.out) == (0, first.out)
    assert tuning(book.root) == before and sorted(book.root.rglob("*")) == files

    chosen = {search["method"]: search["chosen"] for search in json.loads(before).values()}
    for run in first.lines:
        assert run["metrics"].keys() == (
            {"validation"} if run["purpose"] == "tune" else {"validation", "test"}
        )
        if run["purpose"] == "result":
            assert run["settings"] == {**run["settings"], **chosen[run["method"]]}


@pytest.mark.usefixtures("no_process")
def test_what_goes_on_is_told(book: Book) -> None:
    make_all(declared("methods=['full']", "seeds=1"), book)
    done = here("run", "tuned.toml", "--set", "methods=['full']", "--set", "seeds=1")
    assert done.code == 0
    lines = done.err.splitlines()
    assert "trials on reviews: 40 train, 8 validation" in lines
    assert "tuned: trial 1 of 2: ./tiny, full, reviews.csv, seed 1000" in lines
    assert sum("finished, validation accuracy 0." in line for line in lines) == 2
    assert "tuned 1 of 1, 2 trials in all" in lines
    assert "tuned: run 1 of 1: ./tiny, full, reviews.csv, seed 0" in lines
    assert sum("finished, test accuracy 0." in line for line in lines) == 1
    assert "Stored in book: 1 of 1 runs are finished." in done.out.splitlines()
    assert done.out.count("tiny ") == 1, "trials are no rows"


def test_interrupted_and_run_again_it_ends_in_the_same_bytes(book: Book, user: Path, tmp_path: Path) -> None:
    """One method, one seed; the first trial takes long enough to be stopped in it."""
    long = TOML.replace("epochs = 1", "epochs = 30\neval_steps = 500").replace("seeds = 2", "seeds = 1")
    (user / "tuned.toml").write_text(long.replace(', { name = "linear_probe" }', ""))
    undisturbed = Book(user / "undisturbed")
    undisturbed.require_writable()
    chosen = make_trials(declared(), undisturbed)
    tune.tune(declared(), undisturbed, tmp_path, Options(), Seen())

    process = start(["run", "tuned.toml"], user)
    try:
        wait_for_steps(user, 3)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    (search,) = json.loads(tuning(book.root)).values()
    assert [trial["status"] for trial in search["trials"]] == ["interrupted"] and search["chosen"] is None
    statuses = [run[-1] for run in shown(here("plan", "tuned.toml", "--json"))]
    assert statuses == ["interrupted", "planned"]
    others = tune.known(declared(), book)[0] + plan(declared().runs(chosen), book)
    assert make(others, book) == 2, "what comes after it needs no process of its own"

    done = shell("run", "tuned.toml", "--json", cwd=user)
    assert done.code == 0, done.err
    assert [(run["purpose"], run["status"]) for run in done.lines] == [
        ("tune", "finished"), ("tune", "finished"), ("result", "finished"),
    ]  # fmt: skip
    assert tuning(book.root) == (tmp_path / "tuning.json").read_bytes()
    for run in done.lines:
        names = {"validation"} if run["purpose"] == "tune" else {"validation", "test"}
        folder = book.find(run["run"])
        assert set(read_predictions(folder / "predictions.parquet")) == names
        assert (book_folder.weights_file(folder) is not None) == (run["purpose"] == "result")


# --- what fails ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_process")
def test_a_cell_that_cannot_be_tuned_does_not_stop_the_others(book: Book) -> None:
    both = "checkpoints=['./tiny', 'bert-tiny']"
    make_all(declared("methods=['full']"), book)
    done = here("run", "tuned.toml", "--json", "--set", both, "--set", "methods=['full']")
    assert done.code == 2
    found = [(run["purpose"], run["checkpoint"], run["status"]) for run in done.lines]
    assert found == [
        *[("tune", "tiny", "finished")] * 2,
        *[("tune", "bert-tiny", "failed")] * 2,
        *[("result", "tiny", "finished")] * 2,
    ]
    assert "tuned 1 of 2, 4 trials in all" in done.err
    text = here("run", "tuned.toml", "--set", both, "--set", "methods=['full']")
    assert text.code == 2 and "2 of 2 runs are finished" in text.out
    assert "trial 3 of 4: failed: checkpoint 'bert-tiny' is not on this machine" in text.err


@pytest.mark.usefixtures("no_process")
def test_where_no_trial_can_begin(book: Book) -> None:
    missing = ("run", "tuned.toml", "--set", "checkpoints=['bert-tiny']")
    done = here(*missing)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("tunebook: checkpoint 'bert-tiny' is not on this machine")
    done = here(*missing, "--json")
    assert done.code == 2 and [run["status"] for run in done.lines] == ["failed"] * 4
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("no_process")
def test_where_every_trial_diverged(book: Book, user: Path) -> None:
    """Nothing is left to run, which is no success."""
    overflowing(user / "tiny", user / "overflowing")
    words = ("checkpoints=['./overflowing']", "methods=['full']")
    make_trials(declared(*words), book)
    done = here("run", "tuned.toml", *(word for one in words for word in ("--set", one)))
    assert done.code == 4
    assert "tuned 0 of 1, 2 trials in all" in done.err and "Traceback" not in done.err
    assert "0 of 0 runs are finished" in done.out


@pytest.mark.usefixtures("no_process")
def test_runs_stay_recorded_while_it_is_tuned_again(book: Book) -> None:
    """Whatever ends it before the runs are planned: here there is no program to make the first trial with."""
    words = ("methods=['full']", "seeds=1")
    settings = [word for one in words for word in ("--set", one)]
    make_all(declared(*words), book)
    assert here("run", "tuned.toml", *settings).code == 0
    (folder,) = book.experiments.iterdir()
    before = recorded_runs(folder)
    with pytest.raises(FileNotFoundError, match="/nowhere/python"):
        here("run", "tuned.toml", *settings, "--fresh")
    assert recorded_runs(folder) == before and len(before) == 1


def test_without_optuna(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for verb in ("run", "plan"):
        done = here(verb, "tuned.toml", "--set", "tune.sampler=tpe")
        assert (done.code, done.out) == (2, "")
        assert "'tpe' is Optuna's, which is not installed: pip install 'tunebook[tune]'" in done.err


def test_one_of_the_seeds_is_none_for_trials(book: Book) -> None:
    done = here("run", "tuned.toml", "--seed", "1000")
    assert done.code == 2 and "tune.seed is 1000, one of the experiment's" in done.err


# --- other cuts ---------------------------------------------------------------------------------------------

OWN = (
    "--dataset",
    "reviews.csv",
    "--text",
    "body",
    "--label",
    "stars",
    "--checkpoint",
    "none",
    "--no-baselines",
)


def test_a_split_seed_is_an_option(book: Book) -> None:
    done = here("run", *OWN, "--method", "majority", "--split-seed", "0", "--json")
    assert done.code == 0, done.err
    (run,) = done.lines
    assert run["split_seed"] == 0
    card = (book.find(run["run"]) / "README.md").read_text()
    assert " --split-seed 0 " in card
    done = here("run", "tuned.toml", "--split-seed", "0")
    assert done.code == 2 and "(--split-seed goes with the latter)" in done.err
    done = here("run", *OWN, "--method", "majority", "--split-seed", "-1")
    assert done.code == 2 and "datasets[0].split_seed: got -1; input should be" in done.err


WORDS = ("checkpoints=['none']", "methods=['tfidf_logreg']", "seeds=1")
SPACE = ("tune.trials=2", "tune.train_size=24", "tune.space.tfidf_logreg.longest_ngram=[1, 2]")


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("toml", "overrides", "told"),
    [
        (
            TOML.partition("[tune]")[0],
            ("split_seeds=2", "train_sizes=[24, 'all']"),
            "reviews: 24 train, 10 validation, 4 test (the first of 4 sizes or cuts)",
        ),
        (
            TOML,
            (*SPACE, "train_sizes=[20, 'all']"),
            "trials on reviews: 20 train, 8 validation (the first of 2 sizes or cuts)",
        ),
        (TOML, SPACE, "trials on reviews: 24 train, 8 validation"),
    ],
)
def test_of_several_sizes_and_cuts_the_first_is_told_as_such(
    toml: str, overrides: tuple[str, ...], told: str, book: Book, user: Path
) -> None:
    (user / "tuned.toml").write_text(toml)
    asked = declared(*WORDS, *overrides)
    make_all(asked, book) if asked.tune else make(plan(asked.runs(), book), book)
    done = here("run", "tuned.toml", *(word for one in (*WORDS, *overrides) for word in ("--set", one)))
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if "reviews: " in line] == [told]
