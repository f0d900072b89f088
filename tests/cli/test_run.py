"""`run` and what looks at its runs, end to end: JSON, tables, a second seed, the book, the same from Python."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunebook
from tests.cli.calls import Done, here, shell
from tests.cli.conftest import Made
from tunebook.errors import UsageError

COST = {
    "train_seconds",
    "samples_per_second",
    "tokens_per_second",
    "peak_memory_bytes",
    "trainable_parameters",
}
KEYS = {"run", "status", "checkpoint", "dataset", "method", "seed", "metrics", "cost"}


def of(made: Made, checkpoint: str) -> dict[str, Any]:
    """What `run` printed of the run of this checkpoint."""
    (line,) = [line for line in made.done.lines if line["checkpoint"] in (checkpoint, f"./{checkpoint}")]
    return dict(line)


# --- run --json ---------------------------------------------------------------------------------------------


def test_every_run_is_a_line_of_json_however_it_ends(made: Made) -> None:
    ends = [(line["checkpoint"], line["method"], line["status"]) for line in made.done.lines]
    assert ends == [
        ("none", "majority", "finished"),
        ("none", "tfidf_logreg", "finished"),
        ("tiny", "full", "finished"),
        ("overflowing", "full", "diverged"),
        ("bert-tiny", "full", "failed"),
    ]
    assert made.done.code == 4


def test_every_line_has_the_same_keys(made: Made) -> None:
    for line in made.done.lines:
        assert line.keys() >= KEYS, line["checkpoint"]
        assert line["cost"].keys() >= COST, line["checkpoint"]
        assert line["cost"]["trainable_parameters"].keys() == {"encoder", "head"}, line["checkpoint"]
        assert ("error" in line) == (line["status"] != "finished")
    assert "not finite in 10 steps in a row" in of(made, "overflowing")["error"]
    assert "checkpoint 'bert-tiny' is not on this machine" in of(made, "bert-tiny")["error"]


def test_a_finished_run_says_what_it_reached_and_cost(made: Made) -> None:
    run = of(made, "tiny")
    assert run["metrics"].keys() == {"validation", "test"}
    for scores in run["metrics"].values():
        assert scores.keys() >= {
            "accuracy",
            "precision",
            "recall",
            "f1",
            "mcc",
            "log_loss",
            "ece",
            "per_class",
        }
        assert scores["per_class"].keys() == {"negative", "positive"}
    cost = run["cost"]
    assert all(cost[key] > 0 for key in COST - {"trainable_parameters"})
    assert cost["trainable_parameters"]["encoder"] > cost["trainable_parameters"]["head"] > 0


def test_what_goes_on_is_told_on_standard_error_in_plain_lines(made: Made) -> None:
    assert "\x1b" not in made.done.out + made.done.err
    assert "\r" not in made.done.err
    assert "ends: run 3 of 5: ./tiny, full, reviews.csv, seed 0\n" in made.done.err
    assert "ends: run 4 of 5: diverged: " in made.done.err
    assert "decided: labels in column 'stars' are 2 distinct values" in made.done.err


# --- what is there already ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second(made: Made) -> Done:
    """A second seed of the run that finished, by options instead of a file."""
    return shell(
        "run", "--dataset", "reviews.csv", "--text", "body", "--label", "stars", "--checkpoint", "./tiny",
        "--set", "method.learning_rate=1e-3", "--set", "train.epochs=1", "--set", "train.min_steps=12",
        "--seed", "1", "--no-baselines", "--root", made.root,
        cwd=made.folder, env={"LANG": "C", "LC_ALL": "C", "COLUMNS": "20"},
    )  # fmt: skip


@pytest.fixture
def at(made: Made, second: Done, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """The book with two seeds, standing in the folder of its experiment."""
    monkeypatch.chdir(made.folder)
    monkeypatch.setenv("TUNEBOOK_HOME", str(made.root))
    yield made


def test_a_run_by_options_ends_with_a_table_and_what_to_do_next(second: Done) -> None:
    assert second.code == 0, second.err
    heading, _, row, *rest = second.out.splitlines()
    assert heading.split()[:4] == ["dataset", "checkpoint", "method", "metric"]
    assert row.split()[:5] == ["reviews", "tiny", "full", "(learning_rate=0.001)", "accuracy"]
    assert "Stored in book: 1 of 1 runs are finished." in rest
    verbs = [line.partition("tunebook ")[2].split()[0] for line in rest if line.startswith("  ")]
    assert verbs == ["predict", "show", "compare"]


def test_a_finished_run_is_not_repeated(at: Made) -> None:
    again = here("run", "ends.toml", "--json", "--set", "checkpoints=['./tiny']")
    assert again.code == 0
    before = [line for line in at.done.lines if line["status"] == "finished"]
    assert again.lines == before


def test_plan_shows_what_is_there_and_trains_nothing(at: Made) -> None:
    before = sorted(at.root.rglob("*.safetensors"))
    done = here("plan", "ends.toml", "--json", "--set", "seeds=3")
    assert done.code == 0
    shown = [(run["checkpoint"], run["seed"], run["status"]) for run in done.json["runs"][2:]]
    assert shown == [
        ("./tiny", 0, "finished"),
        ("./tiny", 1, "finished"),
        ("./tiny", 2, "planned"),
        ("./overflowing", 0, "diverged"),
        ("./overflowing", 1, "planned"),
        ("./overflowing", 2, "planned"),
        *(("bert-tiny", seed, "identity pending") for seed in range(3)),
    ]
    assert done.json["disk_bytes"] > 10 * (at.folder / "tiny" / "model.safetensors").stat().st_size
    assert sorted(at.root.rglob("*.safetensors")) == before
    text = here("plan", "ends.toml")
    assert "5 runs, 3 finished; up to " in text.out
    assert {(run["path"], run["kernel"]) for run in done.json["runs"][2:4]} == {("packed", "own layers")}
    assert "expected path: packed (own layers), precision " in text.err
    assert "missing: checkpoint 'bert-tiny' is not on this machine" in text.err


def test_show_tells_of_a_run_however_it_ended(at: Made) -> None:
    name = at.run(checkpoint="tiny")
    done = here("show", name[:10])
    assert "\npath: packed (own layers, " in done.out and " on cpu\n" in done.out
    assert here("show", name[:10], "--json").json["ran"]["memory_limits"] == []
    assert done.code == 0
    for part in (
        "finished: tiny, full, reviews, seed 0",
        "test, 10 texts",
        "as negative",
        "trainable parameters: ",
    ):
        assert part in done.out
    assert here("show", name, "--json").json == of(at, "tiny")
    diverged = here("show", at.run(checkpoint="overflowing"))
    assert diverged.code == 0 and "error: the loss or its gradient was not finite" in diverged.out


def test_compare_shows_mean_and_spread_over_seeds(at: Made) -> None:
    compared = here("compare", "--json").json
    (family,) = compared["families"]
    rows = family["rows"]
    (row,) = [row for row in rows if row["checkpoint"] == "tiny"]
    assert (row["seeds"], row["metric"], row["split"], row["examples"]) == (2, "accuracy", "test", 10)
    assert row["deviation"] is not None and row["smallest"] <= row["mean"] <= row["largest"]
    assert {row["method"] for row in rows} == {"majority", "tfidf_logreg", "full (learning_rate=0.001)"}
    text = here("compare", "ends.toml", "--metric", "log_loss", "--split", "validation")
    assert text.out.startswith("log_loss: reviews, trained on 62 texts, measured on 8 of validation")
    assert text.out.splitlines()[-2:] == [
        "missing: overflowing full (learning_rate=0.001) on reviews, seed 0 (diverged); runs that were never begun: 1",
        "  tunebook run ends.toml",
    ]
    assert f"{row['mean']:.4f}" in here("compare").out
    assert tunebook.compare(root=at.root) == compared


def test_other_settings_are_another_row_not_another_seed(at: Made, tmp_path: Path) -> None:
    book = tmp_path / "book"
    shutil.copytree(at.root, book)
    folder = next((book / "runs").glob("tiny--*--s1--*"))
    declared = json.loads((folder / "run.json").read_bytes())
    declared["identity"]["train"]["epochs"] = 2
    (folder / "run.json").write_text(json.dumps(declared))
    (family,) = tunebook.compare(root=book)["families"]
    rows = [row for row in family["rows"] if row["checkpoint"] == "tiny"]
    assert [row["seeds"] for row in rows] == [1, 1]
    assert {row["method"].partition(" [")[2] for row in rows} == {"epochs=1]", "epochs=2]"}


# --- predict ------------------------------------------------------------------------------------------------


def test_predict_labels_strange_texts(at: Made) -> None:
    texts = ["the phone was great", "NA", "null", "", "\x1b[31mred\u202e", "long " * 200_000]
    done = here("predict", at.run(checkpoint="tiny"), *texts, "--json")
    assert done.code == 0, done.err
    assert [answer["text"] for answer in done.lines] == texts
    for answer in done.lines:
        assert answer["probabilities"].keys() == {"negative", "positive"}
        assert answer["probability"] == max(answer["probabilities"].values())
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
    text = here("predict", at.run(checkpoint="tiny"), texts[4], "café").out
    assert "\\x1b[31mred\\u202e" in text and "\x1b" not in text
    model = tunebook.load(at.run(checkpoint="tiny"), root=at.root)
    assert model.predict(texts) == done.lines


FILES = {
    "plain.txt": ("one\u2028still one\x85same\r\n\n  \ntwo", [], ["one\u2028still one\x85same", "two"]),
    "table.csv": ("id,body\n1,NA\n2,\"a, b\"\n3,\n", ["--text", "body"], ["NA", "a, b", ""]),
    "lines.jsonl": ('{"body": "null"}\n{"body": "x"}\n', ["--text", "body"], ["null", "x"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_predict_reads_files(name: str, at: Made, tmp_path: Path) -> None:
    content, options, texts = FILES[name]
    (tmp_path / name).write_bytes(content.encode())
    done = here("predict", at.run(checkpoint="tiny"), "--file", tmp_path / name, *options, "--json")
    assert done.code == 0, done.err
    assert [answer["text"] for answer in done.lines] == texts


PREDICT_FAULTS = {
    "nothing": ((), {}, 2, "give texts, or --file with texts, one of them"),
    "both": (("a text", "--file", "x.txt"), {"x.txt": b"x"}, 2, "one of them"),
    "no file": (("--file", "x.txt"), {}, 2, "there is no file 'x.txt'"),
    "bytes": (("--file", "x.txt"), {"x.txt": b"ok\n\xe9\n"}, 3, "x.txt: row 2, byte 3 is 0xe9"),
    "encoding": (("--file", "x.txt", "--encoding", "utf8x"), {"x.txt": b"x"}, 2, "unknown encoding 'utf8x'"),
    "empty": (("--file", "x.txt"), {"x.txt": b"\n"}, 3, "x.txt holds no text"),
    "table": (("--file", "x.csv"), {"x.csv": b"a\nb\n"}, 2, "say which column is the text, --text COLUMN"),
    "column": (("--file", "x.csv", "--text", "bdy"), {"x.csv": b"body\nb\n"}, 2, "did you mean 'body'?"),
    "device": (("x", "--device", "tpu"), {}, 2, "unknown device 'tpu'; expected auto, cpu, cuda, cuda:N or mps"),
}  # fmt: skip


@pytest.mark.parametrize("name", PREDICT_FAULTS)
def test_predict_refuses(name: str, at: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, files, code, message = PREDICT_FAULTS[name]
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    done = here("predict", at.run(checkpoint="tiny"), *arguments)
    assert (done.code, done.out) == (code, ""), done.err
    assert message in done.err


def test_predict_needs_a_finished_run_with_weights(at: Made) -> None:
    diverged, baseline = at.run(checkpoint="overflowing"), at.run(method="majority")
    assert "is diverged, not finished" in here("predict", diverged, "x").err
    assert "has no weights: it is a baseline" in here("predict", baseline, "x").err
    with pytest.raises(UsageError, match="has no weights"):
        tunebook.load(baseline, root=at.root)


# --- the book and the machine -------------------------------------------------------------------------------


def test_list_runs_reindex_and_gc_agree_with_the_folders(at: Made) -> None:
    runs = here("list", "runs", "--json").json
    assert {(run["checkpoint"], run["status"], run["seed"]) for run in runs} == {
        ("none", "finished", 0),
        ("tiny", "finished", 0),
        ("tiny", "finished", 1),
        ("overflowing", "diverged", 0),
    }
    assert here("reindex", "--json").json == {"runs": len(runs)}
    assert here("list", "runs", "--json").json == runs
    before = sorted(at.root.rglob("*"))
    found = here("gc", "--dry-run", "--json").json
    assert found["bytes"] == sum(entry["bytes"] for entry in found["removed"])
    assert "would be removed" in here("gc", "--dry-run").out
    assert sorted(at.root.rglob("*")) == before


def test_a_finished_run_comes_back_from_python(at: Made) -> None:
    run = tunebook.run(
        dataset="reviews.csv", text="body", label="stars", checkpoint="./tiny", seed=1, root=at.root,
        method={"name": "full", "learning_rate": 1e-3}, train={"epochs": 1, "min_steps": 12},
    )  # fmt: skip
    assert (run["status"], run["seed"]) == ("finished", 1)
    assert run == here("show", run["run"], "--json").json
    folder = at.root / "runs" / run["folder"]
    ways = [tunebook.load(way, root=at.root).predict(["so so"]) for way in (run, str(folder), folder)]
    assert ways[0] == ways[1] == ways[2]
    with pytest.raises(UsageError, match="did you mean 'full'"):
        tunebook.run(dataset="pocket", checkpoint="./tiny", method="ful", root=at.root)


def test_doctor_looks_at_what_a_run_needs(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = here("doctor", "--json")
    found = {finding["what"]: finding for finding in done.json}
    assert found.keys() >= {
        "python",
        "torch",
        "device",
        "checkpoint minilm-l6",
        "TUNEBOOK_DATA",
        "free disk",
        "book",
    }
    assert found["python"]["is_fine"] and found["device"]["found"].startswith(("cpu", "cuda", "mps"))
    assert done.code == int(not all(finding["is_fine"] for finding in found.values()))
    monkeypatch.setenv("TUNEBOOK_DATA", "/nowhere")
    wrong = here("doctor")
    assert wrong.code == 1 and "name a folder that exists" in wrong.out
    unwritable = {
        finding["what"]: finding for finding in here("doctor", "--json", "--root", "reviews.csv/x").json
    }
    assert not unwritable["book"]["is_fine"]


def test_pairs_with_scores_from_file_to_prediction(user: Path) -> None:
    rows = [f"the phone {number}\tthis phone {number % 7}\t{number % 7 / 2}\n" for number in range(60)]
    (user / "pairs.tsv").write_text("first\tsecond\tscore\n" + "".join(rows))
    done = shell(
        "run", "--dataset", "pairs.tsv", "--text", "first,second", "--label", "score", "--checkpoint", "./tiny",
        "--set", "train.epochs=1", "--set", "train.min_steps=2", "--no-baselines", "--json",
        cwd=user,
    )  # fmt: skip
    assert done.code == 0, done.err
    (run,) = done.lines
    assert run["metrics"]["test"].keys() >= {"pearson", "spearman"}
    answers = here("predict", run["run"], "the phone 1", "this phone 1", "a", "b", "--json").lines
    assert [answer["text"] for answer in answers] == [["the phone 1", "this phone 1"], ["a", "b"]]
    assert all(isinstance(answer["score"], float) for answer in answers)
    assert "score" in here("predict", run["run"], "a", "b").out
    assert "even number of texts, not 3" in here("predict", run["run"], "a", "b", "c").err
    assert "pearson" in here("compare").out and here("show", run["run"]).code == 0


def test_a_plan_takes_seeds(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.folder)
    done = here("plan", "ends.toml", "--seed", "7", "--json", "--root", made.root)
    assert done.code == 0, done.err
    assert {run["seed"] for run in done.json["runs"] if run["checkpoint"] != "none"} == {7}
    both = here("plan", "ends.toml", "--seed", "7", "--seeds", "2")
    assert both.code == 2 and "give one of them" in both.err
