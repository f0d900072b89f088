"""Cells of the transfer matrix: what is right by meaning, what is lost, what is missing and what is struck out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunebook import data
from tunebook.behaviour import transfer
from tunebook.behaviour.transfer import Home, Target
from tunebook.data import DataSource

TRUTH = ("negative", "positive") * 50
TEXTS = tuple(f"a text of number {number}" for number in range(100))


def target(**changed: Any) -> Target:
    values = {"name": "sst2", "ids": tuple(map(str, range(100))), "texts": TEXTS, "truth": TRUTH, **changed}
    return Target(**values)


@pytest.fixture(scope="module")
def home() -> Home:
    return Home(data.load(DataSource(name="pocket")), ("negative", "positive"))


def answers(right: float, names: tuple[str, str] = ("negative", "positive")) -> np.ndarray:
    """Logits of three seeds that are right on that share of the texts, by the meaning of their classes."""
    found = np.zeros((3, 100, 2))
    for place, truth in enumerate(TRUTH):
        correct = names.index(truth)
        found[:, place, correct if place < 100 * right else 1 - correct] = 1
    return found


def test_a_cell_says_how_right_and_how_much_less_than_at_home(home: Home) -> None:
    (cell,) = home.cells([target()], {"sst2": answers(0.7)}, np.ones((3, 150), bool))
    assert (cell["value"], cell["texts"], cell["shared"]) == (0.7, 100, 0)
    assert cell["drop"] == pytest.approx(0.3, abs=0.01)
    assert cell["drop_low"] < 0.3 < cell["drop_high"]


def test_classes_count_by_their_meaning() -> None:
    swapped = Home(data.load(DataSource(name="pocket")), ("positive", "negative"))
    said = {"sst2": answers(0.9, ("positive", "negative"))}
    (cell,) = swapped.cells([target()], said, np.ones((3, 150), bool))
    assert cell["value"] == 0.9


def test_a_dataset_that_is_missing_leaves_its_cell_empty_and_says_why(home: Home) -> None:
    (cell,) = home.cells([Target("imdb", why="its files are not here")], {}, np.ones((3, 150), bool))
    assert cell["value"] is None
    assert cell["why"] == "its files are not here"
    assert not cell["is_struck"]


def test_texts_that_were_trained_on_strike_the_cell_out(home: Home) -> None:
    seen = home.dataset.splits["train"].texts().to_pylist()[:5]
    other = target(texts=(*seen, *TEXTS[5:]))
    (cell,) = home.cells([other], {}, np.ones((3, 150), bool))
    assert cell["is_struck"]
    assert cell["value"] is None
    assert "5 of 100 test texts" in cell["why"]


def test_a_single_shared_text_is_left_out_and_counted(home: Home) -> None:
    other = target(texts=(home.dataset.splits["train"].texts()[0].as_py(), *TEXTS[1:]))
    (cell,) = home.cells([other], {"sst2": answers(1.0)}, np.ones((3, 150), bool))
    assert (cell["shared"], cell["texts"], cell["is_struck"]) == (1, 99, False)


def test_what_is_declared_to_be_the_same_is_struck_out_whatever_the_sample(home: Home) -> None:
    of_films = Home(_named(home.dataset, "movie_reviews"), ("negative", "positive"))
    (cell,) = of_films.cells([target()], {}, np.ones((3, 150), bool))
    assert cell["is_struck"]
    assert "same sentences" in cell["why"]


def _named(dataset: Any, name: str) -> Any:
    from dataclasses import replace

    return replace(dataset, name=name)


def test_groups_are_cells_of_their_own(home: Home) -> None:
    other = target(groups=("a",) * 60 + ("b",) * 40)
    whole, first, second = home.cells([other], {"sst2": answers(0.6)}, np.ones((3, 150), bool))
    assert (whole["group"], first["group"], second["group"]) == ("", "a", "b")
    assert (first["value"], second["value"]) == (1.0, 0.0)


def test_home_itself_has_no_drop(home: Home) -> None:
    (cell,) = home.cells([target(name="pocket")], {}, np.ones((3, 150), bool))
    assert cell["is_home"]
    assert (cell["value"], cell["drop"]) == (1.0, None)


def test_datasets_that_are_not_here_are_targets_all_the_same(tmp_path: Path) -> None:
    found = {one.name: one for one in transfer.targets("sentiment", most=50, cache=tmp_path)}
    assert "not on this machine" in found["imdb"].why
    pocket = found["pocket"]
    assert (len(pocket.texts), set(pocket.groups or ())) == (50, {"tweet", "film", "product"})
    assert set(pocket.truth) == {"negative", "positive"}
