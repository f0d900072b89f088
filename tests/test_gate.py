"""The gate counts every planted duplicate, contradiction and leak, and none in a clean set."""

from __future__ import annotations

import json
from pathlib import Path

from tunebook.data import DataSource, load
from tunebook.gate import Findings, baselines, check


def findings(tmp_path: Path, train: list[tuple[str, str]], test: list[tuple[str, str]]) -> Findings:
    paths = []
    for name, rows in (("train", train), ("test", test)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
        paths.append(str(path))
    return check(load(DataSource(path=paths[0], test=paths[1], validation="none", keep_leaks=True)))


CLEAN = [(f"text {i}", "ab"[i % 2]) for i in range(50)]
OTHER = [(f"other {i}", "ab"[i % 2]) for i in range(10)]


def test_a_clean_set_has_no_findings(tmp_path: Path) -> None:
    found = findings(tmp_path, CLEAN, OTHER)
    assert all(split.duplicates == split.contradictions == 0 for split in found.splits.values())
    assert [(o.first, o.second, o.rows, o.contradictions) for o in found.overlaps] == [
        ("train", "test", 0, 0)
    ]


def test_everything_planted_is_counted(tmp_path: Path) -> None:
    train = [*CLEAN, ("TEXT  1", "b"), ("text 2", "b"), ("\uff54\uff45\uff58\uff54 2", "b"), ("other 0", "b")]
    test = [*OTHER, ("text 3", "b"), ("Text 3 ", "b")]
    found = findings(tmp_path, train, test)
    assert (found.splits["train"].duplicates, found.splits["train"].contradictions) == (3, 1)
    assert found.splits["test"].duplicates == 1
    assert (found.overlaps[0].rows, found.overlaps[0].contradictions) == (2, 1)
    assert found.notes["leaks"] == {"train": 2}


def test_lengths_balance_and_plain_values(tmp_path: Path) -> None:
    found = findings(tmp_path, [("one two three", "a"), ("four", "b"), ("five six", "b")], OTHER)
    train = found.splits["train"]
    assert train.rows == 3 and train.balance == {"a": 1, "b": 2} and train.scores is None
    assert (train.words.smallest, train.words.median, train.words.largest) == (1, 2, 3)
    assert train.characters.largest == 13
    assert json.loads(json.dumps(found.as_object()))["splits"]["train"]["balance"] == {"a": 1, "b": 2}
    assert found.as_object()["overlaps"] == {"train in test": {"rows": 0, "contradictions": 0}}


def test_scores_have_a_spread(tmp_path: Path) -> None:
    rows = [(f"text {i}", str(i / 10)) for i in range(30)]
    train = findings(tmp_path, rows, [("x", "0.5")]).splits["train"]
    assert train.balance is None and train.scores is not None and train.scores.largest > 2.8


def test_baselines_of_classes_and_of_scores(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_text("text,label\n" + "".join(f"word{i % 2} text {i},{i % 2}\n" for i in range(300)))
    found = baselines(load(DataSource(path=str(path))))
    assert found["split"] == "validation"
    assert found["majority"]["accuracy"] < 0.7 and found["tfidf_logreg"]["accuracy"] > 0.9
    path = tmp_path / "scores.csv"
    path.write_text("text,label\n" + "".join(f"word{i % 3} text {i},{i % 3 + 0.5}\n" for i in range(300)))
    found = baselines(load(DataSource(path=str(path), validation="none")))
    assert found["split"] == "test" and found["tfidf_logreg"]["pearson"] > 0.9
