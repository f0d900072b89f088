"""An experiment as a value: what its grid expands to, what of its methods is tuned, and every fault with its text."""

from __future__ import annotations

from typing import Any

import pytest

from tunebook import grid, methods, spec, toml_file
from tunebook.errors import UsageError
from tunebook.search import Choice, Range

OWN = {"path": "reviews.csv", "text": ["body"], "label": "stars"}
TUNE = {"trials": 4}


def experiment(**changes: Any) -> grid.Experiment:
    values = {"checkpoints": ["bert-base-uncased"], "datasets": ["pocket"], "methods": ["full"], "seeds": 2}
    return grid.experiment({**values, **changes}, "the test")


def refused(**changes: Any) -> str:
    """What somebody is told who asks for this."""
    with pytest.raises(UsageError) as caught:
        experiment(**changes)
    first, *faults = str(caught.value).splitlines()
    assert first == f"the test: {len(faults)} fault{'s' * (len(faults) > 1)}"
    return "\n".join(fault.strip() for fault in faults)


# --- axes ---------------------------------------------------------------------------------------------------


def variants(asked: grid.Experiment) -> list[tuple[Any, Any]]:
    return [(cell.dataset.train_size, cell.dataset.split_seed) for cell in asked.cells()]


AXES: list[tuple[dict[str, Any], list[tuple[Any, Any]]]] = [
    ({}, [(None, None)]),
    ({"train_sizes": [100, 300, "all"]}, [(100, None), (300, None), (None, None)]),
    ({"split_seeds": 3}, [(None, 0), (None, 1), (None, 2)]),
    ({"split_seeds": [7, 5]}, [(None, 7), (None, 5)]),
    ({"train_sizes": [9, "all"], "split_seeds": 2}, [(9, 0), (9, 1), (None, 0), (None, 1)]),
]


@pytest.mark.parametrize(("axes", "expected"), AXES)
def test_axes_of_a_dataset(axes: dict[str, Any], expected: list[tuple[Any, Any]]) -> None:
    asked = experiment(**axes)
    assert variants(asked) == expected
    runs = asked.runs()
    found = [(run.method.name, run.seed, run.dataset.train_size, run.dataset.split_seed) for run in runs]
    assert found == [
        (*run, *variant)
        for variant in expected
        for run in (("majority", 0), ("tfidf_logreg", 0), ("full", 0), ("full", 1))
    ], "each variant has its baselines and its seeds"


def test_an_axis_is_of_every_dataset() -> None:
    asked = experiment(datasets=["pocket", OWN], train_sizes=[50, "all"])
    assert [(cell.dataset.name, cell.dataset.train_size) for cell in asked.cells()] == [
        ("pocket", 50), ("pocket", None), (None, 50), (None, None),
    ]  # fmt: skip


def test_a_dataset_may_have_its_own_where_there_is_no_axis() -> None:
    datasets = [{"name": "pocket", "train_size": 50}, {**OWN, "split_seed": 0}]
    assert variants(experiment(datasets=datasets)) == [(50, None), (None, 0)]
    assert variants(experiment(datasets=datasets[:1], split_seeds=2)) == [(50, 0), (50, 1)]


SIZES: list[dict[str, Any]] = [
    {},
    {"seeds": [4, 7, 1]},
    {"methods": ["full", "lora"], "train_sizes": [9, "all"], "split_seeds": 3, "datasets": ["pocket", OWN]},
    {"tune": TUNE, "methods": ["full", "lora"], "train_sizes": [10, 20]},
    {"tune": {"trials": 8, "halving": 2, "train_size": 100}},
]


@pytest.mark.parametrize("changes", SIZES)
def test_the_size_is_what_it_expands_to(changes: dict[str, Any]) -> None:
    asked = experiment(**changes)
    chosen = {cell.key: {} for cell in asked.cells()}
    trials = sum(asked.tune.rounds) * len(chosen) if asked.tune else 0
    runs = [run for run in asked.runs(chosen) if run.checkpoint != spec.NO_CHECKPOINT]
    assert asked.size == len(runs) + trials
    fault = f"the grid has {asked.size:,} runs, max_runs is {asked.size - 1:,}; split it, or raise max_runs"
    if asked.size > 1:
        assert fault in refused(**changes, max_runs=asked.size - 1)


def test_a_size_is_known_without_expanding() -> None:
    """So many seeds would not fit into memory, nor their number into a word."""
    assert f"the grid has {10**30:,} runs" in refused(seeds=10**30)
    assert f"the grid has {2 * 10**30:,} runs" in refused(split_seeds=10**30)


# --- cells --------------------------------------------------------------------------------------------------


def test_cells_have_keys_of_their_own() -> None:
    """By it `tuning.json` says what was chosen for what."""
    lora = {"name": "lora", "rank": methods.method("lora").settings().model_dump()["rank"]}
    asked = {"methods": ["lora", lora, "full"], "datasets": ["pocket", OWN], "split_seeds": 2}
    keys = [cell.key for cell in experiment(**asked).cells()]
    assert len(set(keys)) == len(keys) == 12, "what is held is searched otherwise, at the same value too"
    assert [cell.key for cell in experiment(**asked).cells()] == keys


def test_another_value_of_the_same_kind_is_the_same_run() -> None:
    """A whole number where a setting has decimals: the run's process reads it as 0.0, and so does the plan."""
    (cell,) = experiment(methods=["lora"]).cells()
    run = cell.having({"dropout": 0}).run(spec.TrainSpec(), 3)
    assert repr(run.method.settings["dropout"]) == "0.0"
    assert spec.run_spec(run.model_dump(), "the process") == run
    assert cell.having({}).model_dump() == cell.model_dump()
    assert cell.having({}, train_size=5).dataset.train_size == 5


def test_runs_are_made_with_what_was_chosen() -> None:
    lora = {"name": "lora", "rank": 2}
    asked = experiment(methods=["full", lora], tune=TUNE)
    full, other = asked.cells()
    assert {run.method.name for run in asked.runs()} == {"majority", "tfidf_logreg"}, "the others wait"
    runs = [run for run in asked.runs({other.key: {"learning_rate": 0.125}}) if run.method.name == "lora"]
    assert [run.seed for run in runs] == [0, 1] and {run.purpose for run in runs} == {"result"}
    assert runs[0].method.settings == {**other.method.settings, "learning_rate": 0.125, "rank": 2}
    assert len(asked.runs({full.key: {}, other.key: {}})) == 2 + 4
    assert not experiment(tune=TUNE, baselines=False).runs()


# --- what is tuned ------------------------------------------------------------------------------------------

TOML = """
[tune]
trials = 4
[tune.space.lora]
learning_rate = { low = 1e-4, high = 1e-2 }
rank = [4, 8, 16]
dropout = { values = [0.0, 0.1], when = { rank = [16] } }
"""


def test_a_space_in_the_toml_replaces_the_methods() -> None:
    tune = toml_file.parse(TOML, "the test")["tune"]
    methods_ = ["full", "lora", {"name": "lora", "rank": 2}]
    asked = experiment(methods=methods_, tune=tune)
    full, lora, held = (asked.space(cell.method) for cell in asked.cells())
    assert full == methods.method("full").search
    assert lora == {
        "learning_rate": Range(low=1e-4, high=1e-2),
        "rank": Choice(values=[4, 8, 16]),
        "dropout": Choice(values=[0.0, 0.1], when={"rank": [16]}),
    }
    assert list(lora) == ["learning_rate", "rank", "dropout"], "in the order in which they are drawn"
    assert held == {key: lora[key] for key in ("learning_rate", "dropout")}


def test_what_a_methods_table_gives_is_held() -> None:
    asked = experiment(methods=[{"name": "lora", "rank": 2}, "lora"], tune=TUNE)
    assert [list(asked.space(cell.method)) for cell in asked.cells()] == [["learning_rate"]] * 2
    space = {"lora": {"rank": [2, 4], "alpha": [8, 16]}}
    asked = experiment(methods=[{"name": "lora", "rank": 2}], tune={**TUNE, "space": space})
    assert list(asked.space(asked.cells()[0].method)) == ["alpha"]


ROUNDS: list[tuple[dict[str, Any], list[int]]] = [
    ({"trials": 8}, [8]),
    ({"trials": 8, "halving": 2}, [8, 4, 2, 1]),
    ({"trials": 9, "halving": 3}, [9, 3, 1]),
    ({"trials": 7, "halving": 2}, [7, 3, 1]),
    ({"trials": 3, "halving": 3}, [3, 1]),
]


@pytest.mark.parametrize(("budget", "rounds"), ROUNDS)
def test_rounds(budget: dict[str, Any], rounds: list[int]) -> None:
    tune = experiment(tune={**budget, "train_size": 100}).tune
    assert tune is not None and tune.rounds == rounds


# --- faults -------------------------------------------------------------------------------------------------


def in_space(**space: Any) -> dict[str, Any]:
    return {"methods": ["full", "lora"], "tune": {**TUNE, "space": space}}


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "key": ({"tune": {"trial": 4}}, "tune.trial: unknown key; did you mean 'trials'"),
    "no trials": ({"tune": {}}, "tune.trials: missing; it must be given"),
    "too few": ({"tune": {"trials": 0}}, "tune.trials: got 0; input should be greater than or equal to 1"),
    "sampler": (
        {"tune": {**TUNE, "sampler": "grid"}},
        "tune.sampler: got 'grid'; input should be 'quasi_random', 'random', 'tpe' or 'gp'",
    ),
    "halving by one": (
        {"tune": {**TUNE, "halving": 1, "train_size": 9}},
        "tune.halving: got 1; input should be greater than or equal to 2",
    ),
    "halving with tpe": (
        {"tune": {**TUNE, "halving": 2, "train_size": 9, "sampler": "tpe"}},
        "tune: halving goes with quasi_random or random trials, not with 'tpe'",
    ),
    "halving of all": (
        {"tune": {**TUNE, "halving": 2}},
        "tune: halving needs train_size: on how many texts the last round trains",
    ),
    "halving of fewer": (
        {"tune": {"trials": 2, "halving": 3, "train_size": 9}},
        "tune: halving = 3 needs at least as many trials, not 2",
    ),
    "metric": (
        {"tune": {**TUNE, "select_on": "acuracy"}},
        "tune: unknown metric 'acuracy' in select_on; did you mean 'accuracy'?",
    ),
    "seed": (
        {"seeds": [3, 1000], "tune": TUNE},
        "in all: tune.seed is 1000, one of the experiment's: what is chosen would have seen it; "
        "give tune another seed",
    ),
    "seed of many": ({"seeds": 6, "tune": {**TUNE, "seed": 5}}, "in all: tune.seed is 5, one of the"),
    "nothing left": (
        {"methods": [{"name": "full", "learning_rate": 1e-4}], "tune": TUNE},
        "in all: nothing of full is left to tune: give it a space under tune.space.full",
    ),
    "nothing in its space": (in_space(lora={}), "nothing of lora is left to tune: give it a space under"),
    "a baseline": (
        {"checkpoints": ["none"], "methods": ["tfidf_logreg"], "tune": TUNE},
        "nothing of tfidf_logreg is left to tune",
    ),
    "unknown method": (
        in_space(lroa={"rank": [4, 8]}),
        "tune: unknown method 'lroa' in space; did you mean 'lora', 'rslora', 'vera'?",
    ),
    "another method": (
        in_space(dora={"rank": [4, 8]}),
        "in all: tune.space has 'dora', which is none of the experiment's methods",
    ),
    "setting": (in_space(lora={"rnk": [4, 8]}), "tune: lora has no setting 'rnk'; did you mean 'rank'"),
    "condition": (
        in_space(lora={"rank": {"values": [4, 8], "when": {"targts": ["attention"]}}}),
        "tune: lora has no setting 'targts'; did you mean 'targets'?",
    ),
    "order": (
        in_space(lora={"dropout": {"values": [0.0, 0.1], "when": {"rank": [4]}}, "rank": [4, 8]}),
        "tune: lora: dropout depends on rank, which is drawn after it; put rank before dropout",
    ),
    "itself": (
        in_space(lora={"rank": {"values": [4, 8], "when": {"rank": [4]}}}),
        "tune: lora: rank depends on rank",
    ),
    "above its bounds": (
        in_space(full={"learning_rate": {"low": 1e-5, "high": 2}}),
        "tune: full: learning_rate: got 2.0; input should be less than or equal to 1",
    ),
    "one of a list": (
        in_space(lora={"dropout": [0.0, 1.0]}),
        "tune: lora: dropout: got 1.0; input should be less than 1",
    ),
    "kind": (
        in_space(lora={"rank": {"low": 4, "high": 64}}),
        "tune: lora: rank: got 4.0; input should be a valid integer",
    ),
    "word": (
        in_space(lora={"targets": ["attention", "everything"]}),
        "lora: targets: got 'everything'; input should be a valid list",
    ),
    "low and high": (
        in_space(full={"learning_rate": {"low": 1e-3, "high": 1e-4}}),
        "tune.space.full.learning_rate: low is 0.001, high is 0.0001: expected low below high",
    ),
    "a number": (
        in_space(full={"learning_rate": 1e-3}),
        "tune.space.full.learning_rate: expected a list of values, or a table with low and high, got 0.001",
    ),
    "own train_size": (
        {"datasets": ["pocket", {"name": "pocket", "train_size": 9}], "train_sizes": [5, "all"]},
        "in all: train_sizes is an axis of all datasets: a dataset's own train_size contradicts it",
    ),
    "own split_seed": (
        {"datasets": [{**OWN, "split_seed": 0}], "split_seeds": 2},
        "in all: split_seeds is an axis of all datasets: a dataset's own split_seed contradicts it",
    ),
    "tuned on each cut": (
        {"split_seeds": 2, "tune": TUNE},
        "in all: split_seeds with tune would choose other settings on each cut: leave one of them out",
    ),
    "a seed twice": (
        {"seeds": [1, 2, 1]},
        "in all: seeds has a value twice: the same run is no new evidence",
    ),
    "a cut twice": ({"split_seeds": [0, 0]}, "in all: split_seeds has a value twice"),
    "a size twice": ({"train_sizes": ["all", 9, "all"]}, "in all: train_sizes has a value twice"),
    "train size": ({"train_sizes": [5, "al"]}, "train_sizes[1]: got 'al'; input should be"),
    "no train sizes": ({"train_sizes": []}, "train_sizes: got []; list should have at least 1 item"),
    "split seed": ({"split_seeds": [-1]}, "split_seeds[0]: got -1; input should be greater than or equal to 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str) -> None:
    changes, message = FAULTS[name]
    assert message in refused(**changes)


def test_all_faults_of_a_space_are_told_together() -> None:
    lora = {"rnk": [4, 8], "dropout": [0.0, 2.0], "rank": [0, 4]}
    told = refused(**in_space(lora=lora, ful={"learning_rate": [1e-4, 1e-3]}))
    for part in ("no setting 'rnk'", "dropout: got 2.0", "rank: got 0", "unknown method 'ful' in space"):
        assert part in told


# --- from plain options -------------------------------------------------------------------------------------


def test_options_of_a_dataset_are_its_columns() -> None:
    values = grid.single(
        checkpoint="minilm-l6", dataset="x.csv", text="body", label="stars", split_seed=0, group=None
    )
    (dataset,) = grid.experiment(values, "the options").datasets
    assert dataset.split_seed == 0 and dataset.path == "x.csv" and dataset.group is None


def test_a_datasets_own_length_is_its_runs_and_no_other_run() -> None:
    """An experiment on several datasets gives the runs that one on each would, and says a length only where it is."""
    both = {
        "checkpoints": ["minilm-l6"],
        "datasets": ["pocket", {"name": "imdb", "max_length": 128}],
        "methods": ["full"],
        "seeds": 1,
    }
    whole = grid.experiment(both, "the test")
    alone = grid.experiment({**both, "datasets": ["imdb"], "train": {"max_length": 128}}, "the test")
    plain = grid.experiment({**both, "datasets": ["pocket"]}, "the test")
    assert whole.runs() == plain.runs() + alone.runs()
    assert "max_length" not in whole.model_dump()["datasets"][0]
    assert whole.model_dump()["datasets"][1]["max_length"] == 128
    assert all("max_length" not in run.model_dump()["dataset"] for run in whole.runs())


def test_transfer_changes_no_run_and_no_expansion() -> None:
    values = {"checkpoints": ["minilm-l6"], "datasets": ["pocket"], "seeds": 1}
    without, asked = (grid.experiment({**values, **more}, "the test") for more in ({}, {"transfer": True}))
    assert asked.transfer is True
    assert asked.runs() == without.runs()
    assert asked.model_dump() == without.model_dump()
