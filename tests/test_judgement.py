"""Which rows are really better: numbers are those of `tunebook.stats`, labels say what was done and why not."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import results
from tests.results import BASELINES, Run, examples, fill, finish
from tunebook import judgement, pareto, stats, weighted
from tunebook.book import Book
from tunebook.errors import UsageError
from tunebook.run_object import as_object

OF = examples()
SKILLS = {"full": 1.2, "lora": 1.19, "linear_probe": 0.6, "tfidf_logreg": 0.3, "majority": 0.0}
NAMES = ["minilm-l6 full", "minilm-l6 lora", "minilm-l6 linear_probe", "tfidf_logreg", "majority"]
FIXED = "on this test set"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "book")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Three methods with five seeds, and both baselines."""
    book = Book(tmp_path_factory.mktemp("filled"))
    fill(book, SKILLS)
    return book


def runs_of(book: Book) -> list[dict[str, Any]]:
    return [as_object(folder) for folder in book.run_folders()]


def judge(book: Book, **words: Any) -> dict[str, Any]:
    """The only family of a book."""
    (family,) = judgement.judge(runs_of(book), book, **words)
    return family


def right(method: str, seeds: Sequence[int] = range(5), skill: float | None = None) -> list[np.ndarray]:
    """Which examples the runs of a method had right."""
    skill = SKILLS[method] if skill is None else skill
    logits = [results.answers(OF, skill, seed).astype(np.float32) for seed in seeds]
    return [one.argmax(axis=1) == OF.labels for one in logits]


def scores(method: str, seeds: Sequence[int] = range(5)) -> stats.Scores:
    is_fixed = method in BASELINES
    return stats.by_example(right(method, [0] if is_fixed else seeds), is_deterministic=is_fixed)


def by_names(family: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(pair["first"], pair["second"]): pair for pair in family["pairs"]}


def pair_of(book: Book, **words: Any) -> dict[str, Any]:
    """The only pair of the only family."""
    (pair,) = judge(book, **words)["pairs"]
    return pair


# --- numbers ------------------------------------------------------------------------------------------------


def test_rows_and_intervals_are_those_of_the_statistics(filled: Book) -> None:
    family = judge(filled)
    assert [row["name"] for row in family["rows"]] == NAMES
    assert {key: family[key] for key in ("dataset", "train_size", "metric", "split", "correction", "baseline")} == {
        "dataset": "reviews", "train_size": 1000, "metric": "accuracy", "split": "test", "correction": "holm",
        "baseline": None,
    }  # fmt: skip
    for row in family["rows"]:
        found = scores(row["method"])
        estimate = found.parts().estimate()
        assert (row["low"], row["high"]) == (estimate.low, estimate.high)
        assert row["covers"] == estimate.covers == "seeds and examples"
        assert row["mean"] == pytest.approx(estimate.value)
        assert row["deviation"] == pytest.approx(stats.summary(found.values).deviation)
        assert (row["seeds"], row["undefined"], row["splits"]) == (len(found.values), 0, None)
    assert json.loads(json.dumps(family)) == family, "plain values"


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_differences_are_those_of_the_statistics_corrected_together(filled: Book, correction: str) -> None:
    family = judge(filled, correction=correction)
    assert [(pair["first"], pair["second"]) for pair in family["pairs"]] == list(
        itertools.combinations(NAMES, 2)
    )
    methods = [name.rpartition(" ")[2] for name in NAMES]
    direct = [
        stats.paired(scores(first), scores(second)) for first, second in itertools.combinations(methods, 2)
    ]
    correct = {"holm": stats.holm, "bh": stats.benjamini_hochberg}[correction]
    adjusted = correct([one.p for one in direct])
    for pair, one, p_adjusted in zip(family["pairs"], direct, adjusted, strict=True):
        assert {key: pair[key] for key in asdict(one)} == asdict(one)
        assert pair["p_adjusted"] == p_adjusted and pair["is_separable"] == (p_adjusted <= 0.05)
    assert sum(pair["is_separable"] for pair in family["pairs"]) not in (0, len(direct))


def test_groups_and_what_could_be_detected_follow_from_all_pairs(filled: Book) -> None:
    family = judge(filled)
    separable = {
        (NAMES.index(a), NAMES.index(b)): pair["is_separable"] for (a, b), pair in by_names(family).items()
    }
    groups = stats.tie_groups(range(5), lambda i, j: separable[i, j])
    assert [row["tie_group"] for row in family["rows"]] == groups == [1, 1, 2, 3, 4]
    for level, key in ((0.05 / 10, "corrected"), (0.05, "alone")):
        each = [
            stats.detectable_difference(pair["standard_error"], pair["degrees_of_freedom"], level=level)
            for pair in family["pairs"]
        ]
        assert family["detectable"][key] == pytest.approx(float(np.median(each)))
    assert (family["detectable"]["comparisons"], family["detectable"]["power"]) == (10, 0.8)


@pytest.mark.parametrize("metric", ["f1", "mcc", "log_loss", "ece"])
def test_other_metrics_are_resampled_or_averaged(book: Book, metric: str) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=range(3))
    family = judge(book, metric=metric)
    logits = {
        method: [results.answers(OF, skill, seed).astype(np.float32) for seed in range(3)]
        for method, skill in (("full", 1.2), ("lora", 0.6))
    }
    runs = {method: [(OF.labels, one) for one in of] for method, of in logits.items()}
    if metric == "log_loss":
        made = {
            method: stats.by_example([weighted.per_example(metric, *one) for one in of])  # type: ignore[arg-type]
            for method, of in runs.items()
        }
    else:
        made = {
            method: stats.by_resample(
                weighted.values(metric, of), weighted.replicates(metric, of), examples=300
            )
            for method, of in runs.items()
        }
    first, second = (row["method"] for row in family["rows"])
    (pair,) = family["pairs"]
    for key, value in asdict(stats.paired(made[first], made[second])).items():
        assert pair[key] == (pytest.approx(value) if isinstance(value, float) else value), key
    for row in family["rows"]:
        estimate = made[row["method"]].parts().estimate()
        assert (row["low"], row["high"]) == pytest.approx((estimate.low, estimate.high))
    is_first_better = family["rows"][0]["mean"] < family["rows"][1]["mean"]
    assert is_first_better == (metric in ("log_loss", "ece")), "the best first, whatever better means"


@pytest.mark.parametrize("metric", [None, "spearman", "mae"])
def test_scores_are_judged_too(book: Book, metric: str | None) -> None:
    fill(book, {"full": 2.0, "lora": 1.9, "linear_probe": 0.0}, examples=examples(classes=0))
    family = judge(book, metric=metric)
    assert family["metric"] == (metric or "pearson")
    assert [row["method"] for row in family["rows"]] == ["full", "lora", "linear_probe"]
    assert family["pairs"][2]["is_separable"] and all(pair["p"] is not None for pair in family["pairs"])
    assert all(row["low"] < row["mean"] < row["high"] for row in family["rows"])


# --- which test, and what it is called ----------------------------------------------------------------------

PAIRS: dict[str, tuple[tuple[str, Sequence[int]], tuple[str, Sequence[int]], str, list[str]]] = {
    "same seeds": (("full", range(5)), ("lora", range(5)), "paired by seed and example, 5 seeds",
                   ["t over seeds", "sign-flip"]),
    "two shared": (("full", range(5)), ("lora", range(3, 8)), "paired by seed and example, 2 seeds",
                   ["t over seeds", "sign-flip"]),
    "one shared": (("full", range(3)), ("lora", range(2, 5)), "paired by example; seeds are not shared (Welch)", []),
    "none shared": (("full", range(3)), ("lora", range(7, 9)), "paired by example; seeds are not shared (Welch)", []),
    "baseline": (("full", range(5)), ("majority", [0]), "paired by example", ["t over seeds", "sign-flip"]),
    "baselines": (("tfidf_logreg", [0]), ("majority", [0]), "paired by example", []),
    "one seed": (("full", [0]), ("lora", [0]), "not tested: one seed says nothing of other seeds",
                 ["McNemar, these two models"]),
    "other single seeds": (("full", [0]), ("lora", [1]), "not tested: one seed says nothing of other seeds",
                           ["McNemar, these two models"]),
    "one seed and a baseline": (("full", [0]), ("majority", [0]), "not tested: one seed says nothing of other seeds",
                                ["McNemar, these two models"]),
    "one seed and many": (("full", [0]), ("lora", range(5)), "not tested: one seed says nothing of other seeds", []),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_each_kind_of_pair_has_its_test_and_its_label(kind: str, book: Book) -> None:
    first, second, how, tests = PAIRS[kind]
    for method, seeds in (first, second):
        fill(book, {method: SKILLS[method]}, seeds=seeds)
    pair = pair_of(book)
    assert pair["how"] == how and list(pair[FIXED]) == tests
    if how.startswith("not tested"):
        assert pair["p_adjusted"] is None and not pair["is_separable"] and "p" not in pair
        return
    shared = sorted(set(first[1]) & set(second[1]))
    if "Welch" in how:
        direct = stats.unshared_seeds(scores(*first), scores(*second))
    elif second[0] in BASELINES:
        direct = stats.paired(scores(*first), scores(*second))
    else:
        direct = stats.paired(scores(first[0], shared), scores(second[0], shared))
    assert {key: pair[key] for key in asdict(direct)} == asdict(direct)
    assert pair["p_adjusted"] == pair["p"] and pair["covers"] == "seeds and examples"


def test_tests_on_this_test_set_say_what_they_can_reach(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=range(5))
    tests = pair_of(book)[FIXED]
    by_seed = scores("full").values - stats.by_example(right("lora", skill=0.6)).values
    assert tests["sign-flip"] == {"p": 0.0625, "smallest_p": 0.0625, "discordant": None, "can_reach": False}
    assert tests["t over seeds"] == {**asdict(stats.seeds_t(by_seed)), "can_reach": True}
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=[5])
    assert pair_of(book)[FIXED]["sign-flip"]["can_reach"], "six seeds can"


def test_mcnemar_is_of_these_two_models(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=[3])
    direct = stats.mcnemar(right("full", [3])[0], right("lora", [3], 0.6)[0])
    assert pair_of(book)[FIXED] == {
        "McNemar, these two models": {
            **asdict(direct),
            "can_reach": True,
            "discordant": list(direct.discordant or ()),
        }
    }
    assert pair_of(book, metric="log_loss")[FIXED].keys() == {"McNemar, these two models"}


def test_one_seed_of_scores_has_no_test_at_all(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=[3], examples=examples(classes=0))
    assert pair_of(book)[FIXED] == {}


def test_a_row_that_was_tested_against_nothing_is_in_no_group(book: Book) -> None:
    fill(book, {"full": 1.2, "linear_probe": 0.1, "majority": 0.0})
    fill(book, {"lora": 2.0}, seeds=[0])
    family = judge(book)
    assert [(row["method"], row["tie_group"], row["covers"]) for row in family["rows"]] == [
        ("lora", None, "examples only"),
        ("full", 1, "seeds and examples"),
        ("linear_probe", 2, "seeds and examples"),
        ("majority", 2, "seeds and examples"),
    ]
    assert family["detectable"]["comparisons"] == 3, "only what was tested is corrected for"


def test_rows_without_any_difference_are_tied(book: Book) -> None:
    for method in ("full", "lora"):
        for seed in range(3):
            finish(book, Run(method=method, seed=seed, logits=results.answers(OF, 1.0, seed)))
    family = judge(book)
    (pair,) = family["pairs"]
    assert (pair["value"], pair["p"], pair["is_separable"]) == (0, 1, False)
    assert [row["tie_group"] for row in family["rows"]] == [1, 1] and family["detectable"] is None


# --- with a baseline ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "minilm-l6 full"])
def test_with_a_baseline_only_comparisons_with_it_are_made_and_corrected(filled: Book, name: str) -> None:
    family = judge(filled, baseline=name)
    assert [(pair["first"], pair["second"]) for pair in family["pairs"]] == [
        (one, NAMES[0]) for one in NAMES[1:]
    ]
    others = ("lora", "linear_probe", "tfidf_logreg", "majority")
    direct = [stats.paired(scores(method), scores("full")) for method in others]
    assert [pair["value"] for pair in family["pairs"]] == [one.value for one in direct]
    assert [pair["p_adjusted"] for pair in family["pairs"]] == stats.holm([one.p for one in direct])
    assert family["baseline"] == name and {row["tie_group"] for row in family["rows"]} == {None}


def test_an_unknown_baseline_is_told_with_the_nearest(filled: Book) -> None:
    for name, near in (
        ("tfidf", "did you mean 'tfidf_logreg'?"),
        ("xyz", "there are: full, linear_probe, lora"),
    ):
        with pytest.raises(UsageError) as error:
            judge(filled, baseline=name)
        assert f"no row of reviews is called {name!r}; {near}" in str(error.value)


def test_an_ambiguous_baseline_is_told_with_all_that_fit(book: Book) -> None:
    for checkpoint in ("minilm-l6", "bert-tiny"):
        fill(book, {"full": 1.0}, seeds=range(2), checkpoint=checkpoint)
    with pytest.raises(UsageError) as error:
        judge(book, baseline="full")
    assert str(error.value) == (
        "'full' fits 2 rows of reviews, give one of them: 'bert-tiny full', 'minilm-l6 full'"
    )
    assert len(judge(book, baseline="bert-tiny full")["pairs"]) == 1


# --- families -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Two datasets, one with two sizes, by two checkpoints and two methods, and a baseline."""
    book = Book(tmp_path_factory.mktemp("wide"))
    skills = {"full": 1.0, "lora": 0.9, "majority": 0.0}
    for checkpoint, dataset, size in itertools.product(
        ("minilm-l6", "bert-tiny"), ("reviews", "tweets"), (50, 400)
    ):
        if (dataset, size) != ("tweets", 400):
            of = examples(200, seed=dataset == "tweets")
            more = 0.2 * (size == 400)
            by_size = {method: skill and skill + more for method, skill in skills.items()}
            fill(
                book, by_size, range(3), checkpoint=checkpoint, dataset=dataset, train_size=size, examples=of
            )
    return book


BY: dict[str | None, tuple[tuple[str, ...], int, list[str]]] = {
    None: (("dataset", "train_size"), 3,
           ["minilm-l6 full", "minilm-l6 lora", "bert-tiny full", "bert-tiny lora", "majority"]),
    "method": (("dataset", "train_size", "checkpoint"), 6, ["minilm-l6 full", "minilm-l6 lora", "majority"]),
    "checkpoint": (("dataset", "train_size", "method"), 6, ["minilm-l6 full", "bert-tiny full", "majority"]),
    "dataset": (("checkpoint", "method"), 5, ["reviews (400 texts)", "reviews (50 texts)", "tweets (50 texts)"]),
}  # fmt: skip


@pytest.mark.parametrize("by", BY)
def test_families_hold_fixed_what_is_not_compared(by: str | None, wide: Book) -> None:
    keys, count, names = BY[by]
    families = judgement.judge(runs_of(wide), wide, by=by)
    assert len(families) == count
    for family in families:
        assert set(keys) | {"metric"} == family.keys() & {
            "metric",
            "dataset",
            "train_size",
            "checkpoint",
            "method",
        }
        for row in family["rows"]:
            is_baseline = row["checkpoint"] == "none" and by in ("method", "checkpoint")
            for key in keys[:2] if is_baseline else keys:
                assert row[key] == family[key]
        found = [row["name"] for row in family["rows"]]
        assert len(set(found)) == len(found), "names are unique"
        means = [row["mean"] for row in family["rows"]]
        assert means == sorted(means, reverse=True), "the best first, over datasets too"
        assert len(family["pairs"]) == len(found) * (len(found) - 1) // 2
    assert any(sorted(row["name"] for row in family["rows"]) == sorted(names) for family in families)


def test_datasets_are_independent_but_sizes_of_one_share_its_examples(wide: Book) -> None:
    families = judgement.judge(runs_of(wide), wide, by="dataset")
    (family,) = [one for one in families if (one["checkpoint"], one["method"]) == ("minilm-l6", "full")]
    how = {frozenset(names): pair for names, pair in by_names(family).items()}
    sizes = how[frozenset({"reviews (50 texts)", "reviews (400 texts)"})]
    assert sizes["how"] == "paired by seed and example, 3 seeds"
    other = how[frozenset({"reviews (50 texts)", "tweets (50 texts)"})]
    assert other["how"] == "other examples, other seeds (Welch)" and other[FIXED] == {}
    parts = {}
    for place, dataset in enumerate(("reviews", "tweets")):
        of = examples(200, seed=place)
        logits = [results.answers(of, 1.0, seed).astype(np.float32) for seed in range(3)]
        parts[f"{dataset} (50 texts)"] = stats.by_example(
            [one.argmax(axis=1) == of.labels for one in logits]
        ).parts()
    direct = stats.independent(parts[other["first"]], parts[other["second"]])
    assert {key: other[key] for key in asdict(direct)} == asdict(direct)


def test_a_baseline_among_datasets_is_one_of_them(wide: Book) -> None:
    families = judgement.judge(runs_of(wide), wide, by="dataset", baseline="tweets")
    assert all(pair["second"] == "tweets (50 texts)" for family in families for pair in family["pairs"])
    with pytest.raises(
        UsageError, match=r"'reviews' fits 2 rows of bert-tiny, full, give one of them: 'reviews \(400"
    ):
        judgement.judge(runs_of(wide), wide, by="dataset", baseline="reviews")


def test_a_dataset_with_one_seed_is_not_tested_against_another(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=[0], dataset="tweets")
    fill(book, {"full": 1.0}, seeds=range(3))
    pair = pair_of(book, by="dataset")
    assert pair["how"] == "not tested: one seed says nothing of other seeds" and pair[FIXED] == {}


def test_classes_and_scores_are_never_in_one_family(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(2))
    fill(book, {"full": 1.0}, seeds=range(2), dataset="prices", examples=examples(classes=0))
    families = judgement.judge(runs_of(book), book, by="dataset")
    assert sorted(family["metric"] for family in families) == ["accuracy", "pearson"]
    assert all(len(family["rows"]) == 1 and family["pairs"] == [] for family in families)


def test_nothing_but_baselines_has_no_methods_to_compare(book: Book) -> None:
    fill(book, {"majority": 0.0})
    assert len(judge(book)["rows"]) == 1
    with pytest.raises(UsageError, match="nothing to compare by method: no finished run has a checkpoint"):
        judge(book, by="method")


@pytest.mark.parametrize(
    ("words", "got"), [({"by": "seed"}, "'seed', 'holm'"), ({"correction": "none"}, "None, 'none'")]
)
def test_an_unknown_way_is_refused(words: dict[str, str], got: str, filled: Book) -> None:
    with pytest.raises(
        UsageError, match=f"expected by method, checkpoint or dataset, and holm or bh, got {got}"
    ):
        judge(filled, **words)


# --- what cannot be compared --------------------------------------------------------------------------------


def always_negative() -> np.ndarray:
    return np.tile([1.0, 0.0], (len(OF.labels), 1))


def with_a_nan() -> np.ndarray:
    logits = results.answers(OF, 1.0, 0)
    logits[3, 1] = np.nan
    return logits


@pytest.mark.parametrize(("method", "metric", "logits", "why"), [
    ("majority", "precision", always_negative, "precision is undefined for seed 0"),
    ("majority", "mcc", always_negative, "mcc is undefined for seed 0"),
    ("bitfit", "accuracy", with_a_nan, "predictions of seed 0 are not finite"),
    ("bitfit", "f1", with_a_nan, "predictions of seed 0 are not finite"),
])  # fmt: skip
def test_what_is_undefined_is_labelled_and_spoils_no_other_row(
    method: str, metric: str, logits: Callable[[], np.ndarray], why: str, book: Book
) -> None:
    fill(book, {"full": 1.2, "lora": 0.6}, seeds=range(3))
    alone = judge(book, metric=metric)
    finish(book, Run(method=method, logits=logits()))
    if method == "bitfit":
        fill(book, {"bitfit": 1.0}, seeds=[1])
    family = judge(book, metric=metric)
    last = next(row for row in family["rows"] if row["method"] == method)
    assert (last["low"], last["high"], last["covers"], last["tie_group"]) == (
        None,
        None,
        f"none: {why}",
        None,
    )
    assert (last["seeds"], last["undefined"]) == (method == "bitfit", 1)
    untested = [pair for pair in family["pairs"] if pair["how"] == f"not tested: {why}"]
    assert len(untested) == 2 and all(pair[FIXED] == {} and "p" not in pair for pair in untested)
    assert [row for row in family["rows"] if row is not last] == alone["rows"]
    assert [pair for pair in family["pairs"] if pair not in untested] == alone["pairs"]
    assert family["detectable"] == alone["detectable"]


def test_runs_on_different_test_sets_are_refused(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(2))
    fill(book, {"lora": 1.0}, seeds=range(2), examples=examples(250))
    with pytest.raises(UsageError, match=r"minilm-l6--\w+--reviews--s0--\w+ and minilm-l6--\w+--reviews--s0--\w+ were "
                                         r"measured on different examples of reviews \(test\): \d+ and \d+ texts, 250 "
                                         r"of the same id, \d+ of these under another label"):  # fmt: skip
        judge(book)


def test_a_metric_of_another_task_is_refused_with_those_that_there_are(filled: Book) -> None:
    with pytest.raises(
        UsageError, match="the runs have no pearson: it is of another task; theirs has accuracy, prec"
    ):
        judge(filled, metric="pearson")
    with pytest.raises(UsageError, match="unknown metric 'acc'"):
        judge(filled, metric="acc")


@pytest.mark.parametrize("split", ["test", "validation"])
def test_an_empty_book_has_nothing_to_compare(split: str, book: Book) -> None:
    with pytest.raises(
        UsageError, match=f"no finished run has results on {split}; `tunebook list runs` shows what"
    ):
        judge(book, split=split)


def test_trials_and_unfinished_runs_never_appear(book: Book) -> None:
    fill(book, {"full": 1.0}, seeds=range(2))
    before = judge(book)
    fill(book, {"full": 1.0, "lora": 1.0}, seeds=[1000], purpose="tune")
    results.begin(book, Run(method="lora"))
    assert judge(book) == before
    with pytest.raises(UsageError, match="no finished run has results on validation"):
        judge(book, split="validation")


# --- cuts ---------------------------------------------------------------------------------------------------


def fill_cuts(book: Book, skills: dict[str, float], cuts: Sequence[int], seeds: Sequence[int] = (0,)) -> None:
    for cut in cuts:
        fill(book, skills, seeds, split_seed=cut, examples=examples(100, seed=cut))


def accuracy(book: Book, method: str) -> list[float]:
    """By cut, of one seed."""
    runs = sorted(runs_of(book), key=lambda run: int(run["split_seed"]))
    return [run["metrics"]["test"]["accuracy"] for run in runs if run["method"] == method]


def test_over_cuts_the_test_is_that_of_nadeau_and_bengio(book: Book) -> None:
    fill_cuts(book, {"full": 1.2, "lora": 0.5, "majority": 0.0}, range(5))
    family = judge(book)
    sizes = {"test_examples": 100, "train_examples": 1000}
    for row in family["rows"]:
        direct = stats.resampled_t(accuracy(book, row["method"]), **sizes)
        assert (row["low"], row["high"], row["covers"]) == (direct.low, direct.high, "splits")
        assert (row["splits"], row["seeds"]) == (5, 5)
    pair = by_names(family)["minilm-l6 full", "minilm-l6 lora"]
    differences = np.subtract(accuracy(book, "full"), accuracy(book, "lora"))
    direct = stats.resampled_t(differences, **sizes)
    assert {key: pair[key] for key in asdict(direct)} == asdict(direct)
    assert pair["how"] == "paired by split, 5 splits (Nadeau and Bengio)"
    assert [row["tie_group"] for row in family["rows"]] == [1, 2, 3]


def test_only_common_cuts_are_compared(book: Book) -> None:
    fill_cuts(book, {"full": 1.2, "lora": 0.5}, range(3))
    fill_cuts(book, {"full": 1.2}, [3])
    fill_cuts(book, {"bitfit": 0.5}, [2])
    how = {(a.split()[1], b.split()[1]): pair["how"] for (a, b), pair in by_names(judge(book)).items()}
    assert how["full", "lora"] == "paired by split, 3 splits (Nadeau and Bengio)"
    assert {text for names, text in how.items() if "bitfit" in names} == {
        "not tested: fewer than two common splits"
    }
    row = next(row for row in judge(book)["rows"] if row["method"] == "bitfit")
    assert (row["low"], row["covers"]) == (None, "none: one split")


def test_one_cut_that_all_rows_lie_on_is_judged_by_seeds_and_examples(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.5}, split_seed=7)
    assert pair_of(book)["how"] == "paired by seed and example, 5 seeds"


def test_rows_on_cuts_leave_the_others_comparable(book: Book) -> None:
    fill(book, {"full": 1.2, "lora": 0.5})
    alone = judge(book)
    fill_cuts(book, {"linear_probe": 1.0}, range(3))
    family = judge(book)
    assert by_names(family)["minilm-l6 full", "minilm-l6 lora"] == alone["pairs"][0]
    untested = [
        pair["how"] for pair in family["pairs"] if "minilm-l6 linear_probe" in (pair["first"], pair["second"])
    ]
    assert untested == ["not tested: one of them lies on several splits"] * 2


def test_cuts_of_unequal_size_are_one_family(book: Book) -> None:
    """Own files are cut by a threshold on hashes: each cut has some texts more or less."""
    for cut, method in itertools.product(range(3), ("full", "lora")):
        folder = finish(book, Run(method=method, split_seed=cut, examples=examples(90 + cut, seed=cut)))
        result = json.loads((folder / "result.json").read_text())
        result["examples"]["train"] = 1000 - cut
        if (cut, method) != (0, "lora"):
            (folder / "result.json").write_text(json.dumps(result))
        else:
            (folder / "result.json").unlink()
    family = judge(book)
    assert family["train_size"] == 1000 and len(family["rows"]) == 2
    assert family["pairs"][0]["how"] == "paired by split, 2 splits (Nadeau and Bengio)"


# --- what must not matter -----------------------------------------------------------------------------------


def test_the_order_of_runs_changes_nothing(filled: Book) -> None:
    runs, expected = runs_of(filled), judge(filled, metric="f1")
    for seed in range(3):
        random.Random(seed).shuffle(runs)
        assert judgement.judge(runs, filled, metric="f1") == [expected]


def test_names_and_numbers_of_seeds_change_nothing(book: Book, tmp_path: Path) -> None:
    other = Book(tmp_path / "other")
    for seed in range(4):
        for mine, theirs, skill in (("full", "lora", 1.0), ("lora", "full", 0.8)):
            logits = results.answers(OF, skill, seed)
            finish(book, Run(method=mine, seed=seed, logits=logits))
            finish(other, Run(method=theirs, seed=90 - 7 * seed, logits=logits))
    one, two = pair_of(book), pair_of(other)
    assert (one["first"], two["first"]) == ("minilm-l6 full", "minilm-l6 lora")
    for key in ("value", "low", "high", "p", "p_adjusted", "standard_error", "degrees_of_freedom"):
        assert one[key] == pytest.approx(two[key], rel=1e-9)
    assert one[FIXED]["sign-flip"] == two[FIXED]["sign-flip"]


def test_settings_that_differ_make_rows_with_names_of_their_own(book: Book) -> None:
    for rank, epochs in ((8, 3), (16, 3), (16, 5)):
        fill(
            book, {"lora": 1.0}, range(2), settings={"rank": rank}, train={"epochs": epochs, "min_steps": 300}
        )
    assert sorted(row["name"] for row in judge(book)["rows"]) == [
        "minilm-l6 lora", "minilm-l6 lora (rank=16) [epochs=3]", "minilm-l6 lora (rank=16) [epochs=5]",
    ]  # fmt: skip


# --- quality and cost ---------------------------------------------------------------------------------------


def fill_costs(book: Book) -> None:
    """A good dear method, one that is as good and cheaper, a bad cheap one, and a bad dear one; seconds vary."""
    costs = {"full": (1.2, 100.0), "lora": (1.2, 50.0), "linear_probe": (0.3, 5.0), "bitfit": (0.3, 60.0)}
    for (method, (skill, seconds)), seed in itertools.product(costs.items(), range(5)):
        finish(
            book,
            Run(
                method=method,
                seed=seed,
                skill=skill,
                seconds=seconds + seed,
                weights_bytes=int(100 * seconds),
            ),
        )


@pytest.mark.parametrize("cost", pareto.COSTS)
def test_the_front_has_all_that_none_beats_on_both(cost: str, book: Book) -> None:
    fill_costs(book)
    family = judge(book)
    pareto.mark(family, cost)
    assert {row["method"]: row["on_front"] for row in family["rows"]} == {
        "full": True,  # dearer than lora, but lora is not better
        "lora": True,
        "linear_probe": True,
        "bitfit": False,  # lora is better and cheaper
    }
    full = next(row for row in family["rows"] if row["method"] == "full")
    assert full["train_seconds"] == 102 and full["train_seconds_interval"] == pytest.approx(
        [100.04, 103.96], abs=0.01
    )


def test_costs_whose_intervals_overlap_beat_nothing(book: Book) -> None:
    for method, skill, seconds in (("full", 1.2, (10, 20, 30)), ("lora", 0.2, (15, 25, 35))):
        for seed in range(3):
            finish(book, Run(method=method, seed=seed, skill=skill, seconds=seconds[seed]))
    family = judge(book)
    pareto.mark(family, "time")
    assert family["pairs"][0]["is_separable"] and all(row["on_front"] for row in family["rows"])


def test_a_smaller_loss_is_better_on_the_front(book: Book) -> None:
    fill_costs(book)
    family = judge(book, metric="log_loss")
    pareto.mark(family, "time")
    beaten = [row["method"] for row in family["rows"] if not row["on_front"]]
    assert beaten == ["bitfit"]


def test_an_unknown_cost_is_not_on_the_front_and_an_unknown_kind_is_refused(book: Book) -> None:
    fill_costs(book)
    folder = finish(book, Run(method="majority", skill=0.0))
    result = json.loads((folder / "result.json").read_text()) | {"weights_bytes": None}
    (folder / "result.json").write_text(json.dumps(result))
    family = judge(book)
    pareto.mark(family, "bytes")
    assert {row["method"]: row["on_front"] for row in family["rows"]}["majority"] is None
    with pytest.raises(
        UsageError, match="unknown cost 'money'; expected one of time, memory, parameters, bytes"
    ):
        pareto.mark(family, "money")


# --- what must not look better than it is -------------------------------------------------------------------


def test_cuts_with_one_official_test_are_seeds_like_others(book: Book) -> None:
    of = examples(200)
    for cut in range(3):
        for method, skill in (("full", 1.2), ("lora", 0.4)):
            run = Run(method=method, seed=0, skill=skill + cut / 10, split_seed=cut, examples=of)
            told = results.declared(run)
            told["identity"]["splits"]["test"] = "the official one"
            finish(book, run, told)
    (family,) = judgement.judge(runs_of(book), book)
    (pair,) = family["pairs"]
    assert pair["how"] == "paired by seed and example, 3 seeds" and pair["covers"] == "seeds and examples"


def test_intervals_stay_where_the_metric_can_be(book: Book) -> None:
    right = np.eye(2)[OF.labels] * 4 - 2
    for method, wrong in (("full", 1), ("lora", 2)):
        for seed in range(3):
            logits = right.copy()
            logits[seed : seed + wrong] *= -1
            finish(book, Run(method=method, seed=seed, logits=logits))
    (family,) = judgement.judge(runs_of(book), book)
    assert [row["high"] for row in family["rows"]] == [1.0, 1.0]
    assert all(row["low"] < row["mean"] for row in family["rows"])


def test_where_nothing_varies_there_is_no_interval_and_no_test(book: Book) -> None:
    fill(book, {"full": 90.0, "lora": -90.0}, range(3), examples=examples(40))
    (family,) = judgement.judge(runs_of(book), book)
    assert {row["covers"] for row in family["rows"]} == {"none: nothing varies"}
    (pair,) = family["pairs"]
    assert pair["how"] == "not tested: nothing varies" and not pair["is_separable"]


def test_a_baseline_is_found_by_its_method_whatever_its_settings(book: Book) -> None:
    fill(book, {"full": 1.0}, range(3), settings={"learning_rate": 1e-3})
    fill(book, {"lora": 1.0}, range(3))
    (family,) = judgement.judge(runs_of(book), book, baseline="full")
    assert [pair["second"] for pair in family["pairs"]] == ["minilm-l6 full (learning_rate=0.001)"]


def test_every_pair_says_what_it_could_detect(book: Book) -> None:
    fill(book, {"full": 1.0, "lora": 0.8, "ia3": 0.5}, range(3))
    (family,) = judgement.judge(runs_of(book), book)
    for pair in family["pairs"]:
        expected = stats.detectable_difference(
            pair["standard_error"], pair["degrees_of_freedom"], level=judgement.LEVEL / 3
        )
        assert pair["detectable"] == expected
