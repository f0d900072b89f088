"""Columns beside the text that tell the label: a date, an id, a user, where a row stands in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tunebook.data.dataset import Dataset, DataSource
from tunebook.data.further import further_columns
from tunebook.gate.auc import auc
from tunebook.gate.findings import Predictive

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_ROWS = 50_000
_RANGES, _FOLDS, _PRIOR_ROWS = 20, 5, 5
_ZONE = re.compile(r"\b[A-Z]{2,5}\b ?")
_DATES = (
    "%a %b %d %H:%M:%S %Y",
    "%a, %d %b %Y %H:%M:%S",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%b %d, %Y",
)
_SHARE = 0.95
"""So many of a column's values have to be numbers, or dates, for it to be read as such."""


def predictive(dataset: Dataset, source: DataSource | None) -> tuple[Predictive, ...]:
    """Every further column and how well it tells the label, the best first; those of one value only are left out.

    Looked at are the labels of train and validation, of 50,000 rows at most, evenly spaced. Numbers and dates are
    read by their order and by 20 ranges, other values as they are; rates by range or value are learned on other rows
    (5 folds). Of several classes the one that a column tells best from the rest is given; of scores, those over the
    median.
    """
    import numpy as np

    splits = [dataset.splits[name] for name in ("train", "validation") if name in dataset.splits]
    ids = [one for split in splits for one in split.ids]
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), MOST_ROWS)).astype(np.int64))
    labels = np.concatenate([split.labels for split in splits])[chosen]
    names = [ids[row] for row in chosen.tolist()]
    values = {} if source is None else further_columns(source, names)
    rows = [dict(values.get(name, {})) for name in names]
    groups = [split.table["group"] for split in splits if "group" in split.table.column_names]
    if groups:
        flat = [value for group in groups for value in group.to_pylist()]
        for row, place in zip(rows, chosen.tolist(), strict=True):
            row.setdefault("group", flat[place])
    columns = sorted({column for row in rows for column in row})
    found = [_column(column, [row.get(column) for row in rows], labels, dataset) for column in columns]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (-one.low, one.column)))


def _column(column: str, values: Sequence[Any], labels: Array, dataset: Dataset) -> Predictive | None:
    """What a column tells of the label it tells best; None where it has one value only, or there is one label only."""
    import numpy as np

    texts = ["" if value is None else str(value).strip() for value in values]
    _, codes = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    if codes.max(initial=0) == 0:
        return None
    best: Predictive | None = None
    numbers = _ordered(texts)
    for label, is_it in _targets(labels, dataset):
        for how, scores in _scores(codes, numbers, is_it):
            # Rates are compared within a fold alone: a fold with fewer of the label has seen more of it in the others,
            # so that across folds a column that tells nothing would seem to tell the contrary.
            area, low, high = auc(scores, is_it, groups=None if how == "order" else _folds(codes))
            if how == "order" and area < 0.5:
                area, low, high = 1 - area, 1 - high, 1 - low
            if area == area and (best is None or low > best.low):
                area, low, high = (round(value, 4) for value in (area, low, high))
                best = Predictive(column, how, label, area, low, high, len(labels))
    return best


def _targets(labels: Array, dataset: Dataset) -> Iterator[tuple[str, Array]]:
    import numpy as np

    if dataset.task == "regression":
        yield "over the median", labels > np.median(labels)
    elif len(dataset.label_names) == 2:
        yield dataset.label_names[1], labels == 1
    else:
        for number, name in enumerate(dataset.label_names):
            yield name, labels == number


def _scores(codes: Array, numbers: Array | None, is_it: Array) -> Iterator[tuple[str, Array]]:
    """The ways to read a column, each with a score for every row, `(rows,)`."""
    import numpy as np

    if numbers is None:
        yield "values", _rates(codes, is_it)
        return
    yield "order", numbers
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _RANGES + 1)[1:-1]))
    yield "ranges", _rates(np.searchsorted(edges, numbers, side="right"), is_it)


def _rates(codes: Array, is_it: Array) -> Array:
    """For each row the share of the label among the rows of other folds with its value, drawn to the share of all."""
    import numpy as np

    fold = _folds(codes)
    rates = np.zeros(len(codes))
    for number in range(_FOLDS):
        seen = fold != number
        count = np.bincount(codes[seen], minlength=codes.max() + 1)
        hits = np.bincount(codes[seen], weights=is_it[seen], minlength=codes.max() + 1)
        rates[~seen] = ((hits + _PRIOR_ROWS * is_it.mean()) / (count + _PRIOR_ROWS))[codes[~seen]]
    return rates


def _folds(rows: Array) -> Array:
    """The fold of each row, `(rows,)`."""
    import numpy as np

    return np.arange(len(rows)) % _FOLDS


def _ordered(texts: Sequence[str]) -> Array | None:
    """The values as numbers `(rows,)`, missing ones at the median; None where they are neither numbers nor dates."""
    import numpy as np

    for read in (_number, _date):
        sample = [read(text) for text in texts[:200] if text]
        if not sample or sum(value is not None for value in sample) < _SHARE * len(sample):
            continue
        found = [read(text) if text else None for text in texts]
        known = [value for value in found if value is not None]
        if len(known) >= _SHARE * sum(map(bool, texts)):
            middle = float(np.median(known))
            return np.array([middle if value is None else value for value in found])
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def _date(text: str) -> float | None:
    """Seconds of a date in one of the usual ways to write one, its time zone left out."""
    try:
        return _seconds(datetime.fromisoformat(text))
    except ValueError:
        pass
    bare = _ZONE.sub("", text)
    for pattern in _DATES:
        try:
            return _seconds(datetime.strptime(bare, pattern))
        except ValueError:
            continue
    return None


def _seconds(date: datetime) -> float:
    return (date.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
