"""Tables of named rows: look a name up, or say which names come near; find the modules of a folder."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TypeVar

from tunebook.errors import UsageError

Row = TypeVar("Row")


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """The up to three names that look most like `name`, best first.

    Example:
        >>> nearest("distilbert", ["distilbert-base-uncased", "roberta-base"])
        ['distilbert-base-uncased']
    """
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of an error message for an unknown name: the nearest names, else all of them."""
    choices = sorted(names)
    near = nearest(name, choices)
    if near:
        return "did you mean " + ", ".join(repr(choice) for choice in near) + "?"
    return "there are: " + ", ".join(choices)


def lookup(table: Mapping[str, Row], name: str, kind: str) -> Row:
    """The row called `name`.

    Raises:
        UsageError: there is no such row; the message names the nearest ones.
    """
    if name not in table:
        raise UsageError(f"unknown {kind} {name!r}; {did_you_mean(name, table)}")
    return table[name]


def scan(package: str) -> list[ModuleType]:
    """Every module of a package's folder that does not start with an underscore, imported, by name."""
    folder = importlib.import_module(package)
    names = sorted(found.name for found in pkgutil.iter_modules(folder.__path__))
    return [importlib.import_module(f"{package}.{name}") for name in names if not name.startswith("_")]
