"""Finished runs examined whole: every part is there, answers are kept, and what cannot be had says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import tunebook
from tests.test_predict import finish
from tests.tiny import CORPUS
from tests.training import is_good, spec_values, write_csv, write_reviews
from tunebook import behaviour, predict
from tunebook.behaviour import transfer
from tunebook.behaviour.examination import PARTS, examine
from tunebook.behaviour.ground import Settings
from tunebook.book import Book
from tunebook.cli import application
from tunebook.errors import UsageError
from tunebook.run_object import as_object

pytestmark = pytest.mark.usefixtures("one_thread")
MEANING = {"bad": "negative", "good": "positive"}
SMALL = Settings(texts=20, transfer_texts=20, device="cpu")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Book:
    """A book with two methods of two seeds on own reviews, and a baseline."""
    book = Book(tmp_path_factory.mktemp("book"))
    file = write_reviews(tmp_path_factory.mktemp("reviews") / "reviews.csv")
    for method in ({"name": "full", "learning_rate": 2e-3}, "linear_probe"):
        for seed in (0, 1):
            finish(spec_values(tiny_checkpoint("bert"), file, method=method, seed=seed, min_steps=20), book)
    finish(spec_values("none", file, method="tfidf_logreg") | {"train": {}}, book)
    return book


def objects(book: Book) -> list[dict[str, Any]]:
    return [as_object(folder) for folder in book.run_folders()]


@pytest.fixture(scope="module")
def found(book: Book) -> dict[str, Any]:
    return examine(objects(book), book, settings=SMALL, transfers=MEANING)


def untimed(found: dict[str, Any]) -> dict[str, Any]:
    """Findings without the time that they took."""
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in found["rows"]]
    return {**found, "seconds": {}, "rows": rows}


def test_every_part_has_rows_of_plain_values(found: dict[str, Any]) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [part for part in PARTS if not found[part]] == ["forgetting"], (
        "the tiny checkpoint has no such head"
    )
    methods = {row["method"].split(" ")[0] for row in found["calibration"]}
    assert methods == {"full", "linear_probe", "tfidf_logreg"}
    assert {row["method"].split(" ")[0] for row in found["robustness"]} == {"full", "linear_probe"}


def test_plain_tests_are_judged_by_what_the_labels_mean(found: dict[str, Any]) -> None:
    kinds = {row["kind"] for row in found["robustness"]}
    assert kinds == {"invariance", "direction", "minimum functionality"}


def test_frozen_layers_did_not_move_and_trained_ones_did(found: dict[str, Any]) -> None:
    moved = {method: [] for method in ("full", "linear_probe")}  # type: ignore[var-annotated]
    for row in found["moved"]:
        moved[row["method"].split(" ")[0]].append((row["cka"], row["relative"]))
    assert all(cka == pytest.approx(1) and relative == 0 for cka, relative in moved["linear_probe"])
    assert all(relative > 0 for _, relative in moved["full"])


def test_contested_examples_are_named_and_their_texts_stay_with_their_owner(found: dict[str, Any]) -> None:
    sides = [row["contested"][side] for row in found["agreement"] for side in ("first", "second")]
    assert len(sides) == 6, "three rows are three pairs"
    examples = [one for side in sides for one in side]
    assert examples
    for one in examples:
        assert set(one) == {"id", "label", "right", "other_right"}
        assert one["label"] in ("bad", "good")
    for row in found["agreement"]:
        counts, of = row["contested"]["counts"], row["runs"]
        assert (len(counts), len(counts[0])) == (of[0] + 1, of[1] + 1)


def test_other_datasets_are_tried_where_they_are_here(found: dict[str, Any]) -> None:
    cells = {(row["method"].split(" ")[0], row["target"], row["group"]): row for row in found["transfer"]}
    assert 0 <= cells["full", "pocket", ""]["value"] <= 1
    assert {group for _, target, group in cells if target == "pocket"} == {"", "film", "product", "tweet"}
    assert cells["full", "imdb", ""]["value"] is None
    assert "not on this machine" in cells["full", "imdb", ""]["why"]


def test_answers_are_kept_and_asked_once(
    book: Book, found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict.Predictor, "logits", lambda *_: 1 / 0)
    again = examine(objects(book), book, settings=SMALL, transfers=MEANING)
    assert {part: again[part] for part in PARTS} == {part: found[part] for part in PARTS}
    with pytest.raises(ZeroDivisionError):  # another sample is another question
        examine(objects(book), book, settings=Settings(texts=21, transfer_texts=20, device="cpu"))


def test_labels_that_cannot_be_mapped_are_refused_before_anything_is_asked(book: Book) -> None:
    with pytest.raises(UsageError, match=r"transfer = \{ 'bad' = \"\.\.\.\", 'good'"):
        examine(objects(book), book, settings=SMALL, transfers=True)


def test_texts_that_are_gone_leave_what_predictions_tell(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    book, file = Book(tmp_path / "book"), write_reviews(tmp_path / "reviews.csv")
    finish(spec_values(tiny_checkpoint("bert"), file), book)
    finish(spec_values("none", file, method="tfidf_logreg") | {"train": {}}, book)
    file.unlink()
    told: list[str] = []
    found = examine(objects(book), book, settings=SMALL, tell=told.append)
    assert found["calibration"]
    assert not found["robustness"]
    (pair,) = found["agreement"]
    assert {"id", "label", "right", "other_right"} == set(pair["contested"]["first"][0]), "no text of it"
    assert "not on this machine" in found["missing"][0]["why"]
    assert "reviews.csv" in told[0], "where they were looked for is said, and not published"


def test_runs_without_weights_are_named_and_the_rest_goes_on(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    book, file = Book(tmp_path / "book"), write_reviews(tmp_path / "reviews.csv")
    folder = finish(spec_values(tiny_checkpoint("bert"), file), book, keep="none")
    found = examine(objects(book), book, settings=SMALL)
    assert found["coverage"]
    assert [gap["why"] for gap in found["missing"] if "no weights" in gap["why"]]
    assert not (folder / "behaviour").exists()


def test_what_was_found_stays_when_weights_or_texts_are_gone(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    book, file = Book(tmp_path / "book"), write_reviews(tmp_path / "reviews.csv")
    folder = finish(spec_values(tiny_checkpoint("bert"), file), book)
    runs = objects(book)
    found = examine(runs, book, settings=SMALL, transfers=MEANING)
    shutil.rmtree(folder / "behaviour")
    (folder / "model.safetensors").unlink()
    again = examine(runs, book, settings=SMALL, transfers=MEANING, earlier=found)
    assert untimed(again) == untimed(found)
    assert again["rows"][0]["seconds"]["robustness"] == found["rows"][0]["seconds"]["robustness"]
    other = {**found, "rows": [{**found["rows"][0], "runs": ["another"]}]}
    for earlier, settings in (
        (found, Settings(texts=21, transfer_texts=20, device="cpu")),
        (other, SMALL),
        (None, SMALL),
    ):
        lost = examine(runs, book, settings=settings, transfers=MEANING, earlier=earlier)
        assert not lost["robustness"]
        assert {gap["what"] for gap in lost["missing"]} >= {
            "robustness of full on reviews",
            "moved of full on reviews",
        }
    file.unlink()
    blind = examine(runs, book, settings=SMALL, transfers=False, earlier=found)
    for part in ("robustness", "moved", "slices", "worst", "transfer", "agreement", "missing"):
        assert blind[part] == found[part], part


def test_cells_of_a_dataset_that_is_gone_stay(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    book, file = Book(tmp_path / "book"), write_reviews(tmp_path / "reviews.csv")
    finish(spec_values(tiny_checkpoint("bert"), file), book)
    found = examine(objects(book), book, settings=SMALL, transfers=MEANING)
    assert [cell["value"] for cell in found["transfer"] if cell["target"] == "pocket"]
    gone = [transfer.Target("pocket", why="its files are not on this machine")]
    monkeypatch.setattr("tunebook.behaviour.transfer.targets", lambda *_, **__: gone)
    again = examine(objects(book), book, settings=SMALL, transfers=MEANING, earlier=found)
    cells = [cell for cell in found["transfer"] if cell["target"] == "pocket"]
    assert again["transfer"] == cells
    (lost,) = examine(objects(book), book, settings=SMALL, transfers=MEANING)["transfer"]
    assert lost["value"] is None


def test_fewer_seeds_do_not_replace_more(tmp_path: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    book, file = Book(tmp_path / "book"), write_reviews(tmp_path / "reviews.csv")
    one, other = (finish(spec_values(tiny_checkpoint("bert"), file, seed=seed), book) for seed in (0, 1))
    found = examine(objects(book), book, settings=SMALL)
    for folder in (one, other):
        shutil.rmtree(folder / "behaviour")
    (other / "model.safetensors").unlink()
    assert untimed(examine(objects(book), book, settings=SMALL, earlier=found)) == untimed(found)
    part = examine(objects(book), book, settings=SMALL)
    lacking = [gap for gap in part["missing"] if gap["what"].endswith("seed 1")]
    assert part["robustness"] and lacking
    for folder in (one, other):
        shutil.rmtree(folder / "behaviour", ignore_errors=True)
    (one / "model.safetensors").unlink()
    kept = examine(objects(book), book, settings=SMALL, earlier=part)
    assert [gap for gap in kept["missing"] if gap in lacking] == lacking


def test_slices_by_a_column_of_the_users_own(tmp_path: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    book, shops = Book(tmp_path / "book"), ["north", "south"]
    rows = [
        (text, "good" if is_good(text) else "bad", shops[place % 2], place)
        for place, text in enumerate(CORPUS)
    ]
    file = write_csv(tmp_path / "reviews.csv", ["body", "stars", "shop", "number"], rows)
    finish(spec_values(tiny_checkpoint("bert"), file), book)
    settings = Settings(texts=20, device="cpu", by=("shop", "number"))
    found = examine(objects(book), book, settings=settings)
    names = {row["slice"] for row in found["slices"]}
    assert {"shop=north", "shop=south"} < names
    sizes = [row["examples"] for row in found["slices"] if row["slice"].startswith("shop=")]
    assert sum(sizes) == as_object(book.run_folders()[0])["result"]["examples"]["test"]
    with pytest.raises(UsageError, match=r"no column 'shops' to slice by; there are: number, .*shop"):
        examine(objects(book), book, settings=Settings(texts=20, device="cpu", by=("shops",)))


def test_scores_are_not_examined(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is finished that gives classes"):
        examine([], Book(tmp_path), settings=SMALL)


# --- the verb ----------------------------------------------------------------------------------------------------


def test_the_verb_keeps_what_it_finds_with_the_experiment(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    root, file = tmp_path / "book", write_reviews(tmp_path / "reviews.csv")
    toml = tmp_path / "mine.toml"
    toml.write_text(
        f'checkpoints = ["{tiny_checkpoint("bert")}"]\nmethods = ["full"]\nseeds = 1\ntransfer = {{ bad = "negative", '
        f'good = "positive" }}\ndatasets = [{{ path = "{file}", text = ["body"], label = "stars" }}]\n'
        "[train]\nepochs = 1\nmax_length = 32\n"
    )
    call = CliRunner().invoke
    early = call(application(), ["behave", str(toml), "--root", str(root)])
    assert isinstance(early.exception, UsageError)
    assert "tunebook run" in str(early.exception)
    assert call(application(), ["run", str(toml), "--root", str(root), "--quiet"]).exit_code == 0
    words = ["behave", str(toml), "--texts", "20", "--transfer-texts", "20", "--root", str(root)]
    shown = call(application(), words)
    assert shown.exit_code == 0, shown.exception
    for title in ("failure rates", "calibration", "worst slice", "on other datasets"):
        assert title in shown.output
    (folder,) = (root / "experiments").iterdir()
    kept = behaviour.read(folder)
    assert kept is not None
    again = tunebook.behave(toml, texts=20, transfer_texts=20, root=root)
    assert untimed(kept) == untimed(again)
    for before, now in zip(kept["rows"], again["rows"], strict=True):
        assert all(now["seconds"][what] >= before["seconds"][what] for what in before["seconds"]), (
            "what is read again took its time before"
        )
    compared = call(application(), ["compare", str(toml), "--root", str(root)])
    assert "plain tests" in compared.output
    run = next(row["runs"][0] for row in kept["rows"] if row["method"].startswith("full"))
    shown = call(application(), ["show", run[:12], "--root", str(root), "--json"])
    (told,) = json.loads(shown.output)["behaviour"].values()
    assert 0 <= told["minimum"] <= 1
    assert told["drop"] is not None, "pocket is here"
