"""`claims` as a user sees it: an empty book, runs that answer, faulty files, text that would control a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import here
from tests.results import Run, examples, finish
from tunebook.book import Book

ROOT = Path(__file__).parent.parent.parent
CLAIM = """
source = "Somebody 2020"
kind = "paper"
split = "validation"
unit = "percent"
status = "published"
where = "Table 1"
[[claim]]
checkpoint = "roberta-base"
dataset = "cola"
metric = "mcc"
method = "full"
value = 63.6
"""


@pytest.fixture
def book(book_root: Path) -> Book:
    return Book(book_root)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """Three seeds of MiniLM on as many sentences as SST-2's test has, trained on as many as its train; one on fewer."""
    book = Book(tmp_path_factory.mktemp("minilm"))
    for seed in range(3):
        for size in (66_000, 4_000):
            finish(book, Run(seed=seed, skill=2.5, dataset="sst2", checkpoint="all-minilm-l6-v2", train_size=size,
                             examples=examples(872)))  # fmt: skip
    yield book


def folder(at: Path, **files: str) -> Path:
    (at / "ledger").mkdir()
    for name, text in files.items():
        (at / "ledger" / f"{name}.toml").write_text(text)
    return at / "ledger"


def test_an_empty_book_has_run_nothing_yet(book: Book) -> None:
    done = here("claims", "--claims", ROOT / "claims")
    assert (done.code, done.err) == (0, "")
    assert (
        "not run yet, 1: tunebook run --dataset cola --checkpoint electra-small --method full --set seeds=5"
        in done.out
    )
    assert done.out.splitlines()[-1].endswith(" not run yet") and " 0 agrees, 0 differs, " in done.out
    found = here("claims", "--claims", ROOT / "claims", "--json").json
    assert found["counts"]["agrees"] == found["counts"]["differs"] == 0
    assert sum(found["counts"].values()) == len(found["verdicts"]) >= 60


def test_the_package_s_claims_are_found_from_anywhere(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert here("claims", "--dataset", "rte", "--json").json["verdicts"]
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "own.toml").write_text(CLAIM)
    assert [one["claim"]["source"] for one in here("claims", "--json").json["verdicts"]] == ["Somebody 2020"]


def test_runs_of_the_book_answer(minilm: Book) -> None:
    words = ("claims", "--claims", ROOT / "claims", "--root", minilm.root, "--dataset", "sst2")
    answered = [one for one in here(*words, "--json").json["verdicts"] if one["ours"]]
    (one,) = answered
    assert (one["claim"]["checkpoint"], one["claim"]["value"]) == ("MiniLM-L6-H384-uncased", 91.5)
    (family,) = [
        found
        for found in here("compare", "--root", minilm.root, "--json").json["families"]
        if found["train_size"] == 66_000
    ]
    row = family["rows"][0]
    assert (one["ours"]["mean"], one["ours"]["low"], one["ours"]["runs"]) == (
        row["mean"],
        row["low"],
        row["runs"],
    )
    assert (
        one["difference"] == pytest.approx(row["mean"] - 0.915)
        and one["low"] < one["difference"] < one["high"]
    )
    assert (one["verdict"], one["low"] > 0) == ("differs", True)
    text = here(*words).out
    assert f"{100 * row['mean']:.2f} ({100 * row['low']:.2f} to {100 * row['high']:.2f}); 3" in text
    assert "ours is all-minilm-l6-v2, not MiniLM-L6-H384-uncased: a contrastively trained descendant" in text


def test_only_one_verdict(minilm: Book) -> None:
    words = ("claims", "--claims", ROOT / "claims", "--root", minilm.root, "--dataset", "sst2", "--json")
    everything = here(*words).json
    for word in ("agrees", "differs", "not testable", "not run yet"):
        found = here(*words, "--verdict", word.replace(" ", "-")).json
        assert found["verdicts"] == [one for one in everything["verdicts"] if one["verdict"] == word]
    assert here(*words, "--verdict", "perhaps").code == 2


def test_a_dataset_that_no_claim_is_about(book: Book) -> None:
    done = here("claims", "--claims", ROOT / "claims", "--dataset", "sst")
    assert done.code == 2 and "did you mean 'sst2'" in done.err


def test_runs_on_two_versions_of_a_dataset_are_told_and_left_out(book: Book, tmp_path: Path) -> None:
    sst2 = CLAIM.replace("cola", "sst2").replace('"mcc"', '"accuracy"').replace("63.6", "94.8")
    for seed, of in enumerate((examples(872), examples(872, seed=1))):
        finish(
            book, Run(seed=seed, dataset="sst2", checkpoint="roberta-base", train_size=66_000, examples=of)
        )
    done = here("claims", "--claims", folder(tmp_path, one=sst2))
    assert done.code == 0 and "sst2 is left out: " in done.err and "different examples" in done.err
    assert "1 not run yet" in done.out


def test_a_faulty_file_is_left_out_visibly_and_ends_with_2(book: Book, tmp_path: Path) -> None:
    ledger = folder(tmp_path, good=CLAIM, bad=CLAIM.replace('"mcc"', '"acuracy"'))
    done = here("claims", "--claims", ledger)
    assert done.code == 2 and "1 claims: " in done.out
    assert "bad.toml: 1 fault" in done.err and "unknown metric 'acuracy'; did you mean 'accuracy'" in done.err
    listed = here("claims", "--claims", ledger, "--json")
    assert listed.code == 2 and len(listed.json["verdicts"]) == 1 and "bad.toml" in listed.json["faults"][0]


def test_no_folder_of_claims(book: Book, tmp_path: Path) -> None:
    done = here("claims", "--claims", tmp_path / "nowhere")
    assert done.code == 2 and "there are no claims in" in done.err


def test_text_of_a_file_is_shown_and_never_obeyed(minilm: Book, book: Book, tmp_path: Path) -> None:
    hostile = CLAIM.replace("Somebody 2020", "\\u001b[31mred\\u202e\\nsecond line").replace(
        "63.6", '"\\u001b[2J"'
    )
    fine = CLAIM.replace("Somebody 2020", "\\u001b[31mred\\u202e\\nsecond line")
    cautious = fine.replace("cola", "sst2").replace('"mcc"', '"accuracy"').replace("63.6", "91.5").replace(
        "roberta-base", "minilm-l6"
    ) + 'caution = "\\u001b]0;title\\u0007"\n'  # fmt: skip
    ledger = folder(tmp_path, fine=fine, hostile=hostile, cautious=cautious)
    done = here("claims", "--claims", ledger, "--root", minilm.root)
    for character in "\x1b\x07\u202e":
        assert character not in done.out + done.err
    assert "\\x1b[31mred\\u202e\\nsecond line" in done.out and "\\x1b]0;title\\x07" in done.out
    assert "hostile.toml: 1 fault" in done.err
