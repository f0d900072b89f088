"""The gate counts every planted duplicate, contradiction and leak, and none in a clean set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.data import DataSource, load
from tunebook.gate import Findings, baselines, check, remarks


def findings(tmp_path: Path, train: list[tuple[str, str]], test: list[tuple[str, str]]) -> Findings:
    paths = []
    for name, rows in (("train", train), ("test", test)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
        paths.append(str(path))
    return check(load(DataSource(path=paths[0], test=paths[1], validation="none", keep_leaks=True)))


CLEAN = [(f"text {i}", "ab"[i % 2]) for i in range(50)]
OTHER = [(f"other {i}", "ab"[i % 2]) for i in range(10)]


def own(path: Path, columns: str, rows: list[str]) -> DataSource:
    path.write_text("\n".join([columns, *rows]) + "\n")
    return DataSource(path=str(path), validation="none")


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
    assert found.overlaps[0].rows_of_second == 3
    assert found.splits["train"].identical == 1 and found.splits["test"].identical == 0
    assert found.splits["train"].examples["contradictions"] == (("r3", "r52"),)
    assert ("r2", "r51") in found.splits["train"].examples["duplicates"]
    assert found.overlaps[0].examples["rows"] == (("r4", "test-r11"), ("r54", "test-r1"))
    assert found.notes["leaks"] == {"train": 2}


def test_lengths_balance_and_plain_values(tmp_path: Path) -> None:
    found = findings(tmp_path, [("one two three", "a"), ("four", "b"), ("five six", "b")], OTHER)
    train = found.splits["train"]
    assert train.rows == 3 and train.balance == {"a": 1, "b": 2} and train.scores is None
    assert (train.words.smallest, train.words.median, train.words.largest) == (1, 2, 3)
    assert train.characters.largest == 13
    assert json.loads(json.dumps(found.as_object()))["splits"]["train"]["balance"] == {"a": 1, "b": 2}
    overlap = found.as_object()["overlaps"]["train in test"]
    assert overlap["rows"] == overlap["near"] == overlap["contradictions"] == 0 and overlap["examples"] == {}


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


def test_rows_that_were_dropped_are_told_of(tmp_path: Path) -> None:
    paths = []
    for name, rows in (("train", CLEAN), ("test", [*OTHER, CLEAN[3], CLEAN[4]])):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
        paths.append(str(path))
    source = DataSource(path=paths[0], test=paths[1], validation="none")
    found = check(load(source), source)
    assert found.overlaps[0].rows == 0 and found.notes["leaks"] == {"train": 2}
    (before,) = found.as_distributed
    assert (before.first, before.second, before.rows, before.rows_of_second) == ("train", "test", 2, 2)
    assert check(load(source), source, test_labels=False).as_distributed == ()
    said = {one.code: one.what for one in remarks(found.as_object())}
    assert said["leak_as_distributed"] == "as distributed, 2 of 12 rows of test stand in train"
    cheap = remarks(check(load(source)).as_object())
    assert [one.code for one in cheap if "leak" in one.code] == ["leak_dropped"]


def test_lengths_of_texts_that_are_too_long_or_have_no_word(tmp_path: Path) -> None:
    rows = [f'"{"word " * (401 if i == 5 else 3)}{i}",{"ab"[i % 2]}' for i in range(30)] + ["?! :-),a"]
    found = check(load(own(tmp_path / "x.csv", "text,label", rows)))
    assert sum(split.overlong for split in found.splits.values()) == 1
    assert sum(split.wordless for split in found.splits.values()) == 1


def test_pairs_are_compared_as_pairs(tmp_path: Path) -> None:
    rows = [f"one {i},two {i % 7},{'ab'[i % 2]}" for i in range(40)] + [
        "one 0,two 0,a",
        "ONE  1,two 1,a",
        "one 2,two 5,a",
    ]
    source = DataSource(path=str(own(tmp_path / "x.csv", "a,b,label", rows).path), text=("a", "b"))
    splits = check(load(source), source).splits.values()
    assert sum(split.duplicates for split in splits) == 2 and sum(split.identical for split in splits) == 1
    assert sum(split.contradictions or 0 for split in splits) == 1


@settings(max_examples=25, deadline=None)
@given(
    copies=st.lists(st.tuples(st.integers(0, 39), st.booleans()), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_any_copies_are_counted_in_any_order(
    tmp_path_factory: Any, copies: list[tuple[int, bool]], order: Any
) -> None:
    rows = [(f"text number {i} of {i * i}", "ab"[i % 2]) for i in range(40)]
    rows += [(rows[i][0].upper(), rows[i][1] if same else "ab"[1 - i % 2]) for i, same in copies]
    order.shuffle(rows)
    found = findings(tmp_path_factory.mktemp("copies"), rows, OTHER)
    train = found.splits["train"]
    assert train.duplicates == len(copies)
    assert train.contradictions == len({i for i, same in copies if not same})
