"""Methodological lint: every check finds what it is for, says it, and is silent otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.cli.calls import here
from tests.publish.made import book_of, published
from tunebook import checks, durable
from tunebook.book import open_book
from tunebook.checks import CHECKS, Case, Finding
from tunebook.errors import UsageError
from tunebook.judgement import judge
from tunebook.publish.study import studies
from tunebook.selection import Selection


def run(**values: Any) -> dict[str, Any]:
    """A finished run's object, with what the checks read of it."""
    usual = {
        "run": "r0", "folder": "r0", "status": "finished", "purpose": "result", "checkpoint": "minilm-l6",
        "dataset": "reviews", "method": "lora", "split_seed": None, "splits": {"test": "one"},
        "seed": 0, "settings": {},
        "metrics": {"test": {"accuracy": 0.8, "per_class": {"bad": {}, "good": {}}}},
        "result": {"train_loss": 0.3, "selected_on": None, "best_step": None, "steps": 100},
    }  # fmt: skip
    return usual | values


def row(name: str, mean: float | None, *, seeds: int = 3, **values: Any) -> dict[str, Any]:
    """A row of a judged family; the baselines have no checkpoint."""
    checkpoint = "none" if name in ("majority", "tfidf_logreg") else "minilm-l6"
    called = name if checkpoint == "none" else f"{checkpoint} {name}"
    return {
        "checkpoint": checkpoint,
        "method": name,
        "mean": mean,
        "seeds": seeds,
        "undefined": 0,
        "name": called,
    } | values


def family(*rows: dict[str, Any], metric: str = "accuracy", **values: Any) -> dict[str, Any]:
    """A judged family of rows, nothing told apart."""
    usual = {"dataset": "reviews", "train_size": 1000, "metric": metric, "pairs": [], "detectable": None}
    return usual | {"rows": list(rows)} | values


def case(
    tmp_path: Path, *, runs: Any = (), families: Any = (), tuning: Any = None, split: str = "test"
) -> Case:
    """What the checks look at."""
    return Case(list(runs), list(families), tuning or {}, split, open_book(tmp_path))


def said(found: Iterator[Finding]) -> list[str]:
    return [f"{one.code} {one.severity}: {one.about} {one.says}" for one in found]


def test_every_check_has_a_code_of_its_own_in_order() -> None:
    codes = [(check.__doc__ or "").split()[0] for check in CHECKS]
    assert codes == [f"TB{number:03}" for number in range(1, len(CHECKS) + 1)]
    listed = here("check", "--codes", "--json").json
    assert [one["code"] for one in listed] == codes and all(one["says"].endswith(".") for one in listed)


def test_one_seed(tmp_path: Path) -> None:
    found = case(
        tmp_path,
        families=[family(row("lora", 0.8, seeds=1), row("full", 0.8), row("majority", 0.5, seeds=1))],
    )
    assert said(checks.one_seed(found)) == [
        "TB001 error: minilm-l6 lora on reviews, 1,000 texts has one seed"
    ]


def told(first: str, second: str, **values: Any) -> dict[str, Any]:
    return {"first": first, "second": second, "is_separable": True, "value": 0.1, "detectable": 0.03} | values


def test_worse_than_a_baseline_is_an_error_only_where_it_is_known(tmp_path: Path) -> None:
    rows = (row("lora", 0.6), row("full", 0.8), row("ia3", None), row("tfidf_logreg", 0.7, seeds=1))
    pairs = [told("minilm-l6 full", "tfidf_logreg"), told("tfidf_logreg", "minilm-l6 lora")]
    found = case(tmp_path, families=[family(*rows, pairs=pairs)])
    assert said(checks.worse_than_baseline(found)) == [
        "TB002 error: minilm-l6 lora on reviews, 1,000 texts is worse than tfidf_logreg"
    ]
    unknown = case(tmp_path, families=[family(*rows[1:])])
    assert said(checks.worse_than_baseline(unknown)) == [
        "TB002 warning: minilm-l6 full on reviews, 1,000 texts is not shown to be better than tfidf_logreg"
    ]
    losses = case(tmp_path, families=[family(*rows, pairs=pairs, metric="log_loss")])
    assert said(checks.worse_than_baseline(losses)) == [
        "TB002 error: minilm-l6 full on reviews, 1,000 texts is worse than tfidf_logreg"
    ]


def test_what_was_selected_on_the_split_that_is_reported(tmp_path: Path) -> None:
    chosen = run(result={"selected_on": "accuracy"})
    assert said(checks.selected_on_reported(case(tmp_path, runs=[chosen, run()], split="validation"))) == [
        "TB003 error: 1 of 2 runs chose their snapshots, or their settings, on validation"
    ]
    assert said(
        checks.selected_on_reported(case(tmp_path, runs=[run()], tuning={"cell": {}}, split="validation"))
    )
    assert not said(checks.selected_on_reported(case(tmp_path, runs=[chosen])))
    assert not said(checks.selected_on_reported(case(tmp_path, runs=[run()], split="validation")))


def test_unequal_budgets(tmp_path: Path) -> None:
    rows = (row("lora", 0.8, trials=4), row("full", 0.8), row("majority", 0.5))
    assert said(checks.unequal_budgets(case(tmp_path, families=[family(*rows)]))) == [
        "TB004 error: reviews, 1,000 texts rows were tuned with unequal numbers of trials: minilm-l6 lora 4, "
        "minilm-l6 full 0"
    ]
    equal = family(row("lora", 0.8, trials=4), row("full", 0.8, trials=4), row("majority", 0.5))
    assert not said(checks.unequal_budgets(case(tmp_path, families=[equal])))


@pytest.mark.parametrize(("kept", "count"), [(True, 3), (False, 3), (True, 0)])
def test_leaks_kept(tmp_path: Path, kept: bool, count: int) -> None:
    folder = durable.make_folder(tmp_path / "runs" / "r0")
    notes = {"leaks": {"train": count}, "leaks_kept": kept}
    durable.write_json(folder / "run.json", {"dataset": {"notes": notes}})
    found = said(checks.leaks_kept(case(tmp_path, runs=[run()])))
    assert found == ["TB005 error: reviews keeps 3 texts that stand in more than one split"] * (
        kept and count > 0
    )


def test_unequal_test_sets_but_not_several_cuts(tmp_path: Path) -> None:
    other = run(run="r1", splits={"test": "two"})
    assert said(checks.unequal_test_sets(case(tmp_path, runs=[run(), other]))) == [
        "TB006 error: reviews runs were measured on 2 different versions of test"
    ]
    cuts = [run(split_seed=0), run(split_seed=1, splits={"test": "two"})]
    assert not said(checks.unequal_test_sets(case(tmp_path, runs=cuts)))


def test_the_edge_of_the_search_space(tmp_path: Path) -> None:
    search = {"checkpoint": "minilm-l6", "method": "lora", "dataset": "reviews", "on_edge": ["learning_rate"],
              "chosen": {"learning_rate": 0.005}}  # fmt: skip
    assert said(checks.on_edge(case(tmp_path, tuning={"cell": search}))) == [
        "TB007 warning: minilm-l6 lora on reviews chose learning_rate = 0.005, on the edge of what was searched"
    ]
    assert not said(checks.on_edge(case(tmp_path, tuning={"cell": {**search, "on_edge": []}})))


def test_training_that_diverged_learned_nothing_or_still_rose(tmp_path: Path) -> None:
    folder = durable.make_folder(tmp_path / "runs" / "r0")
    for step, accuracy in ((50, 0.7), (100, 0.75)):
        durable.append_line(folder / "metrics.jsonl", {"step": step, "validation/accuracy": accuracy})
    rising = {"train_loss": 0.3, "selected_on": "accuracy", "best_step": 100, "steps": 100,
              "examples": {"validation": 1000}}  # fmt: skip
    few = {**rising, "examples": {"validation": 100}}
    nothing = {**rising, "train_loss": math.log(2), "best_step": 50}
    results = [rising, few, nothing, {**rising, "best_step": 50}]
    runs = [
        run(status="diverged"),
        *(run(result=result, seed=seed) for seed, result in enumerate(results, 1)),
    ]
    runs.append(run(metrics={"test": {"accuracy": None, "per_class": {}}}, seed=5))
    assert said(checks.not_converged(case(tmp_path, runs=runs))) == [
        "TB008 warning: minilm-l6 lora on reviews, seed 0, diverged",
        "TB008 warning: minilm-l6 lora on reviews, seed 1, was still rising at its last validation",
        "TB008 warning: minilm-l6 lora on reviews, seed 3, learned nothing: its training loss is that of guessing",
        "TB008 warning: minilm-l6 lora on reviews, seed 5, has predictions or scores that are undefined",
    ]


def test_a_dirty_tree(tmp_path: Path) -> None:
    for name, dirty in (("r0", True), ("r1", False)):
        folder = durable.make_folder(tmp_path / "runs" / name)
        durable.write_json(folder / "environment.json", {"source": {"commit": "c0ffee", "dirty": dirty}})
    runs = [run(), run(run="r1", folder="r1")]
    assert said(checks.dirty_tree(case(tmp_path, runs=runs))) == [
        "TB009 warning: 1 of 2 runs were made from a changed working tree"
    ]
    assert not said(checks.dirty_tree(case(tmp_path, runs=runs[1:])))


def test_a_lead_that_its_pair_cannot_show(tmp_path: Path) -> None:
    rows = (row("lora", 0.81), row("full", 0.80))
    pair = told("minilm-l6 lora", "minilm-l6 full", is_separable=False, value=0.01)
    assert said(checks.test_too_small(case(tmp_path, families=[family(*rows, pairs=[pair])]))) == [
        "TB010 note: reviews, 1,000 texts: minilm-l6 lora leads minilm-l6 full by 1.0 points; "
        "this pair would show 3.0 points in four of five such experiments"
    ]
    for other in ({**pair, "is_separable": True}, {**pair, "detectable": None}):
        assert not said(checks.test_too_small(case(tmp_path, families=[family(*rows, pairs=[other])])))


def test_a_checkpoint_that_has_seen_the_source(tmp_path: Path) -> None:
    runs = [
        run(checkpoint="distilbert-sst2", dataset="sst2"),
        run(dataset="sst2"),
        run(checkpoint="/own", dataset="x"),
    ]
    assert said(checks.seen_before(case(tmp_path, runs=runs))) == [
        "TB011 warning: distilbert-sst2 on sst2 was trained on texts of this dataset's source"
    ]


def test_what_was_judged_is_not_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_of(tmp_path / "book", tuned=True)
    data, _ = published(book, tmp_path / "data")
    (study,) = studies(data)
    calls = []
    monkeypatch.setattr(checks, "judge", lambda *runs, **how: calls.append(runs) or judge(*runs, **how))
    found = study.findings
    assert found and calls == []
    assert checks.check(study._selection, data) == found and len(calls) == 1


def test_what_cannot_be_judged_as_a_whole_is_judged_in_part(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    other = results.finish(book, results.Run(seed=9, examples=results.examples(200)))
    runs = [durable.read_json(folder / "run.json")["run"] for folder in (*book.run_folders(), other)]
    book.record_experiment("all", "", {"methods": []}, runs)
    data, _ = published(book, tmp_path / "data")
    study = next(one for one in studies(data) if one.name == "all")
    assert study.trouble and "TB006" in {one.code for one in study.findings}


def test_a_split_that_no_run_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run has results on 'tset'; did you mean 'test'\?"):
        checks.check(Selection([run()]), open_book(tmp_path), split="tset")


def test_nothing_to_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run is finished: there is nothing to check"):
        checks.check(Selection([run(status="failed")]), open_book(tmp_path))
