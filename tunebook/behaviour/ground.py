"""What some rows stand on: the dataset as they were trained on it, what of it is asked again, and other datasets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tunebook import data, gate, spec
from tunebook.behaviour import robustness, slices, templates, transfer
from tunebook.behaviour.label_space import meanings
from tunebook.behaviour.sample import hash_sample
from tunebook.data import further
from tunebook.errors import UsageError
from tunebook.spec import NO_CHECKPOINT

if TYPE_CHECKING:
    import numpy as np

    from tunebook.book import Book
    from tunebook.data.dataset import Dataset
    from tunebook.sources import Run

_LONGEST_VALUE = 40


@dataclass(frozen=True)
class Settings:
    """How much is asked: `texts` of test are perturbed, `transfer_texts` of each other dataset are tried, by `seed`.
    Slices are made `by` further columns of the data too."""

    texts: int = 500
    transfer_texts: int = transfer.MOST_TEXTS
    seed: int = 0
    device: str = "auto"
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """Runs that differ by their seed alone, in its order, and what they are called."""

    key: Mapping[str, Any]
    runs: Sequence[Run]

    @property
    def name(self) -> tuple[Any, ...]:
        """What tells it from the other rows of an experiment."""
        return tuple(self.key[key] for key in ("dataset", "train_size", "checkpoint", "method"))

    def is_of(self, found: Mapping[str, Any]) -> bool:
        """Whether something that was found is about this row."""
        return all(found[key] == self.key[key] for key in ("dataset", "train_size", "checkpoint", "method"))

    @property
    def has_model(self) -> bool:
        """Whether it is more than a baseline."""
        return bool(self.key["checkpoint"] != NO_CHECKPOINT)


class Ground:
    """A dataset as some rows were trained on it: its texts, the sample that is perturbed, and other datasets."""

    def __init__(self, rows: Sequence[Row], book: Book, settings: Settings) -> None:
        self.book, self.settings = book, settings
        self._run = rows[0].runs[0]
        self.declared = book.document(self._run, "run.json")
        self.label_names: list[str] = self.declared["dataset"]["label_names"]
        self._space: tuple[str, list[str]] | None = None
        self.is_open = True
        """Whether its texts are on this machine."""

    @property
    def name(self) -> str:
        """What the dataset is called."""
        return str(self._run["dataset"])

    @property
    def is_named(self) -> bool:
        """Whether it is a dataset with a row, and not a file of somebody's own that may be called as one."""
        return self.declared["spec"]["dataset"]["name"] is not None

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset as it was read for these runs.

        Raises:
            UsageError: its files are not here, or hold other texts than then.
            DataRejected: its files are not what they should be.
        """
        source = self._source
        dataset = data.load(source, cache=self.book.cache)
        if dataset.splits["test"].fingerprint != self._run["splits"]["test"]:
            raise UsageError(
                f"the test texts of {dataset.name} are not those that these runs were measured on"
            )
        gate.look_once(dataset, source, self.book)
        return dataset

    @property
    def _source(self) -> data.DataSource:
        return spec.dataset_spec(self.declared["spec"]["dataset"], self._run["dataset"]).source()

    @cached_property
    def texts(self) -> list[str]:
        """The texts of test."""
        found: list[str] = self.dataset.splits["test"].texts().to_pylist()
        return found

    @cached_property
    def sample(self) -> np.ndarray:
        """The places in test of the texts that are perturbed, `(texts,)`."""
        return hash_sample(self.texts, self.settings.texts)

    @cached_property
    def home_sample(self) -> np.ndarray:
        """The places in test of the texts that stand for it among other datasets', `(texts,)`."""
        return hash_sample(self.texts, self.settings.transfer_texts)

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the sample."""
        known = self.dataset.splits["test"].ids
        return [known[place] for place in self.sample]

    @cached_property
    def sampled(self) -> list[str]:
        """The texts of the sample."""
        return [self.texts[place] for place in self.sample]

    @cached_property
    def changed(self) -> list[robustness.Perturbed]:
        """The sample after each perturbation."""
        return robustness.perturbed(self.sampled, seed=self.settings.seed)

    def shown(self, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Examples of the sample by their ids; with their texts, before and after, only where these may be shown."""
        return [
            {"id": self.ids[one["place"]], "seeds": one["seeds"]}
            | (
                {"before": self.sampled[one["place"]], "after": one["after"]}
                if self.dataset.redistributable
                else {}
            )
            for one in examples
        ]

    def named(self, place: int) -> dict[str, Any]:
        """The example of test at a place by its id; with its text only where it is here and may be shown."""
        is_shown = self.is_open and self.dataset.redistributable and not self.is_pair
        return {"id": self._test_ids[place]} | ({"text": self.texts[place]} if is_shown else {})

    @cached_property
    def _test_ids(self) -> Sequence[str]:
        return self.book.ids(self._run, "test")

    @cached_property
    def slices(self) -> dict[str, np.ndarray]:
        """The named parts of test, bool `(examples,)` each."""
        train, test = self.dataset.splits["train"], self.dataset.splits["test"]
        words = Counter(word for text in train.texts().to_pylist() for word in slices.words(text))
        groups = test.table["group"].to_pylist() if "group" in test.table.column_names else None
        if groups and len(set(groups)) > slices.MOST_VALUES:
            groups = None
        return slices.slices(self.texts, groups=groups, columns=self._columns, train_words=words)

    def require_columns(self) -> None:
        """Find the columns that slices are asked by.

        Raises:
            UsageError: there is no such column, or it has too many values; the message names those that there are.
        """
        _ = self._columns

    @cached_property
    def _columns(self) -> dict[str, list[Any]]:
        """The further columns that slices are asked by, of the texts of test; numbers as numbers."""
        if not self.settings.by:
            return {}
        ids = self.dataset.splits["test"].ids
        found = further.further_columns(self._source, ids, parts=("train", "validation", "test"))
        known = sorted({name for values in found.values() for name in values})
        columns = {}
        for name in self.settings.by:
            if name not in known:
                there = ", ".join(known) or "none"
                raise UsageError(f"{self.name} has no column {name!r} to slice by; there are: {there}")
            columns[name] = values = _as_numbers([found.get(one, {}).get(name, "") for one in ids])
            distinct = set(map(str, values))
            is_text = len(distinct) > slices.MOST_VALUES or max(map(len, distinct)) > _LONGEST_VALUE
            if is_text and not isinstance(values[0], float):
                raise UsageError(
                    f"{name!r} has over {slices.MOST_VALUES} values, or texts for values: too many to slice by"
                )
        return columns

    def require_meanings(self, declared: bool | Mapping[str, str]) -> None:
        """Find what the labels mean for other datasets.

        Raises:
            UsageError: they cannot be mapped; the message says which mapping is needed.
        """
        given = declared if isinstance(declared, Mapping) else None
        self._space = meanings(self.name, self.label_names, given, is_named=self.is_named)

    @property
    def names(self) -> list[str]:
        """What each class means in the label space.

        Raises:
            UsageError: the labels have no known meaning.
        """
        return self._meaning()[1]

    def _meaning(self) -> tuple[str, list[str]]:
        return self._space or meanings(self.name, self.label_names, is_named=self.is_named)

    @cached_property
    def home(self) -> transfer.Home:
        """Where these rows were trained, for other datasets to be compared with."""
        return transfer.Home(self.dataset, self.names, self.is_named)

    @cached_property
    def targets(self) -> list[transfer.Target]:
        """The samples of the datasets of the same label space."""
        return transfer.targets(self._meaning()[0], most=self.settings.transfer_texts, cache=self.book.cache)

    @cached_property
    def suite(self) -> tuple[templates.Example, ...]:
        """The minimum-functionality tests, where the labels are those of sentiment; none otherwise."""
        try:
            space, _ = self._meaning()
        except UsageError:
            return ()
        return templates.suite(seed=self.settings.seed) if space == "sentiment" else ()

    @property
    def is_pair(self) -> bool:
        """Whether its texts are pairs, of which a change of one is another question."""
        return bool(self.declared["dataset"]["is_pair"])


def _as_numbers(values: Sequence[Any]) -> list[Any]:
    """A column as numbers where all of it are; else as texts, of which an empty one is "(none)"."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return [str(value) or "(none)" for value in values]
    return numbers if all(map(math.isfinite, numbers)) else [str(value) for value in values]
