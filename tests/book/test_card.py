"""Model cards: whole, the real scores are in them, the hub can read them, foreign text stays text."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import yaml
from huggingface_hub import ModelCard
from huggingface_hub._eval_results import parse_eval_result_entries
from markdown_it import MarkdownIt
from statsmodels.stats.proportion import proportion_confint

from tests.book.made import LABELS, declared, predictions, result
from tests.training import spec_values, write_reviews
from tunebook import data, flow, methods, metrics, spec, stats
from tunebook.book import Book, card, card_terms
from tunebook.prepare import describe, prepare
from tunebook.text.markdown import escape, table, visible
from tunebook.weighted import intervals

COST = {
    "train_seconds": 12.5,
    "samples_per_second": 88.0,
    "tokens_per_second": None,
    "peak_memory_bytes": 10**9,
}
ENVIRONMENT = {"python": "3.11", "libraries": {"torch": "2.13.0"}, "device": "cpu"}
NASTY = (
    "a|b\n---\n```\n<script>alert(1)</script> **x** [l](javascript:1) www.evil.test http://e.test &lt; "
    "\u202egnp\x1b[31m @user $x$ ~~y~~ # h \"q\" 's'"
)
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False, "html": True})
HOSTILE = "---\n- <script>alert(1)</script>: [x](javascript:1)"

pytestmark = pytest.mark.usefixtures("one_thread")


def render(run: dict[str, Any] | None = None, **changes: Any) -> str:
    return card.render(
        run or declared(),
        {**result(), **changes},
        environment=ENVIRONMENT,
        cost=COST,
        intervals=made_intervals(),
    )


def made_intervals() -> dict[str, Any]:
    """The intervals of the made run."""
    _, labels, logits = predictions()
    return {"test": intervals.intervals(labels, logits, task="classification")}


def section(text: str, heading: str) -> str:
    """What stands under a heading of a card."""
    return text.split(f"\n## {heading}\n\n")[1].split("\n## ")[0]


def unfinished(text: str) -> list[str]:
    """What a card leaves open: sections without a word, points without a text, and the words that say so."""
    tokens = MARKDOWN.parse(text[text.index("\n# ") :])
    kinds = [(token.type, token.tag) for token in tokens]
    ends = [place for place, kind in enumerate(kinds) if kind[0] == "heading_close"]
    found = [
        tokens[place - 1].content
        for place in ends
        if place + 1 == len(kinds)
        or (kinds[place + 1][0] == "heading_open" and kinds[place + 1][1] <= kinds[place][1])
    ]
    found += [
        line for line in text.splitlines() if re.fullmatch(r"- [^:]*: *|- *", line) and line != "- Tunebook:"
    ]
    return found + re.findall(r"(?i:more information needed)|\bNone\b|\bnan\b|\bTODO\b", text)


# --- runs that were really made -----------------------------------------------------------------------------


Run = Callable[..., Path]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Run:
    """A function `(method="full", *, keep="best", fresh=False, **values)` that gives a finished run's folder."""
    root = tmp_path_factory.mktemp("book")
    reviews = write_reviews(tmp_path_factory.mktemp("somebody") / "reviews.csv")

    def finish(method: str = "full", *, keep: str = "best", fresh: bool = False, **values: Any) -> Path:
        from tunebook.steering import Control

        asked = spec_values(tiny_checkpoint("bert"), reviews, method=method) | values
        if asked["checkpoint"] == "none":
            del asked["train"]
        prepared = prepare(spec.run_spec(asked, "the test"), Book(root))
        flow.run(prepared, Book(root), flow.Options(device="cpu", keep=keep, fresh=fresh), Control())
        return prepared.folder

    return finish


BASELINE = {"checkpoint": "none", "dataset": {"name": "pocket"}}
SMALL = {"dataset": {"name": "pocket", "train_size": 40}}


def files(folder: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The card of a run, what it declares, and its result."""
    run, found = (json.loads((folder / name).read_bytes()) for name in ("run.json", "result.json"))
    return (folder / "README.md").read_text(), run, found


def numbers(scores: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {
        (split, name): score
        for split, row in scores.items()
        for name, score in row.items()
        if isinstance(score, float)
    }


@pytest.mark.parametrize(
    "values", [{}, SMALL, {"method": "majority", **BASELINE}], ids=["own", "pocket", "none"]
)
def test_the_hub_reads_what_the_result_says(finished: Run, values: dict[str, Any]) -> None:
    folder = finished(**values)
    _, run, found = files(folder)
    expected = numbers(found["metrics"])
    assert {split for split, _ in expected} == {"test", "validation"} and len(expected) > 8
    read = ModelCard.load(folder / "README.md").data
    assert {(row.dataset_split, row.metric_type): row.metric_value for row in read.eval_results} == expected
    (file,) = (folder / ".eval_results").iterdir()
    assert file.name == f"{run['dataset']['name']}.yaml"
    name = run["dataset"]["name"]
    entries = parse_eval_result_entries(yaml.safe_load(file.read_text()))
    assert {entry.task_id: entry.value for entry in entries} == {
        f"{name}.{split}.{metric}": score for (split, metric), score in expected.items()
    }
    assert {entry.dataset_id for entry in entries} == {f"{'tunebook' if values else 'file'}:{name}"}
    for entry in entries:
        assert entry.notes is not None and run["run"][:12] in entry.notes
        assert ("interval" in entry.notes) and (entry.date is entry.source_url is entry.verify_token is None)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_accuracy_has_wilsons_interval(finished: Run, split: str) -> None:
    text, _, found = files(finished())
    scores = found["metrics"][split]
    right, count = sum(np.diag(scores["confusion_matrix"])), np.sum(scores["confusion_matrix"])
    low, high = proportion_confint(right, count, method="wilson")
    row = f"| accuracy | {scores['accuracy']:.4f} | {low:.4f} | {high:.4f} | Wilson |"
    assert (row in text) == (split == "test")
    assert "In this split no interval\\: training may choose by this split." in text
    assert "over examples of this one seed; seeds vary too" in section(text, "Evaluation")


@pytest.mark.parametrize(
    ("method", "values"),
    [("full", {}), ("full", SMALL), ("lora", {}), ("majority", BASELINE), ("full", {"purpose": "tune"})],
    ids=["own", "pocket", "lora", "baseline", "trial"],
)
def test_nothing_is_left_open(finished: Run, method: str, values: dict[str, Any]) -> None:
    text, run, _ = files(finished(method, **values))
    assert unfinished(text) == []
    for heading in ("Intended use", "Labels", "Data", "Method", "Evaluation", "Limits", "Load", "Reproduce", "Cost",
                    "Environment", "Licence", "Citation"):  # fmt: skip
        assert len(section(text, heading)) > 20
    checkpoint = Path(run["spec"]["checkpoint"])
    assert "not recorded" not in text and not (checkpoint.is_absolute() and str(checkpoint.parent) in text)
    assert escape(methods.method(method).summary) in section(text, "Method")
    assert "not evaluated; nobody looked" in section(text, "Limits")


def test_the_row_of_a_dataset_is_told(finished: Run) -> None:
    text, _, found = files(finished(**SMALL))
    row, told = data.rows()["pocket"], section(text, "Data")
    for fact in (row.citation, row.homepage, row.licence, row.split_rule, row.note):
        assert escape(fact) in told
    assert "Language: English" in told and "- Of train only 40 texts were used" in told
    assert f"| test | measuring, once training was over | {found['examples']['test']} |" in told
    assert escape(row.citation) in section(text, "Citation")
    assert ModelCard(text).data.language == "en"


def test_an_own_file_goes_by_its_name(finished: Run) -> None:
    folder = finished()
    text, run, _ = files(folder)
    path = Path(run["spec"]["dataset"]["path"])
    assert path.is_absolute() and str(path.parent) not in text
    assert "the file reviews.csv" in section(text, "Data") and "--dataset reviews.csv " in section(
        text, "Reproduce"
    )
    assert "Licence of the dataset: an own file: no licence is declared" in section(text, "Licence")
    assert "Source: an own file: no homepage is declared" in section(text, "Data")
    assert "by a hash of the normalised text" in section(text, "Data")
    assert f"not known: {card.sections.UNNAMED}" in section(text, "Licence")
    assert str(path.parent) not in next((folder / ".eval_results").iterdir()).read_text()


def test_a_baseline_says_what_it_is(finished: Run) -> None:
    text, _, _ = files(finished("majority", **BASELINE))
    assert "A baseline, majority, fitted on pocket without a pretrained checkpoint" in text
    assert "Nothing to load: a baseline keeps no weights" in section(text, "Load")
    assert "has to beat on pocket" in section(text, "Intended use") and "Overlap" not in text
    assert "Licence of the checkpoint: none: a baseline has no checkpoint" in text
    read = ModelCard(text).data
    assert (read.library_name, read.base_model, read.license) == ("tunebook", None, None)
    assert "no interval\\: resampled test sets give the same score" in text


def test_weights_that_were_not_kept_are_not_offered(finished: Run) -> None:
    text, _, _ = files(finished("linear_probe", keep="none"))
    assert "Nothing to load: the weights of this run were not kept" in section(text, "Load")
    trial, _, _ = files(finished(purpose="tune"))
    assert "weights of a trial" in section(trial, "Load") and "a trial of tuning" in section(
        trial, "Intended use"
    )
    assert "No test split was measured" in section(trial, "Limits")


@pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)  # PEFT asks for it
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_code_that_loads_it_works(
    finished: Run, tiny_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    folder = finished(method)
    code = re.findall(r"```python\n(.*?)```", section(files(folder)[0], "Load"), re.DOTALL)
    assert len(code) == 2 and "tunebook.load" in code[0]
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    lines = code[1].replace("the folder of the checkpoint", str(tiny_checkpoint("bert"))).rstrip().split("\n")
    exec("\n".join([*lines[:-1], f"answer = {lines[-1]}" if method == "full" else lines[-1]]), names)
    if method == "full":
        assert names["answer"][0]["label"] in ("bad", "good")
    else:
        answer = names["model"](**names["tokenizer"]("A text.", return_tensors="pt"))
        assert answer.logits.shape == (1, 2)


def test_beginning_anew_leaves_no_old_record(finished: Run) -> None:
    folder = finished("majority", **BASELINE, seed=7)
    before = (folder / ".eval_results" / "pocket.yaml").read_bytes()
    (folder / ".eval_results" / "other.yaml").write_text("[]")
    assert finished("majority", **BASELINE, seed=7, fresh=True) == folder
    assert [path.name for path in (folder / ".eval_results").iterdir()] == ["pocket.yaml"]
    assert (folder / ".eval_results" / "pocket.yaml").read_bytes() == before


def test_card_and_record_are_there_before_the_result(book_root: Path) -> None:
    words = ["run", "--dataset", "pocket", "--checkpoint", "none", "--method", "majority", "--no-baselines"]
    env = os.environ | {"TUNEBOOK_CRASH": "run.complete", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tunebook", *words, "--root", str(book_root)]
    assert subprocess.run(command, env=env, capture_output=True, timeout=120).returncode != 0
    (folder,) = (book_root / "runs").iterdir()
    assert not (folder / "result.json").exists() and (folder / "README.md").is_file()
    assert (folder / ".eval_results" / "pocket.yaml").is_file()
    (folder / ".eval_results" / ".tmp-pocket.yaml-1-0").write_text("half")
    again = subprocess.run(command, env=env | {"TUNEBOOK_CRASH": ""}, capture_output=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert [path.name for path in (folder / ".eval_results").iterdir()] == ["pocket.yaml"]


def test_hostile_labels_of_a_real_file(tmp_path: Path, finished: Run) -> None:
    path = tmp_path / "a: 'b' \"c\".csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [
            (f"text {number} " + "ab"[number % 2], HOSTILE if number % 2 else "o: k") for number in range(120)
        ]
        csv.writer(file).writerows([("body", "stars"), *rows])
    dataset = {"path": str(path), "text": ["body"], "label": "stars"}
    folder = finished("tfidf_logreg", checkpoint="none", dataset=dataset)
    text, run, _ = files(folder)
    assert any("<script>" in name for name in run["dataset"]["label_names"]) and unfinished(text) == []
    assert ModelCard.load(folder / "README.md").data.eval_results
    html = MARKDOWN.render(text[text.index("\n# ") :])
    assert "<script" not in html and html.count("<hr") == 0 and html.count("<h1>") == 1
    (file,) = (folder / ".eval_results").iterdir()
    assert parse_eval_result_entries(yaml.safe_load(file.read_text()))


# --- made up runs -------------------------------------------------------------------------------------------


def test_a_run_of_an_older_tunebook_has_a_card() -> None:
    text = card.render(declared(), result(), environment={}, cost={})
    assert unfinished(text) == []
    for heading in ("Data", "Method", "Evaluation", "Cost", "Environment", "Citation", "Limits"):
        assert "not recorded in this run" in section(text, heading), heading
    assert len(parse_eval_result_entries(yaml.safe_load(card.record(declared(), result())))) > 8


def test_what_run_json_holds_of_the_parts(tmp_path: Path) -> None:
    asked = spec.run_spec({"dataset": "pocket", "method": "majority", "checkpoint": "none"}, "the test")
    prepared = prepare(asked, Book(tmp_path))
    told, row = describe(prepared), data.rows()["pocket"]
    assert told["dataset"]["homepage"] == row.homepage and told["dataset"]["split_rule"] == row.split_rule
    assert told["method"]["summary"] == methods.method("majority").summary
    assert told["checkpoint"]["paper"] is told["checkpoint"]["seen"] is None
    assert told["run"] == spec.fingerprint(told["identity"])
    assert not {"homepage", "citation", "paper", "summary"} & set(
        re.findall(r"\w+", json.dumps(told["identity"]))
    )


@pytest.mark.parametrize(
    ("seen", "words"),
    [(["pocket"], "trained on the source of pocket before"), ([], "which proves nothing"),
     (None, "not known what the checkpoint was trained on")],
)  # fmt: skip
def test_known_overlap_is_told(seen: list[str] | None, words: str) -> None:
    run = declared(dataset="pocket")
    run["spec"]["dataset"] = {"name": "pocket", "path": None}
    run["checkpoint"]["seen"] = seen
    assert words in section(render(run), "Limits")
    run["spec"]["dataset"] = {"name": None, "path": "pocket.csv"}  # an own file that happens to bear the name
    assert "trained on the source of" not in render(run)


def test_the_record_of_a_dataset_of_the_hub() -> None:
    run = declared(dataset="sst2")
    run["spec"]["dataset"] = {"name": "sst2", "path": None}
    run["dataset"]["repository"] = "stanfordnlp/sst2"
    entries = parse_eval_result_entries(
        yaml.safe_load(card.record(run, result(), intervals=made_intervals()))
    )
    assert {entry.dataset_id for entry in entries} == {"stanfordnlp/sst2"}
    (accuracy,) = [entry for entry in entries if entry.task_id == "sst2.test.accuracy"]
    scores = result()["metrics"]["test"]
    low, high = proportion_confint(np.trace(scores["confusion_matrix"]), 20, method="wilson")
    assert accuracy.value == scores["accuracy"]
    assert f"95 % interval {low:.4f} to {high:.4f} (Wilson)" in (accuracy.notes or "")
    assert "datasets:\n- stanfordnlp/sst2\n" in render(run)


def test_a_method_s_setting_is_not_taken_for_one_of_training() -> None:
    run = declared(method="lora")
    run["spec"]["method"]["settings"]["dropout"], run["spec"]["train"]["dropout"] = 0.25, None
    assert "| method.dropout | 0.25 |" in render(run) and "| train.dropout | - |" in render(run)


def test_where_a_pipeline_cuts_otherwise_it_says_so() -> None:
    run = declared()
    assert "It cuts a long text" not in render(run)
    run["spec"]["train"]["long"] = "head+tail"
    assert "what the run read of one is: head+tail." in section(render(run), "Load")


# --- intervals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "count"), [(0, 5), (5, 5), (1, 1), (77, 150), (8700, 10_000)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_wilson_against_statsmodels(right: int, count: int, level: float) -> None:
    expected = proportion_confint(right, count, alpha=1 - level, method="wilson")
    assert stats.wilson(right, count, level=level) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("right", "count"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_needs_examples(right: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"{right} successes of {count} examples"):
        stats.wilson(right, count)


def test_the_other_intervals_are_percentiles() -> None:
    _, labels, logits = predictions(texts=400)
    found, draw = intervals.intervals(labels, logits, task="classification"), np.random.default_rng(1)
    drawn = []
    for _ in range(600):
        rows = draw.integers(0, 400, 400)
        drawn.append(sklearn.metrics.f1_score(labels[rows], logits[rows].argmax(1), average="macro"))
    expected = np.quantile(drawn, (0.025, 0.975))
    assert (found["f1"]["low"], found["f1"]["high"]) == pytest.approx(tuple(expected), abs=0.015)
    assert found["f1"]["how"] == found["log_loss"]["how"] == "bootstrap"
    assert found == intervals.intervals(labels, logits, task="classification")
    assert found.keys() == {row.name for row in metrics.rows().values() if row.task == "classification"}


def test_where_there_is_no_interval_it_says_why() -> None:
    _, labels, _ = predictions()
    perfect = intervals.intervals(labels, np.eye(2)[labels] * 9, task="classification")
    assert perfect["f1"]["how"] == "no interval: resampled test sets give the same score"
    assert perfect["accuracy"]["low"] == pytest.approx(proportion_confint(20, 20, method="wilson")[0])
    rare = (np.arange(20) == 0).astype(int)
    one_class = intervals.intervals(
        rare, np.random.default_rng(0).normal(size=(20, 2)), task="classification"
    )
    assert one_class["recall"]["how"] == "no interval: undefined on many resampled test sets"
    undefined = intervals.intervals(labels, np.full((20, 2), np.nan), task="classification")
    assert {one["how"] for one in undefined.values()} == {"no interval: the score is undefined"}
    assert perfect["ece"]["low"] is None and "worse calibrated" in perfect["ece"]["how"]


def test_intervals_of_scores() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=200)
    found = intervals.of_splits(
        {
            name: (None, truth, (truth + draw.normal(size=200))[:, None])
            for name in ("validation", "test", "more")
        },
        task="regression",
    )
    assert found.keys() == {"test", "more"}
    z = np.arctanh(np.corrcoef(truth, truth)[0, 1] * 0.7)  # about what it is: half of the variance is noise
    low, high = np.tanh(z - 1.96 / np.sqrt(197)), np.tanh(z + 1.96 / np.sqrt(197))
    pearson = found["test"]["pearson"]
    assert pearson["high"] - pearson["low"] == pytest.approx(high - low, abs=0.06)


def test_it_is_cited_as_the_repository_says() -> None:
    cited = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text())
    assert (cited["title"], cited["license"]) == (card_terms.TITLE, card_terms.LICENCE)
    assert cited["authors"][0]["name"] == card_terms.AUTHORS and len(cited["authors"]) == 1
    assert f"version = {{{cited['version']}}}" in card_terms.bibtex()
    assert card_terms.bibtex() in section(render(), "Citation")


def test_the_hub_reads_the_scores() -> None:
    data = ModelCard(render()).data
    scores = result()["metrics"]["test"]
    found = {(row.dataset_split, row.metric_type): row.metric_value for row in data.eval_results}
    assert found == {
        ("test", name): pytest.approx(score) for name, score in scores.items() if isinstance(score, float)
    }
    assert (data.license, data.base_model, data.library_name) == (
        "mit",
        "nreimers/MiniLM-L6-H384-uncased",
        "transformers",
    )
    assert data.model_name == "minilm-l6-full-reviews"


def test_the_reader_finds_what_counts() -> None:
    text = render(trainable_parameters={"encoder": 22_713_216, "head": 770})
    scores = result()["metrics"]["test"]
    assert "### test, 20 texts\n" in text and f"| accuracy | {scores['accuracy']:.4f} |" in text
    for name, row in zip(LABELS, scores["confusion_matrix"], strict=True):
        assert f"| {name} | {row[0]} | {row[1]} |" in text
    for part in ("Licence of the checkpoint: MIT", "Licence of the dataset: CC0-1.0", declared()["run"]):
        assert part in text
    for row in (
        "trainable\\_parameters.encoder | 22713216",
        "train\\_seconds | 12.5",
        "libraries.torch | 2.13.0",
    ):
        assert row in text


def test_the_command_repeats_the_run() -> None:
    words = shlex.split(card.command(declared(seed=3)))
    assert words == [
        "tunebook", "run", "--dataset", "reviews.csv", "--text", "body", "--label", "stars",
        "--checkpoint", "minilm-l6", "--method", "full", "--seed", "3", "--no-baselines",
        "--set", "method.learning_rate=5e-05", "--set", "train.epochs=3",
    ]  # fmt: skip
    assert f"```sh\n{card.command(declared())}\n```" in render()


def test_the_command_of_a_named_dataset() -> None:
    run = declared()
    run["spec"]["dataset"] = {
        "name": "sst2", "path": None, "text": [], "label": None, "train_size": 100, "encoding": "utf-8",
        "keep_leaks": True, "drop_bad": 0, "files": "/srv/data", "validation": "/srv/other.csv",
    }  # fmt: skip
    run["identity"]["train"] = None
    assert card.command(run).split(" --checkpoint")[0] == (
        "tunebook run --dataset sst2 --train-size 100 --keep-leaks --validation other.csv"
    )
    assert "train.epochs" not in card.command(run)


def test_no_path_of_a_machine_is_told() -> None:
    assert "/srv" not in render()


def test_what_is_undefined_or_missing_is_a_dash() -> None:
    run = declared()
    run["checkpoint"] = {"name": "none", "repository": None, "licence": None}
    scores = result()["metrics"]["test"] | {"precision": None, "confusion_matrix": None}
    text = render(run, metrics={"test": scores})
    assert "| precision | - |" in text and "Licence of the checkpoint: none: a baseline has no" in text
    data = ModelCard(text).data
    assert "precision" not in {row.metric_type for row in data.eval_results}
    assert data.license is None and data.base_model is None


def test_a_score_has_no_classes() -> None:
    scores = metrics.evaluate([[1.0], [2.0]], [1.0, 3.0], label_names=(), task="regression")  # type: ignore[arg-type]
    run = declared()
    run["dataset"]["label_names"] = []
    text = render(run, metrics={"validation": scores, "test": scores})
    assert "It predicts: a score." in text and "Classes in" not in text and unfinished(text) == []
    assert text.index("### test") < text.index("### validation")


def test_foreign_text_stays_text() -> None:
    run = declared(dataset=NASTY)
    run["dataset"]["label_names"] = [NASTY, "other"]
    run["dataset"]["licence"] = run["spec"]["dataset"]["text"] = NASTY
    scores = result()["metrics"]["test"]
    scores["per_class"] = dict(zip((NASTY, "other"), scores["per_class"].values(), strict=True))
    run["dataset"] |= {
        "citation": NASTY,
        "split_rule": NASTY,
        "note": NASTY,
        "language": NASTY,
        "homepage": NASTY,
    }
    run["dataset"]["notes"] = {"form": NASTY, "decided": NASTY, "split": NASTY, "rows_read": {NASTY: 1},
                               "skipped": {NASTY: {NASTY: 2}}, "not_offered": [NASTY]}  # fmt: skip
    run["checkpoint"] |= {"paper": NASTY, "pretrained_on": NASTY}
    run["method"] = {"name": NASTY, "version": NASTY, "summary": NASTY, "source": NASTY}
    changed = {**result(), "metrics": {"test": scores}, "notes": {NASTY: NASTY}}
    text = card.render(run, changed, environment={NASTY: NASTY}, cost=COST, intervals=made_intervals())
    front = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert front["model-index"][0]["results"][0]["dataset"]["name"] == NASTY
    body = text[text.index("\n# ") :]
    assert "\x1b" not in body and "\u202e" not in body
    html = MARKDOWN.render(body)
    for markup in ("<script", "<a ", "<strong", "<del", "<em>", "javascript:1)<"):
        assert markup not in html
    assert html.count("<pre>") == 4 and html.count("<h1>") == 1 and html.count("<hr") == 0
    for row in html.split("<tr>"):
        assert row.count("<td") in (0, 2, 3, 5)
    entries = parse_eval_result_entries(yaml.safe_load(card.record(run, changed)))
    assert entries[0].dataset_id == f"file:{visible(NASTY)}"


def test_the_unescaped_text_would_have_done_it() -> None:
    html = MARKDOWN.render(NASTY.replace("\n", " "))
    assert "<script" in html and "<strong" in html


@pytest.mark.parametrize(
    "text, shown",
    [("a\r\nb", "a b"), ("\ud800", "\\ud800"), ("👩‍👩‍👧", "👩‍👩‍👧"), ("\u2066x\x00", "\\u2066x\\u0000")],
)
def test_nothing_is_invisible(text: str, shown: str) -> None:
    assert visible(text) == shown
    visible(text).encode()


def test_tables_are_tables() -> None:
    assert table(["a|b"], [[None], [1], [True]]) == "| a\\|b |\n|---|\n| - |\n| 1 |\n| True |"
    assert escape("WWW.x.test") == "WWW\\.x.test"
