"""A finished run in use: labels, probabilities and scores for single texts, pairs and long texts; bad input."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunebook
from tests import tiny
from tests.training import spec_values, write_csv, write_reviews
from tunebook import flow, predict, spec
from tunebook.book import Book
from tunebook.errors import DataRejected, IntegrityError, UsageError
from tunebook.prepare import prepare

TEXTS = ["the film was great!", "this phone is not boring", "", "a tiny cafe felt terrible...", "née 😀 NULL"]


pytestmark = pytest.mark.usefixtures("one_thread")


def finish(values: dict[str, Any], book: Book, **options: Any) -> Path:
    """Run a specification to its end in this process; its folder."""
    from tunebook.steering import Control

    prepared = prepare(spec.run_spec(values, "the test"), book)
    flow.run(prepared, book, flow.Options(device="cpu", **options), Control())
    return prepared.folder


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return Book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def run(book: Book, tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on single texts with the labels good and bad."""
    file = write_reviews(tmp_path_factory.mktemp("reviews") / "reviews.csv")
    method = {"name": "full", "learning_rate": 2e-3}
    return finish(spec_values(tiny_checkpoint("bert"), file, method=method, min_steps=40), book)


def test_labels_and_probabilities(run: Path) -> None:
    answers = predict.load(run, device="cpu").predict(TEXTS)
    assert [answer["text"] for answer in answers] == TEXTS
    for answer in answers:
        assert set(answer) == {"text", "label", "probability", "probabilities"}
        assert set(answer["probabilities"]) == {"good", "bad"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["probability"] == answer["probabilities"][answer["label"]] >= 0.5
    assert json.loads(json.dumps(answers)) == answers, "plain values"


def test_order_and_company_do_not_matter(run: Path) -> None:
    predictor = predict.load(run, device="cpu")
    many = predictor.predict(tiny.CORPUS * 5)
    assert len(many) == 5 * 252 > 1024
    for text in (0, 77, 251):
        (alone,) = predictor.predict([tiny.CORPUS[text]])
        for answer in (many[text], many[text + 4 * 252]):
            assert answer["label"] == alone["label"]
            assert answer["probability"] == pytest.approx(alone["probability"], abs=1e-5)


def test_gives_the_logits_that_were_stored(run: Path) -> None:
    """What the run predicted for its test split, it predicts again."""
    import numpy as np
    import pyarrow.parquet as parquet

    rows = [
        row for row in parquet.read_table(run / "predictions.parquet").to_pylist() if row["split"] == "test"
    ]
    declared = json.loads((run / "run.json").read_bytes())
    names = declared["dataset"]["label_names"]
    assert rows
    answers = predict.load(run, device="cpu").predict(tiny.CORPUS)
    found = {tuple(round(answer["probabilities"][name], 4) for name in names) for answer in answers}
    for row in rows:
        logits = np.array(row["logits"], np.float64)
        shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        assert any(np.allclose(shares, each, atol=2e-4) for each in found), row["id"]


def test_python_verbs(run: Path, book: Book) -> None:
    by_name = tunebook.load(run.name, device="cpu", root=book.root).predict(TEXTS[:2])
    by_hash = tunebook.load(
        json.loads((run / "run.json").read_bytes())["run"][:10], device="cpu", root=book.root
    )
    assert by_hash.predict(TEXTS[:2]) == by_name
    (family,) = tunebook.compare(root=book.root)["families"]
    assert family["rows"][0]["method"].startswith("full")


def test_pairs(book: Book, tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    rows = [
        (text, tiny.CORPUS[(i + i % 2) % 252], "same" if i % 2 == 0 else "other")
        for i, text in enumerate(tiny.CORPUS)
    ]
    file = write_csv(tmp_path / "pairs.csv", ["a", "b", "stars"], rows)
    values = spec_values(tiny_checkpoint("bert"), file, columns={"text": ["a", "b"]})
    predictor = predict.load(finish(values, book), device="cpu")
    assert predictor.is_pair
    first, second = predictor.predict([["the film was great!", "boring"], ("boring", "the film was great!")])
    assert first["text"] == ["the film was great!", "boring"]
    assert first["probabilities"] != second["probabilities"]
    for wrong in (["one text"], [["a"]], [["a", "b", "c"]], [["a", 1]]):
        with pytest.raises(UsageError, match="expected two texts, got"):
            predictor.predict(wrong)


def test_scores(book: Book, tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """In the units of the file: prices of thousands."""
    rows = [(text, 1000.5 + 500 * text.endswith("great!") + i / 7) for i, text in enumerate(tiny.CORPUS)]
    file = write_csv(tmp_path / "prices.csv", ["body", "stars"], rows)
    method = {"name": "full", "learning_rate": 2e-3}
    folder = finish(spec_values(tiny_checkpoint("bert"), file, method=method, min_steps=40), book)
    answers = predict.load(folder, device="cpu").predict(TEXTS)
    assert all(set(answer) == {"text", "score"} and 500 < answer["score"] < 2000 for answer in answers)
    assert answers[0]["score"] > answers[1]["score"]


def test_windows(book: Book, tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """A run with windows reads the end of long texts, one that cuts does not."""
    beginning = " ".join(["the film was fine"] * 10)
    ends = [f"{beginning} great!", f"{beginning} terrible..."]
    file = write_reviews(tmp_path / "reviews.csv")
    found = {}
    method = {"name": "full", "learning_rate": 2e-3}
    for long in ("head", "windows", "head+tail"):
        values = spec_values(
            tiny_checkpoint("bert"), file, method=method, long=long, max_length=16, min_steps=30
        )
        answers = predict.load(finish(values, book), device="cpu").predict(ends)
        found[long] = [answer["probabilities"]["good"] for answer in answers]
    assert found["head"][0] == pytest.approx(found["head"][1], abs=1e-7)
    assert abs(found["windows"][0] - found["windows"][1]) > 1e-6
    assert abs(found["head+tail"][0] - found["head+tail"][1]) > 1e-6


@pytest.mark.parametrize("text", [None, 3, b"bytes", ["a", "b"]])
def test_what_is_no_text_is_refused(text: Any, run: Path) -> None:
    with pytest.raises(UsageError, match="expected a text, got"):
        predict.load(run, device="cpu").predict([text])


def test_no_texts_no_answers(run: Path) -> None:
    assert predict.load(run, device="cpu").predict([]) == []


def test_damaged_weights_are_not_used(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(run, tmp_path / run.name))
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"damaged or missing: expected sha256 .*--fresh"):
        predict.load(copy)


def test_only_finished_runs_with_weights_predict(
    book: Book, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    file = write_reviews(tmp_path / "reviews.csv")
    values = spec_values(tiny_checkpoint("bert"), file, seed=5)
    with pytest.raises(UsageError, match="has no weights: it is a baseline, or was run with --keep none"):
        predict.load(finish(values, book, keep="none"))
    baseline = {**values, "checkpoint": "none", "method": "majority"}
    with pytest.raises(UsageError, match="has no weights"):
        predict.load(finish(baseline, book))
    prepared = prepare(spec.run_spec({**values, "seed": 6}, "the test"), book)
    with pytest.raises(UsageError, match="is planned, not finished; run it again"):
        predict.load(prepared.folder)


def test_texts_of_files(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text('first\n\n  \nNA, "quoted"\n', encoding="utf-8")
    assert predict.read_texts(lines, None, "utf-8") == ["first", 'NA, "quoted"']
    table = write_csv(tmp_path / "table.csv", ["a", "b"], [("x", "y"), ("NA", "z")])
    assert predict.read_texts(table, "a", "utf-8") == ["x", "NA"]
    assert predict.read_texts(table, "b,a", "utf-8") == [["y", "x"], ["z", "NA"]]
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    assert predict.read_texts(tmp_path / "table.csv.gz", "a", "utf-8") == ["x", "NA"]
    with pytest.raises(UsageError, match="there is no file"):
        predict.read_texts(tmp_path / "missing.txt", None, "utf-8")
    with pytest.raises(UsageError, match="'c'"):
        predict.read_texts(table, "c", "utf-8")
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(DataRejected, match="row 1, byte 3 is 0xe9, which is not utf-8"):
        predict.read_texts(tmp_path / "latin.txt", None, "utf-8")
    assert predict.read_texts(tmp_path / "latin.txt", None, "latin-1") == ["café"]
    (tmp_path / "empty.txt").write_bytes(b"\n")
    with pytest.raises(DataRejected, match="holds no text"):
        predict.read_texts(tmp_path / "empty.txt", None, "utf-8")


def test_a_run_from_before_padding_was_a_setting(run: Path, tmp_path: Path) -> None:
    old = shutil.copytree(run, tmp_path / run.name)
    declared = json.loads((old / "run.json").read_text())
    del declared["spec"]["train"]["padding"]
    (old / "run.json").write_text(json.dumps(declared))
    assert predict.load(old).predict(["great!"]) == predict.load(run).predict(["great!"])


def test_texts_of_the_same_tokens_get_the_same_answer_in_their_places(run: Path) -> None:
    model = predict.load(run, device="cpu")
    texts = [
        "the film was great!",
        "a tiny cafe felt terrible...",
        "THE film  was great!",
        "the film was great!",
    ]
    together, alone = model.logits(texts), [model.logits([text])[0] for text in texts]
    assert (together[0] == together[2]).all(), "the tokenizer ignores case"
    assert (together[0] == together[3]).all()
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
