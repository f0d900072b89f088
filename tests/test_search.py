"""Search spaces: what they hold, where their values lie, what is refused; and that every method has one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.methods.cells import METHODS
from tunebook import methods
from tunebook.search import Choice, Distribution, Range, applies, distribution, draw, on_edge

# --- the methods' own ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_learning_rate_is_searched_around_its_default(method: str) -> None:
    row = methods.method(method)
    kind = row.search["learning_rate"]
    assert isinstance(kind, Range) and kind.log and not kind.whole and not kind.when
    assert kind.low < row.settings().model_dump()["learning_rate"] < kind.high
    assert not kind.is_edge(row.settings().model_dump()["learning_rate"])
    assert 10 <= kind.high / kind.low <= 50, "as wide for one method as for another"


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_the_ends_of_what_is_searched(method: str) -> None:
    row = methods.method(method)
    for name, kind in row.search.items():
        assert isinstance(kind, Range)
        assert (kind.at(0), kind.at(1)) == (kind.low, kind.high)
        for end in (kind.low, kind.high):
            assert getattr(row.settings(**{name: end}), name) == end


def test_baselines_have_nothing_to_search() -> None:
    for row in methods.rows().values():
        assert bool(row.search) == row.needs_checkpoint, row.name


# --- values -------------------------------------------------------------------------------------------------

PLACES = [place / 1000 for place in range(1001)]


@pytest.mark.parametrize(
    "kind",
    [
        Range(low=1e-5, high=2e-4),
        Range(low=0.12345, high=9.8765),
        Range(low=-0.5, high=0.5, log=False),
        Range(low=4, high=64, whole=True),
        Range(low=0, high=3, whole=True, log=False),
    ],
)
def test_values_rise_from_low_to_high(kind: Range) -> None:
    values = [kind.at(place) for place in PLACES]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (kind.low, kind.high)
    assert all(isinstance(value, int if kind.whole else float) for value in values)


def test_logarithms_are_spread_evenly() -> None:
    assert [Range(low=1e-4, high=1e-1).at(place / 3) for place in range(4)] == [1e-4, 1e-3, 1e-2, 1e-1]
    assert [Range(low=1, high=4, log=False).at(place / 3) for place in range(4)] == [1, 2, 3, 4]


def test_whole_numbers_have_as_much_room_each() -> None:
    """Those at the ends as well: rounded from `low` to `high` they would come half as often."""
    shares = Counter(Range(low=1, high=4, whole=True, log=False).at(place) for place in PLACES)
    assert shares.keys() == {1, 2, 3, 4} and max(shares.values()) - min(shares.values()) <= 2


def test_a_choice_takes_each_value_as_often() -> None:
    kind = Choice(values=["attention", "all_linear", True])
    shares = Counter(map(kind.at, PLACES))
    assert shares.keys() == {"attention", "all_linear", True}
    assert max(shares.values()) - min(shares.values()) <= 2


# --- edges --------------------------------------------------------------------------------------------------

EDGES: list[tuple[Distribution, list[Any], list[Any]]] = [
    (Range(low=1e-5, high=1e-3), [1e-5, 1.5e-5, 6.4e-4, 1e-3], [1.7e-5, 1e-4, 6e-4]),
    (Range(low=0, high=1, log=False), [0.0, 0.1, 0.95], [0.11, 0.5, 0.89]),
    (Range(low=1, high=4, whole=True, log=False), [1, 4], [2, 3]),
    (Choice(values=[4, 16, 8]), [4, 16], [8]),
    (Choice(values=[4, 8]), [], [4, 8]),
    (Choice(values=["attention", "all_linear", "none"]), [], ["attention", "none"]),
    (Choice(values=[True, False, 3]), [], [True, False, 3]),
]


@pytest.mark.parametrize(("kind", "on", "off"), EDGES)
def test_a_value_on_the_edge(kind: Distribution, on: list[Any], off: list[Any]) -> None:
    assert [kind.is_edge(value) for value in on] == [True] * len(on)
    assert [kind.is_edge(value) for value in off] == [False] * len(off)


# --- as an experiment writes them ---------------------------------------------------------------------------


def test_a_list_or_a_table() -> None:
    assert distribution([4, 8]) == distribution({"values": [4, 8]}) == Choice(values=[4, 8])
    assert distribution({"low": 1, "high": 2, "log": False}) == Range(low=1.0, high=2.0, log=False)
    when = {"rank": [4, 8]}
    assert distribution({"values": [0.0, 0.1], "when": when}) == Choice(values=[0.0, 0.1], when=when)
    assert distribution(Range(low=1, high=2)) == Range(low=1, high=2)


NO_SPACE: list[tuple[Any, str]] = [
    (3e-4, "expected a list of values, or a table with low and high, got 0.0003"),
    ({"low": 1e-3, "high": 1e-4}, "low is 0.001, high is 0.0001: expected low below high"),
    ({"low": 1e-3, "high": 1e-3}, "low is 0.001, high is 0.001: expected low below high"),
    ({"low": 0, "high": 0.5}, "low is 0.0: logarithms need a low above 0, or log = false"),
    ({"low": 1.5, "high": 8, "whole": True}, "low is 1.5, high is 8.0: expected whole bounds of whole numbers"),
    ({"low": 1e-4}, "high is missing"),
    ({"low": "1e-4", "high": 1e-3}, "low: got '1e-4'; input should be a valid number"),
    ({"low": float("-inf"), "high": 1.0}, "low: got -inf; input should be a finite number"),
    ({"low": 1e-4, "high": 1e-3, "lg": True}, "unknown key 'lg'; did you mean 'log'"),
    ({"low": 1e-4, "hgh": 1e-3}, "high is missing; unknown key 'hgh'; did you mean 'high'?"),
    ([4], "values: got [4]; list should have at least 2 items after validation, not 1"),
    ([["query"], "all"], "values: got ['query']; expected numbers, texts, or true and false"),
    ({"values": [1, 2], "when": {"rank": 4}}, "when.rank: got 4; input should be a valid list"),
    ({"values": [1, 2], "when": {"rank": []}}, "when.rank: got []; list should have at least 1 item"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "message"), NO_SPACE)
def test_what_is_no_space(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        distribution(value)
    assert str(caught.value).startswith(message)


# --- drawing ------------------------------------------------------------------------------------------------

SPACE: dict[str, Distribution] = {
    "rank": Choice(values=[4, 8, 16]),
    "dropout": Choice(values=[0.1, 0.2, 0.3], when={"rank": [8, 16], "targets": ["attention"]}),
}
LORA = {"rank": 8, "dropout": 0.0, "targets": "attention"}


@pytest.mark.parametrize(
    ("place", "targets", "expected"),
    [
        (0.5, "attention", {"rank": 8, "dropout": 0.3}),
        (0.9, "attention", {"rank": 16, "dropout": 0.3}),
        (0.1, "attention", {"rank": 4, "dropout": 0.0}),
        (0.5, "all_linear", {"rank": 8, "dropout": 0.0}),
    ],
)
def test_conditions(place: float, targets: str, expected: dict[str, Any]) -> None:
    """They are about what was drawn before, and about settings that are not searched at all."""
    before = {**LORA, "targets": targets}
    drawn = draw(SPACE, {"rank": place, "dropout": 0.99}, before)
    assert drawn == {**before, **expected}
    assert before == {**LORA, "targets": targets}, "what came in is as it was"
    assert applies(SPACE["dropout"], drawn) == (drawn["dropout"] != 0.0)


def test_only_what_was_drawn_can_lie_on_an_edge() -> None:
    assert on_edge(SPACE, {**LORA, "rank": 16, "dropout": 0.1}) == ["rank", "dropout"]
    assert on_edge(SPACE, {**LORA, "rank": 8, "dropout": 0.2}) == []
    assert on_edge(SPACE, {**LORA, "rank": 4, "dropout": 0.1}) == ["rank"]
