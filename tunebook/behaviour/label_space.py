"""What the labels of a dataset mean, so that a model of one dataset can be judged on another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunebook import data
from tunebook.errors import UsageError

SPACES: Mapping[str, tuple[str, ...]] = {"sentiment": ("negative", "positive")}
"""Label spaces that datasets share, each with its classes."""


def meanings(
    dataset: str,
    label_names: Sequence[str],
    declared: Mapping[str, str] | None = None,
    *,
    is_named: bool = True,
) -> tuple[str, list[str]]:
    """The label space of a dataset and what each of its labels means there, in the order of `label_names`.

    What is `declared` (label to meaning) counts first; labels that are called as the classes of a space mean these,
    but of a dataset with a row (where it `is_named`) only if the row says so.

    Raises:
        UsageError: the labels have no known meaning, or not each its own; the message says which mapping is needed.

    Example:
        >>> meanings("mine", ["bad", "good"], {"bad": "negative", "good": "positive"})
        ('sentiment', ['negative', 'positive'])
    """
    row = data.rows().get(dataset) if is_named else None
    held = {**{name: name for name in label_names}, **(declared or {})}
    found = [held[name] for name in label_names]
    for space, classes in SPACES.items():
        is_of_it = row is None or row.label_space == space or bool(set(declared or {}) & set(label_names))
        if is_of_it and sorted(found) == sorted(classes):
            return space, found
    wanted = ", ".join(f'{name!r} = "..."' for name in label_names) or "(it has scores, not classes)"
    known = "; ".join(f"{space} has {', '.join(classes)}" for space, classes in SPACES.items())
    raise UsageError(
        f"the labels of {dataset} cannot be mapped to another dataset's. Say in the experiment what each means, "
        f"transfer = {{ {wanted} }}, all the classes of one label space and each once ({known})"
    )


def datasets_of(space: str) -> list[str]:
    """The named datasets of a label space, by name."""
    return [name for name, row in data.rows().items() if row.label_space == space]
