"""`compare` as a user sees it: every sentence under a table, every format, refusals, and that it comes at once."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tunebook
from benchmarks import judgement as benchmark
from tests import results
from tests.cli.calls import here
from tests.results import Run, examples, fill, finish
from tunebook.book import Book
from tunebook.book.experiments import write_tuning

SKILLS = {"full": 1.2, "lora": 1.19, "linear_probe": 0.6, "majority": 0.0}
HEAVY = {"torch", "transformers", "sklearn", "pandas", "rich", "scipy.stats"}


@pytest.fixture
def book(book_root: Path) -> Book:
    return Book(book_root)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Three methods with five seeds, and a baseline."""
    book = Book(tmp_path_factory.mktemp("filled"))
    fill(book, SKILLS)
    return book


def compare(*words: object) -> list[str]:
    """The lines that `compare` prints."""
    done = here("compare", *words)
    assert done.code == 0, done.err
    return done.out.splitlines()


# --- text ---------------------------------------------------------------------------------------------------


def test_a_table_says_what_it_can_tell_and_what_it_cannot(filled: Book) -> None:
    family = here("compare", "--json", "--root", filled.root).json["families"][0]
    heading, columns, _, *rows, covers, groups, told, detectable = compare("--root", filled.root)
    assert heading == "accuracy: reviews, trained on 1,000 texts, measured on 300 of test"
    assert "  ".join(columns.split()) == (
        "group  dataset  checkpoint  method  mean  low  high  sd  min  max  seeds  train  time"
    )
    for line, row in zip(rows, family["rows"], strict=True):
        assert line.split()[:7] == [
            str(row["tie_group"]), "reviews", row["checkpoint"], row["method"],
            *(f"{row[key]:.4f}" for key in ("mean", "low", "high")),
        ]  # fmt: skip
    assert covers == "low and high: 95 % interval of the mean, seeds and examples"
    assert groups == "group 1: the best row and those not told apart from it; the next likewise of the rest"
    assert told == "told apart: p at most 0.05 over new seeds and examples, Holm, comparisons: 6"
    found = family["detectable"]
    assert detectable == (
        "detectable at 80 % power by the median pair, at the strictest step of the correction: "
        f"{found['corrected']:.4f}; if it stood alone: {found['alone']:.4f}"
    )


def test_every_pair_is_shown_with_its_test(filled: Book) -> None:
    lines = compare("--pairs", "--root", filled.root)
    pairs = here("compare", "--json", "--root", filled.root).json["families"][0]["pairs"]
    start = lines.index("") + 1
    assert lines[start].split("  ")[0] == "first" and lines[start].endswith("how")
    for line, pair in zip(lines[start + 2 : start + 8], pairs, strict=True):
        assert (
            line.startswith(pair["first"])
            and f"{pair['p_adjusted']:.4f}" in line
            and line.endswith(pair["how"])
        )
        assert ("  yes  " in line) == pair["is_separable"]
    of_two = "on this test set, minilm-l6 full and minilm-l6 linear_probe, "
    student, flips = (line.removeprefix(of_two) for line in lines if line.startswith(of_two))
    assert student == f"t over seeds: p {pairs[1]['on this test set']['t over seeds']['p']:.4f}"
    assert flips == "sign-flip: p 0.0625; its smallest p is 0.0625, which cannot reach 0.05"


def test_one_seed_is_not_tested_and_says_so(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=[0])
    _, columns, _, *_, covers, untested, empty, _, _, pair, fixed = compare("--pairs")
    assert "group" not in columns and "sd" not in columns and empty == ""
    assert covers == "low and high: 95 % interval of the mean, examples only"
    assert untested == "1 of 1 pairs not tested: one seed says nothing of other seeds"
    assert "not tested: one seed says nothing of other seeds" in pair
    found = here("compare", "--json").json["families"][0]["pairs"][0]["on this test set"]
    test = found["McNemar, these two models"]
    first, second = test["discordant"]
    assert fixed == (
        f"on this test set, minilm-l6 full and minilm-l6 lora, McNemar, these two models: p {test['p']:.4f}, {first} "
        f"examples right by the first alone, {second} by the second; its smallest p is {test['smallest_p']:.3g}"
    )


def test_few_discordant_examples_cannot_reach_the_level(book: Book) -> None:
    of = examples(40)
    logits = results.answers(of, 3.0, 0)
    finish(book, Run(logits=logits, examples=of))
    logits[:3] = -logits[:3]
    finish(book, Run(method="lora", logits=logits, examples=of))
    assert compare("--pairs")[-1].endswith(
        "p 0.2500, 3 examples right by the first alone, 0 by the second; its smallest p is 0.25, "
        "which cannot reach 0.05"
    )


def test_what_has_no_interval_is_named_with_the_reason(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=range(2))
    broken = np.full((300, 2), np.nan)
    finish(book, Run(method="bitfit", logits=broken))
    finish(book, Run(method="bitfit", seed=1))
    lines = compare()
    assert "undefined" in lines[1].split()
    assert "low and high, seeds and examples: minilm-l6 full, minilm-l6 lora" in lines
    assert "low and high, none: predictions of seed 0 are not finite: minilm-l6 bitfit" in lines
    assert "2 of 3 pairs not tested: predictions of seed 0 are not finite" in lines


def test_with_a_baseline_it_says_who_differs_from_it(filled: Book) -> None:
    lines = compare("--baseline", "full", "--correction", "bh", "--root", filled.root)
    assert "group" not in lines[1]
    assert (
        "told apart from full (p at most 0.05 over new seeds and examples, Benjamini-Hochberg, comparisons: 3): "
        "minilm-l6 linear_probe, majority" in lines
    )
    assert any(
        line.startswith("told apart from lora (") and line.endswith("): none")
        for line in compare("--baseline", "lora", "--root", _near_ties(filled.root.parent / "near"))
    )


def _near_ties(root: Path) -> Path:
    fill(Book(root), {"full": 1.2, "lora": 1.2}, seeds=range(3))
    return root


def test_cuts_are_counted_and_said(book: Book) -> None:
    for cut in range(4):
        fill(book, {"full": 1.2, "lora": 0.2}, [0], split_seed=cut, examples=examples(100, seed=cut))
    lines = compare("--pairs")
    assert "splits" in lines[1].split()
    assert "low and high: 95 % interval of the mean, splits" in lines
    assert "told apart: p at most 0.05 over new splits, Holm, comparisons: 1" in lines
    assert any(line.endswith("paired by split, 4 splits (Nadeau and Bengio)") for line in lines)


def test_by_dataset_rows_go_by_their_datasets(book: Book) -> None:
    for dataset in ("reviews", "tweets"):
        fill(book, {"full": 1.0}, range(2), dataset=dataset)
    lines = compare("--by", "dataset", "--pairs")
    assert lines[0] == "accuracy: minilm-l6, full"
    assert any(
        line.startswith("reviews (1,000 texts)  tweets (1,000 texts)")
        and line.endswith("other examples, other seeds (Welch)")
        for line in lines
    )


@pytest.mark.parametrize(("cost", "column", "shown"), [
    ("time", "train time", "50 s"), ("memory", "memory", "1.0 GB"), ("parameters", "parameters", "250,010"),
    ("bytes", "bytes", "1.0 MB"),
])  # fmt: skip
def test_the_front_is_marked_and_explained(cost: str, column: str, shown: str, book: Book) -> None:
    fill(book, {"full": 1.2}, range(3), seconds=50.0)
    fill(book, {"lora": 0.3}, range(3), seconds=90.0, weights_bytes=2_000_000)
    lines = compare("--pareto", cost)
    assert lines[1].endswith(column) and lines[3].endswith(shown)
    assert [line.split()[-len(shown.split()) - 1] for line in (lines[3],)] == ["yes"] and "  no " in lines[4]
    assert f"front: no other row is better in accuracy and {cost}, beyond the intervals of both" in lines


def test_families_and_what_is_missing_stand_apart(book: Book) -> None:
    fill(book, {"full": 1.0, "lora": 1.0}, range(2))
    fill(book, {"full": 1.0}, [0], dataset="tweets")
    fill(book, {"lora": 1.0}, range(3), dataset="tweets")
    lines = compare()
    breaks = [place for place, line in enumerate(lines) if not line]
    assert [lines[place + 1].partition(",")[0] for place in breaks] == [
        "accuracy: tweets", "missing: minilm-l6 full on tweets: seeds 1",
    ]  # fmt: skip
    assert lines[-1].startswith("  tunebook run --dataset tweets.csv ") and lines[-1].endswith(
        "'seeds=[1, 2]'"
    )


# --- the file of an experiment ------------------------------------------------------------------------------

TOML = """
question = "Which?"
checkpoints = ["minilm-l6"]
datasets = ["pocket"]
methods = ["full", "lora"]
seeds = 2
baselines = false
"""


def record(book: Book, file: Path, toml: str, tuning: Callable[[str], dict[str, Any]] | None = None) -> Any:
    """An experiment's file, recorded with the runs of the book that are of its dataset."""
    from tunebook import grid, toml_file

    file.write_text(toml)
    declared = grid.experiment(toml_file.parse(toml, "the test"), "the test")
    runs = [json.loads((folder / "run.json").read_text()) for folder in book.run_folders()]
    mine = [run["run"] for run in runs if run["dataset"]["name"] == "pocket"]
    folder = book.record_experiment(file.stem, toml, declared.model_dump(), mine)
    if tuning:
        write_tuning(folder, {cell.key: tuning(cell.method.name) for cell in declared.cells()})


def test_an_experiment_is_compared_without_the_rest_of_the_book(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(book, {"full": 1.0, "lora": 0.5}, [0], dataset="pocket")
    fill(book, {"full": 1.0}, range(3), dataset="reviews")
    record(book, tmp_path / "which.toml", TOML)
    lines = compare("which.toml")
    assert sum(line.startswith("accuracy: ") for line in lines) == 1
    assert lines[-2:] == ["missing: runs that were never begun: 2", "  tunebook run which.toml"]
    assert "no finished run has results on test" in here("compare", "which.toml", "--dataset", "reviews").err


def test_a_tuned_row_tells_its_trials_and_what_they_chose(book: Book, tmp_path: Path) -> None:
    def tuning(method: str) -> dict[str, Any]:
        trials = [{"settings": {"learning_rate": rate}, "value": value, "status": "finished", "run": "r",
                   "train_size": None} for rate, value in ((1e-4, 0.5), (1e-3, 0.75))]  # fmt: skip
        return {
            "checkpoint": "minilm-l6", "dataset": "pocket.csv", "train_size": None, "method": method,
            "metric": "accuracy", "budget": {"trials": 2, "halving": None if method == "full" else 2},
            "trials": trials, "chosen": {"learning_rate": 1e-3}, "on_edge": [], "held": {},
        }  # fmt: skip

    fill(book, {"full": 1.0, "lora": 0.5}, range(2), dataset="pocket", settings={"learning_rate": 1e-3})
    record(book, tmp_path / "which.toml", TOML + "[tune]\ntrials = 2\n", tuning)
    lines = compare(tmp_path / "which.toml")
    assert "trials" in lines[1].split()
    assert (
        "minilm-l6 full (learning_rate=0.001): learning_rate=0.001 of 2 trials; expected best on validation by trials "
        "1: 0.6250 (0.5000 to 0.7500), 2: 0.7500 (0.5000 to 0.7500)" in lines
    )
    assert any(line.endswith("by trials unknown, as rounds differ in size") for line in lines)


def test_a_file_with_faults_is_refused(book: Book, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(TOML.replace("seeds = 2", "seeds = 0"))
    assert here("compare", tmp_path / "x.toml").code == 2
    assert "there is no file" in here("compare", tmp_path / "y.toml").err


# --- formats ------------------------------------------------------------------------------------------------

HOSTILE = "=cmd|'x'!A0 \\ \x1b[31m\u202e <b>*|_"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book whose dataset, checkpoint and files bear names that somebody chose to do harm."""
    book = Book(tmp_path_factory.mktemp("hostile"))
    fill(book, {"full": 1.2, "lora": 0.3}, range(2), dataset=HOSTILE, checkpoint=HOSTILE)
    fill(book, {"bitfit": 0.3}, [0], dataset=HOSTILE, checkpoint=HOSTILE)
    return book


@pytest.mark.parametrize("format", ["text", "markdown", "csv", "latex"])
def test_hostile_names_control_nothing(format: str, hostile: Book) -> None:
    out = "\n".join(compare("--format", format, "--pairs", "--root", hostile.root))
    assert all(character.isprintable() or character == "\n" for character in out)
    if format == "text":
        assert "missing: =cmd|'x'!A0" in out
    elif format == "csv":
        for row in csv.reader(io.StringIO(out)):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row)
    else:
        lines = out.splitlines()
        mark = {"markdown": "\\|", "latex": r"\textbar{}"}[format]
        assert any(mark in line for line in lines) and "<b>" not in out


@pytest.mark.parametrize("format", ["markdown", "csv", "latex"])
def test_tables_hold_the_numbers_of_the_json(format: str, filled: Book) -> None:
    family = here("compare", "--json", "--pareto", "time", "--root", filled.root).json["families"][0]
    out = here("compare", "--format", format, "--pairs", "--pareto", "time", "--root", filled.root).out
    rows, pairs = out.rstrip("\n").split("\n\n")
    assert out.endswith("\n") and not out.endswith("\n\n")
    if format == "csv":
        for text, expected in ((rows, family["rows"]), (pairs, family["pairs"])):
            header, *cells = csv.reader(io.StringIO(text))
            names = {"difference": "value", "p corrected": "p_adjusted"}
            for row, of in zip(cells, expected, strict=True):
                found = dict(zip(header, row, strict=True))
                for column in {"mean", "low", "high", "difference", "p corrected"} & set(header):
                    assert float(found[column]) == of[names.get(column, column)]
        assert {row.split(",")[header.index("told apart")] for row in pairs.splitlines()[1:]} == {"yes", "no"}
        return
    for row in family["rows"]:
        assert f"{row['mean']:.4f}" in rows and f"{row['low']:.4f}" in rows
    lines = rows.splitlines()
    if format == "markdown":
        assert len(lines) == 2 + len(family["rows"]) and {line.count("|") for line in lines} == {
            lines[0].count("|")
        }
        assert lines[0].startswith("| group | dataset |") and lines[2].endswith(" yes | 10.0000 |")
    else:
        assert lines[0].startswith(r"\begin{tabular}{rlll") and lines[-1] == r"\end{tabular}"


# --- JSON and Python ----------------------------------------------------------------------------------------

WORDS: list[dict[str, Any]] = [
    {},
    {"metric": "f1", "dataset": "reviews"},
    {"baseline": "full", "correction": "bh"},
    {"by": "checkpoint", "pareto": "bytes"},
    {"split": "test", "by": "dataset"},
]


@pytest.mark.parametrize("words", WORDS)
def test_python_takes_the_same_words_and_gives_the_same_object(words: dict[str, Any], filled: Book) -> None:
    options = itertools.chain(*((f"--{key}", value) for key, value in words.items()))
    shown = here("compare", *options, "--json", "--root", filled.root).json
    assert shown == tunebook.compare(**words, root=filled.root)
    assert shown.keys() == {"families", "missing"}


def test_python_takes_an_experiments_file_too(book: Book, tmp_path: Path) -> None:
    fill(book, {"full": 1.0, "lora": 0.5}, [0], dataset="pocket")
    file = tmp_path / "which.toml"
    record(book, file, TOML)
    assert here("compare", file, "--json").json == tunebook.compare(file) == tunebook.compare(str(file))


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "code", "message"), [
    (("--baseline", "tfidf"), 2, "no row of reviews is called 'tfidf'; there are: full, linear_probe, lora, majority"),
    (("--baseline", "ful"), 2, "no row of reviews is called 'ful'; did you mean 'full'?"),
    (("--dataset", "revews"), 2, "unknown dataset in this book 'revews'; did you mean 'reviews'?"),
    (("--metric", "pearson"), 2, "the runs have no pearson: it is of another task; theirs has accuracy, precision"),
    (("--metric", "acuracy"), 2, "unknown metric 'acuracy'; did you mean 'accuracy'?"),
    (("--split", "tset"), 2, "no finished run has results on tset; `tunebook list runs` shows what is there"),
    (("--by", "seed"), 2, "Invalid value for '--by'"),
    (("--pareto", "money"), 2, "Invalid value for '--pareto'"),
])  # fmt: skip
def test_what_cannot_be_compared_is_refused(
    words: tuple[str, ...], code: int, message: str, filled: Book
) -> None:
    done = here("compare", *words, "--root", filled.root)
    assert (done.code, done.out) == (code, ""), done.err
    assert message in done.err


def test_runs_on_different_test_sets_are_refused(book: Book) -> None:
    (first,) = fill(book, {"full": 1.0}, [0])
    (second,) = fill(book, {"lora": 1.0}, [0], examples=examples(250))
    done = here("compare")
    assert (done.code, done.out) == (2, "")
    assert first.name in done.err and second.name in done.err
    assert " texts, 250 of the same id, " in done.err and "300" in done.err
    assert "Scores on different examples are not compared: give an experiment's file" in done.err


def test_damaged_predictions_end_with_their_own_code(book: Book) -> None:
    (folder,) = fill(book, {"full": 1.0}, [0])
    (folder / "predictions.parquet").unlink()
    done = here("compare")
    assert done.code == 5 and "predictions.parquet is damaged or missing" in done.err


# --- at once ------------------------------------------------------------------------------------------------


def fresh(*words: object) -> tuple[str, float]:
    """What a fresh interpreter prints on standard error of a verb, and the seconds that it takes."""
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('LOADED', *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr))\n"
        "sys.argv[0] = 'tunebook'\nfrom tunebook.cli import main\nsys.exit(main())\n"
    )
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, time.perf_counter() - begin


@pytest.mark.parametrize(
    "words", ["compare --pairs --pareto time", "compare --metric f1", "compare --format csv"]
)
def test_comparing_loads_nothing_heavy(words: str, filled: Book) -> None:
    err, _ = fresh(*shlex.split(words), "--root", filled.root)
    assert err.splitlines()[-1] == "LOADED"


@pytest.mark.slow
@pytest.mark.alone
def test_a_book_of_ten_thousand_runs_answers_within_a_second(tmp_path: Path) -> None:
    """On quiet cores; on busy ones within 4 times what importing the libraries that are needed takes there."""
    book, file = Book(tmp_path / "book"), tmp_path / "small.toml"
    benchmark.fill_many(book.root, 10_000, file)
    needed = "import typer, pydantic, numpy, pyarrow.parquet, scipy.special"
    for words in (("list", "runs"), ("compare", file)):
        ours, floor = [], []
        for _ in range(3):
            ours.append(fresh(*words, "--root", book.root)[1])
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", needed], check=True)
            floor.append(time.perf_counter() - begin)
        assert min(ours) < max(1.0, 4 * min(floor)), f"{words}: {min(ours):.2f} s, imports {min(floor):.2f} s"
