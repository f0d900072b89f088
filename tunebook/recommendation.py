"""Which method for which data and budget, from what the book shows, or that it does not show enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from tunebook import data, metrics, stats
from tunebook.book.folder import read_json
from tunebook.judgement import judge
from tunebook.run_object import as_object
from tunebook.spec import NO_CHECKPOINT, DatasetSpec

if TYPE_CHECKING:
    from tunebook.book import Book

SURE = 0.9
"""From which probability on one row is said to beat another."""
FEWEST_SEEDS = 3
FARTHEST = 3.0
"""How unlike a dataset may be to stand for another one, in doublings of size and length."""
_WORDS_PER_TOKEN = 0.75


@dataclass(frozen=True)
class Shape:
    """What of a dataset decides which results can stand for it: classes (0 of a score), texts of train, their words,
    and whether they are pairs."""

    classes: int
    train: int
    words: float
    is_pair: bool = False

    def distance(self, other: Shape) -> float:
        """How unlike two datasets are: in doublings of size and length, and 1 where the number of classes differs;
        infinite between classes and scores, and between pairs and single texts."""
        if (self.classes == 0, self.is_pair) != (other.classes == 0, other.is_pair):
            return math.inf
        sizes = abs(math.log2(self.train / other.train)) / 2
        return sizes + abs(math.log2(self.words / other.words)) + (self.classes != other.classes)


def shape_of(dataset: data.Dataset) -> Shape:
    """The shape of a dataset that was loaded; its words are the mean over at most 1,000 texts."""
    train = dataset.splits["train"]
    texts = train.texts().slice(0, 1000).to_pylist()
    words = sum(len(text.split()) for text in texts) / len(texts)
    return Shape(len(dataset.label_names), len(train), max(words, 1.0), train.pairs() is not None)


def _shape_of_runs(runs: Sequence[Mapping[str, Any]], train_size: int, book: Book) -> Shape | None:
    """The shape of a dataset by runs on it: words from the tokens of a text."""
    for run in runs:
        rate, tokens = run["cost"]["samples_per_second"], run["cost"]["tokens_per_second"]
        if rate and tokens and run["result"]["examples"]["train"] == train_size:
            scores = next(iter(run["metrics"].values()))
            is_pair = read_json(book.runs / run["folder"] / "run.json")["dataset"]["is_pair"]
            return Shape(
                len(scores.get("per_class", {})), train_size, _WORDS_PER_TOKEN * tokens / rate, is_pair
            )
    return None


def recommend(
    asked: DatasetSpec, book: Book, *, seconds: float | None = None, memory_bytes: int | None = None
) -> dict[str, Any]:
    """A ranked answer from the book for a dataset: rows within the budget, best first, with their evidence.

    The rows are those on the dataset itself, else on the most similar one that has at least two. Of each the
    probability that the best beats it (over new seeds and examples, flat prior), and what it costs. `verdict` is
    "clear" where the best beats the next with a probability of at least 0.9, "tied", or "not enough evidence".

    Raises:
        UsageError: the dataset is not there.
        DataRejected: it is not what it should be.
    """
    loaded = data.load(asked.source(), cache=book.cache)
    wanted = shape_of(loaded)
    runs = [as_object(folder) for folder in book.run_folders()]
    runs = [run for run in runs if run["purpose"] == "result" and run["status"] == "finished"]
    found = []
    for dataset in sorted({run["dataset"] for run in runs}):
        of_it = [run for run in runs if run["dataset"] == dataset and "test" in run["metrics"]]
        for family in judge(of_it, book) if _same_test(of_it) else ():
            shape = _shape_of_runs(of_it, family["train_size"], book)
            far = wanted.distance(shape) if shape else math.inf
            rows = [row for row in family["rows"] if _is_evidence(row) and _fits(row, seconds, memory_bytes)]
            if far <= FARTHEST and len(rows) > 1:
                found.append((dataset != loaded.name, far, family, rows))
    answer = {
        "dataset": loaded.name,
        "shape": asdict(wanted),
        "seconds": seconds,
        "memory_bytes": memory_bytes,
    }
    if not found:
        return answer | {"verdict": "not enough evidence", "from": None, "ranking": []}
    is_other, far, family, rows = min(found, key=lambda one: one[:2])
    source = {"dataset": family["dataset"], "train_size": family["train_size"], "is_the_same": not is_other,
              "distance": far, "metric": family["metric"], "examples": rows[0]["examples"]}  # fmt: skip
    ranking = _ranking(family, rows)
    sure = ranking[1]["probability_best_beats_it"]
    verdict = "not enough evidence" if sure is None else "clear" if sure >= SURE else "tied"
    return answer | {"verdict": verdict, "from": source, "ranking": ranking}


def _same_test(runs: Sequence[Mapping[str, Any]]) -> bool:
    return len({(run["split_seed"], run["splits"].get("test")) for run in runs}) == 1


def _is_evidence(row: Mapping[str, Any]) -> bool:
    return row["mean"] is not None and (row["checkpoint"] == NO_CHECKPOINT or row["seeds"] >= FEWEST_SEEDS)


def _fits(row: Mapping[str, Any], seconds: float | None, memory_bytes: int | None) -> bool:
    """Whether a row's measured cost is within the budget; what was not measured is not."""
    limits = (("train_seconds", seconds), ("peak_memory_bytes", memory_bytes))
    return all(limit is None or (row[cost] is not None and row[cost] <= limit) for cost, limit in limits)


def _ranking(family: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    best = rows[0]
    pairs = {(pair["first"], pair["second"]): pair for pair in family["pairs"]}
    return [
        {
            **{key: row[key] for key in ("checkpoint", "method", "mean", "low", "high", "seeds", "train_seconds",
                                         "peak_memory_bytes", "parameters", "weights_bytes")},
            "probability_best_beats_it": None
            if row is best
            else _probability(best["name"], row["name"], pairs, family["metric"]),
        }
        for row in rows
    ]  # fmt: skip


def _probability(
    first: str, second: str, pairs: Mapping[Any, Mapping[str, Any]], metric: str
) -> float | None:
    """The probability that the first row is better; None where their difference could not be tested."""
    pair = pairs.get((first, second)) or pairs.get((second, first))
    if pair is None or pair.get("p") is None:
        return None
    larger = stats.probability_larger(
        stats.Difference(**{one.name: pair[one.name] for one in fields(stats.Difference)})
    )
    is_first_better = (pair["first"] == first) == metrics.rows()[metric].larger_is_better
    return float(larger if is_first_better else 1 - larger)
