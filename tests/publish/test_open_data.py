"""Open data: small, exact in classes, checked when it is read, and a book again when it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import results
from tests.publish.made import HOSTILE, book_of, published
from tunebook import cost, metrics
from tunebook.book import Book
from tunebook.errors import IntegrityError, UsageError
from tunebook.publish import log_odds, open_data
from tunebook.publish.export import bring_in, export, texts_of_datasets
from tunebook.publish.open_data import Published

ROOT = Path(__file__).parent.parent.parent
FINITE = st.floats(-1e5, 1e5, width=32)


@given(st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=30))
@settings(max_examples=300, deadline=None)
def test_every_example_keeps_its_class(rows: list[tuple[float, float, float]]) -> None:
    logits = np.array(rows, np.float32)
    kept = log_odds.restored(log_odds.reduced(logits))
    assert (kept.argmax(axis=1) == logits.argmax(axis=1)).all()


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0, 12.0])
@pytest.mark.parametrize("classes", [2, 6])
def test_classes_are_exact_and_the_log_loss_is_near(scale: float, classes: int) -> None:
    draw = np.random.default_rng(classes)
    logits = (scale * draw.normal(size=(20_000, classes))).astype(np.float32)
    labels, names = draw.integers(0, classes, len(logits)), [str(place) for place in range(classes)]
    kept = log_odds.restored(log_odds.decode(log_odds.encode(log_odds.reduced(logits)), "<f2", len(logits)))
    both = [metrics.evaluate(one, labels, label_names=names, task="classification") for one in (logits, kept)]
    assert both[0]["confusion_matrix"] == both[1]["confusion_matrix"]
    assert abs(both[0]["log_loss"] - both[1]["log_loss"]) < 1e-3


def test_rounding_alone_would_change_classes() -> None:
    """The guard's control: plain float16 calls these examples otherwise."""
    logits = np.array([[0.0, 1e-9], [5.0, 5.0001]], np.float32)
    plain = np.concatenate([np.zeros((2, 1)), (logits[:, 1:] - logits[:, :1]).astype(np.float16)], axis=1)
    assert (plain.argmax(axis=1) != logits.argmax(axis=1)).any()
    assert (log_odds.restored(log_odds.reduced(logits)).argmax(axis=1) == 1).all()


def test_nan_stays_nan() -> None:
    kept = log_odds.restored(log_odds.reduced(np.array([[0.0, np.nan], [0.0, 1.0]], np.float32)))
    assert np.isnan(kept[0, 1]) and kept[1, 1] == 1


def test_the_documented_code_reads_it(tmp_path: Path) -> None:
    from importlib.resources import files

    published(book_of(tmp_path / "book"), tmp_path / "data")
    code = (files("tunebook.publish") / "open_data.md").read_text().split("```python\n")[1].split("```")[0]
    name = next((tmp_path / "data" / "runs").glob("*full*")).stem
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code.replace("NAME", name)],
        cwd=tmp_path / "data", capture_output=True, text=True,
    )  # fmt: skip
    mine, told = map(float, done.stdout.split())
    assert mine == pytest.approx(told, abs=1e-12)


def test_a_run_of_sixty_thousand_examples_is_small(tmp_path: Path) -> None:
    book = Book(tmp_path / "book")
    results.finish(book, results.Run(examples=results.examples(60_000)))
    published(book, tmp_path / "data")
    (run,) = (tmp_path / "data" / "runs").iterdir()
    assert run.stat().st_size < 300_000


def test_what_is_published_gives_the_scores_and_the_verdicts_of_the_book(tmp_path: Path) -> None:
    from tunebook.judgement import judge
    from tunebook.selection import of_book

    book = book_of(tmp_path / "book")
    data, _ = published(book, tmp_path / "data")
    runs = [data.as_object(name) for name in data.runs]
    assert not any(open_data.wrong_scores(data, name) for name in data.runs)
    assert judge(runs, data) == judge(of_book(book).runs, book)


def test_publishing_twice_writes_nothing(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    export(book, tmp_path / "data")
    again = export(book, tmp_path / "data")
    assert (again.written, again.removed) == ([], []) and again.kept


def test_only_finished_runs_go_out_and_the_others_are_named(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    begun = results.begin(book, results.Run(seed=9))
    damaged = results.finish(book, results.Run(seed=10))
    (damaged / "predictions.parquet").write_bytes(b"PAR1")
    newer = results.finish(book, results.Run(seed=11))
    told = json.loads((newer / "run.json").read_text())
    told["identity"]["loop"] = 99
    (newer / "run.json").write_text(json.dumps(told))
    _, changes = published(book, tmp_path / "data")
    assert set(changes.skipped) == {begun.name, damaged.name, newer.name}
    assert "only finished runs are published" in changes.skipped[begun.name]
    assert "version 99 of the loop made it" in changes.skipped[newer.name]
    assert not [path for path in (tmp_path / "data" / "runs").iterdir() if path.stem in changes.skipped]


def test_prune_removes_what_the_book_does_not_have_and_nothing_else_does(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    foreign = tmp_path / "data" / "runs" / "somebody--elses.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("{}")
    assert export(book, tmp_path / "data").removed == []
    assert export(book, tmp_path / "data", prune=True).removed == ["runs/somebody--elses.json"]
    assert not foreign.exists()


def test_no_path_of_this_machine_goes_out(tmp_path: Path) -> None:
    book = Book(tmp_path / "book")
    told = results.declared(results.Run())
    told["spec"]["dataset"]["path"] = "/secret/reviews.csv"
    results.finish(book, results.Run(), told)
    published(book, tmp_path / "data")
    (run,) = (tmp_path / "data" / "runs").iterdir()
    assert "secret" not in run.read_text() and "reviews.csv" in run.read_text()


def test_texts_go_out_only_where_they_may(tmp_path: Path) -> None:
    from tunebook import data

    texts = texts_of_datasets(is_all=False)
    ids = data.load(data.DataSource(name="pocket")).splits["test"].ids[:3]
    declared = {"spec": {"dataset": {"name": "pocket"}}, "dataset": {"redistributable": True}}
    assert len(texts(declared, "test", ids) or ()) == 3
    declared["dataset"] = {"redistributable": False}
    assert texts(declared, "test", ids) is None
    own = {"spec": {"dataset": {"name": None}}, "dataset": {"redistributable": True}}
    assert texts(own, "test", ids) is None


# --- reading and importing ---------------------------------------------------------------------------------------


def changed(path: Path, change: str, to: str) -> None:
    assert change in path.read_text()
    path.write_text(path.read_text().replace(change, to))


def test_damaged_and_newer_files_are_left_out_and_named(tmp_path: Path) -> None:
    data, _ = published(book_of(tmp_path / "book"), tmp_path / "data")
    first, second, third, *rest = sorted((tmp_path / "data" / "runs").iterdir())
    changed(first, '"schema":1', '"schema":2')
    second.write_text("{")
    changed(third, '"seed":', '"sead":')
    read = Published(data.folder)
    assert len(read.runs) == len(rest)
    assert "a newer Tunebook wrote it" in read.faults[f"runs/{first.name}"]
    assert "expected JSON" in read.faults[f"runs/{second.name}"]
    assert "do not belong together" in read.faults[f"runs/{third.name}"]


def test_a_score_that_the_predictions_do_not_give_is_found(tmp_path: Path) -> None:
    data, _ = published(book_of(tmp_path / "book"), tmp_path / "data")
    name = next(iter(data.runs))
    data.runs[name]["result"]["metrics"]["test"]["accuracy"] += 0.001
    assert "predictions on test give accuracy" in open_data.wrong_scores(data, name)[0]


def test_importing_gives_runs_that_compare_and_publish_alike(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", tuned=True)
    data, _ = published(book, tmp_path / "data")
    other = Book(tmp_path / "other")
    changes = bring_in(data, other)
    assert len(changes.written) == len(data.runs) and not changes.skipped
    export(other, tmp_path / "again")
    for path in (tmp_path / "data").rglob("*.json"):
        assert (tmp_path / "again" / path.relative_to(tmp_path / "data")).read_bytes() == path.read_bytes(), (
            path.name
        )
    assert bring_in(data, other).written == []


def test_the_committed_catalogue_is_the_same_bytes_after_importing(tmp_path: Path) -> None:
    data, book = ROOT / "catalogue" / "data", Book(tmp_path / "book")
    changes = bring_in(Published(data), book)
    assert not changes.skipped and len(changes.written) == len(list((data / "runs").iterdir())) >= 86
    export(book, tmp_path / "again", texts=texts_of_datasets(is_all=False))
    names = {path.relative_to(data) for path in data.rglob("*.json")}
    assert names == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.json")}
    assert [
        name for name in names if (tmp_path / "again" / name).read_bytes() != (data / name).read_bytes()
    ] == []


@given(
    st.fixed_dictionaries(
        {
            "train_seconds": st.floats(0, 1e6).map(lambda value: round(value, 3)),
            "samples_per_second": st.none() | st.floats(0.1, 1e9).map(lambda value: round(value, 1)),
            "tokens_per_second": st.none() | st.floats(0.1, 1e12).map(lambda value: round(value, 1)),
            "loader_share": st.none() | st.floats(0, 1).map(lambda value: round(value, 4)),
            "peak_memory_bytes": st.none() | st.integers(0, 2**50),
        }
    )
)
def test_costs_stay_as_they_were_published(spent: dict[str, Any]) -> None:
    line = json.loads(json.dumps({"event": "imported", "summary": spent}))
    assert open_data.file_bytes(cost.summary([line])) == open_data.file_bytes(spent)


def test_what_memory_allowed_comes_back(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", seeds=1)
    full = next(path for path in book.run_folders() if "--full--" in path.name)
    (full / "memory.json").write_text('{"limits": [[3, 2048]]}')
    (full / "cost.jsonl").write_text("")
    data, _ = published(book, tmp_path / "data")
    bring_in(data, other := Book(tmp_path / "other"))
    again, _ = published(other, tmp_path / "again")
    assert again.runs == data.runs and again.runs[full.name]["memory"] == [[3, 2048]]


def test_importing_skips_what_does_not_hold_together(tmp_path: Path) -> None:
    data, _ = published(book_of(tmp_path / "book"), tmp_path / "data")
    name = next(iter(data.runs))
    data.runs[name]["result"]["metrics"]["test"]["accuracy"] = 0.99
    changes = bring_in(data, Book(tmp_path / "other"))
    assert list(changes.skipped) == [name] and name not in {
        path.name for path in Book(tmp_path / "other").run_folders()
    }


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no published runs"):
        bring_in(Published(tmp_path), Book(tmp_path / "book"))


def test_predictions_whose_examples_are_gone_are_damage(tmp_path: Path) -> None:
    data, _ = published(book_of(tmp_path / "book"), tmp_path / "data")
    for path in (tmp_path / "data" / "splits").iterdir():
        path.unlink()
    with pytest.raises(IntegrityError, match="which is not there"):
        data.predictions(data.as_object(next(iter(data.runs))), "test")


def test_the_command_line_imports_and_shows_hostile_reasons_literally(tmp_path: Path) -> None:
    published(book_of(tmp_path / "book"), tmp_path / "data")
    (tmp_path / "data" / "runs" / "bad.json").write_text(json.dumps({"schema": HOSTILE}))
    command = [
        sys.executable,
        "-m",
        "tunebook",
        "import",
        str(tmp_path / "data"),
        "--root",
        str(tmp_path / "new"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ}, timeout=120)
    assert done.returncode == IntegrityError.exit_code, done.stderr
    assert "11 runs imported" in done.stdout
    assert "\x1b" not in done.stderr and "\u202e" not in done.stderr and "schema number" in done.stderr
