"""Samplers: the same settings for the same seed, evenly spread; Optuna's learn from what came of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tunebook.errors import UsageError
from tunebook.samplers import Sampler, sampler
from tunebook.search import Choice, Distribution, Range

SPACE: dict[str, Distribution] = {
    "learning_rate": Range(low=1e-4, high=1.0),
    "rank": Choice(values=[4, 8]),
    "dropout": Range(low=0, high=0.5, log=False, when={"rank": [8]}),
}
DEFAULTS = {"learning_rate": 1e-3, "rank": 8, "dropout": 0.0, "alpha": 16}


def made(kind: str, *, seed: int = 1000, name: str = "lora", space: Any = None) -> Sampler:
    return sampler(kind, space or SPACE, DEFAULTS, seed=seed, name=name)


def asked(count: int, drawing: Sampler, value: Callable[[dict[str, Any]], float | None]) -> list[Any]:
    """So many settings, the sampler hearing of each one's value before it gives the next."""
    found = []
    for _ in range(count):
        found.append(drawing.ask())
        drawing.tell(found[-1], value(found[-1]))
    return found


def small(settings: dict[str, Any]) -> float | None:
    """Best at the smallest learning rate."""
    return -float(settings["learning_rate"])


def large(settings: dict[str, Any]) -> float | None:
    return float(settings["learning_rate"])


KINDS = ("quasi_random", "random", "tpe", "gp")


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_a_function_of_seed_and_name(kind: str) -> None:
    found = asked(3, made(kind), small)
    assert asked(3, made(kind), small) == found
    assert asked(3, made(kind, seed=1001), small) != found
    assert asked(3, made(kind, name="dora"), small) != found
    for settings in found:
        assert settings.keys() == DEFAULTS.keys() and settings["alpha"] == 16
        assert 1e-4 <= settings["learning_rate"] <= 1 and settings["rank"] in (4, 8)
        assert settings["dropout"] == 0.0 if settings["rank"] == 4 else 0 <= settings["dropout"] <= 0.5
    assert len({settings["learning_rate"] for settings in found}) == 3


@pytest.mark.parametrize("kind", KINDS[:2])
def test_more_of_them_go_on_where_fewer_ended(kind: str) -> None:
    assert asked(8, made(kind), small)[:3] == asked(3, made(kind), large), "whatever they came to"


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_quasi_random_points_leave_no_part_out(count: int) -> None:
    """Of so many points every part of a setting's range, cut in so many, has one; random points leave gaps."""
    space = {name: Choice(values=list(range(count))) for name in ("learning_rate", "dropout")}

    def parts(kind: str) -> list[set[int]]:
        points = [asked(count, made(kind, space=space, seed=seed), small) for seed in range(5)]
        return [{point[name] for point in of_seed} for of_seed in points for name in space]

    assert parts("quasi_random") == [set(range(count))] * 10
    assert parts("random") != [set(range(count))] * 10


# --- Optuna's -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS[2:])
def test_what_optuna_suggests_follows_from_the_values(kind: str) -> None:
    """Ten are drawn before it looks at what came of them."""
    space = {"learning_rate": Range(low=0, high=1, log=False)}
    low, high = (asked(14, made(kind, space=space), value) for value in (small, large))
    assert low == asked(14, made(kind, space=space), small)
    assert low[:10] == high[:10] and low[10:] != high[10:]
    mean_low, mean_high = (sum(one["learning_rate"] for one in found[10:]) / 4 for found in (low, high))
    assert mean_low < 0.3 and mean_high > 0.7


@pytest.mark.parametrize("kind", KINDS[2:])
def test_what_diverged_counts_as_the_worst(kind: str) -> None:
    """Left out of what is known of, its region would be suggested again: here more than half of the time."""
    space = {"learning_rate": Range(low=0, high=1, log=False)}

    def value(settings: dict[str, Any]) -> float | None:
        return None if settings["learning_rate"] > 0.5 else small(settings)

    first, later = (found := asked(18, made(kind, space=space), value))[:10], found[10:]
    assert any(value(settings) is None for settings in first)
    assert sum(value(settings) is None for settings in later) <= 1


def test_the_first_trial_may_diverge() -> None:
    drawing = made("tpe")
    drawing.tell(drawing.ask(), None)
    drawing.tell(drawing.ask(), 0.5)
    assert drawing.ask()


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for kind in KINDS[2:]:
        expected = rf"sampler '{kind}' is Optuna's, which is not installed: pip install 'tunebook\[tune\]'"
        with pytest.raises(UsageError, match=expected):
            made(kind)
    assert made("quasi_random").ask() and made("random").ask()
