"""What `behave` found, published: its file, its page, its charts in the notebook, and what may not be shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.publish.made import book_of, published
from tunebook import behaviour, durable
from tunebook.behaviour import summary
from tunebook.book.experiments import experiment_folders, recorded_runs
from tunebook.publish import behaviour_reports, notebooks, transfer_reports, whole
from tunebook.publish.export import bring_in, export
from tunebook.publish.open_data import Published, file_bytes
from tunebook.publish.site import Site
from tunebook.publish.study import studies

WHO = {"dataset": "pocket", "train_size": 450, "checkpoint": "tiny", "method": "full", "seeds": 2}
RATE = {"value": 0.1, "low": 0.05, "high": 0.2, "covers": "seeds and examples"}
SCORES = {"accuracy": 0.8, "ece": 0.1, "brier": 0.3, "log_loss": 0.4}
CELL = {
    **WHO, **RATE, "target": "imdb", "group": "", "texts": 100, "shared": 0, "drop": 0.12, "drop_low": 0.02,
    "drop_high": 0.22, "is_home": False, "is_struck": False, "why": "",
}  # fmt: skip
PARTS_OF_ROWS = (
    "rows", "robustness", "calibration", "coverage", "slices", "worst", "moved", "forgetting", "agreement", "transfer",
)  # fmt: skip
EMPTY = dict.fromkeys(("value", "low", "high", "drop", "drop_low", "drop_high"))


def found_of(runs: list[str]) -> dict[str, Any]:
    """Findings with a row of each kind, of the shape that `examine` gives."""
    test = {
        **WHO,
        **RATE,
        "kind": "invariance",
        "capability": "typos",
        "texts": 80,
        "unchanged": 10,
        "unseen": 10,
    }
    return {
        "schema": 1, "settings": {"texts": 100, "transfer_texts": 200, "seed": 0, "by": []},
        "missing": [{"what": "texts of amazon", "why": "<b>not here</b>"}], "seconds": {"robustness": 3.0},
        "rows": [{**WHO, "runs": runs[:2]}],
        "robustness": [
            {**test, "test": ""},
            {**test, "test": "dropped_letter",
             "examples": [{"id": "a", "seeds": 2, "before": "<i>x</i>", "after": "y"}]},
            {**test, "kind": "minimum functionality", "capability": "negation", "test": "", "value": 0.4},
        ],
        "calibration": [{**WHO, "seed": 0, "temperature": 1.5, "before": SCORES, "after": {**SCORES, "ece": 0.05}}],
        "coverage": [
            {**WHO, "accuracy": 0.8, "aurc": 0.1, "accuracy_at": {"0.8": 0.9, "0.9": 0.85},
             "points": [{"coverage": share / 10, "risk": share / 50} for share in range(1, 11)]}
        ],
        "slices": [
            {**WHO, "slice": "negation", "examples": 40, "accuracy": 0.6, "low": 0.5, "high": 0.7, "difference": -0.2,
             "difference_low": -0.3, "difference_high": -0.1, "p": 0.001, "p_adjusted": 0.01}
        ],
        "worst": [{**WHO, "slice": "negation", "says": "negation: 60.0% right"}],
        "moved": [{**WHO, "layer": layer, "cka": 1 - layer / 10, "relative": 0.01} for layer in range(3)],
        "forgetting": [{**WHO, "before": 2.0, "after": 2.5, "difference": 0.5}],
        "agreement": [
            {"dataset": "pocket", "first": "tiny full", "second": "tfidf_logreg", "between": 0.2,
             "where_they_differ": {"first": 0.12, "second": 0.08, "neither": 0.0}, "excess": None,
             "contested": {"first": [{"id": "b", "text": "<u>z</u>", "label": "good", "right": 2, "other_right": 0}],
                           "second": [], "counts": [[0, 8], [1, 9], [3, 79]]}}
        ],
        "transfer": [
            CELL,
            {**CELL, "target": "pocket", "is_home": True, "drop": None, "drop_low": None, "drop_high": None},
            {**CELL, **EMPTY, "target": "sst2", "is_struck": True, "why": "the same sentences"},
            {**CELL, **EMPTY, "target": "amazon", "why": "its files are not here"},
        ],
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Open data of a book whose experiment was examined."""
    book = book_of(tmp_path / "book")
    for one in experiment_folders(book):
        behaviour.write(one, found_of(recorded_runs(one)))
    export(book, tmp_path / "data")
    return tmp_path / "data"


def test_what_was_found_is_published_as_it_is_and_comes_back(folder: Path, tmp_path: Path) -> None:
    data = Published(folder)
    assert not data.faults
    (name,) = data.experiments
    told = data.behaviour[name]
    assert {key: told[key] for key in told if key != "file"} == found_of(data.experiments[name]["runs"])
    from tunebook.book import Book

    again = Book(tmp_path / "again")
    bring_in(data, again)
    export(again, tmp_path / "twice")
    path = f"behaviour/{name}.json"
    assert (tmp_path / "twice" / path).read_bytes() == (folder / path).read_bytes()


def test_its_page_shows_every_part_and_escapes_what_it_shows(folder: Path) -> None:
    site = Site(Published(folder))
    (path,) = [one for one in site.pages if one.startswith("behaviour/")]
    page = site.render(path).decode()
    for text in (
        "On other datasets", "Failures in %", "Calibration", "Where the model may abstain", "Texts that failed",
        "negation", "Likeness of layers", "Masked words", "Do rows answer differently?", "What is missing",
        "Texts on which they differ most (1)",
        "the same sentences", "its files are not here", "12.0 points",
    ):  # fmt: skip
        assert text in page, text
    assert "&lt;b&gt;not here" in page
    assert "&lt;i&gt;x" in page
    assert "&lt;u&gt;z" in page
    experiment = site.render(path.replace("behaviour/", "experiments/")).decode()
    assert f'href="../{path}"' in experiment


def test_the_matrix_marks_home_what_is_struck_out_and_what_is_missing() -> None:
    (chart,) = transfer_reports.matrices(found_of([]))
    labels = {value["y"]: value["label"] for value in chart.marks[0].values}
    assert labels == {"imdb": "10.0", "pocket": "[10.0]", "sst2": "\u00d7", "amazon": "\u2013"}


def test_what_transfer_says_counts_what_can_be_counted() -> None:
    says = transfer_reports.says(found_of([]))
    assert "falls by 12.0 points on average of 1 cells" in says
    assert "in 1 it is lower by its own 95 % interval, in 0 higher" in says
    assert "1 cells are struck out" in says
    gained = {**CELL, "drop": -0.1, "drop_low": -0.15, "drop_high": -0.05}
    assert "rises by 10.0 points" in transfer_reports.says({**found_of([]), "transfer": [gained]})
    assert transfer_reports.says({**found_of([]), "transfer": []}) == ""


def test_a_table_says_once_what_each_of_its_rows_says() -> None:
    full = transfer_reports.cells(found_of([]))
    short = behaviour_reports.concise(full)
    left_out = {one.title for one in full.columns} - {one.title for one in short.columns}
    assert left_out == {"trained on", "train texts", "checkpoint", "method", "seeds"}
    assert short.note.startswith("All rows: trained on pocket, train texts 450, checkpoint ")
    two = replace(full, rows=(*full.rows, {**full.rows[0], "method": "another", "seeds": 5}))
    titles = {one.title for one in behaviour_reports.concise(two).columns}
    assert {"method", "seeds"} < titles and "checkpoint" not in titles
    none = replace(full, rows=())
    assert behaviour_reports.concise(none) == none


def test_a_row_in_a_few_numbers() -> None:
    told = summary.of_row(found_of(["abc"]), "abc")
    assert told == {
        "examined": ["abc"], "invariance": 0.1, "direction": None, "minimum": 0.4, "ece": 0.1, "ece_scaled": 0.05,
        "at_80": 0.9, "drop": 0.12, "worst": "negation",
    }  # fmt: skip
    assert summary.of_row(found_of(["abc"]), "other") is None


def test_the_notebook_draws_them(folder: Path) -> None:
    (study,) = studies(Published(folder))
    sources = "".join(source for _, source in notebooks.cells(study))
    assert "How these models behave" in sources
    assert "Failures in %" in sources


def test_texts_that_may_not_be_shown_and_findings_of_nothing_are_faults(folder: Path) -> None:
    (path,) = (folder / "behaviour").iterdir()
    value = durable.read_json(path)
    of_imdb = {part: [{**row, "dataset": "imdb"} for row in value[part]] for part in PARTS_OF_ROWS}
    for without in ("robustness", "agreement"):
        path.write_bytes(file_bytes({**value, **of_imdb, without: []}))
        assert any("texts of imdb may not be shown" in fault for fault in whole.faults(Published(folder)))
    path.rename(path.with_name("other--0123456789ab.json"))
    assert any("of no published experiment" in fault for fault in whole.faults(Published(folder)))


@pytest.mark.parametrize("part", ["transfer", "robustness", "settings", "rows"])
def test_findings_that_lack_a_part_are_named_and_left_out(folder: Path, part: str) -> None:
    (path,) = (folder / "behaviour").iterdir()
    value = durable.read_json(path)
    del value[part]
    path.write_bytes(file_bytes(value))
    data = Published(folder)
    assert not data.behaviour
    assert part in data.faults[f"behaviour/{path.name}"]
    assert not any(one.startswith("behaviour/") for one in Site(data).pages)


def test_a_number_that_is_none_is_a_fault(folder: Path) -> None:
    (path,) = (folder / "behaviour").iterdir()
    value = durable.read_json(path)
    value["transfer"][0]["value"] = "<script>"
    path.write_bytes(file_bytes(value))
    data = Published(folder)
    assert not data.behaviour
    assert json.dumps(data.faults)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("coverage", "accuracy_at", {}),
        ("coverage", "points", [{}]),
        ("coverage", "accuracy", 1.5),
        ("calibration", "before", {}),
        ("agreement", "where_they_differ", {}),
        ("agreement", "excess", 5),
        ("agreement", "contested", {"first": [], "second": [{"id": 5}]}),
        ("robustness", "examples", [5]),
        ("robustness", "value", 5),
        ("transfer", "drop_low", "x"),
        ("missing", "why", None),
    ],
)
def test_what_no_page_could_show_is_left_out(folder: Path, part: str, key: str, value: object) -> None:
    (path,) = (folder / "behaviour").iterdir()
    told = durable.read_json(path)
    told[part][0][key] = value
    path.write_bytes(file_bytes(told))
    data = Published(folder)
    assert not data.behaviour
    assert part in data.faults[f"behaviour/{path.name}"]


def test_values_of_somebodys_own_columns_stay_in_the_book(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    for one in experiment_folders(book):
        found = found_of(recorded_runs(one))
        own = {"slice": "author=ann@example.org", "says": "author=ann@example.org: bad"}
        for part in PARTS_OF_ROWS:
            found[part] = [{**row, "dataset": "mine.csv"} for row in found[part]]
        for part in ("slices", "worst"):
            found[part] = [row | own for row in found[part]]
        behaviour.write(one, found)
    export(book, tmp_path / "data")
    (path,) = (tmp_path / "data" / "behaviour").iterdir()
    assert "ann@example" not in path.read_text()
    assert "author, value 1" in path.read_text()
    (one,) = experiment_folders(book)
    path.write_bytes(file_bytes({**(behaviour.read(one) or {}), "schema": 1}))
    assert any("values of a column" in fault for fault in whole.faults(Published(tmp_path / "data")))


def test_texts_that_may_not_be_shown_stay_in_the_book(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    for one in experiment_folders(book):
        found = found_of(recorded_runs(one))
        for part in PARTS_OF_ROWS:
            found[part] = [{**row, "dataset": "imdb"} for row in found[part]]
        behaviour.write(one, found)
    export(book, tmp_path / "data")
    (path,) = (tmp_path / "data" / "behaviour").iterdir()
    for text in ("<i>x</i>", "<u>z</u>"):
        assert text not in path.read_text()
    assert {"id": "b", "label": "good", "right": 2, "other_right": 0} in durable.read_json(path)["agreement"][
        0
    ]["contested"]["first"]


@pytest.mark.parametrize(
    ("part", "change", "fault"),
    [
        ("rows", {"runs": []}, "2 seeds of full are 0 runs"),
        ("rows", {"seeds": 3}, "3 seeds of full are 2 runs"),
        ("rows", {"seconds": {"robustness": "x"}}, "rows.seconds.robustness is 'x'"),
        ("coverage", {"method": "lora"}, "coverage of full on pocket is not there once"),
        ("transfer", {"method": "lora"}, "transfer of lora on pocket is of no row"),
        ("robustness", {"examples": [{"id": "a", "seeds": 2, "said": "x"}]}, "tell more than they may: said"),
    ],
)
def test_findings_that_do_not_hold_together_are_left_out_with_the_reason(
    folder: Path, part: str, change: dict[str, Any], fault: str
) -> None:
    (path,) = (folder / "behaviour").iterdir()
    told = durable.read_json(path)
    told[part][0] |= change
    path.write_bytes(file_bytes(told))
    data = Published(folder)
    assert not data.behaviour
    assert fault in data.faults[f"behaviour/{path.name}"]


def test_rows_that_differ_in_checkpoint_or_size_are_drawn_apart() -> None:
    found = found_of([])
    for part in ("robustness", "coverage", "moved", "transfer"):
        found[part] += [{**row, "checkpoint": "other", "train_size": 900} for row in found[part]]
    names = {value["x"] for value in behaviour_reports.failures(found, "pocket").marks[0].values}
    assert names == {"full, tiny, 450", "full, other, 900"}
    assert len({value["group"] for value in behaviour_reports.coverage(found, "pocket").marks[0].values}) == 2
    titles = [chart.title for chart in transfer_reports.matrices(found)]
    assert len(titles) == len(set(titles)) == 2


def test_accuracy_that_is_not_that_of_the_runs_is_a_fault(folder: Path) -> None:
    (path,) = (folder / "behaviour").iterdir()
    told = durable.read_json(path)
    told["coverage"][0]["accuracy"] = 0.999
    path.write_bytes(file_bytes(told))
    assert any("is not that of its runs" in fault for fault in whole.faults(Published(folder)))


def test_an_experiment_that_nobody_examined_has_no_page(tmp_path: Path) -> None:
    data, _ = published(book_of(tmp_path / "book"), tmp_path / "data")
    assert not [one for one in Site(data).pages if one.startswith("behaviour/")]
    assert behaviour_reports.examples(found_of([])) is not None
