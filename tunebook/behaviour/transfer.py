"""Models of one dataset on the test texts of the others: how right they are, and how much that is less than at home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import data
from tunebook.behaviour.asking import Question
from tunebook.behaviour.label_space import datasets_of, meanings
from tunebook.behaviour.rate import difference, rate
from tunebook.behaviour.sample import hash_sample, keys_of
from tunebook.data import DataSource
from tunebook.errors import TunebookError, UsageError
from tunebook.gate import known

if TYPE_CHECKING:
    import numpy as np

    from tunebook.data.dataset import Dataset

MOST_TEXTS = 2000
MOST_SHARED = 0.01
"""A cell is struck out where more of the target's texts than this stand in what was trained or chosen on."""


@dataclass(frozen=True, eq=False)
class Target:
    """The fixed sample of a dataset's test texts, with what each label means; or `why` it is missing."""

    name: str
    ids: tuple[str, ...] = ()
    texts: tuple[str, ...] = field(default=(), repr=False)
    truth: tuple[str, ...] = field(default=(), repr=False)
    groups: tuple[str, ...] | None = field(default=None, repr=False)
    why: str = ""

    @property
    def question(self) -> Question:
        """What a run is asked about it."""
        return Question(self.name, self.ids, self.texts)

    @cached_property
    def keys(self) -> np.ndarray:
        """What is compared of each text, its letters and digits, as a key, `(texts,)`."""
        return keys_of([known.bare(text) for text in self.texts])


def targets(space: str, *, most: int = MOST_TEXTS, cache: Path | None = None) -> list[Target]:
    """The test samples of all named datasets of a label space; one whose files are not here says so."""
    return [_target(name, most, cache) for name in datasets_of(space)]


def _target(name: str, most: int, cache: Path | None) -> Target:
    try:
        dataset = data.load(DataSource(name=name), cache=cache)
    except UsageError:
        return Target(
            name, why="its files are not on this machine; `tunebook list datasets` says where they are"
        )
    except TunebookError:
        return Target(name, why=f"its files were refused; `tunebook data check {name}` says why")
    split = dataset.splits["test"]
    texts, ids = split.texts().to_pylist(), split.ids
    _, names = meanings(name, dataset.label_names)
    labels = split.labels
    groups = split.table["group"].to_pylist() if "group" in split.table.column_names else None
    places = hash_sample(texts, most)
    return Target(
        name,
        ids=tuple(ids[place] for place in places),
        texts=tuple(texts[place] for place in places),
        truth=tuple(names[labels[place]] for place in places),
        groups=tuple(str(groups[place]) for place in places) if groups else None,
    )


@dataclass(frozen=True, eq=False)
class Home:
    """Where a row was trained: the dataset, and what each class of its models means; `cells` judges it elsewhere."""

    dataset: Dataset
    names: Sequence[str]
    is_named: bool = True

    def is_home(self, target: Target) -> bool:
        """Whether a target is the dataset itself, and not one that an own file is called like."""
        return self.is_named and target.name == self.dataset.name

    def shared(self, target: Target) -> np.ndarray:
        """Which texts of a target stand in the dataset's train or validation too, bool `(texts,)`."""
        import numpy as np

        found: np.ndarray = np.isin(target.keys, self._seen)
        return found

    @cached_property
    def _seen(self) -> np.ndarray:
        splits = [
            self.dataset.splits[name] for name in ("train", "validation") if name in self.dataset.splits
        ]
        return keys_of([known.bare(text) for split in splits for text in split.texts().to_pylist()])

    def struck(self, target: Target) -> str:
        """Why a target's cell is struck out; empty where it is not."""
        for one in known.DECLARED if self.is_named else ():
            if {one.first, one.second} == {target.name, self.dataset.name}:
                return f"{one.why} ({one.source})"
        held = self.shared(target)
        if held.mean() > MOST_SHARED:
            return f"{int(held.sum()):,} of {len(held):,} test texts stand in what was trained or chosen on"
        return ""

    def cells(
        self,
        wanted: Sequence[Target],
        answers: Mapping[str, np.ndarray],
        at_home: np.ndarray,
    ) -> Iterator[dict[str, Any]]:
        """A cell for each target, and under it for each of its groups.

        `answers[name]` are the logits `(seeds, texts, classes)` on a target, `at_home` which answers are right on the
        sample of the dataset's own test texts, `(seeds, texts)`. A cell has `target`, `group` (empty for all), `texts`,
        `shared` (left out of the score), accuracy as `value` with `low` and `high`, and the `drop` from at home with
        its ends; or, where these are None, `why`: the data is missing, or train and test overlap (`is_struck`).
        """
        for target in wanted:
            if self.is_home(target):
                yield self._cell(target.name, "", at_home, shared=0, is_home=True)
                continue
            cell: dict[str, Any] = {"target": target.name, "group": "", "texts": len(target.texts)}
            if target.why:
                yield {**cell, **_NOTHING, "shared": 0, "why": target.why}
                continue
            held = self.shared(target)
            if why := self.struck(target):
                yield {**cell, **_NOTHING, "shared": int(held.sum()), "why": why, "is_struck": True}
                continue
            right = self._right(answers[target.name], target.truth)
            yield self._cell(target.name, "", right[:, ~held], shared=int(held.sum()), at_home=at_home)
            yield from self._by_group(target, right, held, at_home)

    def _by_group(
        self, target: Target, right: np.ndarray, held: np.ndarray, at_home: np.ndarray
    ) -> Iterator[dict[str, Any]]:
        import numpy as np

        for group in sorted(set(target.groups or ())):
            inside = np.array([one == group for one in target.groups or ()])
            cell = self._cell(
                target.name,
                group,
                right[:, inside & ~held],
                shared=int((inside & held).sum()),
                at_home=at_home,
            )
            yield cell

    def _right(self, logits: np.ndarray, truth: Sequence[str]) -> np.ndarray:
        """Which answers mean what is true, `(seeds, texts)`."""
        import numpy as np

        meant = np.array(self.names)[logits.argmax(axis=2)]
        found: np.ndarray = meant == np.array(truth)
        return found

    def _cell(
        self,
        name: str,
        group: str,
        right: np.ndarray,
        *,
        shared: int,
        at_home: np.ndarray | None = None,
        is_home: bool = False,
    ) -> dict[str, Any]:
        cell = {"target": name, "group": group, "texts": right.shape[1], **_NOTHING, "shared": shared}
        if right.shape[1] < 2:
            return cell | {"why": f"{right.shape[1]} texts are too few"}
        cell |= rate(right.astype(float)) | {"is_home": is_home}
        if at_home is not None:
            lost = difference(at_home.astype(float), right.astype(float))
            cell |= {"drop": lost.value, "drop_low": lost.low, "drop_high": lost.high, "covers": lost.covers}
        return cell


_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(("value", "low", "high", "drop", "drop_low", "drop_high", "covers")),
    "is_home": False,
    "is_struck": False,
    "why": "",
}
