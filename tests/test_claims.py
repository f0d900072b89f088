"""The ledger of claims: every file reads, every fault is told, and verdicts are what a pencil gives."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from scipy.special import stdtrit

from tunebook import data, methods
from tunebook.claims import Claim, Verdict, declared, read_claims, verdicts
from tunebook.errors import UsageError
from tunebook.grid import Experiment, experiment, single
from tunebook.models.rows import rows as checkpoint_rows

ROOT = Path(__file__).parent.parent
LEDGER = ROOT / "claims"
USUAL = {
    "source": "Somebody 2020", "kind": "paper", "checkpoint": "distilbert-base-uncased", "dataset": "sst2",
    "split": "validation", "metric": "accuracy", "value": 91.0, "unit": "percent", "method": "full",
    "status": "published", "where": "Table 1",
}  # fmt: skip


def claim(**values: Any) -> Claim:
    return Claim.model_validate(USUAL | values)


def row(**values: Any) -> dict[str, Any]:
    """A row of a judged family: three seeds on SST-2's 872, the whole of train, 91 less or more 1."""
    usual = {
        "dataset": "sst2", "train_size": 66_000, "checkpoint": "distilbert-base-uncased", "method": "full",
        "metric": "accuracy", "split": "test", "examples": 872, "seeds": 3, "mean": 0.91, "low": 0.90, "high": 0.92,
        "deviation": 0.0, "covers": "seeds and examples", "runs": ["a", "b", "c"],
    }  # fmt: skip
    return usual | values


def verdict(one: Claim, *rows: dict[str, Any], experiments: dict[str, Experiment] | None = None) -> Verdict:
    (found,) = verdicts([one], rows, experiments)
    return found


# --- the files ----------------------------------------------------------------------------------------------


def test_every_committed_file_reads() -> None:
    found = read_claims(LEDGER)
    assert len(found) >= 60
    assert len({one.source for one in found}) == len(list(LEDGER.glob("*.toml")))
    keys = [
        (
            one.source,
            one.checkpoint,
            one.dataset,
            one.split,
            one.metric,
            one.method,
            one.setup,
            one.value,
            one.where,
        )
        for one in found
    ]
    assert len(set(keys)) == len(keys), "a claim stands twice"


def test_committed_claims_use_our_names_where_there_are_any() -> None:
    """A name that differs from one of ours by its case or its dashes alone is a slip of the pen."""

    def even(name: str) -> str:
        return "".join(letter for letter in name.lower() if letter.isalnum())

    ours = {even(name): name for name in (*checkpoint_rows(), *data.rows(), *methods.rows())}
    for one in read_claims(LEDGER):
        for name in (one.checkpoint, one.dataset, one.method):
            assert ours.get(even(name), name) == name, f"{name!r} of {one.source}"


def test_the_reference_experiment_is_in_the_ledger() -> None:
    (one,) = [one for one in read_claims(LEDGER) if one.kind == "experiment" and one.metric == "accuracy"]
    assert (one.claimed, one.test_examples, one.train_size) == (pytest.approx(0.8386), 60_000, 140_000)
    found = verdict(one, experiments=declared(ROOT / "experiments"))
    assert found.word == "not run yet"
    assert found.command is not None and found.command.endswith("distilbert-sentiment140.toml")


def written(folder: Path, text: str, name: str = "one.toml") -> Path:
    (folder / name).write_text(text)
    return folder


GOOD = """
source = "Somebody 2020"
kind = "paper"
split = "validation"
metric = "accuracy"
unit = "percent"
method = "full"
status = "published"
where = "Table 1"
[[claim]]
checkpoint = "roberta-base"
dataset = "sst2"
value = 94.8
[[claim]]
checkpoint = "roberta-base"
dataset = "cola"
metric = "mcc"
value = 63
"""


def test_what_stands_at_the_top_is_shared(tmp_path: Path) -> None:
    first, second = read_claims(written(tmp_path, GOOD))
    assert (first.metric, second.metric) == ("accuracy", "mcc")
    assert (first.source, first.where) == (second.source, second.where) == ("Somebody 2020", "Table 1")
    assert second.claimed == pytest.approx(0.63)


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("source", "sorce").replace('"mcc"', '"acuracy"').replace("94.8", '"94.8"')
    with pytest.raises(UsageError) as error:
        read_claims(written(tmp_path, text))
    for told in (
        "one.toml: ", "unknown key 'sorce' (did you mean 'source'", "unknown metric 'acuracy'; did you mean 'accuracy'",
        "claim[0].value: got '94.8'", "claim[0].source: missing",
    ):  # fmt: skip
        assert told in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 910.0}, "outside of what accuracy can be"),
        ({"value": 0.91, "unit": "fraction", "split": "dev"}, "split"),
        ({"status": "sure"}, "status"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"comparable": {"minilm-l7": "smaller"}}, "unknown checkpoint 'minilm-l7'; did you mean"),
        ({"where": ""}, "where"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_a_claim_cannot_be_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="1 validation error") as error:
        claim(**change)
    assert told in str(error.value)


def test_a_faulty_file_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    written(tmp_path, GOOD.replace('"accuracy"', '"f2"'), "two.toml")
    written(tmp_path, "[[claim", "three.toml")
    told: list[UsageError] = []
    assert len(read_claims(tmp_path, tell=told.append)) == 2
    assert ["three.toml" in str(told[0]), "two.toml" in str(told[1])] == [True, True]
    with pytest.raises(UsageError, match=r"(?s)three\.toml.*two\.toml"):
        read_claims(tmp_path)


def test_a_folder_without_claims_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no claims in"):
        read_claims(tmp_path / "nowhere")


# --- verdicts -----------------------------------------------------------------------------------------------


def test_agrees_on_the_same_examples() -> None:
    found = verdict(claim(value=90.5), row())
    assert (found.word, found.difference, found.low, found.high) == (
        "agrees", pytest.approx(0.005), pytest.approx(-0.005), pytest.approx(0.015),
    )  # fmt: skip
    assert any("same 872 examples" in one for one in found.caveats)


def test_differs_and_by_how_much() -> None:
    found = verdict(claim(value=92.5), row())
    assert found.word == "differs"
    assert found.why == "ours is 1.50 points lower; difference -2.50 to -0.50"


def test_the_spread_that_is_published_counts_by_its_seeds() -> None:
    reach = math.hypot(0.01, stdtrit(4, 0.975) * 0.008 / math.sqrt(5))
    found = verdict(claim(value=92.1, spread=0.8, seeds=5), row())
    assert (found.low, found.high) == (pytest.approx(-0.011 - reach), pytest.approx(-0.011 + reach))
    assert (found.word, verdict(claim(value=92.1), row()).word) == ("agrees", "differs")


def test_one_published_seed_has_its_spread_once() -> None:
    found = verdict(claim(value=91.0, spread=0.8), row())
    assert found.high == pytest.approx(math.hypot(0.01, 1.959964 * 0.008))


def test_a_claim_without_spread_is_given_ours() -> None:
    found = verdict(claim(value=91.0), row(deviation=0.004))
    assert found.high == pytest.approx(math.hypot(0.01, stdtrit(2, 0.975) * 0.004))
    assert "the claim has no spread over seeds: that of ours is taken for it" in found.caveats


def test_other_examples_of_the_claim_count_as_a_share() -> None:
    tweets = {"dataset": "sentiment140", "split": "test", "test_examples": 60_000, "train_size": 140_000}
    ours = row(dataset="sentiment140", train_size=139_000, examples=60_000, mean=0.84, low=0.835, high=0.845)
    found = verdict(claim(**tweets, value=83.86), ours)
    reach = math.hypot(0.005, 1.96 * math.sqrt(0.8386 * 0.1614 / 60_000))
    assert (found.low, found.high) == (
        pytest.approx(0.0014 - reach, abs=1e-6), pytest.approx(0.0014 + reach, abs=1e-6),
    )  # fmt: skip
    assert found.word == "agrees" and "on other examples: theirs 60,000, ours 60,000" in found.caveats
    rounded = verdict(claim(**tweets, metric="f1", value=84.0, rounded_to=1.0), ours | {"metric": "f1"})
    assert rounded.high == pytest.approx(
        math.hypot(0.005, 1.96 * math.sqrt(0.84 * 0.16 / 60_000)) + 0.005, abs=1e-6
    )


def test_too_wide_to_say() -> None:
    few = {"dataset": "rte", "value": 59.9}
    ours = row(dataset="rte", train_size=2_240, examples=277, mean=0.62, low=0.57, high=0.67)
    found = verdict(claim(**few), ours)
    assert (found.word, found.why) == (
        "not testable",
        "at this n neither can be said: difference -2.90 to 7.10",
    )
    assert verdict(claim(dataset="rte", value=80.0), ours).word == "differs", (
        "what is far off is seen all the same"
    )


@pytest.mark.parametrize(
    ("change", "ours", "why"),
    [
        ({}, {"seeds": 1, "deviation": None}, "one seed of ours"),
        ({}, {"low": None, "high": None, "covers": "none: nothing varies"}, "none: nothing varies"),
        ({}, {"examples": 800}, "the claim is on 872 examples of validation, ours on 800 others"),
        ({"split": "test"}, {}, "GLUE does not publish the labels"),
        ({"dataset": "mnli", "split": "validation_matched"}, {}, "there is no dataset 'mnli' here"),
        ({"method": "loora"}, {}, "there is no method 'loora' here; near: lora"),
        ({"checkpoint": "roberta-large"}, {}, "there is no checkpoint 'roberta-large' here"),
        ({"untestable": "F1 of one class"}, {}, "F1 of one class"),
        ({"dataset": "imdb"}, {}, "no split of ours stands for validation"),
        ({"dataset": "sentiment140", "split": "test"}, {}, "not known on how many"),
        ({"dataset": "sentiment140", "split": "test", "test_examples": 99, "metric": "mcc"}, {}, "how mcc varies"),
        ({"dataset": "sentiment140", "split": "test", "test_examples": 99, "train_size": 1_280_000}, {},
         "trained on 1,280,000 texts, our train split has 140,000"),
    ],
)  # fmt: skip
def test_not_testable_and_why(change: dict[str, Any], ours: dict[str, Any], why: str) -> None:
    found = verdict(claim(**change), row(**ours))
    assert found.word == "not testable" and why in found.why


def test_hidden_labels_that_somebody_has_are_compared() -> None:
    """SST-2's test labels are public elsewhere; a row on them answers."""
    found = verdict(claim(split="test"), row(split="test_labelled", examples=1_821))
    assert found.word == "agrees"


def test_only_a_row_about_the_claim_answers() -> None:
    for other in (
        {"checkpoint": "roberta-base"}, {"method": "lora"}, {"dataset": "cola"}, {"metric": "f1"},
        {"split": "validation"}, {"train_size": 8_000},
    ):  # fmt: skip
        assert verdict(claim(), row(**other)).word == "not run yet", other
    assert verdict(claim(), row(train_size=8_000)).why == "ours were trained on 8,000 texts, not on 66,349"
    small = claim(train_size=8_000)
    assert verdict(small, row(train_size=7_990)).word == "agrees"
    assert verdict(small, row()).word == "not run yet"


def test_the_row_is_not_chosen_by_its_score() -> None:
    tried = row(method="full (learning_rate=1e-05)", mean=0.93, low=0.92, high=0.94)
    usual = row(mean=0.89, low=0.88, high=0.90)
    found = verdict(claim(value=93.0), tried, usual)
    assert found.row == usual and found.word == "differs"
    assert "another row of ours fits: full (learning_rate=1e-05) with 93.00" in found.caveats
    assert verdict(claim(value=93.0), tried | {"seeds": 5}, usual).row == tried | {"seeds": 5}


def test_a_baseline_needs_no_seeds() -> None:
    words = {"checkpoint": "none", "method": "tfidf_logreg"}
    assert verdict(claim(**words), row(**words, seeds=1, deviation=None)).word == "agrees"


def test_an_alias_is_the_checkpoint() -> None:
    assert verdict(claim(checkpoint="minilm-l6"), row(checkpoint="all-minilm-l6-v2")).word == "agrees"


def minilm() -> Claim:
    (one,) = [
        one
        for one in read_claims(LEDGER)
        if "minilm-l6" in one.comparable and (one.dataset, one.metric) == ("sst2", "accuracy")
    ]
    return one


def test_a_comparable_checkpoint_answers_with_its_caveat() -> None:
    one = minilm()
    assert one.claimed == pytest.approx(0.915)
    found = verdict(one, row(checkpoint="all-minilm-l6-v2", method="full (learning_rate=0.0001)"))
    assert found.word == "agrees"
    (caveat,) = [told for told in found.caveats if told.startswith("ours is ")]
    assert (
        caveat.startswith(f"ours is all-minilm-l6-v2, not {one.checkpoint}: ") and "contrastively" in caveat
    )
    parent = verdict(one, row(checkpoint="all-minilm-l6-v2"), row(checkpoint="minilm-l6-h384"))
    assert parent.row is not None and parent.row["checkpoint"] == "minilm-l6-h384", (
        "the first comparable one goes first"
    )


def test_what_the_claim_had_and_ours_lacks_is_a_caveat() -> None:
    one = claim(preconditions=["starts from an MNLI model"], caution="suspicious", status="card")
    told = verdict(one, row()).caveats
    assert "the claim's run has what ours lacks: starts from an MNLI model" in told
    assert "suspicious" in told and "an author's own figure that nobody checked" in told


# --- the command that would tell ----------------------------------------------------------------------------


def declare(**values: Any) -> Experiment:
    return experiment(single(checkpoint="distilbert-base-uncased", dataset="sst2", **values), "here")


def test_not_run_yet_names_the_experiment_that_spans_it() -> None:
    others = {
        "experiments/lora.toml": declare(method="lora"),
        "experiments/part.toml": declare(train_size=4_000),
        "experiments/a larger one.toml": declare(seeds=9),
        "experiments/whole one.toml": declare(method={"name": "full", "learning_rate": 2e-5}),
    }
    found = verdict(claim(), experiments=others)
    assert (found.word, found.command) == ("not run yet", "tunebook run 'experiments/whole one.toml'")
    part = verdict(claim(train_size=4_000), experiments=others)
    assert part.command == "tunebook run experiments/part.toml"


def test_not_run_yet_without_an_experiment_is_a_command_of_options() -> None:
    plain = "tunebook run --dataset sst2 --checkpoint distilbert-base-uncased --method full"
    assert verdict(claim()).command == f"{plain} --set seeds=5"
    assert verdict(claim(train_size=500)).command == f"{plain} --train-size 500 --set seeds=5"
    assert verdict(claim(train_size=67_000)).command == f"{plain} --set seeds=5", "that is all there is"
    counted = verdict(claim(checkpoint="none", method="tfidf_logreg"))
    assert counted.command == "tunebook run --dataset sst2 --checkpoint none --method tfidf_logreg"


def test_an_object_has_everything_a_reader_needs() -> None:
    found = verdict(claim(value=92.5), row()).as_object()
    assert found["claim"]["source"] == "Somebody 2020" and found["claimed"] == pytest.approx(0.925)
    assert found["ours"]["runs"] == ["a", "b", "c"] and found["verdict"] == "differs"
    assert verdict(claim()).as_object()["ours"] is None
