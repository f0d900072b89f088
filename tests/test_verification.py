"""A run made again: identical, within the interval of another environment, or not; the book stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import results, training
from tests.publish.made import published
from tunebook import durable, metrics, spec
from tunebook.book import Book
from tunebook.errors import IntegrityError, Interrupted, UsageError
from tunebook.experiment import execute, plan
from tunebook.flow import Options
from tunebook.verification import ROUNDING, Number, Recorded, Verdict, book_apart, compare, verify


class Nobody:
    """Somebody who does not look."""

    def begins(self, number: int, total: int, planned: Any) -> None: ...

    def steps(self, event: dict[str, Any]) -> None: ...

    def ends(self, run: dict[str, Any]) -> None: ...


class Impatient(Nobody):
    """Somebody who stops the run at its first step."""

    def steps(self, event: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@dataclass(frozen=True)
class Home:
    """A file of reviews, a checkpoint, and a book of runs on them."""

    folder: Path
    book: Book

    def run(self, name: str) -> Path:
        """The folder of the one run whose name has this part."""
        (found,) = [path for path in self.book.run_folders() if name in path.name]
        return found

    def copied(self, to: Path, name: str) -> Path:
        """A copy of a run's folder, alone in a book of its own, to change."""
        return Path(shutil.copytree(self.run(name), to / "runs" / self.run(name).name))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Home:
    """Two seeds of a tiny encoder, a baseline of either kind, and a trial, all really run."""
    folder = tmp_path_factory.mktemp("home")
    file = training.write_reviews(folder / "reviews.csv")
    shutil.copytree(tiny_checkpoint("bert"), folder / "tiny")
    encoder = [training.spec_values(str(folder / "tiny"), file, seed=seed) for seed in (0, 1)]
    names = ("majority", "tfidf_logreg")
    baselines = [training.spec_values("none", file, method=name) for name in names]
    trial = {**training.spec_values("none", file, method="majority", seed=7), "purpose": "tune"}
    book = Book(folder / "book")
    asked = [spec.run_spec(values, "a test") for values in (*encoder, *baselines, trial)]
    outcome = execute(plan(asked, book), book, Options(), Nobody())
    assert outcome.exit_code == 0, outcome.runs
    return Home(folder, book)


ENCODER, MAJORITY, TFIDF, TRIAL = (
    "--full--reviews--s0",
    "--majority--reviews--s0",
    "--tfidf",
    "--s7--",
)


@pytest.fixture
def apart() -> Iterator[Book]:
    with book_apart(Book(Path("no-book"))) as book:
        yield book


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path under a folder, with size and time of its last change."""
    found = {str(path): path.stat() for path in sorted(folder.rglob("*"))}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def number(verdict: Verdict, split: str, metric: str) -> Number:
    (found,) = [one for one in verdict.numbers if (one.split, one.metric) == (split, metric)]
    return found


# --- made again, in processes of their own ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [ENCODER, MAJORITY, TFIDF, TRIAL])
def test_the_same_environment_gives_the_same_bytes(home: Home, apart: Book, name: str) -> None:
    before = listing(home.folder)
    verdict = verify(Recorded.of_run_folder(home.run(name)), apart, Options(keep="none"), Nobody())
    assert (verdict.word, verdict.bits, verdict.environment) == ("identical", [], []), verdict
    assert verdict.name == home.run(name).name and apart.run_folders() != []
    splits = {"validation"} if name == TRIAL else {"validation", "test"}
    assert {one.split for one in verdict.numbers} == splits
    assert all(one.published == one.again and one.is_within for one in verdict.numbers)
    assert listing(home.folder) == before, "the book and the data are as they were"


def test_a_changed_score_is_found_by_running(home: Home, apart: Book, tmp_path: Path) -> None:
    folder = home.copied(tmp_path, MAJORITY)
    change(folder / "result.json", lambda value: value["metrics"]["test"].update(accuracy=0.99))
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "differs" and verdict.bits == ["test: other scores: accuracy"]
    accuracy = number(verdict, "test", "accuracy")
    assert accuracy.published == 0.99 and accuracy.again is not None and not accuracy.is_within


def test_changed_data_are_other_inputs_and_not_trained(home: Home, apart: Book, tmp_path: Path) -> None:
    folder = home.copied(tmp_path, ENCODER)
    file = training.write_reviews(tmp_path / "reviews.csv")
    file.write_text(file.read_text().replace("the film", "the play", 1))
    change(folder / "run.json", lambda value: value["spec"]["dataset"].update(path=str(file)))
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "other inputs" and verdict.numbers == ()
    assert {line.partition(".")[0] for line in verdict.inputs} == {"splits"}
    assert apart.run_folders() == [], "nothing was trained"


def test_another_checkpoint_is_another_input(
    home: Home, apart: Book, tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = home.copied(tmp_path, ENCODER)
    other = str(tiny_checkpoint("bert", seed=1))
    change(folder / "run.json", lambda value: value["spec"].update(checkpoint=other))
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "other inputs"
    (line,) = verdict.inputs
    assert line.startswith("checkpoint: ") and len(line) == len("checkpoint: ") + 12 + 4 + 12


def test_data_that_are_refused_now_are_other_inputs(home: Home, apart: Book, tmp_path: Path) -> None:
    folder = home.copied(tmp_path, MAJORITY)
    (tmp_path / "reviews.csv").write_text("body,stars\none,good\n")
    path = str(tmp_path / "reviews.csv")
    change(folder / "run.json", lambda value: value["spec"]["dataset"].update(path=path))
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "other inputs" and "1 row" in verdict.why


@pytest.mark.parametrize("part", ["loop", "method"])
def test_other_versions_are_other_inputs(home: Home, apart: Book, tmp_path: Path, part: str) -> None:
    folder = home.copied(tmp_path, MAJORITY)

    def older(value: dict[str, Any]) -> None:
        of = value["identity"] if part == "loop" else value["identity"]["method"]
        of["loop" if part == "loop" else "version"] = 0
        value["spec"]["dataset"]["path"] = str(tmp_path / "gone.csv")

    change(folder / "run.json", older)
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "other inputs"
    assert [line.partition(" -> ")[0] for line in verdict.inputs] == [
        "loop: 0" if part == "loop" else "method.version: 0"
    ]


def test_a_hash_that_is_not_the_identitys_is_found(home: Home, apart: Book, tmp_path: Path) -> None:
    folder = home.copied(tmp_path, MAJORITY)
    change(folder / "run.json", lambda value: value.update(run="0" * 64))
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "other inputs" and verdict.inputs[0].startswith("run: 000000000000 -> ")


@pytest.mark.parametrize("part", ["checkpoint", "dataset"])
def test_what_is_gone_cannot_be_run(home: Home, apart: Book, tmp_path: Path, part: str) -> None:
    folder, gone = home.copied(tmp_path, ENCODER), str(tmp_path / "gone.csv")

    def lose(value: dict[str, Any]) -> None:
        of, key = (value, "spec") if part == "checkpoint" else (value["spec"], "dataset")
        of[key] |= {"checkpoint" if part == "checkpoint" else "path": gone}

    change(folder / "run.json", lose)
    verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
    assert verdict.word == "cannot be run here" and "gone.csv" in verdict.why
    assert apart.run_folders() == []


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = results.begin(Book(tmp_path), results.Run())
    with pytest.raises(
        UsageError, match="is interrupted, not finished: only a finished run can be made again"
    ):
        Recorded.of_run_folder(folder)


def test_lost_predictions_are_told(home: Home, tmp_path: Path) -> None:
    folder = home.copied(tmp_path, MAJORITY)
    (folder / "predictions.parquet").unlink()
    with pytest.raises(IntegrityError, match=r"predictions\.parquet is missing"):
        Recorded.of_run_folder(folder)


def test_stopping_leaves_nothing_behind(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    recorded = Recorded.of_run_folder(home.run(ENCODER))
    with pytest.raises(Interrupted) as stopped, book_apart(home.book) as book:
        assert book.root.parent == tmp_path
        verify(recorded, book, Options(), Impatient())
    assert stopped.value.exit_code == 130 and list(tmp_path.iterdir()) == []


def test_a_kept_book_is_apart_from_the_users(home: Home, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a file").write_text("")
    for keep, message in (
        (home.book.root / "again", "lies in the book"),
        (tmp_path / "full", "not an empty"),
    ):
        with pytest.raises(UsageError, match=message), book_apart(home.book, keep):
            pass
    with book_apart(home.book, tmp_path / "new") as book:
        verify(Recorded.of_run_folder(home.run(MAJORITY)), book, Options(), Nobody())
    (kept,) = Book(tmp_path / "new").run_folders()
    assert kept.name == home.run(MAJORITY).name


# --- compared in the same environment ---------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["weights_sha256", "optimizer_sha256"])
def test_other_weights_in_the_same_environment_are_a_mismatch(
    home: Home, tmp_path: Path, digest: str
) -> None:
    folder = home.copied(tmp_path, ENCODER)
    change(folder / "result.json", lambda value: value.update({digest: "0" * 64}))
    verdict = compare(Recorded.of_run_folder(folder), Recorded.of_run_folder(home.run(ENCODER)))
    assert verdict.word == "differs" and "environment is the recorded one" in verdict.why
    assert [line.partition(" -> ")[0] for line in verdict.bits] == [f"{digest}: 000000000000"]


def test_one_bit_of_one_logit_is_a_mismatch(home: Home) -> None:
    again = Recorded.of_run_folder(home.run(ENCODER))
    ids, labels, logits = again.predictions["test"]
    other = logits.copy()
    other.view(np.uint32)[0, 0] ^= 1
    recorded = replace(again, predictions={**again.predictions, "test": (ids, labels, other)})
    verdict = compare(recorded, again)
    assert verdict.word == "differs" and "its metrics are as near as" in verdict.why
    assert verdict.bits == [f"test: predictions of 1 of {len(ids)} examples are not the same bits"]


def test_examples_of_another_class_are_named(home: Home) -> None:
    again = Recorded.of_run_folder(home.run(ENCODER))
    ids, labels, logits = again.predictions["test"]
    other = logits.copy()
    other[3:10] = logits[3:10, ::-1]
    recorded = replace(again, predictions={**again.predictions, "test": (ids, labels, other)})
    told = compare(recorded, again).other_classes
    assert told == {"test": {"count": 7, "examples": len(ids), "first": ids[3:8]}}


@pytest.mark.parametrize("change_of", ["ids", "labels", "a split"])
def test_other_examples_differ_anywhere(change_of: str) -> None:
    recorded, again = drawn(), drawn(threads=4)
    ids, labels, logits = recorded.predictions["test"]
    others: dict[str, dict[str, Any]] = {
        "ids": {"test": (["x", *ids[1:]], labels, logits)},
        "labels": {"test": (ids, 1 - labels, logits)},
        "a split": {},
    }
    verdict = compare(replace(recorded, predictions=others[change_of]), again)
    assert verdict.word == "differs" and verdict.environment != []
    assert verdict.bits[0].startswith("test: ") and verdict.other_classes == {}


# --- compared in another environment ----------------------------------------------------------------------------

LABELS = np.random.default_rng(0).integers(0, 2, 1000)
LOGITS = (np.random.default_rng(1).normal(size=(1000, 2)) + 1.2 * np.eye(2)[LABELS]).astype(np.float32)


def drawn(
    logits: np.ndarray = LOGITS, *, threads: int = 2, spread: Mapping[str, float] | None = None, **more: Any
) -> Recorded:
    """A run that was never trained: its scores are those of its logits `(1000, 2)`."""
    scores = metrics.evaluate(logits, LABELS, label_names=("bad", "good"), task="classification")
    return Recorded(
        "drawn", {"run": "a" * 64}, {"metrics": {"test": scores}, "weights_sha256": str(logits.sum())},
        {"threads": threads, "libraries": {"torch": "2.13.0"}, "processor": "one"},
        {"test": ([str(place) for place in range(1000)], LABELS, logits)},
        spread={"test": spread or {}}, **more,
    )  # fmt: skip


def noise(size: float, seed: int = 2) -> np.ndarray:
    return (LOGITS + size * np.random.default_rng(seed).normal(size=LOGITS.shape)).astype(np.float32)


def worse(count: int) -> np.ndarray:
    """Logits `(1000, 2)` of which so many right answers are turned around."""
    right = np.flatnonzero(LOGITS.argmax(axis=1) == LABELS)[:count]
    logits = LOGITS.copy()
    logits[right] = logits[right, ::-1]
    return logits


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.1])
def test_noise_of_another_environment_is_within_the_interval(size: float) -> None:
    verdict = compare(drawn(), drawn(noise(size), threads=4))
    assert verdict.word == "within the interval", [one for one in verdict.numbers if not one.is_within]
    assert verdict.environment == ["threads: 2 -> 4"] and any("same bits" in line for line in verdict.bits)
    same = compare(drawn(), drawn(noise(size)))
    assert same.word == "differs" and same.environment == [], "here it has to be the same bits"


@pytest.mark.parametrize("count", [25, 300])
def test_a_run_that_learned_less_is_beyond_the_interval(count: int) -> None:
    verdict = compare(drawn(), drawn(worse(count), threads=4))
    accuracy = number(verdict, "test", "accuracy")
    assert verdict.word == "differs" and not accuracy.is_within
    assert accuracy.difference == pytest.approx(-count / 1000) and accuracy.allowed is not None
    assert verdict.other_classes["test"]["count"] == count


def test_the_interval_is_that_of_paired_examples() -> None:
    """Turned answers are discordant pairs: the half width is z times the deviation of their signs over root n."""
    verdict = compare(drawn(), drawn(worse(9), threads=4))
    sample = np.zeros(1000)
    sample[:9] = 1
    accuracy = number(verdict, "test", "accuracy")
    assert accuracy.allowed is not None and accuracy.is_within
    z = accuracy.allowed / (sample.std(ddof=1) / 1000**0.5)
    assert 3.0 < z < 4.0, "of several metrics together, so more than 2.58"


def test_what_seeds_explain_is_allowed() -> None:
    again = drawn(worse(60), threads=4)
    alone = compare(drawn(), again)
    wide = {name: 10.0 for name in metrics.rows()}
    assert (alone.word, compare(drawn(spread=wide), again).word) == ("differs", "within the interval")
    assert compare(drawn(spread=wide), drawn(worse(60))).word == "differs", "but not in the same environment"


def test_a_number_that_its_predictions_do_not_give_differs_anywhere() -> None:
    recorded, again = drawn(), drawn(noise(1e-3), threads=4)
    scores = {**recorded.result["metrics"]["test"], "f1": 0.99}
    verdict = compare(replace(recorded, result={**recorded.result, "metrics": {"test": scores}}), again)
    assert verdict.word == "differs" and [one.metric for one in verdict.numbers if not one.is_within] == [
        "f1"
    ]


def test_a_metric_that_became_undefined_differs() -> None:
    again = drawn(np.stack([np.ones(1000), np.zeros(1000)], axis=1).astype(np.float32), threads=4)
    verdict = compare(drawn(), again)
    mcc = number(verdict, "test", "mcc")
    assert verdict.word == "differs" and mcc.again is None and not mcc.is_within


def test_the_same_bits_in_another_environment_are_identical() -> None:
    verdict = compare(drawn(), drawn(threads=4))
    assert verdict.word == "identical" and verdict.environment == ["threads: 2 -> 4"]
    assert all(one.allowed is not None and one.allowed >= ROUNDING for one in verdict.numbers)


@pytest.mark.parametrize(
    ("processor", "says"),
    [("another", "processor: another -> one"), (None, "processor: not recorded -> one")],
)
def test_another_processor_or_one_that_was_not_recorded_is_another_environment(
    processor: str | None, says: str
) -> None:
    told = {key: value for key, value in drawn().environment.items() if key != "processor"}
    told |= {"processor": processor} if processor else {}
    verdict = compare(replace(drawn(), environment=told), drawn(noise(1e-4)))
    assert verdict.environment == [says] and verdict.word == "within the interval"
    assert compare(drawn(), drawn(noise(1e-4))).word == "differs", "the same processor"


def test_memory_and_a_mixed_environment_count_as_another_one() -> None:
    mixed = replace(drawn(), environment={**drawn().environment, "began_in": {"threads": 8}})
    assert compare(mixed, drawn(noise(1e-4))).environment == [
        "the recorded run began in another environment than it ended in"
    ]
    verdict = compare(drawn(memory=[[3, 2048]]), drawn(noise(1e-4)))
    assert verdict.environment == ["memory limits (step, tokens): [[3, 2048]] -> []"]
    assert verdict.word == "within the interval"


def test_a_recorded_run_of_another_environment_is_judged_by_its_predictions(
    home: Home, apart: Book, tmp_path: Path
) -> None:
    """Really made again: the recorded logits are a little, or very much, other ones, from other libraries."""
    from tunebook.book.predictions import read_predictions, write_predictions

    words = {}
    for scale in (0.05, 3.0):
        folder = home.copied(tmp_path / str(scale), ENCODER)
        change(folder / "environment.json", lambda value: value["libraries"].update(torch="1.0"))
        splits = read_predictions(folder / "predictions.parquet")
        draw = np.random.default_rng(0)
        for split, (ids, labels, logits) in splits.items():
            answer = 4.0 * np.eye(2)[labels] if scale > 1 else logits
            other = (answer + 0.02 * scale * draw.normal(size=logits.shape)).astype(np.float32)
            splits[split] = (ids, labels, other)
        write_predictions(folder / "predictions.parquet", splits)
        scores = {
            split: metrics.evaluate(logits, labels, label_names=("bad", "good"), task="classification")
            for split, (_, labels, logits) in splits.items()
        }
        durable.write_json(
            folder / "result.json", {**durable.read_json(folder / "result.json"), "metrics": scores}
        )
        verdict = verify(Recorded.of_run_folder(folder), apart, Options(), Nobody())
        words[scale] = verdict.word
        assert verdict.environment[0].startswith("libraries.torch: 1.0 -> ")
    assert words == {0.05: "within the interval", 3.0: "differs"}


def test_the_spread_is_that_of_the_rows_seeds(home: Home) -> None:
    recorded = [Recorded.of_run_folder(home.run(f"--full--reviews--s{seed}")) for seed in (0, 1)]
    for split in ("validation", "test"):
        values = [one.result["metrics"][split]["log_loss"] for one in recorded]
        assert values[0] != values[1]
        assert {one.spread[split]["log_loss"] for one in recorded} == {abs(values[0] - values[1])}
    assert set(Recorded.of_run_folder(home.run(MAJORITY)).spread["test"].values()) == {0.0}


# --- open data ---------------------------------------------------------------------------------------------------


def test_published_runs_are_made_again_from_their_data(home: Home, apart: Book, tmp_path: Path) -> None:
    data, _ = published(home.book, tmp_path / "data")
    name = home.run(ENCODER).name
    recorded = Recorded.of_published(data, name)
    assert not recorded.is_exact and recorded.spread["test"]["log_loss"] > 0
    again = Recorded.of_run_folder(home.run(ENCODER))
    assert compare(recorded, again).word == "identical"
    assert compare(recorded, again, reduced=lambda logits: logits).word == "differs", "not without rounding"
    ids, labels, logits = again.predictions["test"]
    moved = {**again.predictions, "test": (ids, labels, logits + np.array([[0.0, 0.1]], np.float32))}
    assert compare(recorded, replace(again, predictions=moved)).word == "differs"
    # Published, a file goes by its name: it is found where the command is called, or not.
    verdict = verify(recorded, apart, Options(), Nobody())
    assert verdict.word == "cannot be run here"


def test_imported_runs_have_published_predictions(home: Home, tmp_path: Path) -> None:
    from tunebook.publish.export import bring_in

    data, _ = published(home.book, tmp_path / "data")
    book = Book(tmp_path / "imported")
    assert bring_in(data, book).skipped == {}
    recorded = Recorded.of_run_folder(book.runs / home.run(ENCODER).name)
    assert not recorded.is_exact
    assert compare(recorded, Recorded.of_run_folder(home.run(ENCODER))).word == "identical"


def test_incomplete_open_data_are_told(home: Home, tmp_path: Path) -> None:
    data, _ = published(home.book, tmp_path / "data")
    name = home.run(MAJORITY).name
    change(tmp_path / "data" / "runs" / f"{name}.json", lambda value: value.pop("environment"))
    with pytest.raises(IntegrityError, match="lacks 'none--majority"):
        Recorded.of_published(data, name)
    assert durable.read_json(home.run(MAJORITY) / "environment.json")
