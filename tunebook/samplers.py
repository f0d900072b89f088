"""What draws settings from a search space: quasi-random points, random ones, or Optuna, which learns from results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from tunebook.errors import UsageError
from tunebook.search import Choice, Space, applies, draw


class Sampler(Protocol):
    """Gives settings one after the other, and hears what came of them."""

    def ask(self) -> dict[str, Any]:
        """The next settings to try."""

    def tell(self, settings: Mapping[str, Any], value: float | None) -> None:
        """The value of settings that were tried, larger being better; None where training diverged."""


def sampler(kind: str, space: Space, settings: Mapping[str, Any], *, seed: int, name: str) -> Sampler:
    """A sampler of a space around some settings; what it draws is a function of `seed`, `name` and the values told.

    Raises:
        UsageError: Optuna is asked for and not installed.
    """
    mixed = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:4], "big")
    if kind in ("quasi_random", "random"):
        return Drawn(space, settings, mixed, is_quasi=kind == "quasi_random")
    return Suggested(kind, space, settings, mixed)


class Drawn:
    """Points that are fixed beforehand; more trials go on where fewer ended.

    Scrambled Sobol points (Owen 1998) fill a space more evenly than random ones: of four, each quarter of every
    setting's range gets one.
    """

    def __init__(self, space: Space, settings: Mapping[str, Any], seed: int, *, is_quasi: bool) -> None:
        import numpy as np

        self._space, self._settings = space, settings
        self._random = np.random.default_rng(seed)
        self._sobol = None
        if is_quasi:
            from scipy.stats import qmc

            self._sobol = qmc.Sobol(len(space), scramble=True, rng=seed)

    def ask(self) -> dict[str, Any]:
        """The next settings of the sequence."""
        point = self._random.random(len(self._space)) if self._sobol is None else self._sobol.random(1)[0]
        places = dict(zip(self._space, map(float, point), strict=True))
        return draw(self._space, places, self._settings)

    def tell(self, settings: Mapping[str, Any], value: float | None) -> None:
        """Nothing to learn from."""


class Suggested:
    """What Optuna's samplers suggest after the results so far; the same results give the same suggestions."""

    def __init__(self, kind: str, space: Space, settings: Mapping[str, Any], seed: int) -> None:
        try:
            import optuna
        except ImportError:
            raise UsageError(
                f"sampler {kind!r} is Optuna's, which is not installed: pip install 'tunebook[tune]'"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        kinds = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}
        self._space, self._settings = space, settings
        self._study = optuna.create_study(direction="maximize", sampler=kinds[kind](seed=seed))
        self._asked: list[tuple[dict[str, Any], Any]] = []

    def ask(self) -> dict[str, Any]:
        """What Optuna suggests next."""
        trial, drawn = self._study.ask(), dict(self._settings)
        for name, kind in self._space.items():
            if applies(kind, drawn):
                drawn[name] = (
                    trial.suggest_categorical(name, kind.values)
                    if isinstance(kind, Choice)
                    else kind.at(trial.suggest_float(name, 0.0, 1.0))
                )
        self._asked.append((drawn, trial))
        return drawn

    def tell(self, settings: Mapping[str, Any], value: float | None) -> None:
        """Let Optuna know. What diverged counts as the worst value so far: trials that are told as failed are left out,
        and the region where training diverges would be suggested again and again."""
        import optuna

        place = next(index for index, (asked, _) in enumerate(self._asked) if asked == settings)
        _, trial = self._asked.pop(place)
        known = [one.value for one in self._study.trials if one.value is not None]
        if value is None and not known:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, min(known) if value is None else value)
