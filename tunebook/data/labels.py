"""What the labels of an own file are: classes or scores, decided from their values and said aloud."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunebook.data.collect import Encode, score_encoder
from tunebook.errors import DataRejected, UsageError

MOST_INTEGER_CLASSES = 20
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TASKS = ("classification", "regression")


@dataclass(frozen=True)
class Decision:
    """The task of an own file, its classes' names (none for scores), and the sentence that announces it."""

    task: str
    label_names: tuple[str, ...]
    sentence: str

    def encoder(self) -> tuple[Encode, str]:
        """A function from a label's text to its number (None where it is not one), and what it expects."""
        if self.task == "regression":
            infinity = float("inf")
            return score_encoder(-infinity, infinity), "a number"
        numbers = {name: index for index, name in enumerate(self.label_names)}
        return lambda text: numbers.get(class_name(text)), "a label of train: " + _few(self.label_names)


def label_text(value: Any) -> str | None:
    """A label of any format as text; None where it is missing.

    Raises:
        DataRejected: it is a list: several labels for one text.

    Example:
        >>> label_text(True), label_text(" good "), label_text(None)
        ('true', 'good', None)
    """
    if isinstance(value, list | dict | tuple | set):
        raise DataRejected(
            f"several labels for one text: {str(value)[:60]}; a text has one class or one "
            "score here: make a column for each label, and an experiment for each column"
        )
    if value is None or value != value:  # NaN is the missing value of tables
        return None
    return str(value).lower() if isinstance(value, bool) else str(value).strip() or None


def class_name(text: str) -> str:
    """The name of the class that a label's text means: whole numbers in one way of writing.

    Example:
        >>> class_name("+4.0"), class_name("4 stars")
        ('4', '4 stars')
    """
    return str(int(float(text))) if _INTEGER.fullmatch(text) else text


def decide(values: Sequence[str], *, column: str, task: str | None) -> Decision:
    """Classes or scores? Text and at most 20 distinct whole numbers are classes, other numbers are scores.

    `values` are the distinct labels; `task` overrides what they look like.

    Raises:
        DataRejected: numbers and words are mixed, scores are no numbers, or all labels are the same.
        UsageError: there is no such task.

    Example:
        >>> decide(["5", "1", "10"], column="stars", task=None).label_names
        ('1', '5', '10')
        >>> decide(["0.5", "2"], column="score", task=None).task
        'regression'
    """
    words = [value for value in values if not _is_number(value)]
    integers = not words and all(_INTEGER.fullmatch(value) for value in values)
    names = sorted({class_name(value) for value in values}, key=int if integers else None)
    _refuse_odd(values, words, column=column, task=task)
    if len(names) == 1:
        raise DataRejected(
            f"column {column!r} has one label only, {names[0]!r}: there is nothing to learn; give rows of "
            "another class, or name another label column"
        )
    if (task or _looks_like(names, words, integers)) == "regression":
        what = "are numbers" if not integers else f"are {len(names)} distinct whole numbers"
        sentence = (
            f'labels in column {column!r} {what}: a score (task = "classification" makes classes of them)'
        )
        return Decision("regression", (), sentence)
    what = "whole numbers" if integers else "values"
    sentence = f"labels in column {column!r} are {len(names)} distinct {what}: classes {_few(names)}"
    return Decision("classification", tuple(names), sentence)


def _refuse_odd(values: Sequence[str], words: Sequence[str], *, column: str, task: str | None) -> None:
    """Refuse a task that does not exist, scores that are words, and words among many numbers."""
    if task not in (None, *_TASKS):
        raise UsageError(f"task {task!r} is unknown; there are: {', '.join(_TASKS)}")
    if task == "regression" and words:
        raise DataRejected(f"column {column!r} has labels that are no numbers, so no scores: {_few(words)}")
    if task is None and len(values) > MOST_INTEGER_CLASSES and 0 < len(words) < len(values) / 2:
        raise DataRejected(
            f"column {column!r} has numbers and also {_few(words)}: mend these labels, or say "
            'task = "classification"'
        )


def _is_number(text: str) -> bool:
    """Whether a label is a number that float32 can hold."""
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) < 3e38


def _looks_like(names: Sequence[str], words: Sequence[str], integers: bool) -> str:
    return "classification" if words or (integers and len(names) <= MOST_INTEGER_CLASSES) else "regression"


def _few(values: Sequence[str], shown: int = 8) -> str:
    more = f" and {len(values) - shown} more" if len(values) > shown else ""
    return ", ".join(repr(value) for value in values[:shown]) + more
