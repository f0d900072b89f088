"""Sentences about findings: ordered by severity, one a finding, with what to do; and `data check` as it prints them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calls import here
from tunebook.data import DataSource, load
from tunebook.gate import Remark, check, remarks
from tunebook.gate.sentences import SEVERITIES


def said(path: Path, lines: list[str], **options: object) -> dict[str, Remark]:
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    source = DataSource(path=str(path), **{"validation": "none", **options})  # type: ignore[arg-type]
    found = remarks(check(load(source), source).as_object())
    order = [SEVERITIES.index(one.severity) for one in found]
    assert order == sorted(order) and len({(one.code, one.what) for one in found}) == len(found)
    assert all(one.what and one.do and json.dumps(one.as_object()) for one in found)
    return {one.code: one for one in found}


CLEAN = [f"words number {i * 7919} here,{'ab'[i * 7919 % 13 % 2]}" for i in range(300)]


def test_a_clean_file_has_no_findings(tmp_path: Path) -> None:
    assert set(said(tmp_path / "x.csv", CLEAN)) <= {"telling_column"}


def test_what_was_planted_is_said(tmp_path: Path) -> None:
    rows = [
        *CLEAN,
        CLEAN[0].upper().replace(",A", ",b").replace(",B", ",a"),
        "schÃ¶n &amp; gut<br />,a",
        "?!,b",
    ]
    rows += [f"a rather long sentence that comes with one other number {i},a" for i in (17, 18)]
    found = said(tmp_path / "x.csv", rows)
    assert {"contradictions", "duplicates", "mis_decoded", "html_entities", "html_tags", "wordless"} <= set(
        found
    )
    assert "1 of" in found["mis_decoded"].what and "ftfy" in found["mis_decoded"].do
    assert all(len({split for split, _ in one}) == 1 for one in found["contradictions"].examples)
    assert {"near_duplicates", "near_leak"} & set(found)


def test_uneven_classes_and_kept_leaks(tmp_path: Path) -> None:
    rows = [f"text {i} {i * 31},{'rare' if i % 30 == 0 else 'usual'}" for i in range(300)]
    (tmp_path / "test.csv").write_text("text,label\ntext 7 217,usual\nnew one,usual\n")
    found = said(tmp_path / "x.csv", rows, test=str(tmp_path / "test.csv"), keep_leaks=True)
    assert found["leak"].severity == "serious" and found["leak"].what == "rows of test that stand in train: 1"
    assert found["leak"].examples == ((("train", "r9"), ("test", "test-r2")),)
    assert "uneven_classes" in found and found["missing_class"].what == "test has no row of class 'rare'"


def test_fitted_things_are_spoken_of() -> None:
    bare = {"splits": {}, "overlaps": {}, "as_distributed": {}, "notes": {}, "known": [], "metadata": []}
    errors = {"suspect": 30, "rows": 100, "first": [{"id": "r1"}]}
    cut = {
        "checkpoint": "c",
        "max_length": 128,
        "splits": {"train": {"rows": 9, "of": 100}, "test": {"rows": 0, "of": 9}},
    }
    scores = {"split": "validation", "majority": {"accuracy": 0.5}, "tfidf_logreg": {"accuracy": 0.99}}
    found = remarks({**bare, "label_errors": errors, "truncation": cut, "baselines": scores})
    assert [one.code for one in found] == ["truncated", "suspect_labels", "easy"]
    assert found[0].what.startswith("9.0% of train (9 texts) are longer than the 128 tokens")
    scores["tfidf_logreg"] = {"accuracy": 0.5}
    assert [one.code for one in remarks({**bare, "baselines": scores, "label_errors": {"why_not": "x"}})] == [
        "hopeless"
    ]


# --- the command line ---------------------------------------------------------------------------------------


@pytest.fixture
def user(book_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, rows: list[str], header: str = "text,label") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


OWN = ("--text", "text", "--label", "label")
BAD = {
    "unknown": (None, ("data", "check", "sst3"), 2, "unknown dataset 'sst3'; did you mean 'sst2'"),
    "no file": (None, ("data", "check", "y.csv", *OWN), 2, "there is no file y.csv"),
    "column": (CLEAN, ("data", "check", "x.csv", "--text", "txt", *OWN[2:]), 2, "no column 'txt'; did you mean 'text'"),
    "empty": ("", ("data", "check", "x.csv", *OWN), 3, "is empty"),
    "header only": ([], ("data", "check", "x.csv", *OWN), 3, "0 rows with a text and a label"),
    "one row": (["a,b"], ("data", "check", "x.csv", *OWN), 3, "at least 3"),
    "one label": ([f"t {i},a" for i in range(9)], ("data", "check", "x.csv", *OWN), 3, "one label only"),
    "length": (CLEAN, ("data", "check", "x.csv", *OWN, "--max-length", "12"), 2, "say which, --checkpoint NAME"),
    "features": (CLEAN, ("data", "check", "x.csv", *OWN, "--label-errors", "checkpoint"), 2, "--checkpoint NAME"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_has_one_answer(case: str, user: Path) -> None:
    rows, arguments, code, message = BAD[case]
    if rows is not None:
        (user / "x.csv").write_text(
            rows if isinstance(rows, str) else "\n".join(["text,label", *rows]) + "\n"
        )
    done = here(*arguments)
    assert (done.code, message in done.err) == (code, True), done.err
    assert "Traceback" not in done.err and not done.out


def test_all_texts_equal_is_told_or_refused(user: Path) -> None:
    write(user / "x.csv", [f"the same,{'ab'[i % 2]}" for i in range(30)])
    done = here("data", "check", "x.csv", *OWN, "--no-baselines")
    assert done.code == 3 and "has no rows: too few rows, or all of them were empty" in done.err
    write(user / "y.csv", [f"the same,{'ab'[i % 2]}" for i in range(30)])
    write(user / "test.csv", ["another,a", "other,b"])
    found = remarks(check(load(DataSource(path="y.csv", test="test.csv", validation="none"))).as_object())
    assert found[0].code == "one_text" and found[0].severity == "serious"


@pytest.mark.parametrize("kind", ["regression", "pairs"])
def test_scores_and_pairs_are_looked_at(kind: str, user: Path) -> None:
    rows = [f"t {i},other {i % 9},{i / 7 + 0.1 if kind == 'regression' else 'ab'[i % 2]}" for i in range(90)]
    write(user / "x.csv", rows, "a,b,label")
    done = here("data", "check", "x.csv", "--text", "a,b", "--label", "label", "--json")
    assert done.code == 0, done.err
    assert set(done.json) >= {
        "splits",
        "overlaps",
        "metadata",
        "known",
        "remarks",
        "baselines",
        "label_errors",
    }
    assert ("why_not" in done.json["label_errors"]) == (kind == "regression")
    assert here("data", "check", "x.csv", "--text", "a,b", "--label", "label").code == 0


def test_lines_show_texts_safely_and_the_book_keeps_what_was_found(
    user: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    rows = [*CLEAN, "evil \x1b[31m &amp; \u202e text,a", "evil \x1b[31m &amp; \u202e text,b"]
    write(user / "x.csv", rows)
    (user / "tiny").symlink_to(tiny_checkpoint("bert"))
    done = here(
        "data",
        "check",
        "x.csv",
        *OWN,
        "--checkpoint",
        "./tiny",
        "--max-length",
        "4",
        "--label-errors",
        "checkpoint",
    )
    assert done.code == 0, done.err
    assert "\x1b" not in done.out and "\u202e" not in done.out and "\\x1b[31m" in done.out
    lines = done.out.splitlines()
    begin = lines.index("findings, the most severe first") + 1
    ranks = [
        SEVERITIES.index(line.split()[0])
        for line in lines[begin:]
        if line.split()[:1] and line.split()[0] in SEVERITIES
    ]
    assert ranks == sorted(ranks) and len(ranks) >= 3
    assert all(" -> " in line for line in lines[begin:] if line.split()[:1] and line.split()[0] in SEVERITIES)
    assert "longer than the 4 tokens" in done.out
    (kept,) = (user / "book" / "gate").iterdir()
    content = json.loads(kept.read_text())
    assert content["is_whole"] and "truncation" not in content and "evil" not in kept.read_text()
    assert here("data", "check", "x.csv", *OWN, "--no-baselines").code == 0
    assert json.loads(kept.read_text()) == content, "what is whole is not replaced by less"
