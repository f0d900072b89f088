"""Model cards: the real scores are in them, the hub can read them, foreign text stays text."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from tests.book.made import LABELS, declared, result
from tunebook import metrics
from tunebook.book import card
from tunebook.text.markdown import escape, table, visible

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


def render(run: dict[str, Any] | None = None, **changes: Any) -> str:
    return card.render(run or declared(), {**result(), **changes}, ENVIRONMENT, COST)


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
    assert f"| test | 20 | {scores['accuracy']:.4f} |" in text
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
    assert "| - |" in text and "Licence of the checkpoint: not known" in text
    data = ModelCard(text).data
    assert "precision" not in {row.metric_type for row in data.eval_results}
    assert data.license is None and data.base_model is None


def test_a_score_has_no_classes() -> None:
    scores = metrics.evaluate([[1.0], [2.0]], [1.0, 3.0], label_names=(), task="regression")  # type: ignore[arg-type]
    run = declared()
    run["dataset"]["label_names"] = []
    text = render(run, metrics={"validation": scores, "test": scores})
    assert "It predicts: a score." in text and "Classes in" not in text
    assert text.index("| test |") < text.index("| validation |")


def test_foreign_text_stays_text() -> None:
    run = declared(dataset=NASTY)
    run["dataset"]["label_names"] = [NASTY, "other"]
    run["dataset"]["licence"] = run["spec"]["dataset"]["text"] = NASTY
    scores = result()["metrics"]["test"]
    scores["per_class"] = dict(zip((NASTY, "other"), scores["per_class"].values(), strict=True))
    text = card.render(
        run, {**result(), "metrics": {"test": scores}, "notes": {NASTY: NASTY}}, {NASTY: NASTY}, COST
    )
    front = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert front["model-index"][0]["results"][0]["dataset"]["name"] == NASTY
    body = text[text.index("\n# ") :]
    assert "\x1b" not in body and "\u202e" not in body
    html = MARKDOWN.render(body)
    for markup in ("<script", "<a ", "<strong", "<del", "<em>", "javascript:1)<"):
        assert markup not in html
    assert html.count("<pre>") == 1 and html.count("<h1>") == 1 and html.count("<hr") == 0
    for row in html.split("<tr>"):
        assert row.count("<td") in (0, 2, 3, 5, 11)


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
