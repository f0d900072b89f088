"""Which run a name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunebook import durable
from tunebook.errors import UsageError
from tunebook.registry import did_you_mean

_MOST_SHOWN = 10


def find(folders: Sequence[Path], name: str) -> Path:
    """The one run folder whose path or name is `name` or begins with it, or whose hash does.

    Raises:
        UsageError: none fits, and the message names the nearest; or several do, and it names them.
    """
    exact = [folder for folder in folders if folder.name == name or str(folder) == name.rstrip("/")]
    fitting = exact or [folder for folder in folders if name and _fits(folder, name)]
    if len(fitting) == 1:
        return fitting[0]
    if not folders:
        raise UsageError(
            f"unknown run {name!r}: there are no runs in this book yet; `tunebook run` makes one"
        )
    if not fitting:
        raise UsageError(f"unknown run {name!r}; {_near(folders, name)}")
    shown = "".join(f"\n  {folder.name}" for folder in fitting[:_MOST_SHOWN])
    more = f"\n  and {len(fitting) - _MOST_SHOWN} more" if len(fitting) > _MOST_SHOWN else ""
    raise UsageError(f"{name!r} fits {len(fitting)} runs; give more of the name or of the hash:{shown}{more}")


def _fits(folder: Path, name: str) -> bool:
    short = folder.name.rpartition("--")[2]
    if folder.name.startswith(name) or short.startswith(name):
        return True
    return name.startswith(short) and str(durable.read_json(folder / "run.json")["run"]).startswith(name)


def _near(folders: Sequence[Path], name: str) -> str:
    names = [folder.name for folder in folders]
    if len(names) <= _MOST_SHOWN:
        return did_you_mean(name, names)
    return f"{did_you_mean(name, names[:_MOST_SHOWN])}; `tunebook list runs` shows all {len(names)}"
